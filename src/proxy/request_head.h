/*
 * The fields of a request on its way to a server: what is dropped, what is passed on, what is
 * added.
 *
 * Happy path: request_head_look reads what steers, request_head_write makes the fields anew.  It
 * can fail by a Connection field that names too much, and for want of memory.
 */
#ifndef PX_PROXY_REQUEST_HEAD_H
#define PX_PROXY_REQUEST_HEAD_H

#include <stdbool.h>

#include "base/arena.h"
#include "pollux/error.h"
#include "pollux/exchange.h"
#include "pollux/field.h"

enum { CONNECTION_NAMES_MAX = 16 };

/* What came, and how. */
struct request_head {
    const px_field *fields; /* borrowed */
    size_t field_count;
    unsigned version;     /* 10, 11, 20 */
    px_str peer;          /* its address without a port; absent: it has none */
    px_str scheme;        /* how it came to us */
    px_str authority;     /* absent: none */
    px_str via_name;      /* ours */
    px_str request_id;    /* in place of X-Request-Id; absent: it is not sent */
    px_str traceparent;   /* likewise */
    px_str tracestate;    /* goes with it */
    px_str websocket_key; /* in place of what came; absent: that goes on */
    bool trusted;         /* the peer is believed */
    bool forwarded;       /* a Forwarded field is written, too */
    bool underscores;     /* names with "_" are passed on */
    bool counts_hops;     /* OPTIONS and TRACE: Max-Forwards is ours to count */
};

/* Fields that concern one connection alone, as Connection names them (RFC 9110 section 7.6.1). */
struct connection_names {
    px_str names[CONNECTION_NAMES_MAX];
    size_t count;
};

/* PX_OK, or PX_ERR_LIMIT: more than that many are named. */
PX_MUST_CHECK px_err connection_names_read(const px_field *fields, size_t field_count,
                                           struct connection_names *out_names);
bool connection_names_have(const struct connection_names *names, px_str name);

/* Whether one of the Via fields has our name: the request has come around. */
bool request_head_loops(const struct request_head *head);

/* Whether trailers are welcome: "TE: trailers" without a weight. */
bool fields_want_trailers(const px_field *fields, size_t field_count);

/* The value of Max-Forwards (RFC 9110 section 7.6.2); UINT64_MAX: there is none. */
uint64_t request_head_hops(const struct request_head *head);

/* What the request is called, as the log has it: our own id, unless the client is believed, and our
 * span in place of its parent. */
void request_head_names(struct request_head *head, px_exchange *exchange);

/* PX_OK, PX_ERR_LIMIT (as above) or PX_ERR_MEMORY.  All is of the arena, or of what came. */
PX_MUST_CHECK px_err request_head_write(const struct request_head *head, struct arena *arena,
                                        px_field **out_fields, size_t *out_count);

/* Whether a field of the trailer section goes on (RFC 9110 section 6.5.1). */
bool request_trailer_passes(const struct connection_names *names, px_str name, bool underscores);

/* One more element of Via: "1.1 name", in the arena; absent without memory. */
px_str via_element(struct arena *arena, unsigned version, px_str name);

#endif
