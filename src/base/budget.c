/*
 * The making of a budget, and what gives way in it; taking and giving are in the header.
 */
#include "base/budget.h"

#include <string.h>

#include "base/limits.h"

_Static_assert(PART_HEADS + PART_INBOX + 2 * PART_EXCHANGES + 2 * PART_OUTPUT + PART_SEALED +
                       PART_SESSIONS + PART_SOCKETS + PART_SOCKET_CODERS + PART_CODERS +
                       PART_CACHES ==
                   MEMORY_PARTS,
               "the parts are the whole");

void budget_init(struct budget *budget, uint64_t sum_bytes_max,
                 const uint64_t share_bytes_max[BUDGET_KIND_COUNT])
{
    memset(budget, 0, sizeof(*budget));
    budget->sum.bytes_max = sum_bytes_max;
    for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++)
        budget->shares[kind].bytes_max = share_bytes_max[kind];
    for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++) {
        list_init(&budget->spare[kind]);
        list_init(&budget->holders[kind]);
        list_init(&budget->little[kind]);
    }
}

/* What is held was taken. */
static uint64_t held_check(const struct list *list)
{
    uint64_t bytes = 0;

    for (const struct list *at = list->next; ASSERTS && at != list; at = at->next) {
        const struct budget_holder *holder = LIST_ENTRY(at, const struct budget_holder, node);

        ASSERT(holder->bytes > 0 && holder->give_way);
        bytes += holder->bytes;
    }
    return bytes;
}

void budget_check(const struct budget *budget)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++) {
        ASSERT(budget->shares[kind].bytes <= budget->shares[kind].bytes_max);
        ASSERT(!budget->favoured[kind] || budget->favoured[kind]->give_way);
        ASSERT(held_check(&budget->spare[kind]) + held_check(&budget->holders[kind]) +
                   held_check(&budget->little[kind]) <=
               budget->shares[kind].bytes);
        sum += budget->shares[kind].bytes;
    }
    ASSERT(sum == budget->sum.bytes && sum <= budget->sum.bytes_max);
}

void budget_divide(struct budget *budget, uint64_t sum_bytes_max, uint64_t inbox_bytes_max)
{
    uint64_t part = sum_bytes_max / MEMORY_PARTS;
    uint64_t heads = part * PART_HEADS, inbox = part * PART_INBOX;

    budget->shares[BUDGET_HEADS].bytes_max =
        heads < HEADS_BYTES_TOTAL_MAX ? heads : HEADS_BYTES_TOTAL_MAX;
    budget->shares[BUDGET_INBOX].bytes_max = inbox < inbox_bytes_max ? inbox : inbox_bytes_max;
    budget->shares[BUDGET_EXCHANGES].bytes_max = part * PART_EXCHANGES;
    budget->shares[BUDGET_OUTPUT].bytes_max = part * PART_OUTPUT;
    budget->shares[BUDGET_SESSIONS].bytes_max = part * PART_SESSIONS;
    budget->shares[BUDGET_SOCKETS].bytes_max = part * PART_SOCKETS;
    budget->shares[BUDGET_SOCKET_CODERS].bytes_max = part * PART_SOCKET_CODERS;
}

bool budget_take_fair(struct budget *budget, enum budget_kind kind, uint64_t has_bytes,
                      uint64_t more_bytes)
{
    uint64_t most = budget->shares[kind].bytes_max;
    uint64_t reserve = most / BUDGET_RESERVE_PART;
    uint64_t left = budget_left(budget, kind);
    uint64_t fair = left > reserve ? (left - reserve) / BUDGET_LEFT_PART : 0;

    if (has_bytes + more_bytes > BUDGET_FIRST_BYTES && has_bytes + more_bytes > fair &&
        budget_is_short(budget, kind))
        return false;
    return budget_take(budget, kind, more_bytes);
}

/* --- What gives way --------------------------------------------------------------------------- */

static bool is_little(const struct budget_holder *holder)
{
    return holder->bytes + holder->shared_bytes <= BUDGET_FIRST_BYTES;
}

/* Last on its list, as one that is new. */
static void holder_append(struct budget *budget, enum budget_kind kind,
                          struct budget_holder *holder, uint64_t now_ms)
{
    holder->since_ms = now_ms;
    holder->moved_ms = now_ms;
    holder->moved_bytes = 0;
    list_append(is_little(holder) ? &budget->little[kind] : &budget->holders[kind], &holder->node);
}

