/*
 * The deadline wheel against a model: random times, sets, clears and jumps of the clock.
 */
#include "server/session/deadline.h"

#include <stdlib.h>
#include <string.h>

#include "lib/test.h"

enum { COUNT = 300, OPERATIONS = 30000 };

struct model {
    struct deadline deadline;
    bool set;
    uint64_t due_ms;
    uint64_t from_ms; /* due, or when it was set if that was later */
    uint32_t fired;
};

struct world {
    struct deadline_wheel wheel; /* first: the callback finds the rest */
    px_loop *loop;
    struct model models[COUNT];
    uint64_t late_max_ms;
    uint64_t random;
    bool again; /* some set themselves anew when they fire */
    bool jumped;
};

static uint32_t random_next(struct world *world)
{
    world->random = world->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(world->random >> 33);
}

static void on_due(struct deadline *deadline, struct deadline_wheel *wheel)
{
    struct world *world = CONTAINER_OF(wheel, struct world, wheel);
    struct model *model = CONTAINER_OF(deadline, struct model, deadline);
    uint64_t now_ms = world->loop->now_ms;

    assert_true(model->set);
    assert_int_equal(deadline->due_ms, model->due_ms);
    assert_true(now_ms >= model->due_ms); /* never early */
    if (!world->jumped && now_ms - model->from_ms > world->late_max_ms)
        world->late_max_ms = now_ms - model->from_ms;
    model->set = false;
    model->fired++;
    if (world->again && random_next(world) % 3 == 0) {
        model->set = true;
        /* Also in the past, as an owner does whose own time has not moved. */
        model->due_ms = now_ms - 100 + random_next(world) % 5000;
        model->from_ms = model->due_ms > now_ms ? model->due_ms : now_ms;
        deadline_set(wheel, deadline, model->due_ms);
    }
    if (world->again && random_next(world) % 4 == 0) {
        struct model *other = &world->models[random_next(world) % COUNT];

        other->set = false;
        deadline_clear(wheel, &other->deadline);
    }
}

/* What the loop does when its timer is due; the clock is the test's. */
static void clock_move(struct world *world, uint64_t now_ms)
{
    uint64_t due_ms;

    /* In the order in which a loop would wake up. */
    while (timer_next(&world->loop->timers, &due_ms) && due_ms <= now_ms) {
        if (!world->jumped && due_ms > world->loop->now_ms)
            world->loop->now_ms = due_ms;
        else if (world->jumped)
            world->loop->now_ms = now_ms;
        work_begin(&world->loop->work, UINT32_MAX);
        timer_fire(&world->loop->timers, world->loop->now_ms);
    }
    world->loop->now_ms = now_ms;
}

static void wheel_agrees_with_a_model(void **state)
{
    static struct world world;
    px_error error;
    uint32_t fired = 0;

    (void)state;
    for (int round = 0; round < 4; round++) {
        memset(&world, 0, sizeof(world));
        world.random = (uint64_t)round + 7;
        world.again = round & 1;
        world.loop = px_loop_create(NULL, &error);
        world.loop->now_ms = 1000000 + (uint64_t)round * 12345;
        assert_int_equal(deadline_wheel_init(&world.wheel, world.loop, on_due), PX_OK);
        for (int index = 0; index < COUNT; index++)
            deadline_init(&world.models[index].deadline);
        for (int step = 0; step < OPERATIONS; step++) {
            struct model *model = &world.models[random_next(&world) % COUNT];
            uint32_t what = random_next(&world) % 16;

            if (what < 8) {
                static const uint32_t spans[] = {10, 1000, 10000, 60000, 600000};

                model->set = true;
                model->due_ms =
                    world.loop->now_ms + random_next(&world) % spans[random_next(&world) % 5];
                model->from_ms = model->due_ms;
                deadline_set(&world.wheel, &model->deadline, model->due_ms);
            } else if (what < 11) {
                model->set = false;
                deadline_clear(&world.wheel, &model->deadline);
            } else {
                world.jumped = round >= 2 && what == 15;
                clock_move(&world, world.loop->now_ms +
                                       random_next(&world) % (world.jumped ? 200000 : 400));
            }
            uint32_t set = 0;

            for (int index = 0; index < COUNT; index++) {
                set += world.models[index].set;
                /* Nobody who is due for more than a step is still waiting. */
                if (world.models[index].set && what >= 11 && !world.again)
                    assert_true(world.models[index].due_ms + DEADLINE_STEP_MS + 1 >=
                                world.loop->now_ms);
            }
            assert_int_equal(world.wheel.count, set);
        }
        for (int index = 0; index < COUNT; index++) {
            fired += world.models[index].fired;
            deadline_clear(&world.wheel, &world.models[index].deadline);
        }
        assert_true(world.late_max_ms <= DEADLINE_STEP_MS);
        deadline_wheel_deinit(&world.wheel);
        px_loop_destroy(world.loop);
    }
    print_message("%u deadlines fired\n", fired);
    assert_true(fired > 5000);
}

