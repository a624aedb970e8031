/*
 * Rules 5, 6 and 8 of the stream contract: one send in flight, of memory and file parts; DONE or
 * PENDING; errors from the loop; a peer that is gone.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/io/recorder.h"

struct fixture {
    px_loop *loop;
    struct recorder rec;
    int peer;
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
    px_loop_destroy(fixture->loop);
}

#define EACH_KIND(kind) \
    for (enum pair_kind kind = PAIR_UNIX; (kind) < PAIR_KIND_COUNT; (kind) = (kind) + 1)

/* Pumps and reads until `count` bytes came; they are as `expect` says at their offset. */
static void peer_expect(struct fixture *fixture, size_t count, size_t from,
                        unsigned char (*expect)(uint64_t offset))
{
    static char text[65536];
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    for (size_t at = from; at < from + count;) {
        size_t want = from + count - at < sizeof(text) ? from + count - at : sizeof(text);

        pump_once(fixture->loop, 1);
        long got = peer_recv(fixture->peer, text, want, 1);

        assert_true(got == -1 || got > 0);
        for (long index = 0; index < got; index++, at++) {
            if ((unsigned char)text[index] != expect(at))
                fail_msg("byte %zu is wrong", at);
        }
        if (pump_now_ms() > end)
            fail_msg("only %zu of %zu bytes came", at - from, count);
    }
}

static void small_send_is_done_at_once(void **state)
{
    const px_part parts[] = {
        {.bytes = LITERAL("one ")}, {.bytes = LITERAL("")}, {.bytes = LITERAL("two")}};

    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;
        char text[16];

        fixture_open(&fixture, kind);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts, 3), PX_SENT_DONE);
        assert_int_equal(px_stream_sent_bytes(fixture.rec.stream), 7);
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), 7);
        assert_memory_equal(text, "one two", 7);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts, 1), PX_SENT_DONE);
        assert_int_equal(px_stream_sent_bytes(fixture.rec.stream), 11);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts, 0), PX_SENT_DONE);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts + 1, 1), PX_SENT_DONE);
        /* DONE: no callback follows. */
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.sent_count, 0);
        fixture_close(&fixture);
    }
}

static void large_send_is_pending_and_reported_once(void **state)
{
    enum { BYTES = 3 << 20 };
    char *text = malloc(BYTES);

    (void)state;
    for (size_t at = 0; at < BYTES; at++)
        text[at] = (char)file_byte(at);
    EACH_KIND(kind)
    {
        struct fixture fixture;
        px_part part = {.bytes = px_str_make(text, BYTES)};
        uint64_t before = 0;

        fixture_open(&fixture, kind);
        pair_shrink(fixture.rec.stream->handle.fd);
        assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.sent_count, 0);
        /* sent_bytes advances with what the peer takes. */
        for (int round = 1; round <= 4; round++) {
            peer_expect(&fixture, BYTES / 8, (size_t)(round - 1) * (BYTES / 8), file_byte);
            pump_quietly(fixture.loop, 3);
            assert_true(px_stream_sent_bytes(fixture.rec.stream) > before);
            assert_true(px_stream_sent_bytes(fixture.rec.stream) < BYTES);
            before = px_stream_sent_bytes(fixture.rec.stream);
        }
        assert_int_equal(fixture.rec.sent_count, 0);
        peer_expect(&fixture, BYTES / 2, BYTES / 2, file_byte);
        pump_until(fixture.loop, fixture.rec.sent_count == 1);
        assert_int_equal(fixture.rec.sent_result, PX_OK);
        assert_int_equal(px_stream_sent_bytes(fixture.rec.stream), BYTES);
        pump_quietly(fixture.loop, 10);
        assert_int_equal(fixture.rec.sent_count, 1);
        fixture_close(&fixture);
    }
    free(text);
}

static void more_parts_than_one_call_takes(void **state)
{
    enum { COUNT = 3 * SEND_PARTS_MAX + 5 };
    static char text[COUNT * 3];
    static px_part parts[COUNT];

    (void)state;
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = (char)file_byte(at);
    for (size_t index = 0; index < COUNT; index++)
        parts[index].bytes = px_str_make(text + index * 3, 3);
    EACH_KIND(kind)
    {
        struct fixture fixture;

        fixture_open(&fixture, kind);
        if (px_stream_send(fixture.rec.stream, parts, COUNT) == PX_SENT_PENDING)
            pump_until(fixture.loop, fixture.rec.sent_count == 1);
        peer_expect(&fixture, sizeof(text), 0, file_byte);
        fixture_close(&fixture);
    }
}

