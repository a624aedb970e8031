/*
 * At the limits: who is closed, who is turned away and how that arrives, when accepting stops, and
 * that all of it ends by itself.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "unit/server/client.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HOLD "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
#define HELLO ANSWER_TEXT("200 OK", "Hello, world!", "13", "")
#define UNAVAILABLE                                                           \
    ANSWER_TEXT("503 Service Unavailable", "503 Service Unavailable\n", "24", \
                "Retry-After: 5\r\nConnection: close\r\n")

/* Exchanges that are not answered until the test says so. */
struct held {
    uint32_t begun;
    px_ref refs[16];
};

static void hold(px_exchange *exchange, void *context)
{
    struct held *held = context;

    held->refs[held->begun++] = px_exchange_ref(exchange);
}

static void held_answer(struct held *held, uint32_t index)
{
    px_exchange *exchange = px_ref_get(&held->refs[index]);

    assert_non_null(exchange); /* nobody who was served was cut off */
    px_respond_text(exchange, 200, "Hello, world!");
}

/* Whoever was busy is answered and leaves. */
static void busy_end(struct client *busy, const struct site *site, struct held *held)
{
    held_answer(held, 0);
    client_expect(busy, site, HELLO);
    client_close(busy);
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

/* A server for so many connections, all of them busy. */
static void site_make(struct site *site, struct held *held, uint32_t connections,
                      struct client *busy)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    memset(held, 0, sizeof(*held));
    options.connections_max = connections;
    site_open(site, &options);
    site_route(site, "GET /{$}", hello, NULL);
    site_route(site, "POST /{$}", hello, NULL);
    site_route(site, "GET /hold", hold, held);
    for (uint32_t index = 0; busy && index < connections; index++) {
        client_open(&busy[index], site);
        client_send(&busy[index], px_str_of(HOLD));
        pump_until(site->loop, held->begun == index + 1);
    }
}

static void site_end(struct site *site, struct held *held)
{
    for (uint32_t index = 0; index < held->begun; index++)
        px_ref_release(&held->refs[index]);
    site_close(site);
}

/* --- Newcomers -------------------------------------------------------------------------------- */

static void newcomers_are_turned_away_until_there_is_room(void **state)
{
    enum { MAX = 2 };
    struct client busy[MAX], newcomers[3];
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, MAX, busy);
    for (int index = 0; index < 3; index++) {
        client_open(&newcomers[index], &site);
        client_send(&newcomers[index], px_str_of(GET));
        client_await_end(&newcomers[index], &site);
        client_expect(&newcomers[index], &site, UNAVAILABLE);
        assert_int_equal(newcomers[index].state, CLIENT_ENDED);
        client_close(&newcomers[index]);
    }
    assert_int_equal(site_counters(&site).turned_away, 3);
    assert_int_equal(site_counters(&site).responses[5], 3);
    assert_int_equal(site_counters(&site).shed, 0);
    held_answer(&held, 0);
    client_expect(&busy[0], &site, HELLO);
    /* The one that was answered is idle now, and makes room. */
    client_open(&newcomers[0], &site);
    client_send(&newcomers[0], px_str_of(GET));
    client_expect(&newcomers[0], &site, HELLO);
    client_await_end(&busy[0], &site);
    assert_int_equal(site_counters(&site).shed, 1);
    held_answer(&held, 1);
    client_expect(&busy[1], &site, HELLO);
    for (int index = 0; index < MAX; index++)
        client_close(&busy[index]);
    client_close(&newcomers[0]);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

/* Whether there is room is looked at when the request comes. */
static void newcomer_is_served_when_room_came_before_the_request(void **state)
{
    struct client busy, newcomer;
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, 1, &busy);
    client_open(&newcomer, &site);
    pump_until(site.loop, site_counters(&site).accepted == 2);
    busy_end(&busy, &site, &held);
    pump_until(site.loop, site_counters(&site).open == 1);
    client_send(&newcomer, LITERAL("GET / HT"));
    pump_quietly(site.loop, 5);
    client_send(&newcomer, LITERAL("TP/1.1\r\nHost: a\r\n\r\n"));
    client_expect(&newcomer, &site, HELLO);
    client_send(&newcomer, px_str_of(GET));
    client_expect(&newcomer, &site, HELLO HELLO);
    assert_int_equal(site_counters(&site).turned_away, 0);
    assert_int_equal(site_counters(&site).bytes_received, sizeof(HOLD) - 1 + 2 * (sizeof(GET) - 1));
    client_close(&newcomer);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

