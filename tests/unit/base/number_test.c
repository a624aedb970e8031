/*
 * Reading numbers: what is one, what is none, and the edges of each maximum; with every text
 * against a guard page.
 */
#include "lib/test.h"

#include "base/check.h"
#include "base/number.h"
#include "lib/guard.h"

struct number_case {
    const char *text;
    uint64_t max;
    uint64_t number; /* when it is one */
    bool decimal;
    bool hexadecimal;
    uint64_t hex;
};

static const struct number_case cases[] = {
    {"0", 0, 0, true, true, 0},
    {"1", 0, 0, false, false, 0},
    {"9", 9, 9, true, true, 9},
    {"10", 9, 0, false, false, 0},
    {"10", 16, 10, true, true, 16},
    {"0000000000000000000000000000010", 16, 10, true, true, 16},
    {"65535", 65535, 65535, true, false, 0},
    {"65536", 65535, 0, false, false, 0},
    {"ffff", 65535, 0, false, true, 65535},
    {"FFFF", 65535, 0, false, true, 65535},
    {"10000", 65535, 10000, true, false, 0},
    {"9223372036854775807", INT64_MAX, INT64_MAX, true, false, 0},
    {"9223372036854775808", INT64_MAX, 0, false, false, 0},
    {"18446744073709551615", UINT64_MAX, UINT64_MAX, true, false, 0},
    {"18446744073709551616", UINT64_MAX, 0, false, false, 0},
    {"184467440737095516150", UINT64_MAX, 0, false, false, 0},
    {"ffffffffffffffff", UINT64_MAX, 0, false, true, UINT64_MAX},
    {"10000000000000000", UINT64_MAX, 10000000000000000, true, false, 0},
    {"", 9, 0, false, false, 0},
    {"-1", 9, 0, false, false, 0},
    {"+1", 9, 0, false, false, 0},
    {" 1", 9, 0, false, false, 0},
    {"1 ", 9, 0, false, false, 0},
    {"1.", 9, 0, false, false, 0},
    {"0x1", 9, 0, false, false, 0},
    {"1_0", 99, 0, false, false, 0},
    {"\xef\xbc\x91", 99, 0, false, false, 0},
    {"g", 99, 0, false, false, 0},
};

static void number_is_read_whole(void **state)
{
    struct guard guard;

    (void)state;
    assert_int_equal(ARRAY_COUNT(cases), 28);
    guard_init(&guard, 4096);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        const struct number_case *is = &cases[index];
        px_str text = guard_at_end(&guard, px_str_of(is->text));
        uint64_t number = 77;

        assert_int_equal(number_read(text, is->max, &number), is->decimal);
        assert_int_equal(number, is->decimal ? is->number : 77);
        number = 77;
        assert_int_equal(number_read_hex(text, is->max, &number), is->hexadecimal);
        assert_int_equal(number, is->hexadecimal ? is->hex : 77);
    }
    guard_deinit(&guard);
    assert_false(number_read(px_str_of(NULL), 9, &(uint64_t){0}));
}

static void digits_in_front_are_read(void **state)
{
    uint64_t number = 0;

    (void)state;
    assert_int_equal(number_read_some(LITERAL("120/80"), 999, &number), 3);
    assert_int_equal(number, 120);
    assert_int_equal(number_read_some(LITERAL("/80"), 999, &number), 0);
    assert_int_equal(number_read_some(LITERAL("1200/80"), 999, &number), 0);
    assert_int_equal(number, 120);
}

static void hex_digits_have_values(void **state)
{
    static const char digits[] = "0123456789abcdef";
    int found = 0;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        int lower = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
        const char *at = lower ? strchr(digits, lower) : NULL;

        assert_int_equal(number_hex_digit((char)byte), at ? at - digits : -1);
        found += at != NULL;
    }
    assert_int_equal(found, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_is_read_whole),
        cmocka_unit_test(digits_in_front_are_read),
        cmocka_unit_test(hex_digits_have_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
