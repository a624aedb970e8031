/*
 * Connections that the program brings; what it hears of each exchange; a drain that another thread
 * asks for.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/server/client.h"

static void hello(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, 200, context);
}

static void what_is_no_connection_is_refused(void **state)
{
    px_serve_options wrong = {.struct_size = 1};
    struct site site;
    px_error error;
    int fds[2];

    (void)state;
    site_open(&site, NULL);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(px_server_adopt(site.server, fds[0], NULL, &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "not a stream socket"));
    assert_int_equal(px_server_adopt(site.server, -1, NULL, NULL), PX_ERR_INVALID);
    close(fds[0]);
    close(fds[1]);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(px_server_adopt(site.server, fds[0], NULL, &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "not connected"));
    close(fds[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    assert_int_equal(px_server_adopt(site.server, fds[0], NULL, &error), PX_ERR_INVALID);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(px_server_adopt(site.server, fds[0], &wrong, &error), PX_ERR_INVALID);
    px_server_drain(site.server, 0, 0);
    pump_quietly(site.loop, 5);
    assert_int_equal(px_server_adopt(site.server, fds[0], NULL, &error), PX_ERR_CLOSED);
    close(fds[0]);
    close(fds[1]);
    site_close(&site);
}

static void a_connection_is_served(void **state)
{
    char text[8] = "first";
    struct site site;
    struct client client = {0};
    px_error error;
    int fds[2];

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", hello, text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); /* it blocks, at first */
    assert_int_equal(px_server_adopt(site.server, fds[0], NULL, &error), PX_OK);
    client.fd = fds[1];
    for (int request = 0; request < 2; request++) {
        client_send(&client, LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        client_expect(&client, &site, ANSWER_TEXT("200 OK", "first", "5", ""));
        client_forget(&client);
    }
    pump_quietly(site.loop, 2);
    assert_int_equal(site_counters(&site).open, 1);
    client_close(&client);
    site_close(&site);
}

/* --- Summaries -------------------------------------------------------------------------------- */

struct heard {
    uint32_t count;
    px_summary summary;
    char pattern[32];
    uint64_t connections[4];
};

static void on_done(px_exchange *exchange, const px_summary *summary, void *context)
{
    struct heard *heard = context;

    assert_int_equal(summary->struct_size, sizeof(*summary));
    assert_non_null(px_request_method(exchange).ptr);
    heard->summary = *summary;
    snprintf(heard->pattern, sizeof(heard->pattern), "%s",
             summary->pattern ? summary->pattern : "none");
    heard->connections[heard->count++] = summary->connection;
}

static void answer_twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "once");
    px_respond_text(exchange, 200, "twice");
}

static void each_exchange_has_a_summary(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct heard heard = {0};
    char text[8] = "first";
    struct client client;
    struct site site;

    (void)state;
    options.on_done = on_done;
    options.done_context = &heard;
    site_open(&site, &options);
    site_route_with(&site, "POST /{name}", PX_CONTENT_DROP, 0, hello, text);
    site_route(&site, "GET /twice", answer_twice, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    pump_until(site.loop, heard.count == 1);
    assert_string_equal(heard.pattern, "POST /{name}");
    assert_int_equal(heard.summary.end, PX_END_COMPLETE);
    assert_int_equal(heard.summary.status, 200);
    assert_int_equal(heard.summary.bytes_in, 3);
    assert_int_equal(heard.summary.bytes_out, 5);
    assert_true(heard.summary.handler_ms <= heard.summary.duration_ms);
    assert_true(heard.summary.first_byte_ms <= heard.summary.duration_ms);
    client_send(&client, LITERAL("GET /none/at/all HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, heard.count == 2);
    assert_string_equal(heard.pattern, "none");
    assert_int_equal(heard.summary.status, 404);
    assert_int_equal(heard.connections[0], heard.connections[1]);
    client_close(&client);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /twice HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, heard.count == 3);
    assert_int_equal(heard.summary.status, 500);
    assert_int_equal(heard.summary.end, PX_END_ABORTED);
    assert_int_not_equal(heard.connections[1], heard.connections[2]);
    client_close(&client);
    site_close(&site);
}

/* --- Drains from other threads ---------------------------------------------------------------- */

struct asker {
    px_server *server;
    px_err err;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.delay_ms = 10;
    asker->err = px_server_drain_post(asker->server, &options);
    return NULL;
}

static void another_thread_asks_for_a_drain(void **state)
{
    px_drain_options wrong = {.struct_size = 1};
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    struct asker asker = {.server = server};
    pthread_t thread;

    (void)state;
    assert_int_equal(px_server_listen(server, "127.0.0.1:0", &error), PX_OK);
    assert_int_equal(px_server_drain_post(server, &wrong), PX_ERR_INVALID);
    assert_int_equal(pthread_create(&thread, NULL, ask, &asker), 0);
    assert_int_equal(px_server_run(server, &error), PX_OK); /* until it has drained */
    pthread_join(thread, NULL);
    assert_int_equal(asker.err, PX_OK);
    assert_int_equal(px_server_is_draining(server), 1);
    px_server_destroy(server);
}

/* The server goes before the call comes. */
static void a_drain_of_a_server_that_is_gone(void **state)
{
    struct site site;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    options.loop = site.loop;
    options.allocator = NULL;
    px_server *second = px_server_create(&options, &error);

    assert_non_null(second);
    assert_int_equal(px_server_drain_post(second, NULL), PX_OK);
    px_server_destroy(second);
    pump_quietly(site.loop, 5);
    assert_int_equal(px_server_is_draining(site.server), 0);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_connection_is_refused),
        cmocka_unit_test(a_connection_is_served),
        cmocka_unit_test(each_exchange_has_a_summary),
        cmocka_unit_test(another_thread_asks_for_a_drain),
        cmocka_unit_test(a_drain_of_a_server_that_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
