/*
 * The making of a budget; taking and giving are in the header.
 */
#include "base/budget.h"

#include <string.h>

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
