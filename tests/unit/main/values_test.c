/*
 * The values of flags: what is read, and that everything else is refused.
 */
#include "main/flags/values.h"

#include <string.h>

#include "lib/test.h"

static const uint64_t refused = UINT64_MAX; /* in the tables below */

static void counts(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"1", 1},
        {"10", 10},
        {"007", 7},
        {"100", 100},
        {"0", refused},
        {"101", refused},
        {"", refused},
        {" 1", refused},
        {"1 ", refused},
        {"+1", refused},
        {"-1", refused},
        {"1x", refused},
        {"0x1", refused},
        {"1.0", refused},
        {"18446744073709551615", refused},
        {"18446744073709551617", refused},
        {"99999999999999999999999999", refused},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 4711;
        bool is_good = value_count(cases[i].text, 1, 100, &value);

        if (is_good != (cases[i].value != refused) || value != (is_good ? cases[i].value : 4711))
            fail_msg("\"%s\"", cases[i].text);
    }
    uint64_t most;
    assert_true(value_count("18446744073709551615", 0, UINT64_MAX, &most));
    assert_true(most == UINT64_MAX);
}

static void bytes(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"1", 1},
        {"64k", 65536},
        {"64K", 65536},
        {"2m", 2097152},
        {"3G", 3221225472},
        {"17179869183g", 18446744072635809792U},
        {"17179869184g", refused},
        {"0k", refused},
        {"k", refused},
        {"1kb", refused},
        {"1 k", refused},
        {"1t", refused},
        {"1K1", refused},
        {"-1k", refused},
        {"1\x0b", refused}, /* 0x0b | 0x20 is '+' */
        {"", refused},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 4711;
        bool is_good = value_bytes(cases[i].text, 1, UINT64_MAX - 1, &value);

        if (is_good != (cases[i].value != refused) || value != (is_good ? cases[i].value : 4711))
            fail_msg("\"%s\" gave %llu", cases[i].text, (unsigned long long)value);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"10s", 10000},
        {"500ms", 500},
        {"1m", 60000},
        {"2h", 7200000},
        {"1.5", 1500},
        {"0.25s", 250},
        {"1.5m", 90000},
        {"0.0001s", 0},
        {"1.23456789s", 1234},
        {"100h", 360000000},
        {"1000h", 3600000000},
        {"1193h", 4294800000},
        {"1194h", refused},
        {"4294967296", refused},
        {"99999999999999999999h", refused},
        {"", refused},
        {"s", refused},
        {".5s", refused},
        {"1.s", refused},
        {"1.", refused},
        {"1 s", refused},
        {"-1s", refused},
        {"1S", refused},
        {"1sec", refused},
        {"1d", refused},
        {"1s1", refused},
        {"1.5.5", refused},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ms = 4711;
        bool is_good = value_duration(cases[i].text, UINT32_MAX - 1, &ms);

        if (is_good != (cases[i].ms != refused) || ms != (is_good ? cases[i].ms : 4711))
            fail_msg("\"%s\" gave %llu", cases[i].text, (unsigned long long)ms);
    }
}

static void fields(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: refused */
        const char *value;
    } cases[] = {
        {"A: b", "A", "b"},
        {"A:b", "A", "b"},
        {"A:", "A", ""},
        {"A: ", "A", ""},
        {"A:\t b c\t ", "A", "b c"},
        {"A: b: c", "A", "b: c"},
        {"!#$%&'*+-.^_`|~09azAZ: x", "!#$%&'*+-.^_`|~09azAZ", "x"},
        {"A: gr\xc3\xbc\xc3\x9f", "A", "gr\xc3\xbc\xc3\x9f"},
        {"A: b\tc", "A", "b\tc"},
        {"", NULL, NULL},
        {":", NULL, NULL},
        {": b", NULL, NULL},
        {"A", NULL, NULL},
        {"A b", NULL, NULL},
        {"A : b", NULL, NULL},
        {" A: b", NULL, NULL},
        {"A\r\n: b", NULL, NULL},
        {"A: b\r\nC: d", NULL, NULL},
        {"A: b\n", NULL, NULL},
        {"A: b\r", NULL, NULL},
        {"A: \x01", NULL, NULL},
        {"A: \x7f", NULL, NULL},
        {"\xc3\xbc: b", NULL, NULL},
        {"A(: b", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_str name = {0};
        px_str value = {0};

        if (value_field(cases[i].text, &name, &value) != (cases[i].name != NULL))
            fail_msg("\"%s\"", cases[i].text);
        assert_str_equal(name, px_str_of(cases[i].name));
        assert_str_equal(value, px_str_of(cases[i].value));
    }
}

static void framing_is_known_in_any_case(void **state)
{
    static const char *const framing[] = {"Content-Length", "TRANSFER-ENCODING", "connection",
                                          "Keep-Alive",     "upgrade",           "TE",
                                          "Trailer",        "Proxy-Connection"};
    static const char *const others[] = {
        "Content-Lengt", "Content-Lengthy", "T", "TEE", "Server", "Date", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++)
        assert_true(value_is_framing(px_str_of(framing[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(value_is_framing(px_str_of(others[i])));
    assert_true(value_is_name(px_str_of("sErVeR"), "Server"));
    assert_false(value_is_name(px_str_of("Serve"), "Server"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(bytes),
        cmocka_unit_test(durations),
        cmocka_unit_test(fields),
        cmocka_unit_test(framing_is_known_in_any_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
