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

px_err flow_put(struct flow *flow, px_str bytes, size_t *out_used)
{
    struct buf *kept = &flow->kept;

    CHECK(!flow->ended && flow->at <= kept->len);
    if (bytes.len > kept->bytes_max - kept->len && flow->at > 0) {
        flow->dropped += flow->at;
        buf_consume(kept, flow->at);
        flow->at = 0;
    }
    size_t room = kept->bytes_max - kept->len;
    size_t used = bytes.len < room ? bytes.len : room;
    px_err err = used > 0 ? buf_append(kept, px_str_make(bytes.ptr, used)) : PX_OK;

    if (err != PX_OK)
        return PX_ERR_MEMORY;
    flow->full = used < bytes.len;
    *out_used = used;
    return PX_OK;
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
