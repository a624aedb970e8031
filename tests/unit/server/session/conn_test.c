/*
 * Connections against the clock and the crowd: deadlines, minimum rates, the connection limit, a
 * drain, and a server that goes away with a thousand requests in flight.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/server/client.h"

#define HELLO ANSWER_TEXT("200 OK", "Hello, world!", "13", "")
static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct held {
    uint32_t begun;
    uint32_t ended;
    uint32_t ends[PX_END_SERVER_CLOSED + 1];
    px_ref refs[1100];
};

static void held_end(px_exchange *exchange, px_end end, void *context)
{
    struct held *held = context;

    (void)exchange;
    held->ended++;
    held->ends[end]++;
}

static const px_exchange_callbacks held_callbacks = {.struct_size = sizeof(px_exchange_callbacks),
                                                     .on_end = held_end};

/* Is not answered until the test says so. */
static void hold(px_exchange *exchange, void *context)
{
    struct held *held = context;

    px_exchange_set_callbacks(exchange, &held_callbacks, held);
    held->refs[held->begun++] = px_exchange_ref(exchange);
}

static void held_release(struct held *held)
{
    for (uint32_t index = 0; index < held->begun; index++)
        px_ref_release(&held->refs[index]);
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

static void collect_hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

static char big[16 << 20];

static void big_answer(px_exchange *exchange, void *context)
{
    px_body body = {sizeof(px_body), px_str_make(big, sizeof(big)), NULL, NULL};

    px_exchange_set_callbacks(exchange, &held_callbacks, context);
    px_respond_body(exchange, 200, px_str_make(NULL, 0), &body);
}

static void site_make(struct site *site, const px_server_options *options, struct held *held)
{
    memset(held, 0, sizeof(*held));
    site_open(site, options);
    site_route(site, "GET /{$}", hello, NULL);
    site_route(site, "GET /hold", hold, held);
    site_route(site, "GET /big", big_answer, held);
    site_route_with(site, "POST /", PX_CONTENT_COLLECT, 0, collect_hello, NULL);
}

/* --- Deadlines -------------------------------------------------------------------------------- */

static void idle_connections_are_closed_in_silence(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client fresh, used;
    struct held held;

    (void)state;
    options.idle_timeout_ms = 150;
    site_make(&site, &options, &held);
    client_open(&fresh, &site);
    client_open(&used, &site);
    uint64_t before = pump_now_ms();

    /* Each request moves the deadline on. */
    for (int count = 0; count < 6; count++) {
        client_send(&used, px_str_of(get));
        client_expect(&used, &site, HELLO);
        client_forget(&used);
        pump_quietly(site.loop, 50);
    }
    client_await_end(&fresh, &site);
    assert_int_equal(fresh.state, CLIENT_ENDED);
    assert_int_equal(fresh.len, 0);
    client_await_end(&used, &site);
    assert_int_equal(used.len, 0);
    assert_true(pump_now_ms() - before >= 5 * 50 + 140);
    assert_int_equal(site_counters(&site).timed_out, 2);
    client_close(&fresh);
    client_close(&used);
    site_close(&site);
}

static void head_has_an_absolute_deadline(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct held held;

    (void)state;
    options.head_timeout_ms = 200;
    site_make(&site, &options, &held);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET / HTTP/1.1\r\n"));
    uint64_t before = pump_now_ms();

    while (client.state == CLIENT_OPEN && pump_now_ms() - before < 3000) {
        if (client.len == 0)
            client_send(&client, LITERAL("A: b\r\n")); /* trickled */
        pump_quietly(site.loop, 20);
        client_pump(&client, &site);
    }
    assert_in_range(pump_now_ms() - before, 150, 2000);
    assert_memory_equal(client.text, "HTTP/1.1 408 ", 13);
    assert_non_null(strstr(client.text, "Connection: close\r\n"));
    assert_int_equal(site_counters(&site).timed_out, 1);
    client_close(&client);
    site_close(&site);
}

static void content_below_the_minimum_rate_is_408(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client slow, fast;
    struct held held;

    (void)state;
    options.rate_window_ms = 200;
    options.content_rate_min = 1000;
    site_make(&site, &options, &held);
    client_open(&slow, &site);
    client_open(&fast, &site);
    client_send(&slow, LITERAL("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    client_send(&fast, LITERAL("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    uint64_t before = pump_now_ms();

    while (slow.state == CLIENT_OPEN && pump_now_ms() - before < 5000) {
        if (slow.len == 0)
            client_send(&slow, LITERAL("x"));
        client_send(&fast, px_str_make(big, 200));
        pump_quietly(site.loop, 20);
        client_pump(&slow, &site);
    }
    assert_in_range(pump_now_ms() - before, 150, 2000);
    assert_memory_equal(slow.text, "HTTP/1.1 408 ", 13);
    client_pump(&fast, &site);
    assert_int_equal(fast.state, CLIENT_OPEN);
    assert_int_equal(fast.len, 0);
    client_close(&slow);
    client_close(&fast);
    site_close(&site);
}

static void reader_below_the_minimum_rate_is_reset(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct held held;

    (void)state;
    options.rate_window_ms = 200;
    options.send_rate_min = 1000;
    site_make(&site, &options, &held);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    uint64_t before = pump_now_ms();

    pump_until(site.loop, held.ended == 1);
    assert_in_range(pump_now_ms() - before, 150, 3000);
    assert_int_equal(held.ends[PX_END_TIMEOUT], 1);
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_RESET);
    client_close(&client);
    /* A handler that takes its time is not the peer's fault. */
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_quietly(site.loop, 700);
    assert_int_equal(held.ended, 1);
    px_respond_text(px_ref_get(&held.refs[0]), 200, "Hello, world!");
    client_expect(&client, &site, HELLO);
    client_close(&client);
    held_release(&held);
    site_close(&site);
}

static void whole_exchange_has_a_deadline_when_asked(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct held held;

    (void)state;
    options.total_timeout_ms = 200;
    site_make(&site, &options, &held);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    uint64_t before = pump_now_ms();

    pump_until(site.loop, held.ended == 1);
    assert_in_range(pump_now_ms() - before, 150, 2000);
    assert_int_equal(held.ends[PX_END_TIMEOUT], 1);
    client_await_end(&client, &site);
    client_close(&client);
    held_release(&held);
    site_close(&site);
}

/* --- The connection limit --------------------------------------------------------------------- */

static void longest_idle_go_first(void **state)
{
    enum { COUNT = 5 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client clients[COUNT], next;
    struct held held;

    (void)state;
    options.connections_max = COUNT;
    site_make(&site, &options, &held);
    for (int index = 0; index < COUNT; index++) {
        client_open(&clients[index], &site);
        client_send(&clients[index], px_str_of(get));
        client_expect(&clients[index], &site, HELLO);
        pump_quietly(site.loop, 3);
    }
    /* The first is used again: now the second is the longest idle. */
    client_send(&clients[0], px_str_of(get));
    client_expect(&clients[0], &site, HELLO HELLO);
    client_open(&next, &site);
    client_send(&next, px_str_of(get));
    client_expect(&next, &site, HELLO);
    client_await_end(&clients[1], &site);
    for (int index = 0; index < COUNT; index++) {
        client_pump(&clients[index], &site);
        assert_int_equal(clients[index].state, index == 1 ? CLIENT_ENDED : CLIENT_OPEN);
    }
    assert_int_equal(site_counters(&site).shed, 1);
    assert_int_equal(site_counters(&site).open, COUNT);
    for (int index = 0; index < COUNT; index++)
        client_close(&clients[index]);
    client_close(&next);
    site_close(&site);
}

/* Nobody idle: newcomers are turned away, and those who are served stay. */
static void busy_connections_are_not_shed(void **state)
{
    enum { COUNT = 6, MAX = 2 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client clients[COUNT];
    struct held held;

    (void)state;
    options.connections_max = MAX;
    site_make(&site, &options, &held);
    for (int index = 0; index < COUNT; index++) {
        client_open(&clients[index], &site);
        client_send(&clients[index], LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
        if (index < MAX)
            pump_until(site.loop, held.begun == (uint32_t)index + 1);
    }
    pump_quietly(site.loop, 50);
    assert_int_equal(held.begun, MAX); /* not one more */
    assert_int_equal(site_counters(&site).shed, 0);
    for (int index = MAX; index < COUNT; index++) {
        client_await_end(&clients[index], &site);
        assert_non_null(strstr(clients[index].text, " 503 "));
    }
    for (uint32_t next = 0; next < MAX; next++) {
        px_exchange *exchange = px_ref_get(&held.refs[next]);

        assert_non_null(exchange); /* nobody who was served was cut off */
        px_respond_text(exchange, 200, "Hello, world!");
    }
    pump_until(site.loop, held.ends[PX_END_COMPLETE] == MAX);
    for (int index = 0; index < COUNT; index++) {
        if (index < MAX)
            client_expect(&clients[index], &site, HELLO);
        client_close(&clients[index]);
    }
    pump_until(site.loop, site_counters(&site).open == 0);
    held_release(&held);
    site_close(&site);
}

/* --- Drain ------------------------------------------------------------------------------------ */

static void count_drained(px_server *server, void *context)
{
    (void)server;
    *(uint32_t *)context += 1;
}

static void drain_answers_what_is_in_flight(void **state)
{
    struct site site;
    struct client idle, busy, reading;
    struct held held;
    uint32_t drained = 0;

    (void)state;
    site_make(&site, NULL, &held);
    px_server_on_drained(site.server, count_drained, &drained);
    client_open(&idle, &site);
    client_send(&idle, px_str_of(get));
    client_expect(&idle, &site, HELLO);
    client_open(&busy, &site);
    client_send(&busy, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_open(&reading, &site); /* its head is out already, without a word of closing */
    client_send(&reading, LITERAL("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_await(&reading, &site, 100);
    pump_until(site.loop, held.begun == 1);
    px_server_drain(site.server, 0, 20000);
    client_await_end(&idle, &site);
    assert_int_equal(idle.state, CLIENT_ENDED);
    assert_int_equal(drained, 0);
    /* Nobody is accepted any more. */
    pump_quietly(site.loop, 5);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    close(fd);
    px_respond_text(px_ref_get(&held.refs[0]), 200, "Hello, world!");
    client_expect(&busy, &site,
                  ANSWER_TEXT("200 OK", "Hello, world!", "13", "Connection: close\r\n"));
    client_await_end(&busy, &site);
    assert_int_equal(busy.state, CLIENT_ENDED);
    assert_int_equal(drained, 0);
    client_await_end(&reading, &site); /* closed when it is whole, although it was not said */
    assert_int_equal(reading.state, CLIENT_ENDED);
    assert_true(reading.len > sizeof(big));
    pump_until(site.loop, drained == 1);
    pump_quietly(site.loop, 10);
    assert_int_equal(drained, 1);
    assert_int_equal(held.ends[PX_END_COMPLETE], 2);
    client_close(&idle);
    client_close(&busy);
    client_close(&reading);
    held_release(&held);
    site_close(&site);
}

static void drain_has_a_deadline(void **state)
{
    struct site site;
    struct client client;
    struct held held;
    uint32_t drained = 0;

    (void)state;
    site_make(&site, NULL, &held);
    px_server_on_drained(site.server, count_drained, &drained);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, held.begun == 1);
    uint64_t before = pump_now_ms();

    px_server_drain(site.server, 50, 100);
    px_server_drain(site.server, 1000, 1000); /* once is enough */
    pump_until(site.loop, drained == 1);
    assert_in_range(pump_now_ms() - before, 140, 1500);
    assert_int_equal(held.ends[PX_END_SERVER_CLOSED], 1);
    client_close(&client);
    held_release(&held);
    site_close(&site);
}

/* --- Destroy ---------------------------------------------------------------------------------- */

static void destroy_with_a_thousand_in_flight(void **state)
{
    enum { COUNT = 1000 };
    struct site site;
    static struct client clients[COUNT];
    static struct held held;

    (void)state;
    site_make(&site, NULL, &held);
    for (int index = 0; index < COUNT; index++) {
        const char *request = index % 10 == 9
                                  ? "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
                                  : "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n";

        client_open(&clients[index], &site);
        client_send(&clients[index], px_str_of(request));
        pump_once(site.loop, 0);
    }
    pump_until(site.loop, held.begun == COUNT / 10 * 9);
    pump_until(site.loop, site_counters(&site).requests == COUNT);
    px_server_destroy(site.server);
    assert_int_equal(held.ended, COUNT);
    assert_int_equal(held.ends[PX_END_SERVER_CLOSED], COUNT);
    for (int index = 0; index < COUNT; index++)
        client_close(&clients[index]);
    held_release(&held);
    assert_int_equal(px_loop_handle_count(site.loop), 0);
    px_loop_destroy(site.loop);
    fault_alloc_assert_empty(&site.fault);
}

static void peer_that_leaves_ends_its_exchange(void **state)
{
    struct site site;
    struct client client;
    struct held held;

    (void)state;
    site_make(&site, NULL, &held);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, held.begun == 1);
    peer_reset(client.fd);
    client.fd = -1;
    pump_until(site.loop, held.ended == 1);
    assert_int_equal(held.ends[PX_END_PEER_GONE], 1);
    assert_null(px_ref_get(&held.refs[0]));
    client_close(&client);
    held_release(&held);
    site_close(&site);
}

static void deferred_accept_serves_what_came(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    site_open_deferred(&site, NULL);
    site_route(&site, "GET /{$}", hello, NULL);
    for (int count = 0; count < 20; count++) {
        client_open(&client, &site);
        client_send(&client, LITERAL("GET / HTTP/1.0\r\n\r\n"));
        client_expect(&client, &site,
                      ANSWER_TEXT("200 OK", "Hello, world!", "13", "Connection: close\r\n"));
        client_await_end(&client, &site);
        assert_int_equal(client.state, CLIENT_ENDED);
        client_close(&client);
    }
    assert_int_equal(site_counters(&site).open, 0);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_are_closed_in_silence),
        cmocka_unit_test(head_has_an_absolute_deadline),
        cmocka_unit_test(content_below_the_minimum_rate_is_408),
        cmocka_unit_test(reader_below_the_minimum_rate_is_reset),
        cmocka_unit_test(whole_exchange_has_a_deadline_when_asked),
        cmocka_unit_test(longest_idle_go_first),
        cmocka_unit_test(busy_connections_are_not_shed),
        cmocka_unit_test(drain_answers_what_is_in_flight),
        cmocka_unit_test(drain_has_a_deadline),
        cmocka_unit_test(destroy_with_a_thousand_in_flight),
        cmocka_unit_test(peer_that_leaves_ends_its_exchange),
        cmocka_unit_test(deferred_accept_serves_what_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
