/*
 * Answers that come later than their handler: from a timer, from a middleware that stopped, through
 * tunnels, from producers and filters; and minimum rates against handlers that pause.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

/* What the handlers of this file keep: one exchange, what it reported, and a timer. */
struct later {
    px_exchange *exchange;
    px_timer *timer;
    size_t received;
    int pulls;
    int ended; /* -1, or a px_end */
};

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    struct later *later = context;

    (void)exchange;
    later->ended = (int)end;
    later->exchange = NULL;
}

static void later_open(struct later *later, const struct site *site,
                       void (*on_timer)(px_timer *timer, void *context))
{
    *later = (struct later){.ended = -1};
    later->timer = px_timer_create(site->loop, on_timer, later);
    assert_non_null(later->timer);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

static void tunnel_receive(px_exchange *exchange, px_str bytes, void *context)
{
    struct later *later = context;

    later->received += bytes.len;
    px_response_write(exchange, bytes);
}

static const px_tunnel_callbacks tunnel_echo = {.struct_size = sizeof(px_tunnel_callbacks),
                                                .on_receive = tunnel_receive};

static void tunnel_now(px_timer *timer, void *context)
{
    struct later *later = context;

    (void)timer;
    px_respond_tunnel(later->exchange, px_str_of("echo"), &tunnel_echo, later);
}

static px_verdict tunnel_by_middleware(px_exchange *exchange, void *context)
{
    px_respond_tunnel(exchange, px_str_of("echo"), &tunnel_echo, context);
    return PX_STOP;
}

static px_verdict tunnel_by_middleware_later(px_exchange *exchange, void *context)
{
    struct later *later = context;

    later->exchange = exchange;
    px_timer_start(later->timer, 5);
    return PX_STOP;
}

static void tunnel_by_handler_later(px_exchange *exchange, void *context)
{
    tunnel_by_middleware_later(exchange, context);
}

/* Wherever a tunnel was made, what the peer says reaches it. */
static void tunnels_receive(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct site site;
        struct client client;
        struct later later;
        px_error error;

        site_open(&site, NULL);
        later_open(&later, &site, tunnel_now);
        if (kind == 0)
            site_route(&site, "GET /{$}", tunnel_by_handler_later, &later);
        else
            assert_int_equal(
                px_server_use(site.server,
                              kind == 1 ? tunnel_by_middleware : tunnel_by_middleware_later, &later,
                              NULL, &error),
                PX_OK);
        client_open(&client, &site);
        client_send(&client, px_str_of(UPGRADE));
        client_expect(&client, &site, UPGRADED);
        client_send(&client, px_str_of("hello"));
        client_expect(&client, &site, UPGRADED "hello");
        assert_int_equal(later.received, 5);
        client_close(&client);
        pump_quietly(site.loop, 5);
        px_timer_destroy(later.timer);
        site_close(&site);
    }
}

enum { TAIL_BYTES = 500 * 1000 };

static void tunnel_deaf(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    (void)bytes;
    (void)context;
}

static const px_tunnel_callbacks tunnel_of_a_tail = {.struct_size = sizeof(px_tunnel_callbacks),
                                                     .on_receive = tunnel_deaf};
static const px_exchange_callbacks end_only = {.struct_size = sizeof(px_exchange_callbacks),
                                               .on_end = on_end};

static void tunnel_and_tail(px_exchange *exchange, void *context)
{
    static char piece[1000];

    memset(piece, 'z', sizeof(piece));
    px_exchange_set_callbacks(exchange, &end_only, context);
    px_respond_tunnel(exchange, px_str_of("echo"), &tunnel_of_a_tail, context);
    for (size_t at = 0; at < TAIL_BYTES; at += sizeof(piece))
        px_response_write(exchange, px_str_make(piece, sizeof(piece)));
    px_response_end(exchange);
}

/* The peer goes on talking after our end, as it may: a reset for its bytes would take what it has
 * not read yet from it. */