static void memory_and_file_parts_mix(void **state)
{
    enum { FILE_BYTES = 700 * 1000 };
    int file = file_make(FILE_BYTES);
    char *whole = malloc(FILE_BYTES);

    (void)state;
    for (size_t at = 0; at < FILE_BYTES; at++)
        whole[at] = (char)file_byte(at);
    EACH_KIND(kind)
    {
        struct fixture fixture;
        /* Put together they are the file from its first byte to its last. */
        const px_part parts[] = {
            {.bytes = px_str_make(whole, 10)},
            {.fd = file, .offset = 10, .length = 300000},
            {.fd = file, .offset = 300010, .length = 0},
            {.bytes = px_str_make(whole + 300010, 1)},
            {.bytes = px_str_make(whole + 300011, 99989)},
            {.fd = file, .offset = 400000, .length = FILE_BYTES - 400000},
        };

        fixture_open(&fixture, kind);
        pair_shrink(fixture.rec.stream->handle.fd);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts, ARRAY_COUNT(parts)),
                         PX_SENT_PENDING);
        peer_expect(&fixture, FILE_BYTES, 0, file_byte);
        pump_until(fixture.loop, fixture.rec.sent_count == 1);
        assert_int_equal(fixture.rec.sent_result, PX_OK);
        assert_int_equal(px_stream_sent_bytes(fixture.rec.stream), FILE_BYTES);
        assert_int_equal(lseek(file, 0, SEEK_CUR), FILE_BYTES); /* its position is not used */
        fixture_close(&fixture);
    }
    free(whole);
    close(file);
}

static void file_shorter_than_said_is_malformed(void **state)
{
    int file = file_make(1000);

    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;
        const px_part parts[] = {{.fd = file, .offset = 100, .length = 901}};

        fixture_open(&fixture, kind);
        assert_int_equal(px_stream_send(fixture.rec.stream, parts, 1), PX_SENT_PENDING);
        /* Errors come from the loop. */
        assert_int_equal(fixture.rec.sent_count, 0);
        pump_until(fixture.loop, fixture.rec.sent_count == 1);
        assert_int_equal(fixture.rec.sent_result, PX_ERR_MALFORMED);
        assert_int_equal(px_stream_sent_bytes(fixture.rec.stream), 900);
        fixture_close(&fixture);
    }
    close(file);
}

static void bad_file_is_a_system_error(void **state)
{
    struct fixture fixture;
    const px_part part = {.fd = -1, .length = 10};

    (void)state;
    fixture_open(&fixture, PAIR_TCP4);
    assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
    assert_int_equal(fixture.rec.sent_count, 0);
    pump_until(fixture.loop, fixture.rec.sent_count == 1);
    assert_int_equal(fixture.rec.sent_result, PX_ERR_SYSTEM);
    fixture_close(&fixture);
}

static void send_to_a_reset_peer_fails_from_the_loop(void **state)
{
    int file = file_make(100000);

    (void)state;
    for (int with_file = 0; with_file < 2; with_file++) {
        for (enum pair_kind kind = PAIR_UNIX; kind <= PAIR_TCP4; kind++) {
            struct fixture fixture;
            const px_part part = with_file ? (px_part){.fd = file, .length = 100000}
                                           : (px_part){.bytes = LITERAL("nobody is there")};

            fixture_open(&fixture, kind);
            peer_reset(fixture.peer);
            fixture.peer = -1;
            usleep(2000);
            assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
            assert_int_equal(fixture.rec.sent_count, 0);
            pump_until(fixture.loop, fixture.rec.sent_count == 1);
            assert_int_equal(fixture.rec.sent_result, PX_ERR_CLOSED);
            pump_quietly(fixture.loop, 5);
            assert_int_equal(fixture.rec.sent_count, 1);
            fixture_close(&fixture);
        }
    }
    close(file);
}

/* A sendfile to a peer that is gone raises SIGPIPE, which must neither kill nor stay pending: in
 * the loop, and from a caller between two steps. */
static void sendfile_raises_no_sigpipe(void **state)
{
    int file = file_make(4 << 20);
    sigset_t pending;

    (void)state;
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct fixture fixture;
        const px_part part = {.fd = file, .length = 4 << 20};

        fixture_open(&fixture, PAIR_TCP4);
        if (in_loop) {
            assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
            pump_quietly(fixture.loop, 5);
            assert_int_equal(fixture.rec.sent_count, 0);
        }
        peer_reset(fixture.peer);
        fixture.peer = -1;
        usleep(2000);
        if (!in_loop) {
            const px_part one = {.bytes = LITERAL("x")};

            /* The first send takes the reset; behind it every other is a broken pipe. */
            assert_int_equal(px_stream_send(fixture.rec.stream, &one, 1), PX_SENT_PENDING);
            pump_until(fixture.loop, fixture.rec.sent_count == 1);
            fixture.rec.sent_count = 0;
            assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
        }
        pump_until(fixture.loop, fixture.rec.sent_count == 1);
        assert_int_equal(fixture.rec.sent_result, PX_ERR_CLOSED);
        sigpending(&pending);
        assert_false(sigismember(&pending, SIGPIPE));
        fixture_close(&fixture);
    }
    close(file);
}

