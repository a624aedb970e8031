/*
 * W3C Trace Context: traceparent and tracestate, read and written.
 *
 * Happy path: one traceparent that is valid, and its trace goes on with a new parent id; whatever
 * is wrong with it begins a new trace, which has no tracestate.  What is wrong with tracestate
 * alone loses that, and the trace goes on (W3C Trace Context section 4.3).
 */
#ifndef PX_HTTP_TRACE_CONTEXT_H
#define PX_HTTP_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/field.h"

enum {
    TRACE_ID_BYTES = 32, /* in hexadecimal, as are the others */
    SPAN_ID_BYTES = 16,
    TRACEPARENT_BYTES = 55,     /* version 00 */
    TRACESTATE_MEMBERS = 32,    /* section 3.3.1.1 */
    TRACESTATE_BYTES_MAX = 512, /* what must be passed on at least, section 3.3.1.5 */
};

struct trace_context {
    px_str trace_id; /* slices of the field; absent: a new trace begins */
    px_str parent_id;
    bool sampled;
};

/* Reads a value of traceparent: false when it is not valid, of this version or a later one. */
bool trace_parent_read(px_str value, struct trace_context *out_context);

/* The one traceparent of a request; two are as none. */
bool trace_parent_find(const px_field *fields, size_t count, struct trace_context *out_context);

/* Puts all fields of tracestate together, their members as they are, into `out`, which has room for
 * TRACESTATE_BYTES_MAX: what would be longer is left out, long members first.  The bytes written; 0
 * when there is none, or it is not valid. */
size_t trace_state_join(const px_field *fields, size_t count, char *out);

/* Writes the traceparent of a span into `out`, which has room for TRACEPARENT_BYTES. */
void trace_parent_write(px_str trace_id, px_str span_id, bool sampled, char *out);

#endif
