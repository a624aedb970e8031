/*
 * Rules 1 to 4 and 8 of the stream contract: what a receiver is given, when, and how it ends, over
 * unix sockets and TCP of both families.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/io/recorder.h"

struct fixture {
    px_loop *loop;
    struct recorder rec;
    int peer; /* -1 once closed */
};

static void fixture_open(struct fixture *fixture, enum pair_kind kind)
{
    px_error error;
    int fds[2];

    fixture->loop = px_loop_create(NULL, &error);
    assert_non_null(fixture->loop);
    pair_open(kind, fds);
    fixture->peer = fds[1];
    recorder_open(&fixture->rec, fixture->loop, fds[0]);
}

static void fixture_close(struct fixture *fixture)
{
    recorder_close(&fixture->rec);
    if (fixture->peer >= 0)
        close(fixture->peer);
    assert_int_equal(px_loop_handle_count(fixture->loop), 0);
    assert_int_equal(fixture->loop->memory.shares[BUDGET_INBOX].bytes, 0);
    px_loop_destroy(fixture->loop);
}

static void received_is(const struct recorder *rec, px_str expected)
{
    assert_str_equal(px_str_make(rec->bytes ? rec->bytes : "", rec->len), expected);
}

#define EACH_KIND(kind) \
    for (enum pair_kind kind = PAIR_UNIX; (kind) < PAIR_KIND_COUNT; (kind) = (kind) + 1)

/* Rule 2. */
static void bytes_arrive_in_order(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, LITERAL("hello, "));
        pump_until(fixture.loop, fixture.rec.len == 7);
        peer_send(fixture.peer, LITERAL("world\0!"));
        pump_until(fixture.loop, fixture.rec.len == 14);
        received_is(&fixture.rec, LITERAL("hello, world\0!"));
        assert_int_equal(fixture.rec.recv_count, 2);
        assert_int_equal(fixture.loop->bytes_received, 14);
        fixture_close(&fixture);
    }
}

static void unused_bytes_come_first_and_contiguous(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    fixture.rec.use = 0;
    px_stream_recv_start(fixture.rec.stream);
    peer_send(fixture.peer, LITERAL("one "));
    pump_until(fixture.loop, fixture.rec.recv_count == 1);
    /* Nothing new: what was left is not shown again and again. */
    pump_quietly(fixture.loop, 20);
    assert_int_equal(fixture.rec.recv_count, 1);
    peer_send(fixture.peer, LITERAL("two "));
    pump_until(fixture.loop, fixture.rec.recv_count == 2);
    assert_int_equal(fixture.rec.shown, 8);
    assert_string_equal(fixture.rec.first, "one two ");
    fixture.rec.use = 3;
    peer_send(fixture.peer, LITERAL("3"));
    pump_until(fixture.loop, fixture.rec.recv_count == 3);
    assert_int_equal(fixture.rec.shown, 9);
    received_is(&fixture.rec, LITERAL("one"));
    fixture.rec.use = SIZE_MAX;
    peer_send(fixture.peer, LITERAL("4"));
    pump_until(fixture.loop, fixture.rec.recv_count == 4);
    assert_string_equal(fixture.rec.first, " two 34");
    received_is(&fixture.rec, LITERAL("one two 34"));
    assert_int_equal(fixture.loop->memory.shares[BUDGET_INBOX].bytes, 0);
    fixture_close(&fixture);
}

/* Every amount used of every presentation gives the same bytes. */
static void any_appetite_gives_the_same_bytes(void **state)
{
    static char text[3000];

    (void)state;
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = (char)file_byte(at);
    for (size_t use = 1; use < 1200; use = use * 2 + 1) {
        struct fixture fixture;

        fixture_open(&fixture, PAIR_UNIX);
        fixture.rec.use = use;
        px_stream_recv_start(fixture.rec.stream);
        for (size_t at = 0; at < sizeof(text); at += 100)
            peer_send(fixture.peer, px_str_make(text + at, 100));
        /* A receiver that leaves bytes is shown them when more come, or when it starts anew. */
        uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

        while (fixture.rec.len < sizeof(text) && pump_now_ms() < end) {
            pump_once(fixture.loop, 1);
            px_stream_recv_stop(fixture.rec.stream);
            px_stream_recv_start(fixture.rec.stream);
        }
        received_is(&fixture.rec, px_str_make(text, sizeof(text)));
        fixture_close(&fixture);
    }
}

