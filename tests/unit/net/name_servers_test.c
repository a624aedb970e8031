/*
 * Name servers as they are written, and what libc's resolver is told of them.
 */
#include <arpa/inet.h>
#include <resolv.h>

#include "base/check.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "net/name_servers.h"
#include "pollux/loop.h"

static void texts_are_read(void **state)
{
    static const struct {
        const char *text, *as; /* NULL: it is none */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1:53"},
        {"192.0.2.1:5353", "192.0.2.1:5353"},
        {"2001:db8::1", "[2001:db8::1]:53"},
        {"[2001:db8::1]", "[2001:db8::1]:53"},
        {"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
        {"", NULL},
        {"localhost", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:70000", NULL},
        {":53", NULL},
        {"unix:/run/dns", NULL},
        {"[]", NULL},
        {"[192.0.2.1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct name_servers servers;
        char text[ADDRESS_TEXT_BYTES];
        px_error error;
        px_err err = name_servers_read(&cases[i].text, 1, &servers, &error);

        assert_int_equal(err, cases[i].as ? PX_OK : PX_ERR_INVALID);
        assert_int_equal(px_name_server_check(cases[i].text, &error), err);
        if (!cases[i].as)
            continue;
        assert_int_equal(servers.count, 1);
        address_format(&servers.addresses[0], text, sizeof(text));
        assert_string_equal(text, cases[i].as);
    }
    assert_int_equal(ARRAY_COUNT(cases), 13);
}

static void the_resolver_is_told(void **state)
{
    static const char *const texts[] = {"192.0.2.1:5353", "2001:db8::1", "192.0.2.2", "192.0.2.3"};
    px_error error;

    (void)state;
    assert_int_equal(px_name_servers_use(texts, 4, &error), PX_ERR_LIMIT);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(px_name_servers_use(texts, 3, &error), PX_OK);
        assert_int_equal(_res.nscount, 3);
        assert_int_equal(ntohs(_res.nsaddr_list[0].sin_port), 5353);
        assert_int_equal(_res.nsaddr_list[1].sin_family, 0);
        assert_int_equal(_res._u._ext.nsaddrs[1]->sin6_family, AF_INET6);
        assert_int_equal(ntohs(_res._u._ext.nsaddrs[1]->sin6_port), 53);
        assert_int_equal(ntohl(_res.nsaddr_list[2].sin_addr.s_addr), 0xc0000202);
        assert_true(_res.options & RES_NORELOAD);
    }
}

static void a_loop_keeps_the_last(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "192.0.2.2"};
    static const char *const wrong[] = {"a"};
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct fault_alloc fault;
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);

    assert_non_null(loop);
    assert_int_equal(px_loop_set_name_servers(loop, texts, 1, &error), PX_OK);
    assert_int_equal(px_loop_set_name_servers(loop, texts, 2, &error), PX_OK);
    assert_int_equal(px_loop_set_name_servers(loop, wrong, 1, &error), PX_ERR_INVALID);
    fault.fail_at = atomic_load(&fault.calls) + 1;
    assert_int_equal(px_loop_set_name_servers(loop, texts, 2, &error), PX_ERR_MEMORY);
    px_loop_destroy(loop);
    fault_alloc_assert_empty(&fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(the_resolver_is_told),
        cmocka_unit_test(a_loop_keeps_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
