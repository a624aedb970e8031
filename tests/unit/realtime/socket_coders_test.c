/*
 * Compression's share: windows are kept as far as it goes, and leave a part of it to messages that
 * stand for themselves; of those the ones that are not whole give way.
 */
#include <string.h>
#include <unistd.h>

#include "unit/realtime/socket_double.h"

enum { PEERS = 4 };

/* "Hello", and its first bytes, which are no message. */
static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";

static struct budget_share *share_of(struct stage *stage)
{
    return &stage->loop->memory.shares[BUDGET_SOCKET_CODERS];
}

static void all_finish(struct stage *stage, struct peer *peers, int count)
{
    for (int index = 0; index < count; index++)
        peer_finish(&peers[index]);
    assert_int_equal(share_of(stage)->bytes, 0);
    stage_close(stage);
}

/* What the peer's window takes is set aside where three quarters have room for it; ours is not
 * promised. */
static void windows_leave_a_part_of_the_share(void **state)
{
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    const size_t window = ws_inflate_bytes(15);
    static struct peer peer;

    (void)state;
    options.deflate = 1;
    for (int fits = 0; fits < 2; fits++) {
        struct stage stage;

        assert_true(stage_open(&stage, NULL));
        share_of(&stage)->bytes_max = fits ? window * 4 / 3 + 4 : window + 100;
        peer_open(&peer, &stage, &options);
        assert_int_equal(peer.socket->coders->terms.client_no_takeover, !fits);
        assert_false(peer.socket->coders->terms.server_no_takeover);
        assert_int_equal(share_of(&stage)->bytes, fits ? window : 0);
        all_finish(&stage, &peer, 1);
    }
}

/* Of ours the one that was not used for longest goes, when another one or a peer's is wanted. */
static void our_windows_go_by_their_use(void **state)
{
    static struct peer peers[PEERS];
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    const size_t window = ws_deflate_bytes(15);
    struct stage stage;
    uint64_t inflaters = 0;

    (void)state;
    options.deflate = 1;
    options.deflate_bytes_min = 1;
    assert_true(stage_open(&stage, NULL));
    for (int index = 0; index < 3; index++)
        peer_open(&peers[index], &stage, &options);
    inflaters = share_of(&stage)->bytes;
    share_of(&stage)->bytes_max = (inflaters + 2 * window) * 4 / 3 + 4;
    for (int index = 0; index < 2; index++)
        assert_int_equal(
            px_websocket_send(peers[index].socket, PX_WEBSOCKET_TEXT, LITERAL("hello")), PX_OK);
    assert_non_null(peers[0].socket->coders->deflate);
    assert_non_null(peers[1].socket->coders->deflate);
    assert_int_equal(px_websocket_send(peers[0].socket, PX_WEBSOCKET_TEXT, LITERAL("again")),
                     PX_OK);
    assert_int_equal(px_websocket_send(peers[2].socket, PX_WEBSOCKET_TEXT, LITERAL("hello")),
                     PX_OK);
    assert_non_null(peers[0].socket->coders->deflate);
    assert_null(peers[1].socket->coders->deflate);
    assert_non_null(peers[2].socket->coders->deflate);
    /* A peer that comes may keep its window for that. */
    peer_open(&peers[3], &stage, &options);
    assert_false(peers[3].socket->coders->terms.client_no_takeover);
    assert_null(peers[0].socket->coders->deflate);
    /* What was dropped is made anew, and what it says is right without what was said before. */
    peers[1].call.content_len = 0;
    assert_int_equal(px_websocket_send(peers[1].socket, PX_WEBSOCKET_TEXT, LITERAL("hello")),
                     PX_OK);
    call_drive(&peers[1].call);
    struct ws_inflate *fresh = ws_inflate_create(&stage.loop->allocator, 15);
    px_str content = call_content(&peers[1].call);
    size_t len = (uint8_t)content.ptr[1]; /* of each: they are the same */
    px_str last = px_str_make(content.ptr + content.len - len, len);
    char out[64];
    size_t used = 0, bytes = 0;

    assert_int_equal(content.len, 2 * (2 + len));

    assert_int_equal(ws_inflate_step(fresh, last, out, sizeof(out), &used, &bytes), PX_OK);
    assert_int_equal(bytes, 5);
    assert_memory_equal(out, "hello", 5);
    ws_inflate_destroy(fresh);
    all_finish(&stage, peers, PEERS);
}

