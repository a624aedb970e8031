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
    /* As new as it is: who comes later is not let in. */
    peer_sends(&peers[2], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), WHOLE);
    assert_int_equal(peers[2].code, WS_CODE_TRY_LATER);
    peers[0].socket->coders->inflater.since_ms -= BUDGET_HOLD_MS + 1;
    peer_sends(&peers[3], WS_TEXT, true, WS_RSV1, px_str_make(hello, 7), WHOLE);
    assert_int_equal(peers[3].messages, 1);
    assert_int_equal(peers[3].message_len, 5);
    pump_once(stage.loop, 0);
    assert_int_equal(peers[0].closed, 1);
    assert_int_equal(peers[0].code, WS_CODE_TRY_LATER);
    assert_int_equal(peers[1].closed, 0);
    all_finish(&stage, peers, PEERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_leave_a_part_of_the_share),
        cmocka_unit_test(our_windows_go_by_their_use),
        cmocka_unit_test(our_windows_leave_a_part_too),
        cmocka_unit_test(halves_give_way_to_messages),
    };

    return ws_deflate_is_there() ? cmocka_run_group_tests_name("socket_coders", tests, NULL, NULL)
                                 : 0;
}