/* What is still on its way when the answer goes out does not turn it into a reset. */
static void refusal_of_a_long_request_arrives(void **state)
{
    enum { BYTES = 200 * 1000 };
    struct client busy, newcomer;
    struct site site;
    struct held held;
    char *content = calloc(1, BYTES);

    (void)state;
    site_make(&site, &held, 1, &busy);
    client_open(&newcomer, &site);
    client_send(&newcomer, LITERAL("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"));
    pump_once(site.loop, 20);
    client_send(&newcomer, px_str_make(content, BYTES));
    pump_quietly(site.loop, 20);
    client_send(&newcomer, px_str_make(content, 1000));
    client_await_end(&newcomer, &site);
    client_expect(&newcomer, &site, UNAVAILABLE);
    assert_int_equal(newcomer.state, CLIENT_ENDED);
    /* He does not hold his place for long. */
    pump_until(site.loop, site_counters(&site).open == 1);
    client_close(&newcomer);
    busy_end(&busy, &site, &held);
    pump_until(site.loop, site_counters(&site).open == 0);
    free(content);
    site_end(&site, &held);
}

static void newcomers_are_told_in_their_language(void **state)
{
    struct client busy, newcomer;
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, 1, &busy);
    client_open(&newcomer, &site);
    client_send(&newcomer, LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"));
    client_await_end(&newcomer, &site);
    assert_str_equal(px_str_make(newcomer.text, newcomer.len),
                     LITERAL("\0\0\0\4\0\0\0\0\0\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\xb"));
    assert_int_equal(newcomer.state, CLIENT_ENDED);
    client_close(&newcomer);
    client_open(&newcomer, &site);
    client_send(&newcomer, LITERAL("\x16\3\1\0\5hello"));
    client_await_end(&newcomer, &site);
    assert_str_equal(px_str_make(newcomer.text, newcomer.len), LITERAL("\x15\3\3\0\2\2\x50"));
    client_close(&newcomer);
    busy_end(&busy, &site, &held);
    assert_int_equal(site_counters(&site).turned_away, 2);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

/* Above so many that are being turned away nobody is accepted; each goes after a moment. */
static void accepting_stops_and_goes_on(void **state)
{
    enum { SILENT = REFUSING_COUNT_MAX + 10 };
    struct client busy, silent[SILENT], last;
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, 1, &busy);
    for (int index = 0; index < SILENT; index++)
        client_open(&silent[index], &site);
    pump_quietly(site.loop, 100);
    assert_int_equal(site_counters(&site).accepted, 1 + REFUSING_COUNT_MAX);
    /* It does not spin meanwhile. */
    uint64_t cpu = pump_cpu_ms();

    pump_quietly(site.loop, 100);
    assert_true(pump_cpu_ms() - cpu < 60);
    client_open(&last, &site);
    client_send(&last, px_str_of(GET));
    client_await_end(&last, &site);
    client_expect(&last, &site, UNAVAILABLE);
    assert_int_equal(site_counters(&site).accepted, 1 + SILENT + 1);
    for (int index = 0; index < SILENT; index++) {
        client_await_end(&silent[index], &site);
        assert_int_equal(silent[index].len, 0);
        client_close(&silent[index]);
    }
    client_close(&last);
    busy_end(&busy, &site, &held);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

/* --- Those who hold places -------------------------------------------------------------------- */

static void unfinished_heads_go_after_the_idle_and_by_age(void **state)
{
    enum { MAX = 3 };
    struct client halves[2], idle, newcomer, next;
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, MAX, NULL);
    for (int index = 0; index < 2; index++) {
        client_open(&halves[index], &site);
        client_send(&halves[index], LITERAL("GET / HTTP/1.1\r\n"));
        pump_quietly(site.loop, 20);
    }
    pump_quietly(site.loop, HEAD_SHED_MS + 20);
    client_open(&idle, &site); /* the youngest, and idle */
    client_send(&idle, px_str_of(GET));
    client_expect(&idle, &site, HELLO);
    client_open(&newcomer, &site);
    client_send(&newcomer, px_str_of(HOLD));
    pump_until(site.loop, held.begun == 1);
    client_await_end(&idle, &site);
    client_open(&next, &site);
    client_send(&next, px_str_of(HOLD));
    pump_until(site.loop, held.begun == 2);
    client_await_end(&halves[0], &site);
    client_pump(&halves[1], &site);
    assert_int_equal(halves[1].state, CLIENT_OPEN);
    client_send(&halves[1], LITERAL("Host: a\r\n\r\n"));
    client_expect(&halves[1], &site, HELLO);
    assert_int_equal(site_counters(&site).shed, 2);
    assert_int_equal(site_counters(&site).turned_away, 0);
    held_answer(&held, 0);
    held_answer(&held, 1);
    client_expect(&newcomer, &site, HELLO);
    client_expect(&next, &site, HELLO);
    client_close(&halves[0]);
    client_close(&halves[1]);
    client_close(&idle);
    client_close(&newcomer);
    client_close(&next);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

static void young_heads_are_left_alone(void **state)
{
    struct client half, newcomer;
    struct site site;
    struct held held;

    (void)state;
    site_make(&site, &held, 1, NULL);
    client_open(&half, &site);
    client_send(&half, LITERAL("GET / HTTP/1.1\r\n"));
    pump_quietly(site.loop, 20);
    client_open(&newcomer, &site);
    client_send(&newcomer, px_str_of(GET));
    client_await_end(&newcomer, &site);
    client_expect(&newcomer, &site, UNAVAILABLE);
    client_send(&half, LITERAL("Host: a\r\n\r\n"));
    client_expect(&half, &site, HELLO);
    client_close(&half);
    client_close(&newcomer);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_end(&site, &held);
}

/* --- A queue that stands ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    int before_ms; /* the queue is not looked at for so long */
    int after_ms;  /* ... and then not for so long, with most of it still there */
    bool drains;
    bool late_go;
} queues[] = {
    {"stands", 0, ACCEPT_LATE_MS + 100, false, true},
    {"is long, and worked off", ACCEPT_LATE_MS + 100, 0, false, false},
    {"stands, not for long", 0, ACCEPT_LATE_MS / 4, false, false},
    {"stands, and cutting it is in vain", 0, ACCEPT_LATE_MS + 1100, false, false},
    {"stands, in a drain", 0, ACCEPT_LATE_MS + 100, true, false},
};

