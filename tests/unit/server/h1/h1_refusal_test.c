/*
 * Answers that a handler did not make, and where they stand among those it did: a refusal behind
 * answers that the socket has no room for, an abort behind answers that are whole, a request that
 * was answered and goes wrong afterwards, and CONNECT.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define BAD_REQUEST "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"
#define ONE ANSWER_TEXT("200 OK", "x", "1", "")

static void one(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

static void aborted(px_exchange *exchange, void *context)
{
    (void)context;
    px_exchange_abort(exchange);
}

/* --- Refusals --------------------------------------------------------------------------------- */

enum { PIECE_BYTES = 4000 }; /* four answers leave less of a block of output than a refusal takes */

static void piece(px_exchange *exchange, void *context)
{
    px_respond(exchange, 200, px_str_make(NULL, 0), px_str_make(context, PIECE_BYTES));
}

static size_t occurrences(const char *text, const char *wanted)
{
    size_t count = 0;

    for (; (text = strstr(text, wanted)) != NULL; text++)
        count++;
    return count;
}

/* A peer that reads nothing sends `count` good requests and a bad one, then reads it all. */
static void refuse_behind(const struct site *site, size_t count)
{
    struct client client;
    char *requests = malloc(count * sizeof(REQUEST) + 128);
    size_t len = 0;

    for (size_t number = 0; number < count; number++, len += sizeof(REQUEST) - 1)
        memcpy(requests + len, REQUEST, sizeof(REQUEST) - 1);
    memcpy(requests + len, BAD_REQUEST, sizeof(BAD_REQUEST) - 1);
    len += sizeof(BAD_REQUEST) - 1;
    client_open(&client, site);
    client_send(&client, px_str_make(requests, len));
    for (int tick = 0; tick < 20; tick++)
        pump_once(site->loop, 0);
    client_await_end(&client, site);
    assert_int_equal(occurrences(client.text, "HTTP/1.1 200 OK\r\n"), count);
    assert_int_equal(occurrences(client.text, "HTTP/1.1 400 Bad Request\r\n"), 1);
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    pump_quietly(site->loop, 1);
    free(requests);
}

static void refusal_behind_a_full_block_arrives(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    char folder[] = "/tmp/px-refusal-XXXXXX";
    char *content = malloc(PIECE_BYTES);
    px_error error;

    (void)state;
    memset(content, 'p', PIECE_BYTES);
    options.pipeline_count_max = 100000;
    options.linger_timeout_ms = 50;
    site_open(&site, &options);
    site_route(&site, "GET /{$}", piece, content);
    assert_non_null(mkdtemp(folder));
    snprintf(site.address, sizeof(site.address), "unix:%s/s", folder);
    assert_int_equal(px_server_listen(site.server, site.address, &error), PX_OK);
    /* A unix socket takes a fifth of a megabyte: one of these finds it full at its refusal. */
    for (size_t count = 4; count <= 120; count += 4)
        refuse_behind(&site, count);
    site_close(&site);
    assert_int_equal(rmdir(folder), 0);
    free(content);
}

/* --- One request, one answer ------------------------------------------------------------------ */

/* It was answered 404 while its content was on its way: when that stays away there is nothing more
 * to say. */
static void answered_request_is_not_timed_out_too(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;

    (void)state;
    options.rate_window_ms = 50;
    site_open(&site, &options);
    site_route(&site, "GET /{$}", one, NULL);
    client_open(&client, &site);
    client_send(&client, px_str_of("POST /nowhere HTTP/1.1\r\nHost: a\r\n"
                                   "Content-Length: 1000\r\n\r\nabc"));
    client_await_end(&client, &site);
    assert_int_equal(occurrences(client.text, "HTTP/1.1 "), 1);
    assert_memory_equal(client.text, "HTTP/1.1 404 ", 13);
    assert_int_equal(site_counters(&site).timed_out, 1);
    client_close(&client);
    site_close(&site);
}

/* --- Aborts ----------------------------------------------------------------------------------- */

static void earlier_answers_go_out_before_an_abort(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", one, NULL);
    site_route(&site, "GET /abort", aborted, NULL);
    client_open(&client, &site);
    client_send(&client,
                px_str_of(REQUEST REQUEST "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n" REQUEST));
    client_await_end(&client, &site);
    assert_str_equal(px_str_make(client.text, client.len), px_str_of(ONE ONE));
    assert_int_equal(client.state, CLIENT_RESET);
    assert_int_equal(site_counters(&site).aborted, 1);
    client_close(&client);
    site_close(&site);
}

/* --- CONNECT ---------------------------------------------------------------------------------- */

static px_verdict answer_all(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, *(unsigned *)context, "x");
    return PX_STOP;
}

/* RFC 9110 section 9.3.6: after a 2xx to CONNECT the peer takes every byte for the tunnel's, so one
 * that is no tunnel is not sent. */
static void success_to_connect_is_a_tunnel_or_nothing(void **state)
{
    static const char request[] = "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
                                  "\r\nGET /inside HTTP/1.1\r\nHost: a\r\n\r\n";
    unsigned status;

    (void)state;
    for (status = 200; status < 300; status += 33) {
        struct site site;
        px_error error;

        site_open(&site, NULL);
        assert_int_equal(px_server_use(site.server, answer_all, &status, NULL, &error), PX_OK);
        site_exchange(&site, request,
                      ANSWER_TEXT("500 Internal Server Error", "500 Internal Server Error\n", "26",
                                  "Connection: close\r\n"),
                      CLIENT_ENDED);
        assert_int_equal(site_counters(&site).requests, 1);
        assert_int_equal(site_counters(&site).aborted, 1);
        site_close(&site);
    }
}

static void refusal_of_connect_is_an_answer_as_any(void **state)
{
    struct site site;
    unsigned status = 403;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    assert_int_equal(px_server_use(site.server, answer_all, &status, NULL, &error), PX_OK);
    site_exchange(&site, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
                  ANSWER_TEXT("403 Forbidden", "x", "1", ""), CLIENT_OPEN);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_behind_a_full_block_arrives),
        cmocka_unit_test(answered_request_is_not_timed_out_too),
        cmocka_unit_test(earlier_answers_go_out_before_an_abort),
        cmocka_unit_test(success_to_connect_is_a_tunnel_or_nothing),
        cmocka_unit_test(refusal_of_connect_is_an_answer_as_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
