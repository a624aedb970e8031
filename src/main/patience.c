/*
 * Waits of the end.
 *
 * The happy path: begin, and ask what is left until what was waited for is there.  A hurry may come
 * in the midst, as a signal or a word of the master.
 */
#include "main/patience.h"

#include <limits.h>
#include <time.h>

#include "base/check.h"

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void cut(struct patience *patience, uint64_t until_ms)
{
    if (until_ms < patience->until_ms)
        patience->until_ms = until_ms;
}

void patience_begin(struct patience *patience, uint32_t long_ms, uint32_t short_ms)
{
    uint64_t now = now_ms();

    CHECK(short_ms <= long_ms && long_ms <= INT_MAX); /* a hurry is never the slower one */
    patience->short_ms = short_ms;
    patience->until_ms = now + long_ms;
    if (!patience_is_hurried(patience))
        return;
    cut(patience, now + short_ms);
    cut(patience, patience->hurried_until_ms);
}

void patience_hurry(struct patience *patience)
{
    uint64_t now = now_ms();

    if (patience_is_hurried(patience))
        return;
    patience->hurried_until_ms = now + PATIENCE_HURRIED_MS;
    cut(patience, now + patience->short_ms);
    cut(patience, patience->hurried_until_ms);
}

int patience_left_ms(const struct patience *patience)
{
    uint64_t now = now_ms();

    if (now >= patience->until_ms)
        return 0;
    CHECK(patience->until_ms - now <= INT_MAX);
    return (int)(patience->until_ms - now);
}
