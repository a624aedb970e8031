/*
 * What peers make a loop keep, in sum: a number of bytes for each kind of thing, and one for all of
 * them together.  A limit of each connection does not bound what many connections hold; this does.
 *
 * Whoever keeps something for a peer takes its bytes here and gives them back with the memory.  It
 * can fail at the share of the kind or at the sum; what gives way then is for the owner of the kind
 * to say (who holds most, who has waited longest), and never a peer that holds little.
 */
#ifndef PX_BASE_BUDGET_H
#define PX_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum budget_kind {
    BUDGET_HEADS, /* decoded heads of HTTP/2 requests in progress */
    BUDGET_INBOX, /* bytes that were received and not used */
    BUDGET_KIND_COUNT
};

struct budget_share {
    uint64_t bytes;
    uint64_t bytes_max;
};

struct budget {
    struct budget_share shares[BUDGET_KIND_COUNT];
    struct budget_share sum;
};

/* Nothing is taken; a kind may have `share_bytes_max`, all of them `sum_bytes_max`. */
void budget_init(struct budget *budget, uint64_t sum_bytes_max,
                 const uint64_t share_bytes_max[BUDGET_KIND_COUNT]);

/* States what must hold; for tests. */
void budget_check(const struct budget *budget);

/* What may be taken of a kind. */
static inline uint64_t budget_left(const struct budget *budget, enum budget_kind kind)
{
    const struct budget_share *share = &budget->shares[kind];
    uint64_t share_left = share->bytes_max - share->bytes;
    uint64_t sum_left = budget->sum.bytes_max - budget->sum.bytes;

    return share_left < sum_left ? share_left : sum_left;
}

/* Takes all of `bytes`, or nothing and says false. */
static inline bool budget_take(struct budget *budget, enum budget_kind kind, uint64_t bytes)
{
    if (PX_UNLIKELY(bytes > budget_left(budget, kind)))
        return false;
    budget->shares[kind].bytes += bytes;
    budget->sum.bytes += bytes;
    return true;
}

static inline void budget_give(struct budget *budget, enum budget_kind kind, uint64_t bytes)
{
    CHECK(bytes <= budget->shares[kind].bytes);
    budget->shares[kind].bytes -= bytes;
    budget->sum.bytes -= bytes;
}

#endif
