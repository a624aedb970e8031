/*
 * Signals as events of a loop: no handler, the mask is put back, one taker a signal.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct heard {
    uint32_t count;
    int number;
};

static void heard_signal(int number, void *context)
{
    struct heard *heard = context;

    heard->count++;
    heard->number = number;
}

static bool is_blocked(int number)
{
    sigset_t now;

    pthread_sigmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, number);
}

static void signals_arrive_on_the_loop(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct heard first = {0}, second = {0};

    (void)state;
    assert_int_equal(px_loop_signal(loop, SIGUSR1, heard_signal, &first, &error), PX_OK);
    assert_int_equal(px_loop_signal(loop, SIGUSR2, heard_signal, &second, &error), PX_OK);
    /* They are the loop's own: nothing to close before it is destroyed. */
    assert_int_equal(px_loop_handle_count(loop), 0);
    raise(SIGUSR1);
    assert_int_equal(first.count, 0);
    pump_until(loop, first.count == 1);
    assert_int_equal(first.number, SIGUSR1);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    pump_until(loop, first.count == 2 && second.count == 1);
    assert_int_equal(second.number, SIGUSR2);
    px_loop_destroy(loop);
}

static void destroy_puts_the_mask_back(void **state)
{
    px_error error;
    struct heard heard = {0};
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    px_loop *loop = px_loop_create(NULL, &error);

    assert_int_equal(px_loop_signal(loop, SIGUSR1, heard_signal, &heard, &error), PX_OK);
    assert_int_equal(px_loop_signal(loop, SIGUSR2, heard_signal, &heard, &error), PX_OK);
    assert_true(is_blocked(SIGUSR1));
    px_loop_destroy(loop);
    assert_false(is_blocked(SIGUSR1));
    assert_true(is_blocked(SIGUSR2)); /* as it was */
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void ignored_signals_arrive_too(void **state)
{
    px_error error;
    struct heard heard = {0};
    struct sigaction action = {.sa_handler = SIG_IGN}, now;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    px_loop *loop = px_loop_create(NULL, &error);

    assert_int_equal(px_loop_signal(loop, SIGUSR1, heard_signal, &heard, &error), PX_OK);
    raise(SIGUSR1);
    pump_until(loop, heard.count == 1);
    px_loop_destroy(loop);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    action.sa_handler = SIG_DFL;
    sigaction(SIGUSR1, &action, NULL);
}

static void bad_and_taken_signals(void **state)
{
    static const int bad[] = {0, -1, 65, 1000};
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct heard heard = {0};

    (void)state;
    for (size_t index = 0; index < 4; index++) {
        assert_int_equal(px_loop_signal(loop, bad[index], heard_signal, &heard, &error),
                         PX_ERR_INVALID);
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
    assert_int_equal(px_loop_signal(loop, SIGUSR1, NULL, NULL, &error), PX_ERR_INVALID);
    assert_int_equal(px_loop_signal(loop, SIGUSR1, heard_signal, &heard, NULL), PX_OK);
    assert_int_equal(px_loop_signal(loop, SIGUSR1, heard_signal, &heard, &error), PX_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "taken"));
    px_loop_destroy(loop);
}

static void ask_and_fail(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct heard heard = {0};
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, NULL);

    if (!loop)
        return;
    px_err err = px_loop_signal(loop, SIGUSR1, heard_signal, &heard, &error);

    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    assert_int_equal(error.code, err);
    if (err == PX_OK) {
        raise(SIGUSR1);
        pump_until(loop, heard.count == 1);
    }
    px_loop_destroy(loop);
    assert_false(is_blocked(SIGUSR1));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("loop with a signal", ask_and_fail, NULL) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_arrive_on_the_loop), cmocka_unit_test(destroy_puts_the_mask_back),
        cmocka_unit_test(ignored_signals_arrive_too), cmocka_unit_test(bad_and_taken_signals),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
