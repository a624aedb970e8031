/*
 * Proxies in front of the server: PROXY headers of those who are trusted and of those who are not,
 * in pieces, broken, late; Forwarded and X-Forwarded-For, and whom they name.
 */
#include <string.h>
#include <unistd.h>

#include "unit/server/client.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET "\300\0\2\7\300\0\2\2\x12\x34\0\120"

/* Answers "CLIENT PEER SCHEME"; a client that is not known has a "?". */
static void who(px_exchange *exchange, void *context)
{
    char text[256];
    px_str client = px_request_client(exchange), peer = px_exchange_peer(exchange);
    px_str scheme = px_request_scheme(exchange);
    const char *colon = strrchr(peer.ptr, ':');

    (void)context;
    /* The clients' ports are not known to the tests. */
    snprintf(text, sizeof(text), "%s%s %.*s %s", client.ptr,
             px_request_client_is_known(exchange) ? "" : "?", (int)(colon - peer.ptr), peer.ptr,
             scheme.ptr);
    px_respond_text(exchange, 200, text);
}

static void site_make(struct site *site, const px_server_options *given, const char *const *trusted,
                      uint32_t count)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_serve_options serve = PX_SERVE_OPTIONS_DEFAULT;
    px_error error;

    if (given)
        options = *given;
    options.trusted_proxies = trusted;
    options.trusted_proxy_count = count;
    site_open(site, &options);
    site_route(site, "GET /{$}", who, NULL);
    serve.proxy_protocol = 1;
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

    assert_non_null(listener);
    /* From here on clients come to this one. */
    snprintf(site->address, sizeof(site->address), "%s", px_listener_address(listener));
    assert_int_equal(px_server_serve_with(site->server, listener, &serve, &error), PX_OK);
}

/* The line of text that came back for `bytes`. */
static void expect_text(const struct site *site, px_str bytes, const char *expected)
{
    struct client client;

    client_open(&client, site);
    client_send(&client, bytes);
    while (client.state == CLIENT_OPEN && !strstr(client.text, "\r\n\r\n"))
        client_pump(&client, site);
    const char *text = strstr(client.text, "\r\n\r\n");

    assert_string_equal(text ? text + 4 : "closed", expected);
    client_close(&client);
    pump_until(site->loop, site_counters(site).open == 0);
}

static const char *const loopback[] = {"127.0.0.1"};
static const char *const several[] = {"127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"};

/* --- PROXY headers ---------------------------------------------------------------------------- */

static void header_of_a_trusted_proxy_names_the_peer(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL, loopback, 1);
    expect_text(&site, LITERAL("PROXY TCP4 192.0.2.7 192.0.2.2 4660 80\r\n" GET),
                "192.0.2.7 192.0.2.7 http");
    expect_text(&site, LITERAL("PROXY TCP6 2001:db8::7 2001:db8::2 4660 80\r\n" GET),
                "2001:db8::7 [2001:db8::7] http");
    expect_text(&site, LITERAL("PROXY UNKNOWN\r\n" GET), "127.0.0.1 127.0.0.1 http");
    expect_text(&site, LITERAL(SIGNATURE "\x21\x11\0\x0c" INET GET), "192.0.2.7 192.0.2.7 http");
    expect_text(&site, LITERAL(SIGNATURE "\x20\0\0\0" GET), "127.0.0.1 127.0.0.1 http");
    expect_text(&site, LITERAL(SIGNATURE "\x21\x11\0\x14" INET "\x20\0\5\1\0\0\0\0" GET),
                "192.0.2.7 192.0.2.7 https");
    site_close(&site);
}

static void header_comes_in_pieces(void **state)
{
    static const char bytes[] = "PROXY TCP4 192.0.2.7 192.0.2.2 4660 80\r\n" GET;
    struct site site;
    struct client client;

    (void)state;
    site_make(&site, NULL, loopback, 1);
    for (size_t cut = 1; cut < sizeof(bytes) - 1; cut += 3) {
        client_open(&client, &site);
        client_send(&client, px_str_make(bytes, cut));
        client_pump(&client, &site);
        client_send(&client, px_str_make(bytes + cut, sizeof(bytes) - 1 - cut));
        client_expect(&client, &site, ANSWER_TEXT("200 OK", "192.0.2.7 192.0.2.7 http", "24", ""));
        client_send(&client, px_str_of(GET));
        client_await(&client, &site, client.len + 10);
        client_close(&client);
        pump_until(site.loop, site_counters(&site).open == 0);
    }
    site_close(&site);
}

