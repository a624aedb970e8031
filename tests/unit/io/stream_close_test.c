/*
 * Rule 7 of the stream contract: closing, from every callback, and what it hands back; releasing.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/io/recorder.h"

enum { BIG_BYTES = 8 << 20 };

struct fixture {
    px_loop *loop;
    struct recorder rec;
    int peer;
    char *big;
    px_part part;
};

static void fixture_open(struct fixture *fixture, enum pair_kind kind)
{
    px_error error;
    int fds[2];

    fixture->loop = px_loop_create(NULL, &error);
    assert_non_null(fixture->loop);
    pair_open(kind, fds);
    fixture->peer = fds[1];
    fixture->big = calloc(1, BIG_BYTES);
    fixture->part = (px_part){.bytes = px_str_make(fixture->big, BIG_BYTES)};
    recorder_open(&fixture->rec, fixture->loop, fds[0]);
    fixture->rec.context = fixture;
}

static void fixture_close(struct fixture *fixture)
{
    recorder_close(&fixture->rec);
    if (fixture->peer >= 0)
        close(fixture->peer);
    assert_int_equal(px_loop_handle_count(fixture->loop), 0);
    assert_int_equal(fixture->loop->memory.shares[BUDGET_INBOX].bytes, 0);
    px_loop_destroy(fixture->loop);
    free(fixture->big);
}

#define EACH_KIND(kind) \
    for (enum pair_kind kind = PAIR_UNIX; (kind) < PAIR_KIND_COUNT; (kind) = (kind) + 1)

static void close_reports_closed_once_from_the_loop(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;
        char text[4];

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        pump_quietly(fixture.loop, 2);
        peer_send(fixture.peer, LITERAL("not to be seen"));
        px_stream_close(fixture.rec.stream);
        px_stream_close(fixture.rec.stream);
        assert_int_equal(fixture.rec.closed_count, 0);
        assert_int_equal(px_loop_timeout_ms(fixture.loop), 0);
        pump_until(fixture.loop, fixture.rec.closed_count == 1);
        assert_int_equal(fixture.rec.event_count, 1);
        pump_quietly(fixture.loop, 5);
        (void)peer_recv(fixture.peer, text, sizeof(text), 1000);
        fixture_close(&fixture);
    }
}

static void orderly_close_and_reset_look_different(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct fixture fixture;
        char text[4];

        fixture_open(&fixture, PAIR_TCP4);
        if (reset)
            px_stream_reset(fixture.rec.stream);
        else
            px_stream_close(fixture.rec.stream);
        pump_until(fixture.loop, fixture.rec.closed_count == 1);
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), reset ? -2 : 0);
        fixture_close(&fixture);
    }
}

/* A later close may only hasten: a reset behind a close that still waits for a send is one. */
static void reset_hastens_a_close(void **state)
{
    struct fixture fixture;
    static char text[65536];
    long got;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    assert_int_equal(px_stream_send(fixture.rec.stream, &fixture.part, 1), PX_SENT_PENDING);
    px_stream_close(fixture.rec.stream);
    px_stream_reset(fixture.rec.stream);
    pump_until(fixture.loop, fixture.rec.closed_count == 1);
    while ((got = peer_recv(fixture.peer, text, sizeof(text), 1000)) > 0)
        continue;
    assert_int_equal(got, -2);
    fixture_close(&fixture);
}

/* --- Close inside of a callback --------------------------------------------------------------- */

struct closing {
    enum event event;
    bool reset;
    bool started; /* receive was asked for after the close */
};

static void close_in(struct recorder *rec, enum event event)
{
    struct fixture *fixture = rec->context;
    struct closing *closing = (struct closing *)fixture->part.bytes.ptr;

    if (event != closing->event)
        return;
    if (closing->reset)
        px_stream_reset(rec->stream);
    px_stream_close(rec->stream);
    px_stream_recv_stop(rec->stream);
    px_stream_recv_start(rec->stream);
    px_stream_shutdown(rec->stream);
    px_stream_close(rec->stream);
}

