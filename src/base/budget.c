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
