/*
 * The supervisor, step by step: what it does about each thing that can happen, in the order in
 * which it does it.  The simulation beside this file mixes all of them.
 */
#include "process/supervisor.h"

#include <string.h>

#include "lib/test.h"

struct scene {
    struct supervisor supervisor;
    uint64_t now_ms;
    bool is_killed;  /* whoever dies does so by SIGKILL */
    char done[1024]; /* actions since they were last looked at */
};

static const char *name_of(enum supervisor_action_kind kind)
{
    static const char *const names[] = {
        [ACTION_FORK] = "fork",         [ACTION_ASSIGN] = "assign",
        [ACTION_RELEASE] = "release",   [ACTION_DELAY] = "delay",
        [ACTION_DRAIN] = "drain",       [ACTION_RETIRE] = "retire",
        [ACTION_STOP] = "stop",         [ACTION_KILL] = "kill",
        [ACTION_ANNOUNCE] = "announce", [ACTION_RELOADING] = "reloading",
        [ACTION_RELOADED] = "reloaded", [ACTION_UNCHANGED] = "unchanged",
        [ACTION_STOPPING] = "stopping", [ACTION_CLOSE] = "close",
        [ACTION_EXECUTE] = "execute",   [ACTION_GIVE] = "give",
        [ACTION_ABANDON] = "abandon",   [ACTION_RECLAIM] = "reclaim",
        [ACTION_GIVEN] = "given",       [ACTION_SAY_DIED] = "died",
        [ACTION_SAY_HUNG] = "hung",     [ACTION_SAY_LATE] = "late",
        [ACTION_EXIT] = "exit",         [ACTION_REFUSE] = "refuse",
        [ACTION_ADMIT] = "admit",
    };

    return names[kind];
}

/* Something happens; a fork succeeds at once. */
static void happens(struct scene *scene, enum supervisor_event_kind kind, uint32_t worker,
                    uint32_t slot, int code)
{
    const struct supervisor_event event = {kind, worker,        slot,
                                           code, scene->now_ms, scene->is_killed};
    struct supervisor_action action;

    supervisor_event(&scene->supervisor, &event, scene->now_ms);
    while (supervisor_take(&scene->supervisor, &action)) {
        size_t len = strlen(scene->done);
        char *at = scene->done + len;
        size_t room = sizeof(scene->done) - len;

        if (action.kind == ACTION_ASSIGN || action.kind == ACTION_RELEASE)
            snprintf(at, room, " %s %u:%u", name_of(action.kind), action.worker, action.slot);
        else if (action.worker != SUPERVISOR_NOBODY)
            snprintf(at, room, " %s %u", name_of(action.kind), action.worker);
        else
            snprintf(at, room, " %s", name_of(action.kind));
        if (action.kind == ACTION_FORK)
            happens(scene, EVENT_FORKED, action.worker, 0, 0);
    }
}

static void done_is(struct scene *scene, const char *expected)
{
    assert_string_equal(scene->done[0] ? scene->done + 1 : "", expected);
    scene->done[0] = '\0';
}

static void scene_open(struct scene *scene, uint32_t workers, uint32_t slots)
{
    const struct supervisor_plan plan = {.worker_count = workers,
                                         .slot_count = slots,
                                         .start_timeout_ms = 1000,
                                         .hung_timeout_ms = 500,
                                         .drain_timeout_ms = 3000};

    *scene = (struct scene){.now_ms = 10000, .is_killed = true};
    assert_int_equal(supervisor_init(&scene->supervisor, &plan), PX_OK);
}

/* Two workers that serve a slot each: the places 0 and 1. */
static void scene_start(struct scene *scene)
{
    scene_open(scene, 2, 2);
    happens(scene, EVENT_START, SUPERVISOR_NOBODY, 0, 0);
    done_is(scene, "fork 0");
    happens(scene, EVENT_READY, 0, 0, 0);
    done_is(scene, "fork 1");
    happens(scene, EVENT_READY, 1, 0, 0);
    done_is(scene, "announce assign 0:0 assign 1:1");
    happens(scene, EVENT_SERVING, 0, 0, 0);
    happens(scene, EVENT_SERVING, 1, 1, 0);
    done_is(scene, "");
}

static void a_sibling_holds_the_fort(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "died 0 fork 0 assign 1:0");
    happens(&scene, EVENT_SERVING, 1, 0, 0);
    happens(&scene, EVENT_READY, 0, 0, 0);
    done_is(&scene, "assign 0:0");
    /* Both accept there until the new one has said so. */
    happens(&scene, EVENT_SERVING, 0, 0, 0);
    done_is(&scene, "release 1:0");
    supervisor_deinit(&scene.supervisor);
}