static void idle_stream_holds_no_buffer(void **state)
{
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct recorder rec;
    px_error error;
    int fds[2];

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);

    pair_open(PAIR_UNIX, fds);
    recorder_open(&rec, loop, fds[0]);
    px_stream_recv_start(rec.stream);
    pump_quietly(loop, 5);
    int before = fault.live;

    peer_send(fds[1], LITERAL("used whole"));
    pump_until(loop, rec.len == 10);
    assert_int_equal(fault.live, before);
    rec.use = 2;
    peer_send(fds[1], LITERAL("in part"));
    pump_until(loop, rec.len == 12);
    assert_int_equal(fault.live, before + 1);
    rec.use = SIZE_MAX;
    peer_send(fds[1], LITERAL("."));
    pump_until(loop, rec.len == 18);
    assert_int_equal(fault.live, before);
    recorder_close(&rec);
    close(fds[1]);
    px_loop_destroy(loop);
    fault_alloc_assert_empty(&fault);
}

/* --- Limits of the inbox ---------------------------------------------------------------------- */

static void inbox_takes_its_maximum_and_no_more(void **state)
{
    static char text[5000];

    (void)state;
    memset(text, 'x', sizeof(text));
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        fixture.rec.use = 0;
        px_stream_set_inbox(fixture.rec.stream, sizeof(text));
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, px_str_make(text, 4000));
        pump_until(fixture.loop, fixture.rec.shown == 4000);
        peer_send(fixture.peer, px_str_make(text, 1000));
        pump_until(fixture.loop, fixture.rec.shown == sizeof(text));
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.end_count, 0);
        peer_send(fixture.peer, LITERAL("y"));
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_ERR_LIMIT);
        fixture_close(&fixture);
    }
}

static void full_inbox_still_hears_the_end(void **state)
{
    static char text[3000];

    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        fixture.rec.use = 0;
        px_stream_set_inbox(fixture.rec.stream, sizeof(text));
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, px_str_make(text, sizeof(text)));
        pump_until(fixture.loop, fixture.rec.shown == sizeof(text));
        shutdown(fixture.peer, SHUT_WR);
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_OK);
        fixture_close(&fixture);
    }
}

static void bytes_beyond_the_inbox_in_one_read(void **state)
{
    struct fixture fixture;
    static char text[2000];

    (void)state;
    fixture_open(&fixture, PAIR_UNIX);
    fixture.rec.use = 100;
    px_stream_set_inbox(fixture.rec.stream, 1899);
    peer_send(fixture.peer, px_str_make(text, sizeof(text)));
    px_stream_recv_start(fixture.rec.stream);
    pump_until(fixture.loop, fixture.rec.end_count == 1);
    assert_int_equal(fixture.rec.end_reason, PX_ERR_LIMIT);
    fixture_close(&fixture);
}

static void inboxes_of_a_loop_are_capped(void **state)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    enum { COUNT = 8 };
    struct recorder recs[COUNT];
    int peers[COUNT], fds[2];
    uint32_t ended = 0;
    px_error error;

    (void)state;
    options.inbox_bytes_max = 5 * (uint64_t)INBOX_BYTES_FIRST;
    px_loop *loop = px_loop_create(&options, &error);

    for (int index = 0; index < COUNT; index++) {
        pair_open(PAIR_UNIX, fds);
        recorder_open(&recs[index], loop, fds[0]);
        recs[index].use = 0;
        peers[index] = fds[1];
        px_stream_recv_start(recs[index].stream);
        peer_send(peers[index], LITERAL("kept"));
    }
    pump_quietly(loop, 30);
    for (int index = 0; index < COUNT; index++) {
        assert_int_equal(recs[index].recv_count, 1);
        if (recs[index].end_count == 1) {
            assert_int_equal(recs[index].end_reason, PX_ERR_LIMIT);
            ended++;
        }
    }
    assert_int_equal(ended, COUNT - 5);
    assert_int_equal(loop->memory.shares[BUDGET_INBOX].bytes, options.inbox_bytes_max);
    for (int index = 0; index < COUNT; index++) {
        recorder_close(&recs[index]);
        close(peers[index]);
    }
    assert_int_equal(loop->memory.shares[BUDGET_INBOX].bytes, 0);
    px_loop_destroy(loop);
}

/* --- Rule 3: stopping is exact ---------------------------------------------------------------- */

static void stop_in_recv(struct recorder *rec, enum event event)
{
    if (event == EVENT_RECV)
        px_stream_recv_stop(rec->stream);
}