/* Rule 6: a send from inside of on_sent, over and over, does not deepen the stack. */
struct chain {
    char *text;
    px_part part;
    uint32_t left;
    char *low;
    char *high;
};

static void send_again(struct recorder *rec, enum event event)
{
    struct chain *chain = rec->context;
    /* Not the address of a variable: ASan may put those elsewhere. */
    char *at = __builtin_frame_address(0);

    if (event != EVENT_SENT || chain->left == 0)
        return;
    if (!chain->low || at < chain->low)
        chain->low = at;
    if (!chain->high || at > chain->high)
        chain->high = at;
    while (chain->left > 0) {
        chain->left--;
        if (px_stream_send(rec->stream, &chain->part, 1) == PX_SENT_PENDING)
            return;
    }
}

static unsigned char zero_byte(uint64_t offset)
{
    (void)offset;
    return 0;
}

static void sends_from_inside_of_sent_do_not_recurse(void **state)
{
    enum { BYTES = 200000, COUNT = 60 };
    struct fixture fixture;
    struct chain chain = {.text = calloc(1, BYTES), .left = COUNT};

    (void)state;
    fixture_open(&fixture, PAIR_UNIX);
    pair_shrink(fixture.rec.stream->handle.fd);
    chain.part.bytes = px_str_make(chain.text, BYTES);
    fixture.rec.act = send_again;
    fixture.rec.context = &chain;
    assert_int_equal(px_stream_send(fixture.rec.stream, &chain.part, 1), PX_SENT_PENDING);
    peer_expect(&fixture, (size_t)BYTES * (COUNT + 1), 0, zero_byte);
    pump_until(fixture.loop, fixture.rec.sent_count == COUNT + 1);
    assert_true(chain.high - chain.low < 1024);
    free(chain.text);
    fixture_close(&fixture);
}

/* Rule 8: a tick takes a bounded part of a send that the kernel would take whole. */
static void a_tick_sends_a_bounded_amount(void **state)
{
    enum { BYTES = 8 << 20 };
    int file = file_make(BYTES);
    px_error error;

    (void)state;
    for (int with_file = 0; with_file < 2; with_file++) {
        struct fixture fixture;
        const int room = 16 << 20;
        char *text = malloc(BYTES);
        px_part part = {.bytes = px_str_make(text, BYTES)};
        uint64_t turn = with_file ? FILE_TURN_BYTES : SEND_TURN_BYTES, before;

        for (size_t at = 0; at < BYTES; at++)
            text[at] = (char)file_byte(at);
        if (with_file)
            part = (px_part){.fd = file, .length = BYTES};
        fixture_open(&fixture, PAIR_UNIX);
        setsockopt(fixture.rec.stream->handle.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
        for (int tick = 0; tick < 3; tick++) {
            before = px_stream_sent_bytes(fixture.rec.stream);
            assert_int_equal(px_loop_step(fixture.loop, &error), PX_OK);
            /* An event and the again list may each run it. */
            if (with_file)
                assert_true(px_stream_sent_bytes(fixture.rec.stream) - before <= 2 * turn);
        }
        peer_expect(&fixture, BYTES, 0, file_byte);
        pump_until(fixture.loop, fixture.rec.sent_count == 1);
        fixture_close(&fixture);
        free(text);
    }
    close(file);
}

/* A peer that takes whole what it is given is given more in a turn, up to a bound; the first time
 * that it does not, it is back at the beginning. */
static void turns_of_files_grow(void **state)
{
    enum { BYTES = 16 << 20, PIECES_MAX = (FILE_TURN_COUNT_MAX - 1) * FILE_TURN_GROW_COUNT };
    int file = file_make(BYTES);
    px_part part = {.fd = file, .length = BYTES};
    uint64_t most = 0, got = 0;
    static char in[1 << 20];
    struct fixture fixture;
    px_error error;

    (void)state;
    fixture_open(&fixture, PAIR_UNIX);
    px_stream *stream = fixture.rec.stream;

    assert_int_equal(px_stream_send(stream, &part, 1), PX_SENT_PENDING);
    for (uint64_t before = 0; before < BYTES * 3 / 4;) {
        before = px_stream_sent_bytes(stream);
        uint64_t turns = 1 + stream->file_whole / FILE_TURN_GROW_COUNT;

        assert_int_equal(px_loop_step(fixture.loop, &error), PX_OK);
        uint64_t bytes = px_stream_sent_bytes(stream) - before;

        /* An event and the again list may each run it, the second with a piece more. */
        assert_true(bytes <= (2 * turns + 1) * FILE_TURN_BYTES);
        assert_in_range(stream->file_whole, 0, PIECES_MAX);
        most = bytes > most ? bytes : most;
        for (long count = 1; count > 0; got += count > 0 ? (uint64_t)count : 0)
            count = peer_recv(fixture.peer, in, sizeof(in), 0);
    }
    assert_true(most > 2 * FILE_TURN_BYTES);
    assert_true(stream->file_whole > 0);
    /* The peer reads no more. */
    for (int tick = 0; tick < 20; tick++)
        pump_once(fixture.loop, 1);
    assert_int_equal(stream->file_whole, 0);
    peer_expect(&fixture, BYTES - (size_t)got, (size_t)got, file_byte);
    pump_until(fixture.loop, fixture.rec.sent_count == 1);
    fixture_close(&fixture);
    close(file);
}

/* Sending and receiving at once do not disturb each other. */
static void both_directions_at_once(void **state)
{
    enum { BYTES = 16 << 20 };
    char *text = malloc(BYTES);

    (void)state;
    for (size_t at = 0; at < BYTES; at++)
        text[at] = (char)file_byte(at);
    EACH_KIND(kind)
    {
        struct fixture fixture;
        px_part part = {.bytes = px_str_make(text, BYTES)};
        size_t sent = 0, got = 0;
        static char in[50000];
        uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_PENDING);
        while ((fixture.rec.len < BYTES || got < BYTES) && pump_now_ms() < end) {
            if (sent < BYTES) {
                size_t count = BYTES - sent < 30000 ? BYTES - sent : 30000;
                ssize_t took = send(fixture.peer, text + sent, count, MSG_DONTWAIT);

                sent += took > 0 ? (size_t)took : 0;
            }
            long count = peer_recv(fixture.peer, in, sizeof(in), 0);

            if (count > 0)
                assert_memory_equal(in, text + got, (size_t)count);
            got += count > 0 ? (size_t)count : 0;
            pump_once(fixture.loop, 1);
        }
        assert_int_equal(got, BYTES);
        assert_int_equal(fixture.rec.len, BYTES);
        assert_memory_equal(fixture.rec.bytes, text, BYTES);
        fixture_close(&fixture);
    }
    free(text);
}