static void peers_are_refused_while_nobody_serves(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    happens(&scene, EVENT_DIED, 1, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "died 0 fork 0 assign 1:0 died 1 fork 1");
    /* What comes in their place does not come to serve. */
    for (uint64_t waited_ms = 0; waited_ms < UNSERVED_MS; waited_ms += 500) {
        happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
        scene.done[0] = '\0';
        assert_false(scene.supervisor.is_refusing);
        scene.now_ms += 500;
    }
    happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
    assert_true(scene.supervisor.is_refusing);
    scene.done[0] = '\0';
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    scene.now_ms += BACKOFF_MOST_MS;
    happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
    scene.done[0] = '\0';
    happens(&scene, EVENT_READY, 0, 0, 0);
    assert_int_equal(strncmp(scene.done, " admit assign 0:", 16), 0);
    assert_false(scene.supervisor.is_refusing);
    supervisor_deinit(&scene.supervisor);
}

static void one_that_crashes_young_has_a_pause(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    scene.is_killed = false;
    for (uint32_t pause_ms = BACKOFF_FIRST_MS; pause_ms <= 4 * BACKOFF_FIRST_MS; pause_ms *= 2) {
        happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
        done_is(&scene, "died 0 assign 1:0");
        happens(&scene, EVENT_SERVING, 1, 0, 0);
        happens(&scene, EVENT_READY, 1, 0, 0); /* nonsense shortens nothing */
        assert_int_equal(supervisor_due_ms(&scene.supervisor), scene.now_ms + pause_ms);
        scene.now_ms += pause_ms;
        happens(&scene, EVENT_ALIVE, 1, 0, 0);
        done_is(&scene, "fork 0");
        happens(&scene, EVENT_READY, 0, 0, 0);
        happens(&scene, EVENT_SERVING, 0, 0, 0);
        done_is(&scene, "assign 0:0 release 1:0");
    }
    /* One that has lived for a while, or was killed, has none of its own. */
    scene.is_killed = true;
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    scene.now_ms += BACKOFF_FIRST_MS;
    happens(&scene, EVENT_ALIVE, 1, 0, 0);
    done_is(&scene, "died 0 assign 1:0 fork 0");
    happens(&scene, EVENT_READY, 0, 0, 0);
    scene.is_killed = false;
    scene.now_ms += YOUNG_MS;
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "assign 0:1 died 0 fork 0");
    supervisor_deinit(&scene.supervisor);
}

static void the_slots_of_a_hung_worker_move_before_it_is_dead(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    scene.now_ms += 400;
    happens(&scene, EVENT_ALIVE, 1, 0, 0);
    scene.now_ms += 200;
    assert_true(supervisor_due_ms(&scene.supervisor) <= scene.now_ms);
    happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "hung 0 kill 0 fork 2 assign 1:0");
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "");
    supervisor_deinit(&scene.supervisor);
}

static void a_reload_takes_over_before_the_old_stop(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_RELOAD, SUPERVISOR_NOBODY, 0, 2);
    done_is(&scene, "reloading fork 2");
    happens(&scene, EVENT_READY, 2, 0, 0);
    done_is(&scene, "fork 3");
    happens(&scene, EVENT_READY, 3, 0, 0);
    done_is(&scene, "reloaded assign 2:0 assign 3:1");
    happens(&scene, EVENT_SERVING, 3, 1, 0);
    done_is(&scene, "release 1:1 retire 1");
    happens(&scene, EVENT_SERVING, 2, 0, 0);
    done_is(&scene, "release 0:0 retire 0");
    happens(&scene, EVENT_DIED, 1, 0, 0);
    done_is(&scene, "");
    supervisor_deinit(&scene.supervisor);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_RELOAD, SUPERVISOR_NOBODY, 0, 2);
    happens(&scene, EVENT_READY, 2, 0, 0);
    done_is(&scene, "reloading fork 2 fork 3");
    /* A death among those that serve meanwhile is repaired as ever. */
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "died 0 fork 0 assign 1:0");
    happens(&scene, EVENT_DIED, 3, 0, 78);
    done_is(&scene, "stop 2 unchanged");
    happens(&scene, EVENT_DIED, 2, 0, 0);
    done_is(&scene, "");
    supervisor_deinit(&scene.supervisor);
}

