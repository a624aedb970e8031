/*
 * Addresses: tables of good and bad texts, and the way back from a socket's address.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "lib/test.h"

static void good_addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *text;
        enum address_kind kind;
        const char *host;
        uint16_t port;
        bool name;
    } cases[] = {
        {":8080", ADDRESS_TCP, "", 8080, true},
        {":0", ADDRESS_TCP, "", 0, true},
        {"127.0.0.1:80", ADDRESS_TCP, "127.0.0.1", 80, false},
        {"0.0.0.0:65535", ADDRESS_TCP, "0.0.0.0", 65535, false},
        {"[::1]:8080", ADDRESS_TCP, "::1", 8080, false},
        {"[::]:1", ADDRESS_TCP, "::", 1, false},
        {"[2001:db8::1]:443", ADDRESS_TCP, "2001:db8::1", 443, false},
        {"[127.0.0.1]:80", ADDRESS_TCP, "127.0.0.1", 80, false},
        {"[fe80::1%lo]:80", ADDRESS_TCP, "fe80::1%lo", 80, true},
        {"*:8080", ADDRESS_TCP, "", 8080, true},
        {"localhost:8080", ADDRESS_TCP, "localhost", 8080, true},
        {"a.example.org:00080", ADDRESS_TCP, "a.example.org", 80, true},
        {"1.2.3:80", ADDRESS_TCP, "1.2.3", 80, true},
        {"unix:/run/x.sock", ADDRESS_UNIX, "/run/x.sock", 0, false},
        {"unix:relative", ADDRESS_UNIX, "relative", 0, false},
        {"unix:/a:80", ADDRESS_UNIX, "/a:80", 0, false},
        {"fd:3", ADDRESS_FD, "3", 0, false},
        {"fd:web.socket", ADDRESS_FD, "web.socket", 0, false},
    };
    px_error error;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct address_text split;

        if (address_split(cases[index].text, &split, &error) != PX_OK)
            fail_msg("%s: %s", cases[index].text, error.text);
        assert_int_equal(split.kind, cases[index].kind);
        assert_str_equal(split.host, px_str_of(cases[index].host));
        assert_int_equal(split.port, cases[index].port);
        if (split.host.len > 0)
            assert_int_equal(address_is_name(&split), cases[index].name);
    }
}

static void bad_addresses_say_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"", "no port"},
        {"8080", "no port"},
        {"localhost", "no port"},
        {":", "0 to 65535"},
        {":65536", "0 to 65535"},
        {":99999", "0 to 65535"},
        {":100000", "0 to 65535"},
        {":-1", "0 to 65535"},
        {":+1", "0 to 65535"},
        {": 1", "0 to 65535"},
        {":80x", "0 to 65535"},
        {"a:", "0 to 65535"},
        {"::1:80", "brackets"},
        {"2001:db8::1:80", "brackets"},
        {"[::1]", "0 to 65535"},
        {"[]:80", "valid host"},
        {"[::1:80", "brackets"},
        {"[*]:80", "brackets hold"},
        {"[localhost]:80", "brackets hold"},
        {"unix:", "1 to 107"},
        {"fd:", "names no descriptor"},
    };
    char text[400];
    struct address_text split;
    px_error error;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        if (address_split(cases[index].text, &split, &error) != PX_ERR_INVALID)
            fail_msg("%s was taken", cases[index].text);
        assert_int_equal(error.code, PX_ERR_INVALID);
        if (!strstr(error.text, cases[index].said))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[index].text, error.text,
                     cases[index].said);
        assert_int_equal(address_split(cases[index].text, &split, NULL), PX_ERR_INVALID);
    }
    memset(text, 'a', sizeof(text));
    memcpy(text + 256, ":80", 4);
    assert_int_equal(address_split(text, &split, &error), PX_ERR_INVALID);
    assert_int_equal(address_split(text + 1, &split, &error), PX_OK);
    memset(text, 'a', sizeof(text));
    memcpy(text, "unix:", 5);
    text[5 + 108] = '\0';
    assert_int_equal(address_split(text, &split, &error), PX_ERR_INVALID);
    text[5 + 107] = '\0';
    assert_int_equal(address_split(text, &split, &error), PX_OK);
}

static void to_a_socket_address_and_back(void **state)
{
    static const struct {
        const char *text;
        const char *back;
        const char *host;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1:80", "127.0.0.1"},
        {"[::1]:8080", "[::1]:8080", "::1"},
        {"[2001:DB8:0:0:0:0:0:1]:65535", "[2001:db8::1]:65535", "2001:db8::1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1"},
        {"unix:/run/x", "unix:/run/x", "unix:/run/x"},
    };
    struct net_address addresses[ADDRESS_COUNT_MAX], again;
    struct address_text split;
    char text[ADDRESS_TEXT_BYTES], small[8];
    size_t count = 0;
    px_error error;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        assert_int_equal(address_split(cases[index].text, &split, &error), PX_OK);
        assert_int_equal(address_resolve(&split, addresses, &count, &error), PX_OK);
        assert_int_equal(count, 1);
        assert_int_equal(address_format(&addresses[0], text, sizeof(text)),
                         strlen(cases[index].back));
        assert_string_equal(text, cases[index].back);
        address_format_host(&addresses[0], text, sizeof(text));
        assert_string_equal(text, cases[index].host);
        /* Cut, and ended, where there is little room. */
        assert_int_equal(address_format(&addresses[0], small, sizeof(small)), 7);
        assert_int_equal(small[7], 0);
        assert_memory_equal(small, cases[index].back, 7);
        address_from_socket(&again, &addresses[0].socket, addresses[0].bytes);
        address_format(&again, text, sizeof(text));
        assert_string_equal(text, cases[index].back);
    }
    /* A peer of a unix socket has no name. */
    const sa_family_t family = AF_UNIX;

    address_from_socket(&again, &family, sizeof(family));
    assert_int_equal(address_format(&again, text, sizeof(text)), 5);
    assert_string_equal(text, "unix:");
    /* A path that fills its room has no NUL of its own. */
    struct sockaddr_un full = {.sun_family = AF_UNIX};

    memset(full.sun_path, 'x', sizeof(full.sun_path));
    address_from_socket(&again, &full, sizeof(full));
    assert_int_equal(address_format(&again, text, sizeof(text)), 5 + sizeof(full.sun_path));
}

static void names_are_looked_up(void **state)
{
    struct net_address addresses[ADDRESS_COUNT_MAX];
    struct address_text split;
    size_t count = 0;
    px_error error;

    (void)state;
    assert_int_equal(address_split("localhost:80", &split, &error), PX_OK);
    assert_int_equal(address_resolve(&split, addresses, &count, &error), PX_OK);
    assert_in_range(count, 1, ADDRESS_COUNT_MAX);
    for (size_t index = 0; index < count; index++) {
        char text[ADDRESS_TEXT_BYTES];

        address_format(&addresses[index], text, sizeof(text));
        assert_true(strcmp(text, "127.0.0.1:80") == 0 || strcmp(text, "[::1]:80") == 0);
    }
    count = 77;
    assert_int_equal(address_split("no such host:80", &split, &error), PX_OK);
    assert_int_equal(address_resolve(&split, addresses, &count, &error), PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "no such host"));
    assert_int_equal(count, 77); /* written only on success */
    assert_int_equal(address_split(":80", &split, &error), PX_OK);
    assert_int_equal(address_resolve(&split, addresses, &count, &error), PX_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_taken_apart),
        cmocka_unit_test(bad_addresses_say_what_is_wrong),
        cmocka_unit_test(to_a_socket_address_and_back),
        cmocka_unit_test(names_are_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
