/*
 * Matchers, seen from inside.
 */
#ifndef PX_GATE_MATCHER_H
#define PX_GATE_MATCHER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "net/cidr.h"
#include "pollux/exchange.h"
#include "pollux/matcher.h"

enum { MATCHER_PATH_BYTES = 8 * 1024 }; /* of a path that is resolved on the stack */

/* A block of client addresses; one with `all` holds also what has no address. */
struct client_block {
    struct cidr cidr;
    bool all;
};

struct match_value {
    px_str name; /* of a query or cookie */
    px_str glob; /* or the whole value; absent: NAME alone */
    struct client_block block;
};

struct match_line {
    struct match_line *next;
    px_match_kind kind;
    px_matcher *inner; /* a hold; not NULL: this line is a "not" */
    const char *name;  /* of a header */
    size_t count;
    struct match_value values[]; /* texts are behind them */
};

struct px_matcher {
    px_allocator allocator;
    atomic_uint holds;
    uint32_t depth; /* 0: no "not" in it */
    uint32_t line_count;
    struct match_line *lines; /* owned; the last one added first */
};

/* Reads a block, an address, "unix:" or "all": PX_OK, PX_ERR_INVALID. */
PX_MUST_CHECK px_err client_block_parse(px_str text, struct client_block *out_block,
                                        px_error *out_error);

/* Whether a client, as px_request_client writes it, is in the block. */
bool client_block_has(const struct client_block *block, px_str client);

/* Another hold; NULL is fine. */
px_matcher *matcher_hold(px_matcher *matcher);

/* Whether a thing with a matcher, which may be NULL, is meant by this exchange. */
static inline bool matcher_applies(const px_matcher *matcher, px_exchange *exchange)
{
    return !matcher || px_matcher_matches(matcher, exchange);
}

/* The same for what refuses or counts: it has done so once before the page of an error is made, and
 * the page of a refusal must not be refused. */
static inline bool gate_guards(const px_matcher *when, px_exchange *exchange)
{
    return !px_exchange_is_error_page(exchange) && matcher_applies(when, exchange);
}

#endif
