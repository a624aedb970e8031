/*
 * Clients that leave while their request waits: the handler is told at once, the exchange ends in a
 * second unless its answer begins, whatever else of the client's is unread, over HTTP/1 and HTTP/2;
 * and a half-close is not a departure where that is asked for.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

struct waiting {
    px_exchange *exchange;
    px_timer *timer;
    uint32_t answer_ms; /* after the peer's end; 0: never */
    int told;
    int ended; /* -1, or a px_end */
};

static void on_peer_end(px_exchange *exchange, void *context)
{
    struct waiting *waiting = context;

    assert_ptr_equal(exchange, waiting->exchange);
    waiting->told++;
    if (waiting->answer_ms > 0)
        px_timer_start(waiting->timer, waiting->answer_ms);
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    struct waiting *waiting = context;

    (void)exchange;
    waiting->ended = (int)end;
    waiting->exchange = NULL;
}

static const px_exchange_callbacks callbacks = {
    .struct_size = sizeof(px_exchange_callbacks), .on_end = on_end, .on_peer_end = on_peer_end};

static void wait_for_ever(px_exchange *exchange, void *context)
{
    struct waiting *waiting = context;

    waiting->exchange = exchange;
    px_exchange_set_callbacks(exchange, &callbacks, waiting);
}

static void answer(px_timer *timer, void *context)
{
    struct waiting *waiting = context;

    (void)timer;
    if (waiting->exchange)
        px_respond_text(waiting->exchange, 200, "late");
}

#define H2_REQUEST                                                                             \
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\6\1\5\0\0\0\1\x82\x84\x86\x01\x01" \
    "a"

static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    bool is_close; /* else it ends its side, and reads */
    uint32_t half_close;
    uint32_t answer_ms;
    int end;
} cases[] = {
    {"left", REQUEST, sizeof(REQUEST) - 1, true, 0, 0, PX_END_PEER_GONE},
    {"ended its side", REQUEST, sizeof(REQUEST) - 1, false, 0, 0, PX_END_PEER_GONE},
    {"pipelined and left", REQUEST REQUEST "GET", sizeof(REQUEST REQUEST) + 2, true, 0, 0,
     PX_END_PEER_GONE},
    {"answered in time", REQUEST, sizeof(REQUEST) - 1, false, 0, 50, PX_END_COMPLETE},
    {"half-close", REQUEST, sizeof(REQUEST) - 1, false, 1, PEER_END_MS + 400, PX_END_COMPLETE},
    {"http/2, left", H2_REQUEST, sizeof(H2_REQUEST) - 1, true, 0, 0, PX_END_PEER_GONE},
    {"http/2, half-close", H2_REQUEST, sizeof(H2_REQUEST) - 1, false, 1, PEER_END_MS + 400,
     PX_END_COMPLETE},
};

static void clients_that_leave_are_let_go(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
        struct waiting waiting = {.answer_ms = cases[index].answer_ms, .ended = -1};
        struct site site;
        char taken[1024];
        int fd;

        options.half_close = cases[index].half_close;
        site_open(&site, &options);
        site_route(&site, "GET /{$}", wait_for_ever, &waiting);
        waiting.timer = px_timer_create(site.loop, answer, &waiting);
        fd = peer_connect(site.address);
        peer_send(fd, px_str_make(cases[index].bytes, cases[index].len));
        pump_until(site.loop, waiting.exchange != NULL);
        pump_quietly(site.loop, 20);
        assert_int_equal(waiting.told, 0);
        /* What it has not read would make its close a reset, which ends everything at once. */
        (void)peer_recv(fd, taken, sizeof(taken), 0);
        uint64_t before = pump_now_ms();

        if (cases[index].is_close)
            close(fd);
        else
            shutdown(fd, SHUT_WR);
        pump_until(site.loop, waiting.told == 1);
        assert_in_range(pump_now_ms() - before, 0, PEER_END_MS / 2);
        pump_until(site.loop, waiting.ended != -1);
        print_message("%s: ended after %d ms\n", cases[index].name, (int)(pump_now_ms() - before));
        assert_int_equal(waiting.ended, cases[index].end);
        assert_int_equal(waiting.told, 1);
        if (cases[index].answer_ms == 0)
            assert_in_range(pump_now_ms() - before, PEER_END_MS - 100, 3 * PEER_END_MS);
        if (!cases[index].is_close)
            close(fd);
        pump_until(site.loop, site_counters(&site).open == 0);
        px_timer_destroy(waiting.timer);
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_leave_are_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
