/*
 * Content on its way from one side to the other, as far as the second has not taken it.
 *
 * Happy path: flow_put keeps what fits, flow_take gives it in order.  What was taken stays while
 * nothing needs its room, so that content which fits can be taken again from its start
 * (flow_rewind).  It can fail for want of memory.
 */
#ifndef PX_PROXY_FLOW_H
#define PX_PROXY_FLOW_H

#include "base/buf.h"
#include "pollux/response.h"

struct flow {
    struct buf kept;  /* owned */
    size_t at;        /* in kept: the first byte that was not taken */
    uint64_t dropped; /* bytes that were in front of kept */
    bool ended;       /* nothing follows */
    bool broken;      /* nothing follows, and there should have */
    bool full;        /* its giver was held back */
};

void flow_init(struct flow *flow, const px_allocator *allocator, struct budget *budget,
               size_t bytes_max);
void flow_deinit(struct flow *flow);

/* Keeps the first of the bytes, as many as there is room for, and no more than `most` in all:
 * PX_OK, or PX_ERR_MEMORY when there is no memory for the first byte.  Where memory is short that
 * is little room, and what could be taken again goes for it. */
PX_MUST_CHECK px_err flow_put(struct flow *flow, px_str bytes, size_t most, size_t *out_used);

/* Gives its memory back where that is short and nothing is kept in it that was not taken. */
void flow_trim(struct flow *flow);

/* Gives all of it back: what was not taken is lost. */
void flow_drop(struct flow *flow);

/* As `pull` of a px_producer. */
px_pull flow_take(struct flow *flow, char *out, size_t room, size_t *out_bytes);

/* Whether a giver that was held back may go on, which is noted. */
bool flow_let_go(struct flow *flow);

/* Back to the start: false where that is gone. */
bool flow_rewind(struct flow *flow);

static inline size_t flow_len(const struct flow *flow)
{
    return flow->kept.len - flow->at;
}

/* What flow_put takes. */
static inline size_t flow_room(const struct flow *flow)
{
    return flow->kept.bytes_max - flow_len(flow);
}

#endif