/* Though there is room for one more it leaves the part that is for others. */
static void our_windows_leave_a_part_too(void **state)
{
    static struct peer peers[3];
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;

    (void)state;
    options.deflate = 1;
    options.deflate_bytes_min = 1;
    assert_true(stage_open(&stage, NULL));
    for (int index = 0; index < 3; index++)
        peer_open(&peers[index], &stage, &options);
    share_of(&stage)->bytes_max = share_of(&stage)->bytes + 3 * ws_deflate_bytes(15);
    for (int index = 0; index < 3; index++)
        assert_int_equal(
            px_websocket_send(peers[index].socket, PX_WEBSOCKET_TEXT, LITERAL("hello")), PX_OK);
    assert_null(peers[0].socket->coders->deflate);
    assert_non_null(peers[1].socket->coders->deflate);
    assert_non_null(peers[2].socket->coders->deflate);
    all_finish(&stage, peers, 3);
}

/* Peers that stop in the middle of a message that stands for itself do not shut out those that do
 * not, once they have held what inflates it for a second. */
static void halves_give_way_to_messages(void **state)
{
    static struct peer peers[PEERS];
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;

    (void)state;
    options.deflate = 1;
    options.deflate_takeover = PX_OFF;
    assert_true(stage_open(&stage, NULL));
    share_of(&stage)->bytes_max = 2 * ws_inflate_bytes(15);
    for (int index = 0; index < PEERS; index++) {
        peer_open(&peers[index], &stage, &options);
        assert_int_equal(share_of(&stage)->bytes, (index < 2 ? index : 2) * ws_inflate_bytes(15));
        if (index < 2)
            peer_sends(&peers[index], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), 9);
    }
    /* They are as new as it is: what comes later waits. */
    peer_sends(&peers[2], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), WHOLE);
    assert_int_equal(peers[2].closed, 0);
    assert_true(peers[2].socket->starved);
    assert_null(stage.loop->memory.favoured[BUDGET_SOCKETS]);
    peers[0].socket->coders->inflater.since_ms -= BUDGET_HOLD_MS + 1;
    peer_sends(&peers[3], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), WHOLE);
    assert_int_equal(peers[3].messages, 1);
    assert_int_equal(peers[3].message_len, 5);
    pump_once(stage.loop, 0);
    assert_int_equal(peers[0].closed, 1);
    assert_int_equal(peers[0].code, WS_CODE_TRY_LATER);
    assert_int_equal(peers[1].closed, 0);
    usleep(SOCKET_RETRY_MS * 1000 + 5000);
    pump_once(stage.loop, 0);
    pump_once(stage.loop, 0);
    assert_false(peers[2].socket->starved);
    peer_goes_on(&peers[2], px_str_make(hello, 7), 0);
    assert_int_equal(peers[2].messages, 1);
    all_finish(&stage, peers, PEERS);
}

/* One that goes on is not the one that gives way; and one that waits does so for a time. */
static void what_comes_on_stays(void **state)
{
    enum { BYTES = 12000 };
    static char stored[BYTES];
    static struct peer peers[PEERS];
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;

    (void)state;
    options.deflate = 1;
    options.deflate_takeover = PX_OFF;
    memcpy(stored, "\x00\xff\xff\x00\x00", 5); /* a block that is stored */
    assert_true(stage_open(&stage, NULL));
    share_of(&stage)->bytes_max = 2 * ws_inflate_bytes(15);
    for (int index = 0; index < PEERS; index++)
        peer_open(&peers[index], &stage, &options);
    for (int index = 0; index < 2; index++) {
        peer_sends(&peers[index], WS_BINARY, false, WS_RSV1, px_str_make(stored, 5), WHOLE);
        peers[index].socket->coders->inflater.since_ms -= BUDGET_HOLD_MS + 1;
    }
    peer_sends(&peers[0], WS_CONTINUATION, false, 0, px_str_make(stored + 5, BYTES - 5), WHOLE);
    peer_sends(&peers[1], WS_CONTINUATION, false, 0, px_str_make(stored + 5, 100), WHOLE);
    peer_sends(&peers[2], WS_TEXT, true, WS_RSV1, px_str_make(hello, 6), 6 + 5);
    pump_once(stage.loop, 0);
    assert_int_equal(peers[0].closed, 0);
    assert_int_equal(peers[1].closed, 1);
    peer_sends(&peers[3], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), WHOLE);
    assert_true(peers[3].socket->starved);
    peers[3].socket->work->starved_ms -= SOCKET_STARVE_MS;
    usleep(SOCKET_RETRY_MS * 1000 + 5000);
    pump_once(stage.loop, 0);
    pump_once(stage.loop, 0);
    assert_int_equal(peers[3].closed, 1);
    assert_int_equal(peers[3].code, WS_CODE_TRY_LATER);
    all_finish(&stage, peers, PEERS);
}

