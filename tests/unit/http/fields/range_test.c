/*
 * Range: the RFC's examples, what is refused, what is too much, and a second opinion on many made
 * ones.
 */
#include "http/fields/range.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

/* "first-last,..." of what is sent, "whole", or "none". */
static const char *parse(px_str value, uint64_t size)
{
    static char text[1024];
    struct byte_range ranges[RANGE_COUNT_MAX];
    uint32_t count = 0;
    size_t len = 0;

    switch (range_parse(value, size, ranges, &count)) {
    case RANGE_WHOLE:
        return "whole";
    case RANGE_UNSATISFIABLE:
        return "none";
    case RANGE_PARTS:
        break;
    }
    assert_in_range(count, 1, RANGE_COUNT_MAX);
    for (uint32_t index = 0; index < count; index++) {
        assert_true(ranges[index].length > 0 && ranges[index].first < size &&
                    ranges[index].length <= size - ranges[index].first);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%" PRIu64 "-%" PRIu64,
                                index > 0 ? "," : "", ranges[index].first,
                                ranges[index].first + ranges[index].length - 1);
    }
    return text;
}

static void ranges_are_read(void **state)
{
    static const struct {
        const char *value;
        uint64_t size;
        const char *is;
    } cases[] = {
        /* RFC 9110 section 14.1.2, with content of 10000 bytes. */
        {"bytes=0-499", 10000, "0-499"},
        {"bytes=500-999", 10000, "500-999"},
        {"bytes=-500", 10000, "9500-9999"},
        {"bytes=9500-", 10000, "9500-9999"},
        {"bytes=0-0,-1", 10000, "0-0,9999-9999"},
        {"bytes= 0-999, 4500-5499, -1000", 10000, "0-999,4500-5499,9000-9999"},
        {"bytes=500-600,601-999", 10000, "500-600,601-999"},
        {"bytes=500-700,601-999", 10000, "500-700,601-999"},
        /* The end of the content. */
        {"bytes=0-", 1, "0-0"},
        {"bytes=0-0", 1, "0-0"},
        {"bytes=0-1", 1, "0-0"},
        {"bytes=1-", 1, "none"},
        {"bytes=1-1", 1, "none"},
        {"bytes=-0", 10, "none"},
        {"bytes=-1", 1, "0-0"},
        {"bytes=-2", 1, "0-0"},
        {"bytes=9-9", 10, "9-9"},
        {"bytes=10-10", 10, "none"},
        {"bytes=10-,20-,-0", 10, "none"},
        {"bytes=10-,3-4", 10, "3-4"},
        /* Empty content: a suffix of it is all of it. */
        {"bytes=0-", 0, "none"},
        {"bytes=0-0", 0, "none"},
        {"bytes=-1", 0, "whole"},
        {"bytes=-0", 0, "whole"},
        /* Lists: empty elements do not count, blanks around do not matter. */
        {"bytes=,0-0", 10, "0-0"},
        {"bytes=,,,0-0,,,,2-3,", 10, "0-0,2-3"},
        {"bytes=\t0-0 ,\t 2-3 ", 10, "0-0,2-3"},
        {"bytes=,", 10, "whole"},
        {"bytes=", 10, "whole"},
        {"bytes= ", 10, "whole"},
        /* In the order asked for. */
        {"bytes=5-6,0-1", 10, "5-6,0-1"},
        /* More than there is. */
        {"bytes=0-9,0-0", 10, "whole"},
        {"bytes=0-4,5-9", 10, "0-4,5-9"},
        {"bytes=0-5,5-9", 10, "whole"},
        {"bytes=0-,0-,0-", 10, "whole"},
        {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15", 99,
         "0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15"},
        {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16",
         99, "whole"},
        /* Numbers that do not fit. */
        {"bytes=0-18446744073709551615", 10, "0-9"},
        {"bytes=0-18446744073709551616", 10, "0-9"},
        {"bytes=0-99999999999999999999999999999999", 10, "0-9"},
        {"bytes=18446744073709551616-", 10, "none"},
        {"bytes=99999999999999999999999999-999999999999999999999999999", 10, "none"},
        {"bytes=-99999999999999999999999999", 10, "0-9"},
        {"bytes=00000000000000000000000000000000001-2", 10, "1-2"},
        {"bytes=9223372036854775806-", INT64_MAX, "9223372036854775806-9223372036854775806"},
        {"bytes=-1", INT64_MAX, "9223372036854775806-9223372036854775806"},
        {"bytes=4294967296-4294967297", UINT64_C(5000000000), "4294967296-4294967297"},
        /* Units. */
        {"Bytes=0-1", 10, "0-1"},
        {"BYTES=0-1", 10, "0-1"},
        {"octets=0-1", 10, "whole"},
        {"byte=0-1", 10, "whole"},
        {"bytess=0-1", 10, "whole"},
        {"none=", 10, "whole"},
        {"bytes", 10, "whole"},
        {"", 10, "whole"},
        /* Malformed. */
        {"bytes=1-0", 10, "whole"},
        {"bytes=3-2,4-5", 10, "whole"},
        {"bytes=4-5,3-2", 10, "whole"},
        {"bytes=a-b", 10, "whole"},
        {"bytes=0-1x", 10, "whole"},
        {"bytes=0x0-1", 10, "whole"},
        {"bytes=0 -1", 10, "whole"},
        {"bytes=0- 1", 10, "whole"},
        {"bytes=+0-1", 10, "whole"},
        {"bytes=0--1", 10, "whole"},
        {"bytes=--1", 10, "whole"},
        {"bytes=-", 10, "whole"},
        {"bytes=5", 10, "whole"},
        {"bytes =0-1", 10, "whole"},
        {"bytes:0-1", 10, "whole"},
        {"bytes=0-1;2-3", 10, "whole"},
        {"bytes=\"0-1\"", 10, "whole"},
        {"bytes=-1-", 10, "whole"},
        {"bytes=0-1-2", 10, "whole"},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str value = px_str_of(cases[index].value);

        assert_string_equal(parse(guard_at_end(&guard, value), cases[index].size), cases[index].is);
        assert_string_equal(parse(guard_at_start(&guard, value), cases[index].size),
                            cases[index].is);
    }
    guard_deinit(&guard);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 74);
}

