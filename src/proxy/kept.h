/*
 * What a request keeps of content on its way, for a side that has not taken it: counted for its
 * connection, bounded by that, and the first to go where memory is short.
 *
 * Happy path: kept_put in place of flow_put, kept_note as content is taken.  A connection whose
 * requests keep much is given little room for more.  Where there is no memory at all, what was kept
 * longest, for its size, is cut.
 */
#ifndef PX_PROXY_KEPT_H
#define PX_PROXY_KEPT_H

#include "base/budget.h"
#include "pollux/error.h"
#include "pollux/str.h"

struct passage;
struct flow;

enum {
    /* Of what may be written and not taken, for the requests of one connection: the first of them
     * fill it, and of the others each has its part of as much. */
    KEPT_SHARE_PART = 16,
    KEPT_BYTES_MIN = 1024, /* for each of them */
    KEPT_PRESS_MAX = 16,   /* are cut for one, at most, where nothing can be kept */
    KEPT_LEAVE_MAX = 2,    /* ... and for what it leaves unread */
};

/* Keeps bytes in a flow of the passage: PX_OK, or PX_ERR_MEMORY where there is none. */
PX_MUST_CHECK px_err kept_put(struct passage *passage, struct flow *flow, px_str bytes,
                              size_t *out_used);

/* So many bytes of it were taken; 0: what is kept may have changed. */
void kept_note(struct passage *passage, uint64_t moved_bytes);

/* Nothing is kept from now on. */
void kept_end(struct passage *passage);

/* As a holder's `weigh` and `give_way`. */
uint64_t kept_weigh(const struct budget_holder *holder);
void kept_give_way(struct budget_holder *holder);

#endif
