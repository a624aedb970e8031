/*
 * HTTP/1 under pressure: floods behind a slow handler or a slow reader, content that is paused,
 * answers before the content has come, handlers that give up anywhere, filters that give little.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unit/server/client.h"

#define HOST "HTTP/1.1\r\nHost: a\r\n\r\n"
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static const px_str no_type = {NULL, 0};

static void empty(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, no_type, LITERAL(""));
}

struct state {
    px_ref ref;
    uint32_t begun;
    uint32_t ended;
    px_end end;
    size_t received;
    uint32_t content_ends;
    size_t pause_at;
    int abort_in; /* 1: handler, 2: on_content, 3: on_content_end, 4: pull */
    size_t large;
    uint32_t released;
};

static void on_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct state *it = context;

    it->received += bytes.len;
    if (it->abort_in == 2)
        px_exchange_abort(exchange);
    if (it->pause_at && it->received >= it->pause_at) {
        it->pause_at = 0;
        px_request_pause(exchange);
    }
}

static void on_content_end(px_exchange *exchange, void *context)
{
    struct state *it = context;

    it->content_ends++;
    if (it->abort_in == 3)
        px_exchange_abort(exchange);
    else
        px_respond(exchange, 200, no_type, LITERAL(""));
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    struct state *it = context;

    (void)exchange;
    it->ended++;
    it->end = end;
}

static const px_exchange_callbacks streaming = {.struct_size = sizeof(px_exchange_callbacks),
                                                .on_content = on_content,
                                                .on_content_end = on_content_end,
                                                .on_end = on_end};
static const px_exchange_callbacks ending = {.struct_size = sizeof(px_exchange_callbacks),
                                             .on_end = on_end};

static void stream_in(px_exchange *exchange, void *context)
{
    struct state *it = context;

    it->begun++;
    it->ref = px_exchange_ref(exchange);
    px_exchange_set_callbacks(exchange, &streaming, it);
    if (it->abort_in == 1)
        px_exchange_abort(exchange);
}

static void hold(px_exchange *exchange, void *context)
{
    struct state *it = context;

    it->begun++;
    it->ref = px_exchange_ref(exchange);
    px_exchange_set_callbacks(exchange, &ending, it);
}