/* Connections whose clients have likely left give way to those behind them, unread and unanswered;
 * a burst does not count as such, nor does what a drain has to serve. */
static void late_connections_give_way(void **state)
{
    enum { CROWD = 200, FRESH = 8 };
    struct client crowd[CROWD], fresh[FRESH];

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(queues); at++) {
        struct site site;
        uint32_t in_time;

        print_message("a queue that %s\n", queues[at].name);
        site_open(&site, NULL);
        site_route(&site, "GET /{$}", hello, NULL);
        for (int index = 0; index < CROWD; index++) {
            client_open(&crowd[index], &site);
            client_send(&crowd[index], px_str_of(GET));
        }
        usleep((useconds_t)queues[at].before_ms * 1000);
        pump_once(site.loop, 20);
        in_time = (uint32_t)site_counters(&site).accepted;
        assert_in_range(in_time, 1, CROWD / 2);
        usleep((useconds_t)queues[at].after_ms * 1000);
        for (int index = 0; index < FRESH; index++) {
            client_open(&fresh[index], &site);
            client_send(&fresh[index], px_str_of(GET));
        }
        if (queues[at].drains)
            px_server_drain(site.server, 1, 5000);
        for (int index = 0; index < FRESH; index++)
            client_await(&fresh[index], &site, 1);
        assert_int_equal(site_counters(&site).shed, queues[at].late_go ? CROWD - in_time : 0);
        assert_int_equal(site_counters(&site).turned_away, 0);
        for (uint32_t index = 0; index < CROWD; index++) {
            if (queues[at].late_go && index >= in_time) {
                client_await_end(&crowd[index], &site);
                assert_int_equal(crowd[index].state, CLIENT_RESET);
                assert_int_equal(crowd[index].len, 0);
            } else {
                client_await(&crowd[index], &site, 1);
            }
            client_close(&crowd[index]);
        }
        for (int index = 0; index < FRESH; index++)
            client_close(&fresh[index]);
        pump_until(site.loop, site_counters(&site).open == 0);
        site_close(&site);
    }
}

/* --- Full inboxes ----------------------------------------------------------------------------- */

/* What was not read does not turn the 503 into a reset. */
static void refusal_at_a_full_inbox_arrives(void **state)
{
    enum { BYTES = 30 * 1000 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    char *head = malloc(BYTES);

    (void)state;
    memset(head, 'x', BYTES);
    memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
    site_open_inbox(&site, &options, 8 * 1024);
    client_open(&client, &site);
    client_send(&client, px_str_make(head, BYTES));
    pump_quietly(site.loop, 20);
    client_send(&client, px_str_make(head + 100, 1000));
    client_await_end(&client, &site);
    client_expect(&client, &site, UNAVAILABLE);
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    pump_until(site.loop, site_counters(&site).open == 0);
    free(head);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newcomers_are_turned_away_until_there_is_room),
        cmocka_unit_test(newcomer_is_served_when_room_came_before_the_request),
        cmocka_unit_test(refusal_of_a_long_request_arrives),
        cmocka_unit_test(newcomers_are_told_in_their_language),
        cmocka_unit_test(accepting_stops_and_goes_on),
        cmocka_unit_test(unfinished_heads_go_after_the_idle_and_by_age),
        cmocka_unit_test(young_heads_are_left_alone),
        cmocka_unit_test(late_connections_give_way),
        cmocka_unit_test(refusal_at_a_full_inbox_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
