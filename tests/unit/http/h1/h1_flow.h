/*
 * A connection without a network: heads and contents read one after the other from a stream of
 * bytes, written down as one line of text that tests compare.
 *
 *   GET /;                 a request without content
 *   POST /[abc];           with content; more than 64 bytes appear as [#20000]
 *   POST /[abc]{x: 1};     with a trailer section
 *   ... expect             it expects 100-continue
 *   ... expect?            it expects something else
 *   ... upgrade            Connection and Upgrade agree on one
 *   400                    refused; nothing is read after that
 *   close                  the last one asked for that; nothing is read after it
 *   idle, head, content    how the stream ended otherwise: between requests, or within one
 */
#ifndef PX_TESTS_H1_FLOW_H
#define PX_TESTS_H1_FLOW_H

#include "base/buf.h"
#include "http/h1/h1_body.h"
#include "http/h1/h1_parse.h"

enum { FLOW_FIELDS_MAX = 100, FLOW_TEXT_MAX = 64 };

enum flow_phase { FLOW_HEAD, FLOW_CONTENT, FLOW_END };

struct h1_flow {
    const struct scan_table *scan;
    struct http_limits limits;
    struct h1_parser parser;
    struct h1_body body;
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct arena arena;
    struct buf line;    /* what is compared */
    struct buf content; /* of the current request */
    const char *reason; /* after a refusal */
    uint32_t started;   /* requests whose head was whole */
    enum flow_phase phase;
    bool begun;
    char memory[1024];
};

/* Starts again: default limits, the given table.  The first call needs zeroed memory. */
void h1_flow_begin(struct h1_flow *flow, const struct scan_table *scan);
void h1_flow_deinit(struct h1_flow *flow);

/* Reads on; returns how many bytes were used up.  All of them after the end. */
size_t h1_flow_feed(struct h1_flow *flow, px_str bytes);

/* The stream ends: the line is complete and returned, NUL-terminated. */
const char *h1_flow_end(struct h1_flow *flow);

#endif
