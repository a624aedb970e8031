/*
 * Entity tags: the RFC's comparisons, lists, and what is none.
 */
#include "http/fields/etag.h"

#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

static void tags_are_written(void **state)
{
    static const struct {
        uint64_t size, hash;
        const char *text;
    } cases[] = {
        {0, 0, "\"0-0\""},
        {1, 0xabc, "\"1-abc\""},
        {0x10, 0x123456789abcdef0, "\"10-123456789abcdef0\""},
        {UINT64_MAX, UINT64_MAX, "\"ffffffffffffffff-ffffffffffffffff\""},
    };
    char text[ETAG_BYTES_MAX];

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_str_equal(px_str_make(text, etag_write(cases[index].size, cases[index].hash, text)),
                         px_str_of(cases[index].text));
}

static void lists_are_searched(void **state)
{
    static const struct {
        const char *list, *etag;
        bool weakly, strongly;
    } cases[] = {
        /* RFC 9110 section 8.8.3.2: ours is always strong. */
        {"\"1\"", "\"1\"", true, true},
        {"W/\"1\"", "\"1\"", true, false},
        {"\"2\"", "\"1\"", false, false},
        {"W/\"2\"", "\"1\"", false, false},
        /* Lists. */
        {"\"a\", \"1\"", "\"1\"", true, true},
        {"\"a\",\"1\"", "\"1\"", true, true},
        {"\"a\" , W/\"b\"\t,\t\"1\" ", "\"1\"", true, true},
        {",,\"a\",,\"1\",", "\"1\"", true, true},
        {"W/\"1\", \"1\"", "\"1\"", true, true},
        {"", "\"1\"", false, false},
        {" , ", "\"1\"", false, false},
        /* A comma and a backslash are bytes of a tag. */
        {"\"a,b\"", "\"a,b\"", true, true},
        {"\"a\\\"", "\"a\\\"", true, true},
        {"\"a\\\", \"1\"", "\"1\"", true, true},
        {"\"\xc3\xa4\"", "\"\xc3\xa4\"", true, true},
        {"\"\"", "\"\"", true, true},
        /* What is none ends the list. */
        {"1", "\"1\"", false, false},
        {"\"1", "\"1\"", false, false},
        {"1\"", "\"1\"", false, false},
        {"w/\"1\"", "\"1\"", false, false},
        {"W\"1\"", "\"1\"", false, false},
        {"W/ \"1\"", "\"1\"", false, false},
        {"\"1\"x", "\"1\"", false, false},
        {"\"1\" \"1\"", "\"1\"", false, false},
        {"\"a b\", \"1\"", "\"1\"", false, false},
        {"\"a\", x, \"1\"", "\"1\"", false, false},
        {"\"1\", x", "\"1\"", true, true},
        {"*", "\"1\"", false, false},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str etag = px_str_of(cases[index].etag);
        px_str list = guard_at_end(&guard, px_str_of(cases[index].list));

        assert_int_equal(etag_list_has(list, etag, false), cases[index].weakly);
        assert_int_equal(etag_list_has(list, etag, true), cases[index].strongly);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 28);
    guard_deinit(&guard);
}

static void prefixes_stay_inside(void **state)
{
    static const char text[] = "W/\"a\\\", \"b,c\" , \"\", W/\"d\"";
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t len = 0; len < sizeof(text); len++) {
        px_str list = guard_at_end(&guard, px_str_make(text, len)), whole = list, opaque;
        bool weak;

        while (etag_list_next(&list, &weak, &opaque)) {
            assert_true(opaque.ptr >= whole.ptr && opaque.ptr + opaque.len <= list.ptr);
            assert_true(list.ptr + list.len == whole.ptr + whole.len);
        }
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_written),
        cmocka_unit_test(lists_are_searched),
        cmocka_unit_test(prefixes_stay_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