/* --- Slices ----------------------------------------------------------------------------------- */

enum { SLICED = 300 * 1024, TOLD_MAX = 8 };

static char sliced[SLICED];

/* What a client reads of all that was sent to it. */
struct told {
    uint32_t count;
    struct {
        enum ws_event_kind kind;
        size_t len;
    } events[TOLD_MAX]; /* messages and control frames, in order */
    bool is_same;       /* the message of SLICED bytes is as it was sent */
};

static void told_read(struct told *told, px_str in)
{
    static const struct ws_limits limits = {UINT32_MAX, UINT32_MAX, 0};
    static char out[SLICED + 1024];
    struct ws_inflate *inflate = ws_inflate_create(&alloc_libc, 15);
    struct ws_reader reader;
    struct ws_event event;
    size_t len = 0, used;

    memset(told, 0, sizeof(*told));
    ws_reader_init(&reader, WS_CLIENT, ws_bytes_best(), &limits, true);
    while (ws_read(&reader, in, out + len, sizeof(out) - len, &used, &event) == PX_OK) {
        in = px_str_make(in.ptr + used, in.len - used);
        if (event.kind == WS_EVENT_BEGIN)
            reader.inflate = inflate;
        if (event.kind == WS_EVENT_DATA)
            len += event.bytes.len;
        if (event.kind == WS_EVENT_BEGIN || (event.kind == WS_EVENT_DATA && !event.last))
            continue;
        assert_true(told->count < TOLD_MAX);
        told->events[told->count].kind = event.kind;
        told->events[told->count++].len = event.kind == WS_EVENT_DATA ? len : event.bytes.len;
        if (event.kind != WS_EVENT_DATA)
            continue;
        if (len == SLICED)
            told->is_same = memcmp(out, sliced, SLICED) == 0;
        len = 0;
    }
    assert_int_equal(reader.code, 0);
    ws_inflate_destroy(inflate);
}

static void turns(struct stage *stage, struct peer *peer, int count)
{
    for (int turn = 0; turn < count; turn++) {
        pump_once(stage->loop, 0);
        call_drive(&peer->call);
    }
}

static void slices_open(struct stage *stage, struct peer *peer)
{
    static px_websocket_options options;

    options = (px_websocket_options)PX_WEBSOCKET_OPTIONS_DEFAULT;
    options.deflate = 1;
    for (size_t at = 0; at < SLICED; at++)
        sliced[at] = (char)('a' + at * at / 97 % 23);
    assert_true(stage_open(stage, NULL));
    peer_open(peer, stage, &options);
    peer->call.content_len = 0;
    assert_int_equal(
        px_websocket_send(peer->socket, PX_WEBSOCKET_TEXT, px_str_make(sliced, SLICED)), PX_OK);
    assert_int_equal(slices_waiting(peer->socket), SLICED);
}

/* A part in each turn; control frames go between, messages behind. */
static void large_messages_are_deflated_in_slices(void **state)
{
    static struct peer peer;
    struct stage stage;
    struct told told;

    (void)state;
    slices_open(&stage, &peer);
    assert_int_equal(px_websocket_send(peer.socket, PX_WEBSOCKET_TEXT, LITERAL("behind")), PX_OK);
    assert_int_equal(px_websocket_send_piece(peer.socket, PX_WEBSOCKET_TEXT, LITERAL("p"), 1),
                     PX_FULL);
    turns(&stage, &peer, 1);
    assert_in_range(slices_waiting(peer.socket), SLICED - 5 * SOCKET_SLICE_BYTES,
                    SLICED - SOCKET_SLICE_BYTES);
    assert_int_equal(px_websocket_ping(peer.socket), PX_OK);
    turns(&stage, &peer, 20);
    assert_false(slices_are_made(peer.socket));
    assert_null(peer.socket->work);
    assert_int_equal(px_websocket_send(peer.socket, PX_WEBSOCKET_TEXT, px_str_make(sliced, 2000)),
                     PX_OK);
    turns(&stage, &peer, 1);
    told_read(&told, call_content(&peer.call));
    assert_int_equal(told.count, 4);
    assert_int_equal(told.events[0].kind, WS_EVENT_PING);
    assert_int_equal(told.events[1].len, SLICED);
    assert_true(told.is_same);
    assert_int_equal(told.events[2].len, 6);
    assert_int_equal(told.events[3].len, 2000);
    all_finish(&stage, &peer, 1);
}