static void an_empty_wheel_sleeps(void **state)
{
    static struct world world;
    struct model *model = &world.models[0];
    px_error error;

    (void)state;
    memset(&world, 0, sizeof(world));
    world.loop = px_loop_create(NULL, &error);
    assert_int_equal(deadline_wheel_init(&world.wheel, world.loop, on_due), PX_OK);
    deadline_init(&model->deadline);
    assert_int_equal(px_loop_timeout_ms(world.loop), -1);
    model->set = true;
    model->due_ms = world.loop->now_ms + 5000;
    deadline_set(&world.wheel, &model->deadline, model->due_ms);
    assert_in_range(px_loop_timeout_ms(world.loop), 4900, 5000 + DEADLINE_STEP_MS);
    /* Nearer: the timer moves forward. */
    model->due_ms = world.loop->now_ms + 1000;
    deadline_set(&world.wheel, &model->deadline, model->due_ms);
    assert_in_range(px_loop_timeout_ms(world.loop), 900, 1000 + DEADLINE_STEP_MS);
    model->set = false;
    deadline_clear(&world.wheel, &model->deadline);
    deadline_clear(&world.wheel, &model->deadline);
    clock_move(&world, world.loop->now_ms + 6000);
    assert_int_equal(model->fired, 0);
    assert_int_equal(world.loop->timers.count, 0); /* nothing wakes it any more */
    deadline_wheel_deinit(&world.wheel);
    px_loop_destroy(world.loop);
}

/* What is due together is looked at in portions, none twice and none forgotten. */
static void many_at_once_are_looked_at_in_portions(void **state)
{
    enum { PORTION = 4, PORTIONS = (COUNT + PORTION - 1) / PORTION };
    static struct world world;
    uint32_t fired = 0;
    px_error error;

    (void)state;
    memset(&world, 0, sizeof(world));
    world.loop = px_loop_create(NULL, &error);
    assert_int_equal(deadline_wheel_init(&world.wheel, world.loop, on_due), PX_OK);
    for (int index = 0; index < COUNT; index++) {
        struct model *model = &world.models[index];

        deadline_init(&model->deadline);
        model->set = true;
        model->due_ms = model->from_ms = world.loop->now_ms + 1000;
        deadline_set(&world.wheel, &model->deadline, model->due_ms);
    }
    /* To the end of their step: what is left over is due with the next millisecond, not with this.
     */
    world.loop->now_ms = ((world.loop->now_ms + 1000) / DEADLINE_STEP_MS + 1) * DEADLINE_STEP_MS;
    for (uint32_t portion = 1; portion <= PORTIONS; portion++) {
        work_begin(&world.loop->work, PORTION * WORK_LOOK);
        timer_fire(&world.loop->timers, world.loop->now_ms);
        deadline_wheel_check(&world.wheel);
        world.loop->now_ms++;
        fired = 0;
        for (int index = 0; index < COUNT; index++)
            fired += world.models[index].fired;
        assert_int_equal(fired, portion * PORTION < COUNT ? portion * PORTION : COUNT);
    }
    assert_int_equal(fired, COUNT);
    deadline_wheel_deinit(&world.wheel);
    px_loop_destroy(world.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheel_agrees_with_a_model),
        cmocka_unit_test(an_empty_wheel_sleeps),
        cmocka_unit_test(many_at_once_are_looked_at_in_portions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
