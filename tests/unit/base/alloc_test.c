/*
 * The allocator hook: every call reaches the allocator it was given, with its context.
 */
#include "base/alloc.h"

#include <string.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"

static void libc_works(void **state)
{
    (void)state;
    char *ptr = alloc_take(&alloc_libc, 10);

    assert_non_null(ptr);
    memcpy(ptr, "123456789", 10);
    ptr = alloc_resize(&alloc_libc, ptr, 100000);
    assert_non_null(ptr);
    assert_string_equal(ptr, "123456789");
    alloc_put(&alloc_libc, ptr);
    alloc_put(&alloc_libc, NULL);
    ptr = alloc_resize(&alloc_libc, NULL, 1);
    assert_non_null(ptr);
    alloc_put(&alloc_libc, ptr);
}

static void zeroed_is_zero(void **state)
{
    struct fault_alloc fault;
    static const char zeros[64];

    (void)state;
    fault_alloc_init(&fault);
    char *ptr = alloc_take_zeroed(&fault.allocator, sizeof(zeros));

    assert_non_null(ptr);
    assert_memory_equal(ptr, zeros, sizeof(zeros));
    alloc_put(&fault.allocator, ptr);
    fault_alloc_assert_empty(&fault);
}

static void failure_is_null(void **state)
{
    struct fault_alloc fault;

    (void)state;
    fault_alloc_init(&fault);
    fault.fail_at = 1;
    fault.fail_on = true;
    assert_null(alloc_take(&fault.allocator, 1));
    assert_null(alloc_take_zeroed(&fault.allocator, 1));
    assert_null(alloc_resize(&fault.allocator, NULL, 1));
    assert_int_equal(fault.failures, 3);
}

static void null_does_not_reach_the_allocator(void **state)
{
    const px_allocator none = {NULL, NULL, NULL, NULL};

    (void)state;
    alloc_put(&none, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libc_works),
        cmocka_unit_test(zeroed_is_zero),
        cmocka_unit_test(failure_is_null),
        cmocka_unit_test(null_does_not_reach_the_allocator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
