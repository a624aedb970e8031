/*
 * Waits of the end: how long each may last, and what a hurry leaves of them.
 */
#include "main/patience.h"

#include <stddef.h>

#include "lib/test.h"

static void test_without_a_hurry(void **state)
{
    struct patience patience = {0};

    (void)state;
    assert_int_equal(patience_left_ms(&patience), 0);
    patience_begin(&patience, 60000, 100);
    assert_in_range(patience_left_ms(&patience), 30000, 60000);
    assert_false(patience_is_hurried(&patience));
    patience_begin(&patience, 0, 0);
    assert_int_equal(patience_left_ms(&patience), 0);
}

static void test_a_hurry_in_the_midst(void **state)
{
    struct patience patience = {0};

    (void)state;
    patience_begin(&patience, 60000, 100);
    patience_hurry(&patience);
    assert_true(patience_is_hurried(&patience));
    assert_true(patience_left_ms(&patience) <= 100);
    /* What comes behind it has no more than what a hurry has in all. */
    patience_begin(&patience, 60000, 30000);
    assert_true(patience_left_ms(&patience) <= PATIENCE_HURRIED_MS);
    patience_begin(&patience, 60000, 0);
    assert_int_equal(patience_left_ms(&patience), 0);
}

static void test_a_hurry_comes_once_and_lengthens_nothing(void **state)
{
    struct patience patience = {0};

    (void)state;
    patience_hurry(&patience); /* before any wait */
    assert_int_equal(patience_left_ms(&patience), 0);
    uint64_t until_ms = patience.hurried_until_ms;

    patience_begin(&patience, 60000, 60000);
    assert_true(patience_left_ms(&patience) <= PATIENCE_HURRIED_MS);
    patience_hurry(&patience);
    assert_true(patience.hurried_until_ms == until_ms && patience.until_ms == until_ms);
    struct patience over = {.until_ms = 1, .short_ms = 1000};

    patience_hurry(&over);
    assert_int_equal(patience_left_ms(&over), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_hurry),
        cmocka_unit_test(test_a_hurry_in_the_midst),
        cmocka_unit_test(test_a_hurry_comes_once_and_lengthens_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
