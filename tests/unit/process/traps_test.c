/*
 * The black box by itself: notes are found by pid, and only what a filter did is
 * one.  What a filter does is in seccomp_test.c.
 */
#include "process/traps.h"

#include <unistd.h>

#include "unit/process/child.h"

static int be_trapped(void *context)
{
    px_error error;

    if (traps_catch(context, &error) != PX_OK)
        return CHILD_NOT_ENTERED;
    raise(SIGSYS);
    return CHILD_BAD;
}

static void traps_end_the_process(void **state)
{
    struct traps *traps = traps_create();
    pid_t pid;
    int call;

    (void)state;
    assert_non_null(traps);
    /* A signal that no filter sent ends it as well, and there is no call to note. */
    assert_int_equal(child_run(be_trapped, traps, &pid), -SIGSYS);
    assert_false(traps_take(traps, pid, &call));
    assert_int_equal(child_run(be_trapped, NULL, &pid), -SIGSYS);
    traps_destroy(traps);
}

static void traps_know_nobody(void **state)
{
    struct traps *traps = traps_create();
    int call = 5;

    (void)state;
    assert_false(traps_take(traps, getpid(), &call));
    assert_false(traps_take(traps, 0, &call));
    assert_false(traps_take(traps, -1, &call));
    assert_false(traps_take(NULL, getpid(), &call));
    assert_int_equal(call, 5);
    traps_destroy(traps);
    traps_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traps_end_the_process),
        cmocka_unit_test(traps_know_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