static void nothing_is_delivered_after_stop(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        pump_quietly(fixture.loop, 2);
        peer_send(fixture.peer, LITERAL("a"));
        px_stream_recv_stop(fixture.rec.stream);
        pump_quietly(fixture.loop, 20);
        assert_int_equal(fixture.rec.recv_count, 0);
        px_stream_recv_start(fixture.rec.stream);
        /* recv_start never calls back itself. */
        assert_int_equal(fixture.rec.recv_count, 0);
        pump_until(fixture.loop, fixture.rec.len == 1);

        fixture.rec.act = stop_in_recv;
        peer_send(fixture.peer, LITERAL("b"));
        pump_until(fixture.loop, fixture.rec.len == 2);
        peer_send(fixture.peer, LITERAL("c"));
        pump_quietly(fixture.loop, 20);
        assert_int_equal(fixture.rec.len, 2);
        px_stream_recv_start(fixture.rec.stream);
        pump_until(fixture.loop, fixture.rec.len == 3);
        fixture_close(&fixture);
    }
}

static void kept_bytes_come_from_the_loop_with_a_silent_socket(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        fixture.rec.use = 2;
        fixture.rec.act = stop_in_recv;
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, LITERAL("abcdefg"));
        for (size_t round = 1; round <= 4; round++) {
            pump_until(fixture.loop, fixture.rec.recv_count == round);
            pump_quietly(fixture.loop, 3);
            assert_int_equal(fixture.rec.recv_count, round);
            px_stream_recv_start(fixture.rec.stream);
            assert_int_equal(fixture.rec.recv_count, round);
            /* The wait does not block while there is something to show. */
            if (round < 4)
                assert_int_equal(px_loop_timeout_ms(fixture.loop), 0);
        }
        received_is(&fixture.rec, LITERAL("abcdefg"));
        fixture_close(&fixture);
    }
}

static void restart_in_recv(struct recorder *rec, enum event event)
{
    if (event == EVENT_RECV) {
        px_stream_recv_stop(rec->stream);
        px_stream_recv_start(rec->stream);
    }
}

static void restart_inside_of_recv_does_not_nest(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, PAIR_UNIX);
    fixture.rec.use = 1;
    fixture.rec.act = restart_in_recv; /* the recorder fails when callbacks nest */
    px_stream_recv_start(fixture.rec.stream);
    peer_send(fixture.peer, LITERAL("0123456789012345678901234567890123456789"));
    pump_until(fixture.loop, fixture.rec.len == 40);
    assert_int_equal(fixture.rec.recv_count, 40);
    fixture_close(&fixture);
}

/* Stopped while the kernel fills up: the peer is held, and nothing is lost. */
static void stopping_is_the_brake(void **state)
{
    struct fixture fixture;
    char *text = calloc(1, 1 << 20);
    size_t sent = 0;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    px_stream_recv_start(fixture.rec.stream);
    pump_quietly(fixture.loop, 2);
    px_stream_recv_stop(fixture.rec.stream);
    for (ssize_t count; (count = send(fixture.peer, text, 1 << 20, MSG_DONTWAIT)) > 0;) {
        sent += (size_t)count;
        pump_once(fixture.loop, 1);
        assert_true(sent < (64 << 20));
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fixture.rec.recv_count, 0);
    px_stream_recv_start(fixture.rec.stream);
    pump_until(fixture.loop, fixture.rec.len == sent);
    free(text);
    fixture_close(&fixture);
}

/* --- Rule 4: ends ----------------------------------------------------------------------------- */

static void end_of_data_comes_after_the_last_byte(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        fixture.rec.use = 4;
        fixture.rec.act = stop_in_recv;
        px_stream_recv_start(fixture.rec.stream);
        peer_send(fixture.peer, LITERAL("lastbyte"));
        shutdown(fixture.peer, SHUT_WR);
        pump_until(fixture.loop, fixture.rec.len == 4);
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.end_count, 0);
        px_stream_recv_start(fixture.rec.stream);
        pump_until(fixture.loop, fixture.rec.len == 8);
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.end_count, 0);
        px_stream_recv_start(fixture.rec.stream);
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_OK);
        received_is(&fixture.rec, LITERAL("lastbyte"));

        /* It is half-close, not departure: our side goes on, and starting again is harmless. */
        px_part part = {.bytes = LITERAL("still here")};
        char text[16];

        px_stream_recv_start(fixture.rec.stream);
        assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_DONE);
        pump_quietly(fixture.loop, 10);
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), 10);
        assert_int_equal(fixture.rec.end_count, 1);
        fixture_close(&fixture);
    }
}