/* Every prefix and every byte changed: whatever comes back lies inside (parse asserts it). */
static void broken_ranges_stay_inside(void **state)
{
    static const char text[] = "bytes=0-4, -7,9-,18446744073709551615-18446744073709551616";
    struct guard guard;
    char changed[sizeof(text)];
    uint32_t parsed = 0;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t len = 0; len < sizeof(text); len++)
        parse(guard_at_end(&guard, px_str_make(text, len)), 100);
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(changed, text, sizeof(text));
            changed[at] = (char)byte;
            parse(guard_at_end(&guard, px_str_make(changed, sizeof(text) - 1)), 100);
            parsed++;
        }
    }
    guard_deinit(&guard);
    assert_int_equal(parsed, 256 * (sizeof(text) - 1));
}

/* Thousands of ranges that are more or less good for the most careful peer: one after the other. */
static void thousands_of_ranges_are_the_whole(void **state)
{
    size_t room = 6 + 5000UL * 4, len = 6;
    char *text = malloc(room);

    (void)state;
    assert_non_null(text);
    memcpy(text, "bytes=", 6);
    while (len < room) {
        memcpy(text + len, "0-0,", 4);
        len += 4;
    }
    assert_string_equal(parse(px_str_make(text, len), UINT64_C(1) << 40), "whole");
    memset(text + 6, ',', room - 6);
    memcpy(text + room - 3, "1-1", 3);
    assert_string_equal(parse(px_str_make(text, room), 5), "1-1");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(broken_ranges_stay_inside),
        cmocka_unit_test(thousands_of_ranges_are_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