/* Sends what goes without waiting; returns how much went. */
static size_t flood(struct client *client, struct site *site, const char *text, size_t len,
                    size_t limit)
{
    size_t sent = 0;

    for (int full = 0; full < 20 && sent < limit;) {
        size_t at = sent % len;
        ssize_t count = send(client->fd, text + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (count > 0) {
            sent += (size_t)count;
            full = 0;
        } else {
            full++;
        }
        pump_once(site->loop, 1);
    }
    return sent;
}

static const char request[] = "GET /empty " HOST;

/* As many requests as fit. */
static size_t requests_make(char *out, size_t room)
{
    size_t len = 0;

    for (; len + sizeof(request) <= room; len += sizeof(request) - 1)
        memcpy(out + len, request, sizeof(request) - 1);
    return len;
}

/* Requests behind a slow handler are held by the kernel, not by us. */
static void flood_behind_a_slow_handler(void **state)
{
    static char requests[100000];
    struct site site;
    struct client client;
    struct state it = {0};
    size_t many = requests_make(requests, sizeof(requests)), len = sizeof(request) - 1;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /hold", hold, &it);
    site_route(&site, "GET /empty", empty, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold " HOST));
    pump_until(site.loop, it.begun == 1);
    size_t sent = flood(&client, &site, requests, many, 64 << 20);

    assert_true(sent < (64 << 20));
    assert_true(site_counters(&site).bytes_received < 400 * 1024);
    assert_int_equal(site_counters(&site).requests, 1);
    px_respond(px_ref_get(&it.ref), 200, no_type, LITERAL(""));
    px_ref_release(&it.ref);
    /* Then each is answered, while we read. */
    uint64_t whole = 1 + sent / len, end = pump_now_ms() + 4 * PUMP_LIMIT_MS;

    if (sent % len > 0) {
        client_send(&client, px_str_make(request + sent % len, len - sent % len));
        whole++;
    }
    while (site_counters(&site).requests < whole && pump_now_ms() < end) {
        client_pump(&client, &site);
        client_forget(&client);
    }
    print_message("%u requests behind a slow handler\n", (unsigned)whole);
    assert_int_equal(site_counters(&site).requests, whole);
    assert_int_equal(it.end, PX_END_COMPLETE);
    client_close(&client);
    site_close(&site);
}

/* A peer that asks and asks, and never reads: output and memory stay bounded. */
static void flood_without_reading(void **state)
{
    static char requests[100000];
    struct site site;
    struct client client;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /empty", empty, NULL);
    client_open(&client, &site);
    size_t many = requests_make(requests, sizeof(requests));
    size_t sent = flood(&client, &site, requests, many, 256 << 20);

    assert_true(sent < (256 << 20)); /* it was stopped */
    assert_true(site.fault.live < 100);
    client_close(&client);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_close(&site);
}

static void paused_content_slows_the_peer(void **state)
{
    enum { BYTES = 40 << 20 };
    static char text[65536];
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    struct state it = {.pause_at = 100000};
    char head[128];

    (void)state;
    options.content_bytes_max = PX_UNLIMITED_BYTES;
    site_open(&site, &options);
    site_route(&site, "POST /in", stream_in, &it);
    client_open(&client, &site);
    snprintf(head, sizeof(head), "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
             BYTES);
    client_send(&client, px_str_of(head));
    size_t sent = flood(&client, &site, text, sizeof(text), BYTES);

    assert_true(sent < BYTES);
    assert_true(it.received < 400 * 1024);
    size_t before = it.received;

    px_request_resume(px_ref_get(&it.ref));
    assert_int_equal(it.received, before);
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    while (sent < BYTES && pump_now_ms() < end) {
        size_t left = BYTES - sent < sizeof(text) ? BYTES - sent : sizeof(text);
        ssize_t count = send(client.fd, text, left, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += count > 0 ? (size_t)count : 0;
        pump_once(site.loop, 1);
    }
    client_expect(&client, &site, EMPTY);
    assert_int_equal(it.received, BYTES);
    assert_int_equal(it.content_ends, 1);
    client_close(&client);
    px_ref_release(&it.ref);
    site_close(&site);
}

static void answer_before_the_content(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "POST /empty", empty, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("POST /empty HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"));
    client_expect(&client, &site, EMPTY);
    client_send(&client, LITERAL("01234"));
    pump_quietly(site.loop, 5);
    client_send(&client, LITERAL("56789POST /empty " HOST));
    client_expect(&client, &site, EMPTY EMPTY);
    client_close(&client);
    site_close(&site);
}

static px_pull give_up(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    (void)room;
    (void)context;
    out[0] = 'x';
    *out_bytes = 1;
    px_exchange_abort(exchange);
    return PX_PULL_MORE;
}

static void produce_and_give_up(px_exchange *exchange, void *context)
{
    const px_producer producer = {sizeof(px_producer), give_up, NULL, NULL};

    px_exchange_set_callbacks(exchange, &ending, context);
    px_respond_producer(exchange, 200, no_type, PX_LENGTH_UNKNOWN, &producer);
}

static void abort_anywhere(void **state)
{
    struct site site;

    (void)state;
    site_open(&site, NULL);
    for (int where = 1; where <= 4; where++) {
        static struct state it;
        struct client client;
        char pattern[32], text[128];

        memset(&it, 0, sizeof(it));
        it.abort_in = where;
        snprintf(pattern, sizeof(pattern), "POST /%d", where);
        site_route(&site, pattern, where == 4 ? produce_and_give_up : stream_in, &it);
        snprintf(text, sizeof(text), "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                 where);
        client_open(&client, &site);
        client_send(&client, px_str_of(text));
        client_await_end(&client, &site);
        assert_int_equal(client.state, CLIENT_RESET);
        pump_until(site.loop, it.ended == 1);
        assert_int_equal(it.end, PX_END_ABORTED);
        if (where != 4)
            px_ref_release(&it.ref);
        client_close(&client);
    }
    site_close(&site);
}

/* --- A filter that takes all and gives one byte at the end ------------------------------------ */

static int greedy_head(px_exchange *exchange, void *context, void **out_state)
{
    (void)exchange;
    (void)out_state;
    (void)context;
    return 1;
}

static int greedy_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    (void)exchange;
    (void)state;
    step->in_used = step->in.len;
    if (step->last) {
        step->out[0] = '!';
        step->out_used = 1;
        step->done = 1;
    }
    return 0;
}

static const px_filter greedy = {.struct_size = sizeof(px_filter),
                                 .on_head = greedy_head,
                                 .on_content = greedy_content,
                                 .on_end = NULL};

static void large_static(px_exchange *exchange, void *context)
{
    static char bytes[8 << 20];
    px_body body = {sizeof(px_body), px_str_make(bytes, sizeof(bytes)), NULL, NULL};

    (void)context;
    px_respond_body(exchange, 200, no_type, &body);
}

static void greedy_filter(void **state)
{
    struct site site;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /", large_static, NULL);
    assert_int_equal(px_server_filter(site.server, &greedy, NULL, NULL, &error), PX_OK);
    site_exchange(&site, "GET / " HOST,
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\n!\r\n0\r\n\r\n",
                  CLIENT_OPEN);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_behind_a_slow_handler),
        cmocka_unit_test(flood_without_reading),
        cmocka_unit_test(paused_content_slows_the_peer),
        cmocka_unit_test(answer_before_the_content),
        cmocka_unit_test(abort_anywhere),
        cmocka_unit_test(greedy_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
