/*
 * The choice between HTTP/1 and HTTP/2 on the first bytes of a connection without TLS: the preface
 * at every split, what only begins like it, and the peer that ends within it.
 */
#include <sys/socket.h>

#include "unit/server/client.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "hello");
}

/* The server's own SETTINGS come first (RFC 9113 section 3.4): a frame of type 4 on stream 0. */
static void preface_is_http2_at_every_split(void **state)
{
    static const char hello_h2[] = PREFACE SETTINGS;
    struct site site;
    size_t splits = 0;

    (void)state;
    site_open(&site, NULL);
    for (size_t at = 1; at < sizeof(hello_h2) - 1; at++, splits++) {
        struct client client;

        client_open(&client, &site);
        client_send(&client, px_str_make(hello_h2, at));
        for (int tick = 0; tick < 3; tick++)
            client_pump(&client, &site);
        client_send(&client, px_str_make(hello_h2 + at, sizeof(hello_h2) - 1 - at));
        client_await(&client, &site, 9);
        assert_int_equal(client.text[3], 4);
        client_close(&client);
    }
    assert_int_equal(splits, 32);
    site_close(&site);
}

struct near {
    const char *first;
    const char *rest;
    const char *status; /* of the answer of HTTP/1 */
};

static void what_only_begins_like_it_is_http1(void **state)
{
    static const struct near cases[] = {
        {"PRI * HTTP/2.0\r\n", "Host: a\r\n\r\n", "HTTP/1.1 505"},
        {"PRI * HTTP/2.0\r\n\r\n", "SN\r\n\r\n", "HTTP/1.1 505"},
        {"PRI * HTTP/", "1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
        {"P", "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405"},
        {"\r\n", PREFACE, "HTTP/1.1 505"},
    };
    struct site site;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /", hello, NULL);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 5);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct client client;

        client_open(&client, &site);
        client_send(&client, px_str_of(cases[index].first));
        for (int tick = 0; tick < 3; tick++)
            client_pump(&client, &site);
        assert_int_equal(client.len, 0);
        client_send(&client, px_str_of(cases[index].rest));
        client_await(&client, &site, 12);
        assert_memory_equal(client.text, cases[index].status, 12);
        client_close(&client);
    }
    site_close(&site);
}

static void end_within_it_is_answered_in_http1(void **state)
{
    static const struct near cases[] = {
        {"PRI * HT", "", "HTTP/1.1 400"},
        {"PRI * HTTP/2.0\r\n\r\nSM", "", "HTTP/1.1 400"},
    };
    struct site site;

    (void)state;
    site_open(&site, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct client client;

        client_open(&client, &site);
        client_send(&client, px_str_of(cases[index].first));
        for (int tick = 0; tick < 3; tick++)
            client_pump(&client, &site);
        assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
        client_await(&client, &site, 12);
        assert_memory_equal(client.text, cases[index].status, 12);
        client_close(&client);
    }
    site_close(&site);
}

static void preface_is_refused_where_it_may_not_be_spoken(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct client client;
    struct site site;

    (void)state;
    options.http2_clear = PX_OFF;
    site_open(&site, &options);
    client_open(&client, &site);
    client_send(&client, px_str_of(PREFACE));
    client_await(&client, &site, 12);
    assert_memory_equal(client.text, "HTTP/1.1 505", 12);
    client_close(&client);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preface_is_http2_at_every_split),
        cmocka_unit_test(what_only_begins_like_it_is_http1),
        cmocka_unit_test(end_within_it_is_answered_in_http1),
        cmocka_unit_test(preface_is_refused_where_it_may_not_be_spoken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
