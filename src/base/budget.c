/*
 * The making of a budget; taking and giving are in the header.
 */
#include "base/budget.h"

#include <string.h>

#include "base/limits.h"

_Static_assert(PART_HEADS + PART_INBOX + 2 * PART_EXCHANGES + 2 * PART_OUTPUT + PART_SEALED +
                       PART_SESSIONS + PART_SOCKET_CODERS + PART_CODERS + PART_CACHES ==
                   MEMORY_PARTS,
               "the parts are the whole");

void budget_init(struct budget *budget, uint64_t sum_bytes_max,
                 const uint64_t share_bytes_max[BUDGET_KIND_COUNT])
{
    memset(budget, 0, sizeof(*budget));
    budget->sum.bytes_max = sum_bytes_max;
    for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++)
        budget->shares[kind].bytes_max = share_bytes_max[kind];
}

void budget_check(const struct budget *budget)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++) {
        ASSERT(budget->shares[kind].bytes <= budget->shares[kind].bytes_max);
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
        left < most / 2)
        return false;
    return budget_take(budget, kind, more_bytes);
}
