/*
 * Which addresses are the same, and what their ports are.
 */
#include "main/listen/address.h"

#include "lib/test.h"

static void the_same_place(void **state)
{
    static const struct {
        const char *left;
        const char *right;
        bool is_same;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:080", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"127.0.0.1:80", ":80", false},
        {":80", ":80", true},
        {":80", ":8080", false},
        {"localhost:80", "LocalHost:80", true},
        {"localhost:80", "localhosts:80", false},
        {"[::1]:80", "[::1]:80", true},
        {"[::1]:80", "[::2]:80", false},
        {"127.0.0.1:0", "127.0.0.1:0", false}, /* picks another */
        {":0", ":0", false},
        {"unix:/a", "unix:/a", true},
        {"unix:/a", "unix:/A", false},
        {"unix:/a:80", "unix:/a:080", false},
        {"fd:3", "fd:3", true},
        {"fd:3", "fd:03", false},
        {"nonsense", "nonsense", true},
        {"nonsense", "127.0.0.1:80", false},
        {"127.0.0.1:80", "nonsense", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (address_is_same(cases[i].left, cases[i].right) != cases[i].is_same)
            fail_msg("%s and %s", cases[i].left, cases[i].right);
}

static void one_that_covers_another(void **state)
{
    static const struct {
        const char *left;
        const char *right;
        bool covers;
    } cases[] = {
        {":80", "127.0.0.1:80", true},
        {":80", "[::1]:80", true},
        {":80", "a:80", true},
        {":80", "0.0.0.0:80", true},
        {"*:80", "127.0.0.1:80", true},
        {"https://*:80", "127.0.0.1:80", true},
        {":80", "127.0.0.1:81", false},
        {":0", "127.0.0.1:0", false},
        {"0.0.0.0:80", "127.0.0.1:80", true},
        {"0.0.0.0:80", "[::1]:80", false},
        {"0.0.0.0:80", "[::]:80", false},
        {"0.0.0.0:80", "a:80", false},
        {"[::]:80", "[::1]:80", true},
        {"[::]:80", "127.0.0.1:80", false},
        {"127.0.0.1:80", ":80", false},
        {":80", "unix:/a:80", false},
        {"fd:80", ":80", false},
        {"nonsense", ":80", false},
    };

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 18);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (address_covers(cases[i].left, cases[i].right) != cases[i].covers)
            fail_msg("%s and %s", cases[i].left, cases[i].right);
    assert_string_equal(address_bare("*:80"), ":80");
    assert_string_equal(address_bare("https://*:443"), ":443");
    assert_true(address_is_same("*:80", ":80"));
}

static void ports(void **state)
{
    (void)state;
    assert_int_equal(address_port("127.0.0.1:80"), 80);
    assert_int_equal(address_port("[::1]:65535"), 65535);
    assert_int_equal(address_port(":0"), 0);
    assert_int_equal(address_port("127.0.0.1:65536"), -1);
    assert_int_equal(address_port("127.0.0.1:"), -1);
    assert_int_equal(address_port("127.0.0.1"), -1);
    assert_int_equal(address_port("[::1]"), -1);
    assert_int_equal(address_port("unix:/a:80"), -1);
    assert_int_equal(address_port("fd:3"), -1);
    assert_int_equal(address_port(""), -1);
}

static void schemes(void **state)
{
    (void)state;
    assert_true(address_has_scheme("https://:443"));
    assert_true(address_has_scheme("http://127.0.0.1:80"));
    assert_false(address_has_scheme("127.0.0.1:80"));
    assert_false(address_has_scheme("unix:/odd://name"));
    assert_true(address_is_secure("https://:443"));
    assert_false(address_is_secure("http://:443"));
    assert_string_equal(address_bare("https://:443"), ":443");
    assert_string_equal(address_bare(":443"), ":443");
    assert_true(address_is_same("https://:443", ":443"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_place),
        cmocka_unit_test(one_that_covers_another),
        cmocka_unit_test(ports),
        cmocka_unit_test(schemes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
