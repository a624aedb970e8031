/*
 * The pool: objects never move, a stale name finds nothing, and the maximum holds.
 */
#include "base/pool.h"

#include <signal.h>
#include <string.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"

struct thing {
    struct pool_item item;
    char payload[21]; /* so that the size is no multiple of 8 */
};

struct fixture {
    struct fault_alloc fault;
    struct pool pool;
};

static struct pool *pool_of(struct fixture *fixture, uint32_t slab_objects, uint32_t count_max)
{
    fault_alloc_init(&fixture->fault);
    pool_init(&fixture->pool, &fixture->fault.allocator, sizeof(struct thing), slab_objects,
              count_max);
    return &fixture->pool;
}

static void pool_end(struct fixture *fixture)
{
    pool_deinit(&fixture->pool);
    fault_alloc_assert_empty(&fixture->fault);
}

static void unused_holds_no_memory(void **state)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 100);

    (void)state;
    assert_int_equal(fixture.fault.calls, 0);
    assert_null(pool_find(pool, 0, 1));
    assert_null(pool_find(pool, UINT32_MAX, 1));
    pool_end(&fixture);
}

static void objects_are_apart_and_stay(void **state)
{
    enum { COUNT = 100 };

    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 8, 1000);
    struct thing *things[COUNT];

    (void)state;
    for (int index = 0; index < COUNT; index++) {
        things[index] = pool_take(pool);
        assert_non_null(things[index]);
        assert_int_equal((uintptr_t)things[index] & 7, 0);
        assert_int_equal(things[index]->item.slot, index);
        memset(things[index]->payload, index, sizeof(things[index]->payload));
    }
    assert_int_equal(pool->taken, COUNT);
    for (int index = 0; index < COUNT; index++) {
        for (size_t at = 0; at < sizeof(things[index]->payload); at++)
            assert_int_equal(things[index]->payload[at], index);
        assert_ptr_equal(pool_find(pool, things[index]->item.slot, things[index]->item.generation),
                         things[index]);
        pool_put(pool, things[index]);
    }
    pool_end(&fixture);
}

static void last_put_is_first_taken(void **state)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 100);

    (void)state;
    if (ASAN_WATCHES)
        skip();
    struct thing *first = pool_take(pool);
    struct thing *second = pool_take(pool);

    pool_put(pool, first);
    pool_put(pool, second);
    assert_ptr_equal(pool_take(pool), second);
    assert_ptr_equal(pool_take(pool), first);
    pool_put(pool, second);
    pool_put(pool, first);
    pool_end(&fixture);
}

/* Under AddressSanitizer an object that was put back is not given out again for a while, first in
 * first out, unless there is no other. */
static void put_objects_rest(void **state)
{
    enum { COUNT = POOL_RESTING_COUNT + 1 };

    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, COUNT);
    struct thing *things[COUNT];

    (void)state;
    if (!ASAN_WATCHES)
        skip();
    for (int round = 0; round < 3; round++) {
        for (int index = 0; index < COUNT; index++)
            things[index] = pool_take(pool);
        for (int index = 0; index < COUNT; index++)
            pool_put(pool, things[index]);
        assert_int_equal(pool->resting_count, POOL_RESTING_COUNT);
        struct thing *first = pool_take(pool);

        assert_ptr_equal(first, things[0]);
        pool_put(pool, first);
        assert_ptr_equal(pool_take(pool), things[1]);
        pool_put(pool, things[1]);
    }
    pool_end(&fixture);
}

/* A free object is out of bounds but for its name, and a new one holds nothing of the old. */
static void free_objects_are_out_of_bounds(void **state)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 1);

    (void)state;
    if (!ASAN_WATCHES)
        skip();
    struct thing *thing = pool_take(pool);

    assert_false(is_poisoned(thing->payload));
    assert_false(is_poisoned(thing->payload + sizeof(thing->payload) - 1));
    memset(thing->payload, 'x', sizeof(thing->payload));
    pool_put(pool, thing);
    assert_false(is_poisoned(&thing->item.generation));
    assert_true(is_poisoned(thing->payload));
    assert_true(is_poisoned(thing->payload + sizeof(thing->payload) - 1));
    assert_ptr_equal(pool_take(pool), thing);
    for (size_t at = 0; at < sizeof(thing->payload); at++)
        assert_int_equal((unsigned char)thing->payload[at], POISON_BYTE);
    pool_put(pool, thing);
    pool_end(&fixture);
}

