/*
 * What requests keep, and what is cut for others.
 */
#include "proxy/kept.h"

#include "base/check.h"
#include "proxy/passage.h"

static struct budget *budget_of(const struct passage *passage)
{
    return &passage->proxy->loop->memory;
}

static void count_change(struct passage *passage, bool keeps)
{
    struct exchange_places *client = passage->place.client;

    if (!client)
        return;
    if (keeps && client->kept < UINT8_MAX) {
        client->kept++;
        passage->place.kept = true;
    } else if (!keeps && passage->place.kept) {
        CHECK(client->kept > 0);
        client->kept--;
        passage->place.kept = false;
    }
}

/* The requests of its connection for which something is kept. */
static uint32_t count_of(const struct passage *passage)
{
    const struct exchange_places *client = passage->place.client;

    return client && client->kept > 0 ? client->kept : 1;
}

/* All requests of a connection weigh as much as it keeps for each. */
uint64_t kept_weigh(const struct budget_holder *holder)
{
    const struct passage *passage = CONTAINER_OF(holder, const struct passage, holder);

    return holder->bytes * count_of(passage);
}

void kept_note(struct passage *passage, uint64_t moved_bytes)
{
    struct budget *budget = budget_of(passage);
    struct budget_holder *holder = &passage->holder;
    uint64_t now_ms = px_loop_now_ms(passage->proxy->loop);
    bool keeps = passage->exchange && passage->stage != PASSAGE_REFUSED &&
                 flow_len(&passage->request) + flow_len(&passage->answer) > 0;

    if (keeps != list_linked(&passage->holder.node))
        count_change(passage, keeps);
    if (!keeps) {
        budget_release(holder);
        return;
    }
    uint64_t bytes = passage->request.kept.cap + passage->answer.kept.cap;

    budget_hold(budget, BUDGET_OUTPUT, holder, bytes, bytes * (count_of(passage) - 1), now_ms);
    budget_move(budget, BUDGET_OUTPUT, holder, moved_bytes, bytes, now_ms);
}

void kept_end(struct passage *passage)
{
    if (list_linked(&passage->holder.node))
        count_change(passage, false);
    budget_release(&passage->holder);
}

/* The exchange ends as one that finds no memory does, and all that is kept for it goes at once. */
void kept_give_way(struct budget_holder *holder)
{
    struct passage *passage = CONTAINER_OF(holder, struct passage, holder);

    ASSERT(passage->exchange && list_linked(&passage->holder.node));
    kept_end(passage);
    flow_drop(&passage->request);
    flow_drop(&passage->answer);
    passage_give_up(passage, 503, "others needed the memory of what its other side did not take");
}

/* How much one flow may keep, of a connection that keeps for so many requests. */
static size_t most_of(const struct passage *passage)
{
    uint64_t share = budget_of(passage)->shares[BUDGET_OUTPUT].bytes_max / KEPT_SHARE_PART;
    uint64_t most = share / count_of(passage);

    if (most < KEPT_BYTES_MIN)
        most = KEPT_BYTES_MIN;
    return most < SIZE_MAX ? (size_t)most : SIZE_MAX;
}

static bool press(const struct passage *passage)
{
    uint64_t now_ms = px_loop_now_ms(passage->proxy->loop);
    struct budget_asker asker = {
        .more_bytes = BUDGET_FIRST_BYTES, .since_ms = now_ms, .now_ms = now_ms, .rest_part = 1};

    return budget_press(budget_of(passage), BUDGET_OUTPUT, &asker) &&
           passage->stage != PASSAGE_REFUSED;
}

/* What does not fit stays unread in the connection that it came by.  Where room for that is short
 * too, others that keep more give theirs back with what they keep. */
static void rest_leave(const struct passage *passage)
{
    for (uint32_t count = 0; count < KEPT_LEAVE_MAX; count++)
        if (!budget_is_at_reserve(budget_of(passage), BUDGET_INBOX, BUDGET_FIRST_BYTES) ||
            !press(passage))
            break;
}

px_err kept_put(struct passage *passage, struct flow *flow, px_str bytes, size_t *out_used)
{
    px_err err = flow_put(flow, bytes, most_of(passage), out_used);

    for (uint32_t count = 0; err != PX_OK && count < KEPT_PRESS_MAX && press(passage); count++)
        err = flow_put(flow, bytes, most_of(passage), out_used);
    if (err == PX_OK && *out_used < bytes.len)
        rest_leave(passage);
    kept_note(passage, 0);
    return err;
}
