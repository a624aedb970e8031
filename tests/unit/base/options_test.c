/*
 * Option structs of callers from other versions: shorter and longer ones, and nonsense.
 */
#include "base/options.h"

#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

struct known {
    size_t struct_size;
    uint32_t first;
    uint32_t second;
    uint64_t third;
};

static void null_is_the_defaults(void **state)
{
    struct known known;
    const struct known zero = {0};

    (void)state;
    memset(&known, 0xff, sizeof(known));
    assert_int_equal(options_read(&known, sizeof(known), NULL), PX_OK);
    known.struct_size = 0;
    assert_memory_equal(&known, &zero, sizeof(known));
}

/* A caller's struct of `bytes` bytes, against a guard page so that nothing behind it is read. */
static px_err read_of_size(struct known *out_known, size_t bytes, const void *content)
{
    struct guard guard;

    guard_init(&guard, 4096);
    px_str placed = guard_at_end(&guard, px_str_make(content, bytes));
    px_err err = options_read(out_known, sizeof(*out_known), placed.ptr);

    guard_deinit(&guard);
    return err;
}

static void same_version(void **state)
{
    const struct known given = {sizeof(given), 1, 2, 3};
    struct known known;

    (void)state;
    assert_int_equal(read_of_size(&known, sizeof(given), &given), PX_OK);
    assert_int_equal(known.first, 1);
    assert_int_equal(known.second, 2);
    assert_int_equal(known.third, 3);
}

static void older_caller_lacks_the_tail(void **state)
{
    const struct known given = {16, 1, 2, 3};
    struct known known;

    (void)state;
    memset(&known, 0xff, sizeof(known));
    assert_int_equal(read_of_size(&known, 16, &given), PX_OK);
    assert_int_equal(known.first, 1);
    assert_int_equal(known.second, 2);
    assert_int_equal(known.third, 0);
}

static void newer_caller_has_a_tail(void **state)
{
    struct {
        struct known known;
        char tail[16];
    } given = {.known = {sizeof(given), 1, 2, 3}};
    struct known known;

    (void)state;
    assert_int_equal(read_of_size(&known, sizeof(given), &given), PX_OK);
    assert_int_equal(known.third, 3);
    for (size_t at = 0; at < sizeof(given.tail); at++) {
        given.tail[at] = 1;
        assert_int_equal(read_of_size(&known, sizeof(given), &given), PX_ERR_INVALID);
        given.tail[at] = 0;
    }
}

static void nonsense_is_refused(void **state)
{
    struct known given = {0, 1, 2, 3};
    struct known known;

    (void)state;
    for (size_t size = 0; size < sizeof(size_t); size++) {
        given.struct_size = size;
        assert_int_equal(options_read(&known, sizeof(known), &given), PX_ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_the_defaults),        cmocka_unit_test(same_version),
        cmocka_unit_test(older_caller_lacks_the_tail), cmocka_unit_test(newer_caller_has_a_tail),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