void budget_hold(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                 uint64_t bytes, uint64_t shared_bytes, uint64_t now_ms)
{
    bool was_little = is_little(holder);

    holder->bytes = bytes;
    holder->shared_bytes = shared_bytes;
    if (list_linked(&holder->node)) {
        /* Back among those with little it goes when it moves on. */
        if (!was_little || is_little(holder))
            return;
        list_remove(&holder->node);
    }
    holder_append(budget, kind, holder, now_ms);
}

void budget_spare(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                  uint64_t bytes, uint64_t now_ms)
{
    CHECK(!list_linked(&holder->node));
    holder->bytes = bytes;
    holder->since_ms = now_ms;
    list_append(&budget->spare[kind], &holder->node);
}

void budget_release(struct budget_holder *holder)
{
    list_remove(&holder->node);
    holder->bytes = 0;
    holder->shared_bytes = 0;
}

void budget_touch(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                  uint64_t now_ms)
{
    if (!list_linked(&holder->node))
        return;
    list_remove(&holder->node);
    holder_append(budget, kind, holder, now_ms);
}

void budget_move(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                 uint64_t bytes, uint64_t of_bytes, uint64_t now_ms)
{
    if (now_ms >= holder->moved_ms + BUDGET_HOLD_MS) {
        holder->moved_ms = now_ms;
        holder->moved_bytes = 0;
    }
    holder->moved_bytes += bytes;
    if (bytes > 0 && holder->moved_bytes >= of_bytes / BUDGET_MOVE_PART)
        budget_touch(budget, kind, holder, now_ms);
}

/* What was held, in bytes for so many milliseconds. */
static uint64_t held_long(uint64_t bytes, uint64_t since_ms, uint64_t now_ms)
{
    uint64_t held_ms = now_ms > since_ms ? now_ms - since_ms : 0;

    return bytes < UINT64_MAX / (held_ms + 1) ? bytes * (held_ms + 1) : UINT64_MAX;
}

static uint64_t holder_weight(const struct budget_holder *holder)
{
    return holder->weigh ? holder->weigh(holder) : holder->bytes;
}

static struct budget_holder *holder_find(const struct list *holders,
                                         const struct budget_asker *asker)
{
    uint64_t wanted = asker->has_bytes + asker->more_bytes;
    uint64_t most = held_long(wanted, asker->since_ms, asker->now_ms);
    uint64_t wait_ms = wanted > BUDGET_FIRST_BYTES ? BUDGET_HOLD_MS : 0;
    struct budget_holder *found = NULL;
    uint32_t looked = 0;

    for (struct list *at = holders->next; at != holders && looked < BUDGET_LOOK_COUNT;
         at = at->next, looked++) {
        struct budget_holder *holder = LIST_ENTRY(at, struct budget_holder, node);

        if (holder->since_ms + wait_ms > asker->now_ms)
            break; /* those behind it are younger */
        uint64_t held = held_long(holder_weight(holder), holder->since_ms, asker->now_ms);

        if (held <= most)
            continue;
        most = held;
        found = holder;
    }
    return found;
}

bool budget_press(struct budget *budget, enum budget_kind kind, const struct budget_asker *asker)
{
    struct list *spare = &budget->spare[kind];
    struct budget_holder *holder = list_empty(spare)
                                       ? holder_find(&budget->holders[kind], asker)
                                       : LIST_ENTRY(spare->next, struct budget_holder, node);

    if (!holder)
        holder = holder_find(&budget->little[kind], asker);
    if (!holder)
        return false;
    holder->give_way(holder);
    CHECK(!list_linked(&holder->node));
    return true;
}

bool budget_take_pressing(struct budget *budget, enum budget_kind kind,
                          const struct budget_asker *asker)
{
    uint64_t rest = budget->shares[kind].bytes_max / asker->rest_part;

    for (uint32_t tries = 0; tries <= BUDGET_TRY_COUNT; tries++) {
        uint64_t left = budget_left(budget, kind);

        if (left > rest && asker->more_bytes <= left - rest)
            return budget_take(budget, kind, asker->more_bytes);
        if (asker->has_bytes + asker->more_bytes <= BUDGET_FIRST_BYTES &&
            budget_take(budget, kind, asker->more_bytes))
            return true;
        if (!budget_press(budget, kind, asker))
            break;
    }
    return false;
}