static void fewer_workers_share_the_slots(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_RELOAD, SUPERVISOR_NOBODY, 0, 1);
    happens(&scene, EVENT_READY, 2, 0, 0);
    done_is(&scene, "reloading fork 2 reloaded assign 2:0 assign 2:1");
    supervisor_deinit(&scene.supervisor);
}

static void a_successor_is_given_all_when_it_is_ready(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "execute");
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "unchanged"); /* it is under way */
    happens(&scene, EVENT_SUCCESSOR_READY, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "give");
    happens(&scene, EVENT_SUCCESSOR_TOOK, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "given close retire 0 retire 1");
    happens(&scene, EVENT_DIED, 0, 0, 0);
    happens(&scene, EVENT_DIED, 1, 0, 0);
    done_is(&scene, "exit");
    supervisor_deinit(&scene.supervisor);
}

static void a_successor_that_is_lost_gives_back(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    happens(&scene, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "execute unchanged");
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    happens(&scene, EVENT_SUCCESSOR_READY, SUPERVISOR_NOBODY, 0, 0);
    happens(&scene, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "execute give reclaim unchanged");
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    scene.now_ms += 1000;
    happens(&scene, EVENT_ALIVE, 0, 0, 0);
    happens(&scene, EVENT_ALIVE, 1, 0, 0);
    happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "execute abandon unchanged");
    supervisor_deinit(&scene.supervisor);
}

static void starts_that_fail_wait_longer_and_longer(void **state)
{
    struct scene scene;
    uint64_t pauses_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "died 0 fork 0 assign 1:0");
    happens(&scene, EVENT_SERVING, 1, 0, 0);
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        happens(&scene, EVENT_DIED, 0, 0, 1);
        done_is(&scene, "");
        scene.now_ms += pauses_ms[i] - 1;
        happens(&scene, EVENT_ALIVE, 1, 0, 0);
        done_is(&scene, "");
        scene.now_ms += 1;
        assert_int_equal(supervisor_due_ms(&scene.supervisor), scene.now_ms);
        happens(&scene, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
        done_is(&scene, "fork 0");
    }
    /* One that was ready does not count. */
    happens(&scene, EVENT_READY, 0, 0, 0);
    happens(&scene, EVENT_DIED, 0, 0, 1);
    done_is(&scene, "assign 0:0 died 0 fork 0");
    supervisor_deinit(&scene.supervisor);
}

static void the_end_has_three_words(void **state)
{
    struct scene scene;

    (void)state;
    scene_start(&scene);
    happens(&scene, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "stopping close drain 0 drain 1");
    happens(&scene, EVENT_RELOAD, SUPERVISOR_NOBODY, 0, 2);
    happens(&scene, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "");
    happens(&scene, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "stop 0 stop 1");
    happens(&scene, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "kill 0 kill 1");
    happens(&scene, EVENT_DIED, 0, 0, SUPERVISOR_CRASHED);
    happens(&scene, EVENT_DIED, 1, 0, SUPERVISOR_CRASHED);
    done_is(&scene, "exit");
    assert_int_equal(scene.supervisor.exit_code, 0);
    happens(&scene, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    done_is(&scene, "");
    supervisor_deinit(&scene.supervisor);
}

static void a_plan_must_make_sense(void **state)
{
    static const uint32_t counts[][2] = {{0, 1}, {1, 0}, {2, 1}, {1, WORKERS_MAX + 1}};
    struct supervisor supervisor;

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const struct supervisor_plan plan = {.worker_count = counts[i][0],
                                             .slot_count = counts[i][1]};

        assert_int_equal(supervisor_init(&supervisor, &plan), PX_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sibling_holds_the_fort),
        cmocka_unit_test(peers_are_refused_while_nobody_serves),
        cmocka_unit_test(one_that_crashes_young_has_a_pause),
        cmocka_unit_test(the_slots_of_a_hung_worker_move_before_it_is_dead),
        cmocka_unit_test(a_reload_takes_over_before_the_old_stop),
        cmocka_unit_test(a_reload_that_fails_changes_nothing),
        cmocka_unit_test(fewer_workers_share_the_slots),
        cmocka_unit_test(a_successor_is_given_all_when_it_is_ready),
        cmocka_unit_test(a_successor_that_is_lost_gives_back),
        cmocka_unit_test(starts_that_fail_wait_longer_and_longer),
        cmocka_unit_test(the_end_has_three_words),
        cmocka_unit_test(a_plan_must_make_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