static void what_is_no_header_is_closed(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client late;

    (void)state;
    options.head_timeout_ms = 100;
    site_make(&site, &options, loopback, 1);
    expect_text(&site, LITERAL(GET), "closed");
    expect_text(&site, LITERAL("PROXY TCP4 192.0.2.7\r\n" GET), "closed");
    assert_int_equal(site_counters(&site).refused, 2);
    assert_int_equal(site_counters(&site).requests, 0);
    client_open(&late, &site);
    client_send(&late, LITERAL("PROXY TCP4 192.0.2.7"));
    client_await_end(&late, &site);
    assert_int_equal(late.len, 0);
    client_close(&late);
    pump_until(site.loop, site_counters(&site).open == 0);
    assert_int_equal(site_counters(&site).timed_out, 1);
    client_open(&late, &site);
    client_send(&late, LITERAL("PROXY TCP4 192.0.2.7"));
    pump_quietly(site.loop, 5);
    client_close(&late);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_close(&site);
}

/* Who is not trusted is served as he is, and what he says of others is not a request. */
static void strangers_have_no_header(void **state)
{
    static const char *const others[] = {"192.0.2.0/24", "unix:"};
    struct site site;

    (void)state;
    site_make(&site, NULL, others, 2);
    expect_text(&site, LITERAL(GET), "127.0.0.1 127.0.0.1 http");
    expect_text(&site, LITERAL("PROXY TCP4 192.0.2.7 192.0.2.2 4660 80\r\n" GET),
                "400 Bad Request\n");
    expect_text(&site,
                LITERAL("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4;proto=https\r\n\r\n"),
                "127.0.0.1 127.0.0.1 http");
    site_close(&site);
}

/* --- Forwarded -------------------------------------------------------------------------------- */

/* Fields, and whom they name where the peer and 10.0.0.0/8 are trusted. */
static const char *const named[][2] = {
    {"", "127.0.0.1 http"},
    {"Forwarded: for=192.0.2.1\r\n", "192.0.2.1 http"},
    {"Forwarded: for=\"[2001:DB8::1]:80\", for=192.0.2.1;proto=https\r\n", "192.0.2.1 https"},
    {"Forwarded: for=6.6.6.6, for=192.0.2.1;proto=https, for=10.0.0.1;proto=http\r\n",
     "192.0.2.1 https"},
    {"Forwarded: for=6.6.6.6, for=10.0.0.2\r\nForwarded: for=10.0.0.1\r\n", "6.6.6.6 http"},
    {"Forwarded: for=10.0.0.2, for=10.0.0.1\r\n", "10.0.0.2 http"},
    {"Forwarded: for=unknown;proto=https\r\n", "127.0.0.1? https"},
    {"Forwarded: for=6.6.6.6, for=_hidden, for=10.0.0.1\r\n", "10.0.0.1? http"},
    {"Forwarded: for=6.6.6.6, broken, for=10.0.0.1\r\n", "10.0.0.1? http"},
    {"Forwarded: for=\"6.6.6.6, for=192.0.2.1\r\n", "192.0.2.1 http"},
    {"X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n", "192.0.2.1 http"},
    {"X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
     "192.0.2.1 https"},
    {"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: ftp, https, http\r\n",
     "192.0.2.1 https"},
    {"X-Forwarded-Proto: https\r\n", "127.0.0.1 https"},
    {"X-Forwarded-For: 2001:db8:1::1, ::ffff:10.0.0.1\r\n", "2001:db8:1::1 http"},
    /* Both: only where they agree. */
    {"Forwarded: for=192.0.2.1;proto=https\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1 https"},
    {"Forwarded: for=6.6.6.6;proto=https\r\nX-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1? http"},
    {"Forwarded: for=unknown\r\nX-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1? http"},
    {"Forwarded: x\r\nX-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1? http"},
};