static void tail_of_a_tunnel_is_whole(void **state)
{
    const int small = 32 * 1024;
    struct site site;
    struct client client;
    struct later later = {.ended = -1};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", tunnel_and_tail, &later);
    client_open(&client, &site);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    client_send(&client, px_str_of(UPGRADE));
    pump_until(site.loop, later.ended >= 0); /* it is all in the system's hands */
    assert_int_equal(later.ended, PX_END_COMPLETE);
    client_send(&client, px_str_of("the peer goes on talking"));
    pump_quietly(site.loop, 20);
    client_await_end(&client, &site);
    assert_int_equal(client.len, sizeof(UPGRADED) - 1 + TAIL_BYTES);
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    site_close(&site);
}

/* --- Middleware that goes on ------------------------------------------------------------------ */

static void next_now(px_timer *timer, void *context)
{
    struct later *later = context;

    (void)timer;
    px_exchange_next(later->exchange);
}

static void echo(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_make(NULL, 0), px_request_content(exchange));
}

/* The handler of a route that collects is called with the content, be it there before or after the
 * middleware goes on, or be there none. */
static void next_waits_for_collected_content(void **state)
{
    static const struct {
        const char *head;
        const char *content;
        const char *answer;
    } cases[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "",
         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "abcde",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         "3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        for (int late = 0; late < 2; late++) {
            struct site site;
            struct client client;
            struct later later;
            px_error error;

            site_open(&site, NULL);
            later_open(&later, &site, next_now);
            assert_int_equal(
                px_server_use(site.server, tunnel_by_middleware_later, &later, NULL, &error),
                PX_OK);
            site_route_with(&site, "POST /{$}", PX_CONTENT_COLLECT, 0, echo, NULL);
            client_open(&client, &site);
            client_send(&client, px_str_of(cases[index].head));
            if (late)
                pump_quietly(site.loop, 20);
            client_send(&client, px_str_of(cases[index].content));
            client_expect(&client, &site, cases[index].answer);
            assert_int_equal(client.state, CLIENT_OPEN);
            client_close(&client);
            pump_quietly(site.loop, 2);
            px_timer_destroy(later.timer);
            site_close(&site);
        }
    }
}

/* --- Producers -------------------------------------------------------------------------------- */

static px_pull resume_inside(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                             void *context)
{
    struct later *later = context;

    assert_true(room >= 4);
    if (later->pulls++ == 0) {
        px_resume(exchange);
        return PX_PULL_LATER;
    }
    memcpy(out, "done", 4);
    *out_bytes = 4;
    return PX_PULL_END;
}

static void produce(px_exchange *exchange, void *context)
{
    px_producer producer = {
        .struct_size = sizeof(px_producer), .pull = resume_inside, .context = context};

    px_respond_producer(exchange, 200, px_str_make(NULL, 0), 4, &producer);
}