static void second_send(void)
{
    struct fixture fixture;
    char *text = calloc(1, 8 << 20);
    const px_part part = {.bytes = px_str_make(text, 8 << 20)};

    fixture_open(&fixture, PAIR_UNIX);
    if (px_stream_send(fixture.rec.stream, &part, 1) == PX_SENT_PENDING)
        px_stream_send(fixture.rec.stream, &part, 1);
}

static void a_second_send_in_flight_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(second_send, output, sizeof(output)), SIGABRT);
}

static void shutdown_ends_our_side_only(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct fixture fixture;
        const px_part part = {.bytes = LITERAL("last words")};
        char text[16];

        fixture_open(&fixture, kind);
        px_stream_recv_start(fixture.rec.stream);
        assert_int_equal(px_stream_send(fixture.rec.stream, &part, 1), PX_SENT_DONE);
        px_stream_shutdown(fixture.rec.stream);
        px_stream_shutdown(fixture.rec.stream);
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), 10);
        assert_int_equal(peer_recv(fixture.peer, text, sizeof(text), 1000), 0);
        peer_send(fixture.peer, LITERAL("heard"));
        pump_until(fixture.loop, fixture.rec.len == 5);
        shutdown(fixture.peer, SHUT_WR);
        pump_until(fixture.loop, fixture.rec.end_count == 1);
        assert_int_equal(fixture.rec.end_reason, PX_OK);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_send_is_done_at_once),
        cmocka_unit_test(large_send_is_pending_and_reported_once),
        cmocka_unit_test(more_parts_than_one_call_takes),
        cmocka_unit_test(memory_and_file_parts_mix),
        cmocka_unit_test(file_shorter_than_said_is_malformed),
        cmocka_unit_test(bad_file_is_a_system_error),
        cmocka_unit_test(send_to_a_reset_peer_fails_from_the_loop),
        cmocka_unit_test(sendfile_raises_no_sigpipe),
        cmocka_unit_test(sends_from_inside_of_sent_do_not_recurse),
        cmocka_unit_test(a_tick_sends_a_bounded_amount),
        cmocka_unit_test(turns_of_files_grow),
        cmocka_unit_test(both_directions_at_once),
        cmocka_unit_test(a_second_send_in_flight_aborts),
        cmocka_unit_test(shutdown_ends_our_side_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
