/*
 * Clients that leave while their request waits, for an answer or for more of one: the handler is
 * told at once, the exchange ends in a second unless there is some, whatever else of the client's
 * is unread, over HTTP/1 and HTTP/2; and a half-close is not a departure where that is asked for.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* What the handler has done before its client leaves. */
enum begun { BEGUN_NOTHING, BEGUN_PRODUCER, BEGUN_PIECES };

enum { PIECES = 4 };

struct waiting {
    px_exchange *exchange;
    px_timer *timer;
    enum begun begun;
    uint32_t answer_ms; /* after the peer's end, and after each piece; 0: never */
    bool gives_up;      /* at the peer's end */
    int told;
    int ended;       /* -1, or a px_end */
    unsigned status; /* as on_done has it */
    uint32_t pieces; /* given */
    bool due;        /* one is */
};

static void on_done(px_exchange *exchange, const px_summary *summary, void *context)
{
    struct waiting *waiting = context;

    (void)exchange;
    waiting->status = summary->status;
}

static void on_peer_end(px_exchange *exchange, void *context)
{
    struct waiting *waiting = context;

    assert_ptr_equal(exchange, waiting->exchange);
    waiting->told++;
    if (waiting->gives_up)
        px_exchange_abort(exchange);
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

static px_pull pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct waiting *waiting = context;

    (void)exchange;
    assert_true(room > 0);
    if (!waiting->due)
        return PX_PULL_LATER;
    waiting->due = false;
    *out = 'a';
    *out_bytes = 1;
    return ++waiting->pieces > PIECES ? PX_PULL_END : PX_PULL_MORE;
}

static void wait_for_ever(px_exchange *exchange, void *context)
{
    struct waiting *waiting = context;

    px_producer producer = {.struct_size = sizeof(producer), .pull = pull, .context = waiting};

    waiting->exchange = exchange;
    waiting->due = true;
    px_exchange_set_callbacks(exchange, &callbacks, waiting);
    if (waiting->begun == BEGUN_PRODUCER) {
        px_respond_producer(exchange, 200, px_str_of(NULL), PX_LENGTH_UNKNOWN, &producer);
    } else if (waiting->begun == BEGUN_PIECES) {
        px_response_start(exchange, 200, px_str_of(NULL), PX_LENGTH_UNKNOWN);
        px_response_write(exchange, px_str_of("a"));
    }
}

static void answer(px_timer *timer, void *context)
{
    struct waiting *waiting = context;

    if (!waiting->exchange)
        return;
    if (waiting->begun == BEGUN_NOTHING) {
        px_respond_text(waiting->exchange, 200, "late");
    } else if (waiting->begun == BEGUN_PRODUCER) {
        waiting->due = true;
        px_resume(waiting->exchange);
        if (waiting->pieces < PIECES)
            px_timer_start(timer, waiting->answer_ms);
    } else {
        px_response_write(waiting->exchange, px_str_of("a"));
        if (++waiting->pieces < PIECES)
            px_timer_start(timer, waiting->answer_ms);
        else
            px_response_end(waiting->exchange);
    }
}

/* One that is asked in vain as well. */
static void ask_in_vain(px_timer *timer, void *context)
{
    struct waiting *waiting = context;

    if (!waiting->exchange)
        return;
    px_resume(waiting->exchange);
    px_timer_start(timer, 50);
}

#define H2_REQUEST                                                                             \
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\6\1\5\0\0\0\1\x82\x84\x86\x01\x01" \
    "a"

#define H1 REQUEST, sizeof(REQUEST) - 1
#define H2 H2_REQUEST, sizeof(H2_REQUEST) - 1