static void end_arrives_with_the_bytes(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        peer_send(fixture.peer, LITERAL("bye"));
        shutdown(fixture.peer, SHUT_WR);
        px_stream_recv_start(fixture.rec.stream);
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        received_is(&fixture.rec, LITERAL("bye"));
        assert_int_equal(fixture.rec.event_count, 2);
        assert_int_equal(fixture.rec.events[0], EVENT_RECV);
        assert_int_equal(fixture.rec.events[1], EVENT_RECV_END);
        fixture_close(&fixture);
    }
}

static void reset_is_reported_while_receiving(void **state)
{
    (void)state;
    for (enum pair_kind kind = PAIR_TCP4; kind <= PAIR_TCP6; kind++) {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        pump_quietly(fixture.loop, 2);
        peer_reset(fixture.peer);
        fixture.peer = -1;
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_ERR_CLOSED);
        pump_quietly(fixture.loop, 10);
        fixture_close(&fixture);
    }
}

static void reset_is_reported_while_stopped(void **state)
{
    (void)state;
    for (int with_bytes = 0; with_bytes < 2; with_bytes++) {
        struct fixture fixture;

        fixture_open(&fixture, PAIR_TCP4);
        px_stream_recv_start(fixture.rec.stream);
        pump_quietly(fixture.loop, 2);
        px_stream_recv_stop(fixture.rec.stream);
        if (with_bytes) {
            fixture.rec.use = 1;
            px_stream_recv_start(fixture.rec.stream);
            fixture.rec.act = stop_in_recv;
            peer_send(fixture.peer, LITERAL("xyz"));
            pump_until(fixture.loop, fixture.rec.recv_count == 1);
        }
        peer_reset(fixture.peer);
        fixture.peer = -1;
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_ERR_CLOSED);
        /* Once, also when it receives again. */
        px_stream_recv_start(fixture.rec.stream);
        pump_quietly(fixture.loop, 10);
        fixture_close(&fixture);
    }
}

static void reset_is_reported_before_the_first_start(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    pump_quietly(fixture.loop, 2);
    peer_reset(fixture.peer);
    fixture.peer = -1;
    pump_until(fixture.loop, fixture.rec.end_count == 1);
    assert_int_equal(fixture.rec.end_reason, PX_ERR_CLOSED);
    fixture_close(&fixture);
}

static void urgent_data_stays_in_line(void **state)
{
    struct fixture fixture;
    const int on = 1;

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    assert_int_equal(
        setsockopt(fixture.rec.stream->handle.fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)), 0);
    px_stream_recv_start(fixture.rec.stream);
    pump_quietly(fixture.loop, 2);
    peer_send(fixture.peer, LITERAL("be"));
    assert_int_equal(send(fixture.peer, "!", 1, MSG_OOB), 1);
    peer_send(fixture.peer, LITERAL("hind"));
    pump_until(fixture.loop, fixture.rec.len == 7);
    received_is(&fixture.rec, LITERAL("be!hind"));
    fixture_close(&fixture);
}

/* --- Rule 8: one fast stream among many ------------------------------------------------------- */