/* What a producer waits for may come before it has said that it waits. */
static void resume_inside_of_pull_is_heard(void **state)
{
    struct site site;
    struct later later = {.ended = -1};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", produce, &later);
    site_exchange(&site, REQUEST, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone", CLIENT_OPEN);
    assert_int_equal(later.pulls, 2);
    site_close(&site);
}

/* --- Filters ---------------------------------------------------------------------------------- */

enum { SWALLOW_BYTES = 1 << 20 };

struct tally {
    int heads;
    int ends;
    size_t taken;
};

static int tally_head(px_exchange *exchange, void *context, void **out_state)
{
    struct tally *tally = context;

    (void)exchange;
    tally->heads++;
    *out_state = tally;
    return 1;
}

/* As a compressor on a run of zeros: takes all, and writes little, late. */
static int swallow(px_exchange *exchange, px_filter_step *step, void *state)
{
    struct tally *tally = state;

    (void)exchange;
    tally->taken += step->in.len;
    step->in_used = step->in.len;
    if (step->last) {
        step->out_used = (size_t)snprintf(step->out, step->room, "%zu", tally->taken);
        step->done = 1;
    }
    return 0;
}

static void tally_end(px_exchange *exchange, void *state)
{
    struct tally *tally = state;

    (void)exchange;
    tally->ends++;
}

static const px_filter swallowing = {.struct_size = sizeof(px_filter),
                                     .on_head = tally_head,
                                     .on_content = swallow,
                                     .on_end = tally_end};

static void zeros(px_exchange *exchange, void *context)
{
    px_body body = {.struct_size = sizeof(px_body), .bytes = px_str_make(context, SWALLOW_BYTES)};

    px_respond_body(exchange, 200, px_str_make(NULL, 0), &body);
}

static void filter_may_swallow_a_lot_before_it_writes(void **state)
{
    struct site site;
    struct tally tally = {0};
    char *content = calloc(1, SWALLOW_BYTES);
    px_error error;

    (void)state;
    site_open(&site, NULL);
    assert_int_equal(px_server_filter(site.server, &swallowing, &tally, NULL, &error), PX_OK);
    site_route(&site, "GET /{$}", zeros, content);
    site_exchange(&site, REQUEST,
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0007\r\n1048576\r\n0\r\n\r\n",
                  CLIENT_OPEN);
    assert_int_equal(tally.heads, 1);
    assert_int_equal(tally.ends, 1);
    site_close(&site);
    free(content);
}

/* It said that it wants the content, and its exchange has no memory left for that. */
static int tally_head_and_exhaust(px_exchange *exchange, void *context, void **out_state)
{
    while (px_exchange_alloc(exchange, 64))
        continue;
    return tally_head(exchange, context, out_state);
}

static const px_filter exhausting = {.struct_size = sizeof(px_filter),
                                     .on_head = tally_head_and_exhaust,
                                     .on_content = swallow,
                                     .on_end = tally_end};

static void text(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

static void filter_state_ends_without_memory(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct tally tally = {0};
    px_error error;

    (void)state;
    options.exchange_bytes_max = 8192;
    site_open(&site, &options);
    assert_int_equal(px_server_filter(site.server, &exhausting, &tally, NULL, &error), PX_OK);
    site_route(&site, "GET /{$}", text, NULL);
    client_open(&client, &site);
    client_send(&client, px_str_of(REQUEST));
    client_await_end(&client, &site);
    assert_int_equal(tally.heads, 1);
    assert_int_equal(tally.ends, 1);
    client_close(&client);
    site_close(&site);
}

/* --- Minimum rates ---------------------------------------------------------------------------- */

static void resume_now(px_timer *timer, void *context)
{
    struct later *later = context;

    (void)timer;
    if (later->exchange)
        px_request_resume(later->exchange);
}

static void pause_a_while(px_exchange *exchange, px_str bytes, void *context)
{
    struct later *later = context;

    later->received += bytes.len;
    px_request_pause(exchange);
    px_timer_start(later->timer, 1);
}

static const px_exchange_callbacks pausing = {
    .struct_size = sizeof(px_exchange_callbacks), .on_content = pause_a_while, .on_end = on_end};

static void take_with_pauses(px_exchange *exchange, void *context)
{
    struct later *later = context;

    later->exchange = exchange;
    px_exchange_set_callbacks(exchange, &pausing, later);
}

/* A handler that pauses after each piece does not make its slow peer fast enough. */
static void minimum_rate_holds_against_pauses(void **state)
{
    enum { BYTES = 100, GAP_MS = 25, WINDOW_MS = 200 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct later later;

    (void)state;
    options.rate_window_ms = WINDOW_MS;
    site_open(&site, &options);
    later_open(&later, &site, resume_now);
    site_route(&site, "POST /{$}", take_with_pauses, &later);
    client_open(&client, &site);
    client_send(&client, px_str_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"));
    for (int count = 0; count < BYTES && later.ended < 0; count++) {
        client_send(&client, px_str_of("x")); /* 40 bytes a second of 240 */
        pump_quietly(site.loop, GAP_MS);
    }
    client_await_end(&client, &site);
    assert_memory_equal(client.text, "HTTP/1.1 408 ", 13);
    assert_int_equal(later.ended, PX_END_TIMEOUT);
    assert_true(later.received >= 2 && later.received < BYTES / 2);
    assert_int_equal(site_counters(&site).timed_out, 1);
    client_close(&client);
    pump_quietly(site.loop, 5);
    px_timer_destroy(later.timer);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tunnels_receive),
        cmocka_unit_test(tail_of_a_tunnel_is_whole),
        cmocka_unit_test(next_waits_for_collected_content),
        cmocka_unit_test(resume_inside_of_pull_is_heard),
        cmocka_unit_test(filter_may_swallow_a_lot_before_it_writes),
        cmocka_unit_test(filter_state_ends_without_memory),
        cmocka_unit_test(minimum_rate_holds_against_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
