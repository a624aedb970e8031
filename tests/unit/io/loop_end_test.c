/*
 * The end of a loop, seen from those who still hold on to it: a thread that stops it while it is
 * being destroyed, and cancelled calls that ask it for more.
 *
 * The wake of a stop is held back by a wrapped mailbox_wake until the loop is gone, which is where
 * a thread that is preempted there finds itself.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "io/mailbox.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct race {
    struct fault_alloc fault;
    px_loop *loop;
    sem_t gone; /* the loop is destroyed */
    px_err run_result;
};

/* The one whose stop is held back, or NULL: wrapped functions have no other context. */
static struct race *held;
static int held_count;

void __real_mailbox_wake(px_mailbox *mailbox);
void __wrap_mailbox_wake(px_mailbox *mailbox);

void __wrap_mailbox_wake(px_mailbox *mailbox)
{
    if (held) {
        struct timespec limit;

        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_sec += PUMP_LIMIT_MS / 1000;
        assert_int_equal(sem_timedwait(&held->gone, &limit), 0);
        /* The loop gave back all it had; what is left must be the mailbox we are about to use. */
        assert_int_equal(atomic_load(&held->fault.live), 1);
        held_count++;
    }
    __real_mailbox_wake(mailbox);
}

static void again(px_timer *timer, void *context)
{
    (void)context;
    px_timer_start(timer, 0);
}

/* A loop that is never asleep sees the flag of a stop without being woken. */
static void *run_and_destroy(void *context)
{
    struct race *race = context;
    px_timer *timer = px_timer_create(race->loop, again, NULL);
    px_error error;

    px_timer_start(timer, 0);
    race->run_result = px_loop_run(race->loop, &error);
    px_timer_destroy(timer);
    px_loop_destroy(race->loop);
    sem_post(&race->gone);
    return NULL;
}

static void race_run(void)
{
    struct race race;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;
    pthread_t thread;

    fault_alloc_init(&race.fault);
    options.allocator = &race.fault.allocator;
    race.loop = px_loop_create(&options, &error);
    assert_non_null(race.loop);
    assert_int_equal(sem_init(&race.gone, 0, 0), 0);
    held = &race;
    assert_int_equal(pthread_create(&thread, NULL, run_and_destroy, &race), 0);
    px_loop_stop(race.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    held = NULL;
    assert_int_equal(race.run_result, PX_OK);
    fault_alloc_assert_empty(&race.fault);
    sem_destroy(&race.gone);
}

static void stop_outlives_the_loop(void **state)
{
    enum { ROUNDS = 50 };

    (void)state;
    held_count = 0;
    for (int round = 0; round < ROUNDS; round++)
        race_run();
    assert_int_equal(held_count, ROUNDS);
}

/* --- Work for helpers, asked for while the loop ends ------------------------------------------ */

struct late {
    px_loop *loop;
    int done;
    int posted;
    px_err status;
    px_err result;
};

static void work(void *context)
{
    (void)context;
}

static void done(px_err status, void *context)
{
    struct late *late = context;

    assert_int_equal(status, PX_OK);
    late->done++;
}

static void must_not_be_done(px_err status, void *context)
{
    (void)status;
    (void)context;
    fail_msg("work was accepted by a loop that is being destroyed");
}

static void ask_for_more(px_err status, void *context)
{
    struct late *late = context;

    late->posted++;
    late->status = status;
    late->result = px_loop_work(late->loop, work, must_not_be_done, late);
}

static void work_is_refused_once_the_loop_ends(void **state)
{
    (void)state;
    /* With helper threads that were started before, and with none. */
    for (int started = 0; started < 2; started++) {
        struct fault_alloc fault;
        struct late late = {0};
        px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
        px_error error;

        fault_alloc_init(&fault);
        options.allocator = &fault.allocator;
        late.loop = px_loop_create(&options, &error);
        assert_non_null(late.loop);
        if (started) {
            assert_int_equal(px_loop_work(late.loop, work, done, &late), PX_OK);
            pump_until(late.loop, late.done == 1);
        }
        assert_int_equal(px_loop_post(late.loop, ask_for_more, &late), PX_OK);
        px_loop_destroy(late.loop);
        assert_int_equal(late.posted, 1);
        assert_int_equal(late.status, PX_ERR_CANCELLED);
        assert_int_equal(late.result, PX_ERR_CLOSED);
        fault_alloc_assert_empty(&fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_outlives_the_loop),
        cmocka_unit_test(work_is_refused_once_the_loop_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
