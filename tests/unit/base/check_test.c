/*
 * A broken assertion: the program's px_on_fatal hears of it, then the process aborts.
 */
#include "base/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/test.h"

/* Takes the place of the library's own, which is weak. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    fprintf(stderr, "fatal: %s:%d: %s\n", file, line, condition);
}

static void break_one(void)
{
    int answer = 42;

    CHECK(answer == 42);
    CHECK(answer == 6 * 9);
}

static void keep_all(void)
{
    int calls = 0;

    CHECK(++calls == 1);
    if (calls != 1)
        fputs("evaluated more than once\n", stderr);
}

static void broken_one_is_told_and_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(break_one, output, sizeof(output)), SIGABRT);
    assert_non_null(strstr(output, "fatal: check_test.c:"));
    assert_non_null(strstr(output, ": answer == 6 * 9\n"));
    assert_null(strstr(output, ": answer == 42\n"));
}

static void kept_one_costs_nothing(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(keep_all, output, sizeof(output)), 0);
    assert_string_equal(output, "");
}

struct outer {
    int before;
    int inner;
};

static void macros_compute(void **state)
{
    struct outer outer = {1, 2};
    int array[7];

    (void)state;
    assert_ptr_equal(CONTAINER_OF(&outer.inner, struct outer, inner), &outer);
    assert_int_equal(ARRAY_COUNT(array), 7);
    assert_true(PX_LIKELY(2));
    assert_false(PX_UNLIKELY(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_one_is_told_and_aborts),
        cmocka_unit_test(kept_one_costs_nothing),
        cmocka_unit_test(macros_compute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