static void close_in_every_callback(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        for (int which = 0; which < 8; which++) {
            struct fixture fixture;
            struct closing *closing;
            int peer;

            fixture_open(&fixture, kind);
            closing = (struct closing *)fixture.big;
            closing->event = (enum event)(which % 4);
            closing->reset = which >= 4;
            peer = fixture.peer;
            fixture.rec.act = close_in;
            fixture.rec.use = 2;
            px_stream_recv_start(fixture.rec.stream);
            pump_quietly(fixture.loop, 2);
            switch (closing->event) {
            case EVENT_RECV:
                peer_send(peer, LITERAL("some bytes, more than are used"));
                shutdown(peer, SHUT_WR);
                break;
            case EVENT_RECV_END:
                shutdown(peer, SHUT_WR);
                break;
            case EVENT_SENT: {
                const px_part part = {.bytes = px_str_make(fixture.big, 1 << 20)};

                pair_shrink(fixture.rec.stream->handle.fd);
                assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
                uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

                while (fixture.rec.sent_count == 0 && pump_now_ms() < end) {
                    static char text[100000];

                    (void)peer_recv(peer, text, sizeof(text), 0);
                    pump_once(fixture.loop, 1);
                }
                assert_int_equal(fixture.rec.sent_result, PX_OK);
                break;
            }
            case EVENT_CLOSED:
                px_stream_close(fixture.rec.stream);
                break;
            }
            pump_until(fixture.loop, fixture.rec.closed_count == 1);
            pump_quietly(fixture.loop, 3);
            /* The callback in which it was closed, and the end: nothing between. */
            if (closing->event == EVENT_CLOSED) {
                assert_int_equal(fixture.rec.event_count, 1);
            } else {
                assert_int_equal(fixture.rec.event_count, 2);
                assert_int_equal(fixture.rec.events[0], closing->event);
                assert_int_equal(fixture.rec.events[1], EVENT_CLOSED);
            }
            fixture_close(&fixture);
        }
    }
}

/* A send in flight reports once, then on_closed. */
static void close_with_a_send_in_flight(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        assert_int_equal(px_stream_send(fixture.rec.stream, &fixture.part, 1), PX_SENT_PENDING);
        pump_quietly(fixture.loop, 3);
        px_stream_close(fixture.rec.stream);
        assert_int_equal(fixture.rec.sent_count, 0);
        pump_until(fixture.loop, fixture.rec.closed_count == 1);
        assert_int_equal(fixture.rec.event_count, 2);
        assert_int_equal(fixture.rec.events[0], EVENT_SENT);
        assert_int_equal(fixture.rec.events[1], EVENT_CLOSED);
        assert_int_equal(fixture.rec.sent_result, PX_ERR_CANCELLED);
        fixture_close(&fixture);
    }
}

static void send_after_close_is_cancelled(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    px_stream_close(fixture.rec.stream);
    assert_int_equal(px_stream_send(fixture.rec.stream, &fixture.part, 1), PX_SENT_PENDING);
    pump_until(fixture.loop, fixture.rec.closed_count == 1);
    assert_int_equal(fixture.rec.sent_count, 1);
    assert_int_equal(fixture.rec.sent_result, PX_ERR_CANCELLED);
    fixture_close(&fixture);
}

static void send_once_more(struct recorder *rec, enum event event)
{
    struct fixture *fixture = rec->context;

    if (event == EVENT_SENT && rec->sent_count == 1)
        assert_int_equal(px_stream_send(rec->stream, &fixture->part, 1), PX_SENT_PENDING);
}

/* Who sends again from inside of the report of a cancelled send is told too. */
static void send_from_inside_of_the_last_report(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, PAIR_UNIX);
    fixture.rec.act = send_once_more;
    assert_int_equal(px_stream_send(fixture.rec.stream, &fixture.part, 1), PX_SENT_PENDING);
    px_stream_close(fixture.rec.stream);
    pump_until(fixture.loop, fixture.rec.closed_count == 1);
    assert_int_equal(fixture.rec.sent_count, 2);
    assert_int_equal(fixture.rec.sent_result, PX_ERR_CANCELLED);
    fixture_close(&fixture);
}

static void close_with_an_error_waiting_to_be_reported(void **state)
{
    struct fixture fixture;
    const px_part part = {.fd = -1, .length = 10};

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
    px_stream_close(fixture.rec.stream);
    pump_until(fixture.loop, fixture.rec.closed_count == 1);
    assert_int_equal(fixture.rec.sent_count, 1);
    fixture_close(&fixture);
}

/* --- Several streams -------------------------------------------------------------------------- */

static void close_the_other(struct recorder *rec, enum event event)
{
    struct recorder *other = rec->context;

    if (event == EVENT_RECV && other->stream)
        px_stream_close(other->stream);
}

/* Both have an event in the same batch; whoever is first closes the other. */
static void closing_a_neighbour_with_an_event_in_line(void **state)
{
    struct recorder recs[2];
    int peers[2], fds[2];
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    (void)state;
    for (int index = 0; index < 2; index++) {
        pair_open(PAIR_TCP4, fds);
        recorder_open(&recs[index], loop, fds[0]);
        recs[index].act = close_the_other;
        recs[index].context = &recs[1 - index];
        peers[index] = fds[1];
        px_stream_recv_start(recs[index].stream);
    }
    pump_quietly(loop, 2);
    peer_send(peers[0], LITERAL("x"));
    peer_send(peers[1], LITERAL("y"));
    usleep(2000);
    pump_until(loop, recs[0].closed_count + recs[1].closed_count == 1);
    pump_quietly(loop, 5);
    assert_int_equal(recs[0].recv_count + recs[1].recv_count, 1);
    for (int index = 0; index < 2; index++) {
        recorder_close(&recs[index]);
        close(peers[index]);
    }
    px_loop_destroy(loop);
}

