/*
 * Every category of failure has an exit code, and the promised ones are those of sysexits(3).
 */
#include "main/exit_code.h"

#include <sysexits.h>

#include "lib/test.h"

static void codes_are_as_promised(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(PX_OK), 0);
    assert_int_equal(exit_code_of(PX_ERR_INVALID), EX_USAGE);
    assert_int_equal(exit_code_of(PX_ERR_NOT_FOUND), EX_NOINPUT);
    assert_int_equal(exit_code_of(PX_ERR_ADDRESS_IN_USE), EX_UNAVAILABLE);
    assert_int_equal(exit_code_of(PX_ERR_PERMISSION), EX_NOPERM);
    assert_int_equal(exit_code_of(PX_ERR_SYSTEM), EX_OSERR);
    assert_int_equal(exit_code_of(PX_ERR_CONFLICT), EX_SOFTWARE);
    assert_int_equal(CODE_CANNOT_CREATE, EX_CANTCREAT);
    assert_int_equal(CODE_CONFIG, EX_CONFIG);
}

static void every_category_has_one(void **state)
{
    (void)state;
    for (int err = PX_OK + 1; err <= PX_FULL; err++)
        assert_in_range(exit_code_of((px_err)err), 64, 78);
    assert_int_equal(exit_code_of((px_err)(PX_FULL + 1)), EX_SOFTWARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_as_promised),
        cmocka_unit_test(every_category_has_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
