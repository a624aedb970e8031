/*
 * Has caches let go of what was not used; see the header.
 */
#include "io/cache.h"

#include "base/check.h"

enum { MORE_MS = 10 }; /* between two parts of what is much */

static void caches_due(struct io_timer *timer)
{
    px_loop *loop = CONTAINER_OF(timer, px_loop, cache_timer);
    uint64_t next_ms = UINT64_MAX;
    bool some = false, more = false;

    for (struct list *at = loop->caches.next; at != &loop->caches; at = at->next) {
        struct loop_cache *cache = LIST_ENTRY(at, struct loop_cache, node);

        if (cache->holds && cache->due_ms <= loop->now_ms) {
            uint32_t count = cache->age(cache);

            some |= count > 0;
            more |= count == CACHE_AGE_COUNT;
            cache->due_ms = loop->now_ms + (count == CACHE_AGE_COUNT ? MORE_MS : CACHE_IDLE_MS);
        }
        if (cache->holds && cache->due_ms < next_ms)
            next_ms = cache->due_ms;
    }
    if (some && !more)
        alloc_trim(&loop->allocator);
    if (next_ms != UINT64_MAX)
        timer_start(&loop->timers, timer, next_ms);
}

void loop_cache_note(px_loop *loop, struct loop_cache *cache)
{
    struct io_timer *timer = &loop->cache_timer;

    CHECK(cache->age);
    if (cache->holds)
        return;
    if (!timer->on_due && timer_init(&loop->timers, timer, caches_due) != PX_OK)
        return;
    if (!cache->loop) {
        cache->loop = loop;
        list_append(&loop->caches, &cache->node);
    }
    if (cache->loop != loop)
        return; /* of two loops on a thread the first one's clock counts, while it lives */
    cache->holds = true;
    cache->due_ms = loop->now_ms + CACHE_IDLE_MS;
    if (!timer_started(timer))
        timer_start(&loop->timers, timer, cache->due_ms);
}

void loop_cache_leave(struct loop_cache *cache)
{
    if (!cache->loop)
        return;
    list_remove(&cache->node);
    cache->loop = NULL;
    cache->holds = false;
}

void loop_caches_end(px_loop *loop)
{
    while (!list_empty(&loop->caches))
        loop_cache_leave(LIST_ENTRY(loop->caches.next, struct loop_cache, node));
    if (loop->cache_timer.on_due)
        timer_deinit(&loop->timers, &loop->cache_timer);
}

void loop_caches_check(const px_loop *loop)
{
    for (const struct list *at = loop->caches.next; at != &loop->caches; at = at->next) {
        const struct loop_cache *cache = LIST_ENTRY(at, const struct loop_cache, node);

        ASSERT(cache->loop == loop && cache->age);
        /* Else what is in it would stay for good. */
        ASSERT(!cache->holds ||
               (timer_started(&loop->cache_timer) && loop->cache_timer.due_ms <= cache->due_ms));
        if (cache->check)
            cache->check(cache);
    }
}
