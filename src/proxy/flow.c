/*
 * Content on its way from one side to the other.
 */
#include "proxy/flow.h"

#include <string.h>

#include "base/check.h"

void flow_init(struct flow *flow, const px_allocator *allocator, struct budget *budget,
               size_t bytes_max)
{
    CHECK(bytes_max > 0);
    *flow = (struct flow){0};
    buf_init(&flow->kept, allocator, bytes_max);
    buf_use_budget(&flow->kept, budget, BUDGET_OUTPUT);
}

void flow_deinit(struct flow *flow)
{
    buf_deinit(&flow->kept);
}

/* What was taken is not kept for another time. */
static void taken_drop(struct flow *flow)
{
    flow->dropped += flow->at;
    buf_consume(&flow->kept, flow->at);
    flow->at = 0;
}

/* Room for so many bytes, or for fewer where memory is short: first for those that are set aside
 * for each, then where it has room already. */
static size_t room_make(struct flow *flow, size_t wanted)
{
    struct buf *kept = &flow->kept;

    if (wanted == 0 || buf_reserve(kept, wanted) == PX_OK)
        return wanted;
    taken_drop(flow);
    size_t first = kept->len < BUDGET_FIRST_BYTES ? BUDGET_FIRST_BYTES - kept->len : 0;

    if (first > wanted)
        first = wanted;
    if (first > 0 && buf_reserve(kept, first) == PX_OK)
        return first;
    size_t room = kept->cap - kept->len;

    return wanted < room ? wanted : room;
}

px_err flow_put(struct flow *flow, px_str bytes, size_t most, size_t *out_used)
{
    struct buf *kept = &flow->kept;

    CHECK(!flow->ended && flow->at <= kept->len);
    if (most > kept->bytes_max)
        most = kept->bytes_max;
    if (flow->at > 0 && (most < kept->len || bytes.len > most - kept->len))
        taken_drop(flow);
    size_t room = kept->len < most ? most - kept->len : 0;
    size_t used = room_make(flow, bytes.len < room ? bytes.len : room);

    if (used == 0 && bytes.len > 0 && flow_len(flow) == 0)
        return PX_ERR_MEMORY;
    if (used > 0 && buf_append(kept, px_str_make(bytes.ptr, used)) != PX_OK)
        return PX_ERR_MEMORY;
    flow->full = used < bytes.len;
    *out_used = used;
    return PX_OK;
}

void flow_trim(struct flow *flow)
{
    struct buf *kept = &flow->kept;

    if (kept->cap == 0 || flow_len(flow) > 0 || !budget_is_short(kept->budget, kept->kind))
        return;
    flow_drop(flow);
}

void flow_drop(struct flow *flow)
{
    flow->dropped += flow->kept.len;
    flow->at = 0;
    buf_deinit(&flow->kept);
}

px_pull flow_take(struct flow *flow, char *out, size_t room, size_t *out_bytes)
{
    size_t len = flow_len(flow);
    size_t count = len < room ? len : room;

    ASSERT(flow->at <= flow->kept.len);
    *out_bytes = count;
    if (count > 0)
        memcpy(out, flow->kept.ptr + flow->at, count);
    flow->at += count;
    if (count == len && flow->ended)
        return PX_PULL_END;
    if (count > 0)
        return PX_PULL_MORE;
    return flow->broken ? PX_PULL_ERROR : PX_PULL_LATER;
}

bool flow_let_go(struct flow *flow)
{
    if (!flow->full || flow_len(flow) > flow->kept.bytes_max / 2)
        return false;
    flow->full = false;
    return true;
}

bool flow_rewind(struct flow *flow)
{
    if (flow->dropped > 0)
        return false;
    flow->at = 0;
    return true;
}