static void one_fast_stream_does_not_starve_the_others(void **state)
{
    enum { COUNT = 20, FAST_BYTES = 4 << 20 };
    struct recorder fast, slow[COUNT];
    int fast_fds[2], fds[2], peers[COUNT];
    const int room = 8 << 20;
    char *text = calloc(1, FAST_BYTES);
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    (void)state;
    pair_open(PAIR_UNIX, fast_fds);
    setsockopt(fast_fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    recorder_open(&fast, loop, fast_fds[0]);
    px_stream_recv_start(fast.stream);
    for (int index = 0; index < COUNT; index++) {
        pair_open(PAIR_UNIX, fds);
        recorder_open(&slow[index], loop, fds[0]);
        peers[index] = fds[1];
        px_stream_recv_start(slow[index].stream);
    }
    pump_quietly(loop, 2);
    size_t sent = 0;

    for (ssize_t count; (count = send(fast_fds[1], text, FAST_BYTES, MSG_DONTWAIT)) > 0;)
        sent += (size_t)count;
    assert_true(sent > 0);
    for (int index = 0; index < COUNT; index++)
        peer_send(peers[index], LITERAL("me too"));
    /* One tick: everybody was heard, and the fast one took at most its share. */
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    for (int index = 0; index < COUNT; index++)
        assert_int_equal(slow[index].len, 6);
    assert_true(fast.recv_count <= 2 * RECVS_PER_TICK);
    assert_true(fast.len <= 2 * RECVS_PER_TICK * (size_t)RECV_CHUNK_BYTES);
    if (fast.len < sent)
        assert_int_equal(px_loop_timeout_ms(loop), 0);
    pump_until(loop, fast.len == sent);
    for (int index = 0; index < COUNT; index++) {
        recorder_close(&slow[index]);
        close(peers[index]);
    }
    recorder_close(&fast);
    close(fast_fds[1]);
    free(text);
    px_loop_destroy(loop);
}

/* Rule 1: an event that was fetched before a handle ended does not reach its successor. */
struct swap {
    struct recorder *others;
    int count;
    px_loop *loop;
    struct recorder fresh;
    int fresh_peer;
    bool swapped;
};

static void swap_in_recv(struct recorder *rec, enum event event)
{
    struct swap *swap = rec->context;
    px_str unread;
    int fds[2];

    if (event != EVENT_RECV || swap->swapped)
        return;
    swap->swapped = true;
    /* Everybody else goes away at once; a new stream takes a slot of theirs. */
    for (int index = 0; index < swap->count; index++) {
        struct recorder *other = &swap->others[index];

        if (other == rec)
            continue;
        close(px_stream_release(other->stream, &unread));
        other->stream = NULL;
    }
    pair_open(PAIR_UNIX, fds);
    recorder_open(&swap->fresh, swap->loop, fds[0]);
    swap->fresh_peer = fds[1];
    px_stream_recv_start(swap->fresh.stream);
}

static void stale_events_do_not_reach_a_successor(void **state)
{
    enum { COUNT = 4 };
    struct recorder recs[COUNT];
    int peers[COUNT], fds[2];
    px_error error;
    struct swap swap = {.others = recs, .count = COUNT, .loop = px_loop_create(NULL, &error)};

    (void)state;
    for (int index = 0; index < COUNT; index++) {
        pair_open(PAIR_UNIX, fds);
        recorder_open(&recs[index], swap.loop, fds[0]);
        peers[index] = fds[1];
        recs[index].act = swap_in_recv;
        recs[index].context = &swap;
        px_stream_recv_start(recs[index].stream);
    }
    pump_quietly(swap.loop, 2);
    for (int index = 0; index < COUNT; index++)
        peer_send(peers[index], LITERAL("x"));
    pump_until(swap.loop, swap.swapped);
    pump_quietly(swap.loop, 10);
    assert_int_equal(swap.fresh.event_count, 0);
    peer_send(swap.fresh_peer, LITERAL("mine"));
    pump_until(swap.loop, swap.fresh.len == 4);
    for (int index = 0; index < COUNT; index++) {
        recorder_close(&recs[index]);
        close(peers[index]);
    }
    recorder_close(&swap.fresh);
    close(swap.fresh_peer);
    px_loop_destroy(swap.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order),
        cmocka_unit_test(unused_bytes_come_first_and_contiguous),
        cmocka_unit_test(any_appetite_gives_the_same_bytes),
        cmocka_unit_test(idle_stream_holds_no_buffer),
        cmocka_unit_test(inbox_takes_its_maximum_and_no_more),
        cmocka_unit_test(full_inbox_still_hears_the_end),
        cmocka_unit_test(bytes_beyond_the_inbox_in_one_read),
        cmocka_unit_test(inboxes_of_a_loop_are_capped),
        cmocka_unit_test(nothing_is_delivered_after_stop),
        cmocka_unit_test(kept_bytes_come_from_the_loop_with_a_silent_socket),
        cmocka_unit_test(restart_inside_of_recv_does_not_nest),
        cmocka_unit_test(stopping_is_the_brake),
        cmocka_unit_test(end_of_data_comes_after_the_last_byte),
        cmocka_unit_test(end_arrives_with_the_bytes),
        cmocka_unit_test(reset_is_reported_while_receiving),
        cmocka_unit_test(reset_is_reported_while_stopped),
        cmocka_unit_test(reset_is_reported_before_the_first_start),
        cmocka_unit_test(urgent_data_stays_in_line),
        cmocka_unit_test(one_fast_stream_does_not_starve_the_others),
        cmocka_unit_test(stale_events_do_not_reach_a_successor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
