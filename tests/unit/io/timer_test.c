/*
 * Timers: the heap against a sorted model over thousands of random operations, and callbacks that
 * restart, stop and destroy timers.
 */
#include "io/timer.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

enum { TIMER_COUNT = 200, OPERATION_COUNT = 20000 };

struct model {
    struct io_timer timer; /* first: the callback finds the rest */
    bool started;
    uint64_t due_ms;
    uint32_t fired;
};

struct world {
    struct timer_heap heap;
    struct model timers[TIMER_COUNT];
    uint64_t now_ms;
    uint64_t last_due_ms;
};

static uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33);
}

static void model_due(struct io_timer *timer)
{
    struct model *model = CONTAINER_OF(timer, struct model, timer);

    assert_true(model->started);
    assert_int_equal(timer->due_ms, model->due_ms);
    model->started = false;
    model->fired++;
}

static void heap_is_sound(const struct world *world)
{
    uint32_t started = 0;
    uint64_t first_ms = UINT64_MAX, due_ms = 0;

    for (int index = 0; index < TIMER_COUNT; index++) {
        const struct model *model = &world->timers[index];

        assert_int_equal(timer_started(&model->timer), model->started);
        started += model->started;
        if (model->started && model->due_ms < first_ms)
            first_ms = model->due_ms;
    }
    assert_int_equal(world->heap.count, started);
    assert_int_equal(timer_next(&world->heap, &due_ms), started > 0);
    if (started > 0)
        assert_int_equal(due_ms, first_ms);
}

static void heap_agrees_with_a_model(void **state)
{
    static struct world world;
    uint32_t fired = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t random = seed;

        timer_heap_init(&world.heap, &alloc_libc);
        world.now_ms = 1000;
        for (int index = 0; index < TIMER_COUNT; index++) {
            world.timers[index].started = false;
            assert_int_equal(timer_init(&world.heap, &world.timers[index].timer, model_due), PX_OK);
        }
        for (int step = 0; step < OPERATION_COUNT; step++) {
            struct model *model = &world.timers[random_next(&random) % TIMER_COUNT];
            uint32_t what = random_next(&random) % 10;

            if (what < 6) {
                /* Many equal deadlines, and some in the past. */
                model->due_ms = world.now_ms - 5 + random_next(&random) % 40;
                model->started = true;
                timer_start(&world.heap, &model->timer, model->due_ms);
            } else if (what < 9) {
                model->started = false;
                timer_stop(&world.heap, &model->timer);
            } else {
                world.now_ms += random_next(&random) % 20;
                timer_fire(&world.heap, world.now_ms);
                for (int index = 0; index < TIMER_COUNT; index++)
                    assert_false(world.timers[index].started &&
                                 world.timers[index].due_ms <= world.now_ms);
            }
            if (step % 16 == 0)
                heap_is_sound(&world);
        }
        for (int index = 0; index < TIMER_COUNT; index++) {
            fired += world.timers[index].fired;
            timer_deinit(&world.heap, &world.timers[index].timer);
        }
        timer_heap_deinit(&world.heap);
    }
    assert_true(fired > 5000);
}

struct sequence {
    struct io_timer timer;
    uint32_t *order;
    uint32_t *count;
    uint32_t name;
};

static void sequence_due(struct io_timer *timer)
{
    struct sequence *sequence = CONTAINER_OF(timer, struct sequence, timer);

    sequence->order[(*sequence->count)++] = sequence->name;
}

static void earliest_fires_first(void **state)
{
    static const uint32_t dues[] = {50, 10, 40, 30, 20, 60, 5};
    static const uint32_t expected[] = {6, 1, 4, 3, 2, 0};
    struct sequence timers[7];
    struct timer_heap heap;
    uint32_t order[7], count = 0;

    (void)state;
    timer_heap_init(&heap, &alloc_libc);
    for (uint32_t index = 0; index < 7; index++) {
        timers[index] = (struct sequence){.order = order, .count = &count, .name = index};
        assert_int_equal(timer_init(&heap, &timers[index].timer, sequence_due), PX_OK);
        timer_start(&heap, &timers[index].timer, dues[index]);
    }
    timer_fire(&heap, 4);
    assert_int_equal(count, 0);
    timer_fire(&heap, 50); /* due at 50 counts, due at 60 does not */
    assert_int_equal(count, 6);
    assert_memory_equal(order, expected, sizeof(expected));
    for (uint32_t index = 0; index < 7; index++)
        timer_deinit(&heap, &timers[index].timer);
    timer_heap_deinit(&heap);
}

/* --- Callbacks that change the heap ----------------------------------------------------------- */

struct restart {
    struct io_timer timer;
    struct timer_heap *heap;
    uint64_t delay_ms;
    uint64_t now_ms;
    uint32_t fired;
};

static void restart_due(struct io_timer *timer)
{
    struct restart *restart = CONTAINER_OF(timer, struct restart, timer);

    restart->fired++;
    timer_start(restart->heap, timer, restart->now_ms + restart->delay_ms);
}