static void loop_destroy_closes_what_is_open(void **state)
{
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct recorder recs[6];
    int peers[6], fds[2];
    char *big = calloc(1, BIG_BYTES);
    const px_part part = {.bytes = px_str_make(big, BIG_BYTES)};
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);

    for (int index = 0; index < 6; index++) {
        pair_open(PAIR_UNIX, fds);
        recorder_open(&recs[index], loop, fds[0]);
        peers[index] = fds[1];
        if (index & 1)
            px_stream_recv_start(recs[index].stream);
        if (index & 2)
            assert_int_equal(px_stream_send(recs[index].stream, &part, 1), PX_SENT_PENDING);
        recs[index].use = 1;
        if (index & 4)
            peer_send(peers[index], LITERAL("kept"));
    }
    pump_quietly(loop, 5);
    px_loop_destroy(loop);
    for (int index = 0; index < 6; index++) {
        assert_int_equal(recs[index].closed_count, 1);
        assert_int_equal(recs[index].sent_count, index & 2 ? 1 : 0);
        recorder_deinit(&recs[index]);
        close(peers[index]);
    }
    fault_alloc_assert_empty(&fault);
    free(big);
}

/* --- Release ---------------------------------------------------------------------------------- */

static void release_hands_back_descriptor_and_unread_bytes(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;
        px_str unread;
        char text[16];

        fixture_open(&fixture, kind);
        fixture.rec.use = 3;
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, LITERAL("GETrest"));
        pump_until(fixture.loop, fixture.rec.len == 3);
        int fd = px_stream_release(fixture.rec.stream, &unread);

        fixture.rec.stream = NULL;
        assert_str_equal(unread, LITERAL("rest"));
        /* Nothing more is reported, and the descriptor goes on without the loop. */
        peer_send(fixture.peer, LITERAL("more"));
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.closed_count, 0);
        assert_int_equal(fixture.rec.recv_count, 1);
        assert_int_equal(px_loop_handle_count(fixture.loop), 0);
        assert_int_equal(peer_recv(fd, text, sizeof(text), 1000), 4);
        peer_send(fd, LITERAL("answer"));
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), 6);
        close(fd);
        fixture_close(&fixture);
    }
}

struct released {
    int fd;
    char unread[32];
    size_t len;
};

static void release_in_recv(struct recorder *rec, enum event event)
{
    struct fixture *fixture = rec->context;
    struct released *released = (struct released *)fixture->big;
    px_str unread;

    if (event != EVENT_RECV || rec->recv_count != 2)
        return;
    released->fd = px_stream_release(rec->stream, &unread);
    released->len = unread.len;
    memcpy(released->unread, unread.ptr, unread.len);
}

/* "Inside of on_recv it does not hold the bytes that on_recv was given." */
static void release_inside_of_recv(void **state)
{
    (void)state;
    for (size_t use = 0; use < 2; use++) {
        struct fixture fixture;
        struct released *released;

        fixture_open(&fixture, PAIR_TCP4);
        released = (struct released *)fixture.big;
        fixture.rec.act = release_in_recv;
        fixture.rec.use =
            use ? SIZE_MAX : 0; /* the second presentation is of old and new, or new */
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, LITERAL("first "));
        pump_until(fixture.loop, fixture.rec.recv_count == 1);
        peer_send(fixture.peer, LITERAL("second"));
        pump_until(fixture.loop, fixture.rec.recv_count == 2);
        pump_quietly(fixture.loop, 3);
        assert_int_equal(fixture.rec.shown, use ? 6 : 12);
        assert_int_equal(released->len, 0);
        assert_int_equal(fixture.rec.closed_count, 0);
        fixture.rec.stream = NULL;
        close(released->fd);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_reports_closed_once_from_the_loop),
        cmocka_unit_test(orderly_close_and_reset_look_different),
        cmocka_unit_test(reset_hastens_a_close),
        cmocka_unit_test(close_in_every_callback),
        cmocka_unit_test(close_with_a_send_in_flight),
        cmocka_unit_test(send_after_close_is_cancelled),
        cmocka_unit_test(send_from_inside_of_the_last_report),
        cmocka_unit_test(close_with_an_error_waiting_to_be_reported),
        cmocka_unit_test(closing_a_neighbour_with_an_event_in_line),
        cmocka_unit_test(loop_destroy_closes_what_is_open),
        cmocka_unit_test(release_hands_back_descriptor_and_unread_bytes),
        cmocka_unit_test(release_inside_of_recv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
