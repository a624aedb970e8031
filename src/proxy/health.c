/*
 * A server's health: out for a time after failures, down while checks say so.
 *
 * Happy path: loads alone.
 */
#include "proxy/health.h"

#include "base/check.h"
#include "pollux/options.h"

static uint64_t read_u64(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static uint32_t read_u32(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

bool health_is_up(const struct health *health, uint64_t now_ms)
{
    return read_u32(&health->down) == 0 && read_u64(&health->out_ms) <= now_ms;
}

uint32_t health_share(const struct health *health, const struct health_rules *rules,
                      uint64_t now_ms)
{
    uint64_t back_ms = read_u64(&health->back_ms);

    ASSERT(rules->slow_start_ms > 0);
    if (back_ms == 0 || rules->slow_start_ms == PX_OFF || now_ms >= back_ms + rules->slow_start_ms)
        return HEALTH_SHARES;
    /* In panic one that is not back yet is asked, too. */
    if (now_ms <= back_ms)
        return 1;
    uint64_t share = (now_ms - back_ms) * HEALTH_SHARES / rules->slow_start_ms;

    return share > 0 ? (uint32_t)share : 1;
}

bool health_answered(struct health *health)
{
    if (read_u32(&health->fails) > 0)
        atomic_store(&health->fails, 0);
    if (read_u32(&health->backoff_ms) == 0)
        return false;
    return atomic_exchange(&health->backoff_ms, 0) > 0;
}

bool health_failed(struct health *health, const struct health_rules *rules, uint64_t now_ms)
{
    uint64_t last_ms = atomic_exchange(&health->fail_ms, now_ms);

    CHECK(rules->fails_max > 0 && rules->backoff_ms > 0);
    if (now_ms > last_ms && now_ms - last_ms > rules->fails_ms)
        atomic_store(&health->fails, 0);
    uint32_t fails = atomic_fetch_add(&health->fails, 1) + 1;

    if (rules->fails_max == PX_OFF || fails < rules->fails_max ||
        read_u64(&health->out_ms) > now_ms)
        return false;
    uint64_t backoff_ms = 2 * (uint64_t)read_u32(&health->backoff_ms);

    if (backoff_ms == 0)
        backoff_ms = rules->backoff_ms;
    if (backoff_ms > rules->backoff_ms_max)
        backoff_ms = rules->backoff_ms_max;
    atomic_store(&health->backoff_ms, (uint32_t)backoff_ms);
    atomic_store(&health->back_ms, now_ms + backoff_ms);
    atomic_store(&health->out_ms, now_ms + backoff_ms);
    /* Back in, it shows with its first request whether it has recovered. */
    atomic_store(&health->fails, rules->fails_max - 1);
    return true;
}

bool health_checked(struct health *health, const struct health_rules *rules, bool is_well,
                    uint64_t now_ms)
{
    bool is_down = read_u32(&health->down) != 0;

    CHECK(rules->rise > 0 && rules->fall > 0);
    if (is_well != is_down) {
        atomic_store(&health->check_row, 0);
        return false;
    }
    uint32_t row = atomic_fetch_add(&health->check_row, 1) + 1;

    if (row < (is_down ? rules->rise : rules->fall))
        return false;
    atomic_store(&health->check_row, 0);
    if (is_down)
        atomic_store(&health->back_ms, now_ms);
    atomic_store(&health->down, is_down ? 0 : 1);
    return true;
}

bool health_take_check(struct health *health, uint64_t now_ms, uint32_t every_ms)
{
    uint64_t due_ms = atomic_load(&health->check_ms);

    CHECK(every_ms > 0);
    return due_ms <= now_ms &&
           atomic_compare_exchange_strong(&health->check_ms, &due_ms, now_ms + every_ms);
}