static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    bool is_close; /* else it ends its side, and reads */
    uint32_t half_close;
    uint32_t answer_ms;
    int end;
    enum begun begun;
    bool gives_up;
} cases[] = {
    {"left", H1, true, 0, 0, PX_END_PEER_GONE, BEGUN_NOTHING, false},
    {"ended its side", H1, false, 0, 0, PX_END_PEER_GONE, BEGUN_NOTHING, false},
    {"pipelined and left", REQUEST REQUEST "GET", sizeof(REQUEST REQUEST) + 2, true, 0, 0,
     PX_END_PEER_GONE, BEGUN_NOTHING, false},
    {"answered in time", H1, false, 0, 50, PX_END_COMPLETE, BEGUN_NOTHING, false},
    {"half-close", H1, false, 1, PEER_END_MS + 400, PX_END_COMPLETE, BEGUN_NOTHING, false},
    {"given up", H1, true, 0, 0, PX_END_PEER_GONE, BEGUN_NOTHING, true},
    {"http/2, left", H2, true, 0, 0, PX_END_PEER_GONE, BEGUN_NOTHING, false},
    {"http/2, half-close", H2, false, 1, PEER_END_MS + 400, PX_END_COMPLETE, BEGUN_NOTHING, false},
    {"producer, left", H1, true, 0, 0, PX_END_PEER_GONE, BEGUN_PRODUCER, false},
    {"producer, ended its side", H1, false, 0, 0, PX_END_PEER_GONE, BEGUN_PRODUCER, false},
    {"producer, given up", H1, false, 0, 0, PX_END_PEER_GONE, BEGUN_PRODUCER, true},
    /* A client that reads on after the end of its side, as long as something comes. */
    {"producer, slow", H1, false, 0, PEER_END_MS * 6 / 10, PX_END_COMPLETE, BEGUN_PRODUCER, false},
    {"producer, half-close", H1, false, 1, PEER_END_MS + 400, PX_END_COMPLETE, BEGUN_PRODUCER,
     false},
    {"pieces, left", H1, true, 0, 0, PX_END_PEER_GONE, BEGUN_PIECES, false},
    {"pieces, slow", H1, false, 0, PEER_END_MS * 6 / 10, PX_END_COMPLETE, BEGUN_PIECES, false},
    {"http/2, producer, left", H2, true, 0, 0, PX_END_PEER_GONE, BEGUN_PRODUCER, false},
    {"http/2, producer, slow", H2, false, 0, PEER_END_MS * 6 / 10, PX_END_COMPLETE, BEGUN_PRODUCER,
     false},
    {"http/2, producer, given up", H2, true, 0, 0, PX_END_PEER_GONE, BEGUN_PRODUCER, true},
    {"http/2, pieces, left", H2, true, 0, 0, PX_END_PEER_GONE, BEGUN_PIECES, false},
};

static void clients_that_leave_are_let_go(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_COUNT(cases), 19);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
        struct waiting waiting = {.answer_ms = cases[index].answer_ms,
                                  .begun = cases[index].begun,
                                  .gives_up = cases[index].gives_up,
                                  .ended = -1};
        bool begun = cases[index].begun != BEGUN_NOTHING;
        struct site site;
        char taken[1024];
        int fd;

        options.half_close = cases[index].half_close;
        options.on_done = on_done;
        options.done_context = &waiting;
        site_open(&site, &options);
        site_route(&site, "GET /{$}", wait_for_ever, &waiting);
        waiting.timer = px_timer_create(site.loop, answer, &waiting);
        px_timer *vain = px_timer_create(site.loop, ask_in_vain, &waiting);

        fd = peer_connect(site.address);
        peer_send(fd, px_str_make(cases[index].bytes, cases[index].len));
        pump_until(site.loop, waiting.exchange != NULL);
        pump_quietly(site.loop, 20);
        assert_int_equal(waiting.told, 0);
        if (cases[index].begun == BEGUN_PRODUCER)
            px_timer_start(vain, 50);
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
        if (cases[index].end == PX_END_COMPLETE || begun)
            assert_int_equal(waiting.status, 200);
        else
            assert_int_equal(waiting.status, 499);
        assert_int_equal(site_counters(&site).timed_out, 0);
        if (cases[index].gives_up)
            assert_in_range(pump_now_ms() - before, 0, PEER_END_MS / 2);
        else if (cases[index].answer_ms == 0)
            assert_in_range(pump_now_ms() - before, PEER_END_MS - 100, 3 * PEER_END_MS);
        if (!cases[index].is_close)
            close(fd);
        pump_until(site.loop, site_counters(&site).open == 0);
        px_timer_destroy(waiting.timer);
        px_timer_destroy(vain);
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