static void fields_name_the_client(void **state)
{
    struct site site;

    (void)state;
    site_open(&site, NULL);
    site_close(&site);
    for (size_t index = 0; index < sizeof(named) / sizeof(named[0]); index++) {
        char request[512], expected[128];
        size_t client = strcspn(named[index][1], " ");

        site_make(&site, NULL, several, 2);
        snprintf(request, sizeof(request), "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 named[index][0]);
        snprintf(expected, sizeof(expected), "%.*s 127.0.0.1%s", (int)client, named[index][1],
                 named[index][1] + client);
        expect_text(&site, px_str_of(request), expected);
        site_close(&site);
    }
}

static void one_field_may_be_chosen(void **state)
{
    static const char *const expected[] = {"127.0.0.1? 127.0.0.1 http", "1.1.1.1 127.0.0.1 http",
                                           "2.2.2.2 127.0.0.1 https", "127.0.0.1 127.0.0.1 http"};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;

    (void)state;
    for (uint32_t choice = PX_FORWARDED_EITHER; choice <= PX_FORWARDED_NONE; choice++) {
        options.forwarded = choice;
        site_make(&site, &options, loopback, 1);
        expect_text(&site,
                    LITERAL("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\nForwarded: "
                            "for=1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: "
                            "https\r\n\r\n"),
                    expected[choice]);
        site_close(&site);
    }
}

/* The one that a PROXY header names may be a proxy that is trusted too. */
static void both_ways_go_together(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL, several, 3);
    expect_text(&site,
                LITERAL("PROXY TCP4 10.1.2.3 192.0.2.2 4660 80\r\nGET / HTTP/1.1\r\nHost: a\r\n"
                        "X-Forwarded-For: 192.0.2.9\r\n\r\n"),
                "192.0.2.9 10.1.2.3 http");
    expect_text(&site,
                LITERAL("PROXY TCP4 11.1.2.3 192.0.2.2 4660 80\r\nGET / HTTP/1.1\r\nHost: a\r\n"
                        "X-Forwarded-For: 192.0.2.9\r\n\r\n"),
                "11.1.2.3 11.1.2.3 http");
    site_close(&site);
}

/* --- The log ---------------------------------------------------------------------------------- */

static void log_take(px_str lines, void *context)
{
    snprintf(context, 512, "%.*s", (int)lines.len, lines.ptr);
}

static void log_has_the_client(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    char line[512] = "";

    (void)state;
    options.on_log = log_take;
    options.log_context = line;
    options.log_format = PX_LOG_COMBINED;
    site_make(&site, &options, loopback, 1);
    expect_text(&site,
                LITERAL("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n"
                        "X-Forwarded-For: 192.0.2.9\r\n\r\n"),
                "192.0.2.9 127.0.0.1 http");
    assert_int_equal(strncmp(line, "192.0.2.9 - - [", 15), 0);
    site_close(&site);
    options.log_format = PX_LOG_JSON;
    site_make(&site, &options, loopback, 1);
    expect_text(&site,
                LITERAL("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n"
                        "X-Forwarded-For: 192.0.2.9\r\n\r\n"),
                "192.0.2.9 127.0.0.1 http");
    assert_non_null(strstr(line, "\"peer\":\"127.0.0.1\",\"client\":\"192.0.2.9\""));
    site_close(&site);
}

static void options_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"10.0.0.0/8", "example.com"};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_serve_options serve = PX_SERVE_OPTIONS_DEFAULT;
    struct site site;
    px_error error;

    (void)state;
    options.trusted_proxies = bad;
    options.trusted_proxy_count = 2;
    assert_null(px_server_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "example.com"));
    options.trusted_proxy_count = 257;
    assert_null(px_server_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_LIMIT);
    options.trusted_proxy_count = 0;
    options.forwarded = PX_FORWARDED_NONE + 1;
    assert_null(px_server_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_int_equal(px_address_block_check("10.0.0.0/8", &error), PX_OK);
    assert_int_equal(px_address_block_check("10.0.0.1/8", &error), PX_ERR_INVALID);
    /* A PROXY header that nobody may send. */
    site_open(&site, NULL);
    serve.proxy_protocol = 1;
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

    assert_non_null(listener);
    assert_int_equal(px_server_serve_with(site.server, listener, &serve, &error), PX_ERR_INVALID);
    px_listener_close(listener);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_of_a_trusted_proxy_names_the_peer),
        cmocka_unit_test(header_comes_in_pieces),
        cmocka_unit_test(what_is_no_header_is_closed),
        cmocka_unit_test(strangers_have_no_header),
        cmocka_unit_test(fields_name_the_client),
        cmocka_unit_test(one_field_may_be_chosen),
        cmocka_unit_test(both_ways_go_together),
        cmocka_unit_test(log_has_the_client),
        cmocka_unit_test(options_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
