/*
 * The loopback's name on a machine whose resolver does not know it, as in a fresh container.
 *
 * getaddrinfo is wrapped, and finds nothing but numbers.
 */
#include <netdb.h>

#include "lib/test.h"
#include "net/address.h"

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    struct addrinfo numeric = *hints;

    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, port, &numeric, out_list);
}

static void resolve(const char *name, px_err wanted)
{
    struct net_address addresses[ADDRESS_COUNT_MAX];
    struct address_text split;
    size_t count = 0;
    px_error error;
    char text[ADDRESS_TEXT_BYTES];

    assert_int_equal(address_split(name, &split, &error), PX_OK);
    assert_int_equal(address_resolve(&split, addresses, &count, &error), wanted);
    if (wanted == PX_OK) {
        assert_int_equal(count, 1);
        address_format(&addresses[0], text, sizeof(text));
        assert_string_equal(text, "127.0.0.1:8080");
    }
}

static void localhost_needs_no_hosts_file(void **state)
{
    (void)state;
    resolve("localhost:8080", PX_OK);
    resolve("LocalHost:8080", PX_OK);
    resolve("localhosts:8080", PX_ERR_NOT_FOUND);
    resolve("local:8080", PX_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(localhost_needs_no_hosts_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