static void stale_names_find_nothing(void **state)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 1);

    (void)state;
    struct thing *thing = pool_take(pool);
    uint32_t slot = thing->item.slot;

    for (int round = 0; round < 5; round++) {
        uint32_t generation = thing->item.generation;

        assert_ptr_equal(pool_find(pool, slot, generation), thing);
        assert_null(pool_find(pool, slot, generation + 1));
        assert_null(pool_find(pool, slot, generation - 1));
        assert_null(pool_find(pool, slot + 1, generation));
        assert_null(pool_find(pool, slot + 4, generation));
        pool_put(pool, thing);
        assert_null(pool_find(pool, slot, generation));
        /* Free objects have an even generation, which finds nothing either. */
        assert_null(pool_find(pool, slot, generation + 1));
        assert_ptr_equal(pool_take(pool), thing);
        assert_null(pool_find(pool, slot, generation));
        assert_int_equal(thing->item.slot, slot);
    }
    pool_put(pool, thing);
    pool_end(&fixture);
}

static void maximum_holds(void **state)
{
    static const uint32_t maxima[] = {0, 1, 3, 4, 5, 8, 9, 31};

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(maxima); index++) {
        struct fixture fixture;
        struct pool *pool = pool_of(&fixture, 4, maxima[index]);
        struct thing *things[32];

        for (uint32_t count = 0; count < maxima[index]; count++) {
            things[count] = pool_take(pool);
            assert_non_null(things[count]);
            assert_true(things[count]->item.slot < maxima[index]);
        }
        assert_null(pool_take(pool));
        assert_null(pool_take(pool));
        assert_int_equal(pool->taken, maxima[index]);
        if (maxima[index] > 0) {
            pool_put(pool, things[0]);
            assert_ptr_equal(pool_take(pool), things[0]);
            assert_null(pool_take(pool));
        }
        for (uint32_t count = 0; count < maxima[index]; count++)
            pool_put(pool, things[count]);
        pool_end(&fixture);
    }
}

struct visits {
    struct pool *pool;
    uint32_t slots;
    uint32_t count;
};

static void visit_and_put(void *object, void *context)
{
    struct visits *visits = context;
    struct thing *thing = object;

    visits->slots |= 1U << thing->item.slot;
    visits->count++;
    pool_put(visits->pool, thing);
}

static void each_visits_what_is_taken(void **state)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 10);
    struct visits visits = {.pool = pool};
    struct thing *things[10];

    (void)state;
    pool_each(pool, visit_and_put, &visits);
    assert_int_equal(visits.count, 0);
    for (int index = 0; index < 10; index++)
        things[index] = pool_take(pool);
    pool_put(pool, things[3]);
    pool_put(pool, things[9]);
    pool_each(pool, visit_and_put, &visits);
    assert_int_equal(visits.count, 8);
    assert_int_equal(visits.slots, 0x1ff & ~(1U << 3));
    assert_int_equal(pool->taken, 0);
    pool_end(&fixture);
}

static void put_twice(void)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 10);
    struct thing *thing = pool_take(pool);

    pool_put(pool, thing);
    pool_put(pool, thing);
}

static void deinit_while_taken(void)
{
    struct fixture fixture;
    struct pool *pool = pool_of(&fixture, 4, 10);

    if (pool_take(pool))
        pool_deinit(pool);
}

static void slab_of_three(void)
{
    struct fixture fixture;

    pool_of(&fixture, 3, 10);
}

static void object_too_small(void)
{
    struct fixture fixture = {.pool = {0}};

    pool_init(&fixture.pool, &fixture.fault.allocator, sizeof(struct pool_item) - 1, 4, 10);
}

static void misuse_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(put_twice, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(deinit_while_taken, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(slab_of_three, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(object_too_small, output, sizeof(output)), SIGABRT);
}

static void take_and_fail(const px_allocator *allocator, void *context)
{
    struct pool pool;
    struct thing *things[40];
    int count = 0;

    (void)context;
    pool_init(&pool, allocator, sizeof(struct thing), 4, 1000);
    for (int attempt = 0; attempt < 40; attempt++) {
        struct thing *thing = pool_take(&pool);

        if (thing)
            things[count++] = thing;
        assert_int_equal(pool.taken, count);
    }
    while (count > 0)
        pool_put(&pool, things[--count]);
    pool_deinit(&pool);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    /* Ten slabs, and three sizes of their table. */
    assert_int_equal(fault_alloc_each("pool", take_and_fail, NULL), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_holds_no_memory),  cmocka_unit_test(objects_are_apart_and_stay),
        cmocka_unit_test(last_put_is_first_taken), cmocka_unit_test(stale_names_find_nothing),
        cmocka_unit_test(maximum_holds),           cmocka_unit_test(each_visits_what_is_taken),
        cmocka_unit_test(misuse_aborts),           cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(put_objects_rest),        cmocka_unit_test(free_objects_are_out_of_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