/* "a timer that starts itself anew waits for the next call": however many others there are. */
static void restarted_timer_waits_for_the_next_call(void **state)
{
    struct restart restarts[5];
    struct timer_heap heap;

    (void)state;
    timer_heap_init(&heap, &alloc_libc);
    for (uint64_t index = 0; index < 5; index++) {
        restarts[index] = (struct restart){.heap = &heap, .delay_ms = index & 1, .now_ms = 100};
        assert_int_equal(timer_init(&heap, &restarts[index].timer, restart_due), PX_OK);
        timer_start(&heap, &restarts[index].timer, 90 + index);
    }
    timer_fire(&heap, 100);
    for (int index = 0; index < 5; index++)
        assert_int_equal(restarts[index].fired, 1);
    for (uint64_t now_ms = 101; now_ms < 110; now_ms++) {
        for (int index = 0; index < 5; index++)
            restarts[index].now_ms = now_ms;
        timer_fire(&heap, now_ms);
    }
    for (int index = 0; index < 5; index++) {
        assert_true(restarts[index].fired >= 9 && restarts[index].fired <= 10);
        timer_deinit(&heap, &restarts[index].timer);
    }
    timer_heap_deinit(&heap);
}

struct stopper {
    struct io_timer timer;
    struct timer_heap *heap;
    struct stopper *other;
    bool destroy;
    bool gone;
    uint32_t fired;
};

static void stopper_due(struct io_timer *timer)
{
    struct stopper *stopper = CONTAINER_OF(timer, struct stopper, timer);

    stopper->fired++;
    if (stopper->destroy && !stopper->other->gone) {
        stopper->other->gone = true;
        timer_deinit(stopper->heap, &stopper->other->timer);
    } else {
        timer_stop(stopper->heap, &stopper->other->timer);
    }
}

static void due_timer_stopped_by_another_does_not_fire(void **state)
{
    (void)state;
    for (int destroy = 0; destroy < 2; destroy++) {
        struct timer_heap heap;
        struct stopper first = {.heap = &heap, .destroy = destroy};
        struct stopper second = {.heap = &heap, .destroy = destroy, .other = &first};

        first.other = &second;
        timer_heap_init(&heap, &alloc_libc);
        assert_int_equal(timer_init(&heap, &first.timer, stopper_due), PX_OK);
        assert_int_equal(timer_init(&heap, &second.timer, stopper_due), PX_OK);
        timer_start(&heap, &first.timer, 10);
        timer_start(&heap, &second.timer, 10);
        timer_fire(&heap, 20);
        assert_int_equal(first.fired + second.fired, 1);
        assert_int_equal(heap.count, 0);
        if (!first.gone)
            timer_deinit(&heap, &first.timer);
        if (!second.gone)
            timer_deinit(&heap, &second.timer);
        timer_heap_deinit(&heap);
    }
}

/* --- Public timers ---------------------------------------------------------------------------- */

struct ticks {
    uint32_t count;
    uint32_t wanted;
    uint64_t started_ms;
    uint64_t fired_ms;
};

static void ticks_due(px_timer *timer, void *context)
{
    struct ticks *ticks = context;

    ticks->fired_ms = pump_now_ms();
    if (++ticks->count < ticks->wanted)
        px_timer_start(timer, 3);
    else
        px_timer_destroy(timer);
}

static void public_timer_restarts_and_destroys_itself(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct ticks ticks = {.wanted = 5};

    (void)state;
    px_timer *timer = px_timer_create(loop, ticks_due, &ticks);

    assert_non_null(timer);
    assert_int_equal(px_loop_handle_count(loop), 1);
    pump_quietly(loop, 10);
    assert_int_equal(ticks.count, 0);
    ticks.started_ms = pump_now_ms();
    px_timer_start(timer, 3);
    pump_until(loop, ticks.count == 5);
    assert_true(ticks.fired_ms - ticks.started_ms >= 5 * 3 - 5);
    assert_int_equal(px_loop_handle_count(loop), 0);
    pump_quietly(loop, 10);
    assert_int_equal(ticks.count, 5);
    px_timer_destroy(NULL);
    px_loop_destroy(loop);
}

static void timeout_follows_the_earliest(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct ticks ticks = {.wanted = 1};

    (void)state;
    assert_int_equal(px_loop_timeout_ms(loop), -1);
    px_timer *late = px_timer_create(loop, ticks_due, &ticks);
    px_timer *never = px_timer_create(loop, ticks_due, &ticks);

    px_timer_start(late, 5000);
    assert_in_range(px_loop_timeout_ms(loop), 4000, 5000);
    px_timer_start(never, UINT32_MAX);
    assert_in_range(px_loop_timeout_ms(loop), 4000, 5000);
    px_timer_stop(late);
    assert_in_range(px_loop_timeout_ms(loop), 1000 * 1000, INT32_MAX);
    px_timer_start(late, 0);
    assert_int_equal(px_loop_timeout_ms(loop), 0);
    px_timer_stop(never);
    px_timer_stop(never);
    pump_until(loop, ticks.count == 1);
    assert_int_equal(px_loop_timeout_ms(loop), -1);
    px_timer_destroy(never);
    px_loop_destroy(loop);
}

static void make_and_fail(const px_allocator *allocator, void *context)
{
    struct io_timer timers[40];
    struct timer_heap heap;
    int made = 0;

    (void)context;
    timer_heap_init(&heap, allocator);
    for (int index = 0; index < 40; index++) {
        if (timer_init(&heap, &timers[made], sequence_due) == PX_OK)
            timer_start(&heap, &timers[made++], (uint64_t)(100 - index));
    }
    while (made > 0)
        timer_deinit(&heap, &timers[--made]);
    timer_heap_deinit(&heap);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("timers", make_and_fail, NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_agrees_with_a_model),
        cmocka_unit_test(earliest_fires_first),
        cmocka_unit_test(restarted_timer_waits_for_the_next_call),
        cmocka_unit_test(due_timer_stopped_by_another_does_not_fire),
        cmocka_unit_test(public_timer_restarts_and_destroys_itself),
        cmocka_unit_test(timeout_follows_the_earliest),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
