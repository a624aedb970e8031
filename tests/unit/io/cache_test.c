/*
 * Caches on a loop: what was not used is let go when it is due, in parts when it is much; caches
 * and loops end in either order.  The clock is the loop's own; what is due is set back.
 */
#include "io/cache.h"

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct shelf {
    struct loop_cache cache;
    uint32_t old; /* entries to let go */
    uint32_t kept;
    uint32_t calls;
};

static uint32_t shelf_age(struct loop_cache *cache)
{
    struct shelf *shelf = CONTAINER_OF(cache, struct shelf, cache);
    uint32_t count = shelf->old < CACHE_AGE_COUNT ? shelf->old : CACHE_AGE_COUNT;

    shelf->calls++;
    shelf->old -= count;
    cache->holds = shelf->old + shelf->kept > 0;
    return count;
}

/* Time has passed. */
static void make_due(px_loop *loop, struct shelf *shelf)
{
    shelf->cache.due_ms = loop->now_ms;
    timer_start(&loop->timers, &loop->cache_timer, loop->now_ms);
}

static void what_is_old_is_let_go(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct shelf one = {.cache.age = shelf_age, .old = 3, .kept = 1};
    struct shelf two = {.cache.age = shelf_age, .old = 1};

    (void)state;
    assert_non_null(loop);
    assert_int_equal(px_loop_timeout_ms(loop), -1);
    loop_cache_note(loop, &one.cache);
    loop_cache_note(loop, &one.cache);
    loop_cache_note(loop, &two.cache);
    assert_true(one.cache.holds && two.cache.holds);
    assert_true(one.cache.due_ms >= loop->now_ms + CACHE_IDLE_MS - 1000);
    pump_quietly(loop, 5);
    assert_int_equal(one.calls + two.calls, 0);
    make_due(loop, &one);
    pump_until(loop, one.calls == 1);
    assert_int_equal(one.old, 0);
    assert_int_equal(two.calls, 0);
    assert_true(one.cache.holds); /* something young: it is looked at again */
    make_due(loop, &two);
    pump_until(loop, two.calls == 1);
    assert_false(two.cache.holds);
    one.kept = 0;
    make_due(loop, &one);
    pump_until(loop, one.calls == 2);
    /* Nothing is left, and no timer wakes the loop. */
    assert_false(timer_started(&loop->cache_timer));
    loop_cache_leave(&two.cache);
    loop_cache_leave(&two.cache);
    px_loop_destroy(loop);
    assert_null(one.cache.loop);
    loop_cache_leave(&one.cache);
}

static void much_is_let_go_in_parts(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct shelf shelf = {.cache.age = shelf_age, .old = 2 * CACHE_AGE_COUNT + 1};

    (void)state;
    assert_non_null(loop);
    loop_cache_note(loop, &shelf.cache);
    make_due(loop, &shelf);
    pump_until(loop, shelf.calls == 1);
    assert_int_equal(shelf.old, CACHE_AGE_COUNT + 1);
    pump_until(loop, shelf.calls == 3);
    assert_int_equal(shelf.old, 0);
    assert_false(timer_started(&loop->cache_timer));
    px_loop_destroy(loop);
}

/* A cache that outlived its loop goes on with the next one. */
static void it_moves_to_another_loop(void **state)
{
    px_error error;
    px_loop *first = px_loop_create(NULL, &error), *second = px_loop_create(NULL, &error);
    struct shelf shelf = {.cache.age = shelf_age, .old = 1};

    (void)state;
    assert_true(first && second);
    loop_cache_note(first, &shelf.cache);
    loop_cache_note(second, &shelf.cache);
    assert_ptr_equal(shelf.cache.loop, first);
    px_loop_destroy(first);
    assert_false(shelf.cache.holds);
    loop_cache_note(second, &shelf.cache);
    assert_ptr_equal(shelf.cache.loop, second);
    make_due(second, &shelf);
    pump_until(second, shelf.calls == 1);
    px_loop_destroy(second);
}

static void run(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct shelf shelf = {.cache.age = shelf_age, .old = 1};
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    loop_cache_note(loop, &shelf.cache);
    if (shelf.cache.holds) {
        make_due(loop, &shelf);
        pump_until(loop, shelf.calls == 1);
    }
    px_loop_destroy(loop);
}

static void allocations_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("cache", run, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_old_is_let_go),
        cmocka_unit_test(much_is_let_go_in_parts),
        cmocka_unit_test(it_moves_to_another_loop),
        cmocka_unit_test(allocations_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
