/*
 * CIDR blocks: what they hold, at each prefix, and which texts are none.
 */
#include "net/cidr.h"

#include "lib/test.h"

static struct net_address address_of(const char *text)
{
    struct net_address address;

    memset(&address, 0, sizeof(address));
    if (strcmp(text, "unix:") == 0)
        address.socket.any.sa_family = AF_UNIX;
    else
        assert_true(address_numeric(px_str_of(text), 80, &address));
    return address;
}

static bool has(const char *block, const char *text)
{
    struct net_address address = address_of(text);
    struct cidr cidr;
    px_error error;

    assert_int_equal(cidr_parse(block, &cidr, &error), PX_OK);
    return cidr_any_has(&cidr, 1, &address);
}

static void blocks_hold_what_they_say(void **state)
{
    (void)state;
    assert_true(has("192.0.2.0/24", "192.0.2.255"));
    assert_false(has("192.0.2.0/24", "192.0.3.0"));
    assert_true(has("192.0.2.1", "192.0.2.1"));
    assert_false(has("192.0.2.1", "192.0.2.2"));
    assert_true(has("192.0.2.128/25", "192.0.2.129"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("10.0.0.0/9", "10.127.255.255"));
    assert_false(has("10.0.0.0/9", "10.128.0.0"));
    assert_true(has("0.0.0.0/0", "203.0.113.9"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("[::1]", "::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_false(has("::/0", "192.0.2.1"));
    /* IPv4 that comes through an IPv6 socket is IPv4, on either side. */
    assert_true(has("192.0.2.0/24", "::ffff:192.0.2.7"));
    assert_false(has("::/0", "::ffff:192.0.2.7"));
    assert_true(has("::ffff:192.0.2.7", "192.0.2.7"));
    assert_true(has("unix:", "unix:"));
    assert_false(has("unix:", "192.0.2.1"));
    assert_false(has("0.0.0.0/0", "unix:"));
}

static void sets_hold_what_one_block_holds(void **state)
{
    static const char *const texts[] = {"192.0.2.0/24", "2001:db8::/32", "unix:"};
    struct cidr cidrs[3];
    struct net_address inside = address_of("2001:db8:1::"), outside = address_of("10.0.0.1");
    px_error error;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cidr_parse(texts[i], &cidrs[i], &error), PX_OK);
    assert_true(cidr_any_has(cidrs, 3, &inside));
    assert_false(cidr_any_has(cidrs, 3, &outside));
    assert_false(cidr_any_has(cidrs, 0, &inside));
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",           "/",           "192.0.2",        "192.0.2.0/",     "192.0.2.0/33",
        "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/ 8",    "10.0.0.0/0008",  "010.0.0.1",
        "10.1.2.3/8", "example.com", "2001:db8::/129", "2001:db8::1/64", "192.0.2.0/24 ",
        "unix:/run",  "unix",        "[192.0.2.1",     "192.0.2.1:80",   "::1%lo",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cidr cidr;
        px_error error;

        assert_int_equal(cidr_parse(texts[i], &cidr, &error), PX_ERR_INVALID);
        assert_non_null(strstr(error.text, texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_hold_what_they_say),
        cmocka_unit_test(sets_hold_what_one_block_holds),
        cmocka_unit_test(other_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