/* What was sent before a Close goes out before it; and what does not end goes with its socket. */
static void a_close_waits_for_slices(void **state)
{
    static struct peer peer;

    (void)state;
    for (int way = 0; way < 3; way++) {
        struct stage stage;
        struct told told;

        slices_open(&stage, &peer);
        if (way == 0)
            assert_int_equal(px_websocket_close(peer.socket, 1000, LITERAL("")), PX_OK);
        if (way == 1)
            peer_sends(&peer, WS_CLOSE, true, 0, LITERAL("\x03\xe8"), WHOLE);
        turns(&stage, &peer, way == 2 ? 1 : 20);
        if (way < 2) {
            told_read(&told, call_content(&peer.call));
            assert_int_equal(told.count, 2);
            assert_true(told.is_same);
            assert_int_equal(told.events[1].kind, WS_EVENT_CLOSE);
            assert_int_equal(peer.call.done, way == 1);
        }
        all_finish(&stage, &peer, 1);
    }
}

/* What inflates a thousandfold does so in turns, too. */
static void what_inflates_far_is_read_in_turns(void **state)
{
    enum { ZEROS = 4 * 1024 * 1024 };
    static const uint8_t key[WS_MASK_BYTES] = {0};
    static char zeros[ZEROS];
    static struct peer peer;
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct ws_deflate *deflate = ws_deflate_create(&alloc_libc, 9, 15);
    char head[WS_HEAD_BYTES_MAX];
    struct stage stage;
    struct buf out;

    (void)state;
    options.deflate = 1;
    options.message_bytes_max = ZEROS;
    buf_init(&out, &alloc_libc, SIZE_MAX / 2);
    assert_int_equal(ws_deflate_message(deflate, px_str_make(zeros, ZEROS), &out), PX_OK);
    assert_true(stage_open(&stage, NULL));
    peer_open(&peer, &stage, &options);
    size_t len = ws_head_write(head, WS_BINARY, true, WS_RSV1, out.len, key);

    assert_int_equal(call_receive(&peer.call, px_str_make(head, len)), len);
    for (px_str rest = buf_str(&out); peer.messages == 0;) {
        size_t before = peer.socket->work->message_len;
        size_t used = socket_receive(peer.socket, rest);

        if (peer.messages == 0)
            assert_in_range(peer.socket->work->message_len - before, 0,
                            SOCKET_TURN_BYTES + SOCKET_STEP_BYTES);
        rest = px_str_make(rest.ptr + used, rest.len - used);
        before = peer.messages == 0 ? peer.socket->work->message_len : 0;
        pump_once(stage.loop, 0);
        if (peer.messages == 0)
            assert_in_range(peer.socket->work->message_len - before, 0,
                            SOCKET_TURN_BYTES + SOCKET_STEP_BYTES);
    }
    assert_int_equal(peer.message_len, ZEROS);
    ws_deflate_destroy(deflate);
    buf_deinit(&out);
    all_finish(&stage, &peer, 1);
}

/* Where the peer does not read, no more is made than what may wait. */
static void slices_wait_for_their_reader(void **state)
{
    static struct peer peer;
    struct stage stage;

    (void)state;
    slices_open(&stage, &peer);
    peer.socket->work->outbox.bytes += SOCKET_SLICES_WAITING_BYTES; /* as if so much waited */
    for (int turn = 0; turn < 5; turn++)
        pump_once(stage.loop, 0);
    assert_int_equal(slices_waiting(peer.socket), SLICED);
    peer.socket->work->outbox.bytes -= SOCKET_SLICES_WAITING_BYTES;
    slices_go_on(peer.socket);
    turns(&stage, &peer, 20);
    assert_false(slices_are_made(peer.socket));
    all_finish(&stage, &peer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_leave_a_part_of_the_share),
        cmocka_unit_test(our_windows_go_by_their_use),
        cmocka_unit_test(our_windows_leave_a_part_too),
        cmocka_unit_test(halves_give_way_to_messages),
        cmocka_unit_test(what_comes_on_stays),
        cmocka_unit_test(large_messages_are_deflated_in_slices),
        cmocka_unit_test(a_close_waits_for_slices),
        cmocka_unit_test(slices_wait_for_their_reader),
        cmocka_unit_test(what_inflates_far_is_read_in_turns),
    };

    return ws_deflate_is_there() ? cmocka_run_group_tests_name("socket_coders", tests, NULL, NULL)
                                 : 0;
}
