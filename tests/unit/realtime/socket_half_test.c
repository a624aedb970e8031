/*
 * Messages that are not whole: which of them give way to what is small, or new; one that finds no
 * memory waits; one whose peer stops in the middle has a window's time.
 */
#include <string.h>
#include <unistd.h>

#include "pollux/events.h"
#include "pollux/topic.h"
#include "unit/realtime/socket_double.h"

enum { KIB = 1024, SHARE = 256 * KIB, PEERS = 16, LARGE = 100 * KIB };

static char large[LARGE];

static struct stage *told_stage;

static struct budget_share *share_of(struct stage *stage)
{
    return &stage->loop->memory.shares[BUDGET_SOCKETS];
}

/* A message of HALF and TAIL that stops behind the first. */
enum { HALF = 30 * KIB, TAIL = 100 };

static void half_begin(struct peer *peer, struct stage *stage)
{
    peer_open(peer, stage, NULL);
    peer_sends(peer, WS_BINARY, true, 0, px_str_make(large, HALF + TAIL), 8 + HALF);
}

/* Halves that have taken what may be taken of a share; how many.  The last one waits. */
static int fill(struct stage *stage, struct peer *peers)
{
    int count = 0;

    share_of(stage)->bytes_max = SHARE;
    do
        half_begin(&peers[count], stage);
    while (!peers[count++].socket->starved && count < PEERS);
    assert_in_range(count, 3, PEERS - 1);
    return count;
}

/* As if they had been there for long. */
static void let_age(struct stage *stage)
{
    struct list *holders = &stage->loop->memory.holders[BUDGET_SOCKETS];

    struct list *little = &stage->loop->memory.little[BUDGET_SOCKETS];

    for (struct list *node = little->next; node != little; node = node->next)
        LIST_ENTRY(node, struct budget_holder, node)->since_ms -= BUDGET_HOLD_MS + 1;
    for (struct list *node = holders->next; node != holders; node = node->next)
        LIST_ENTRY(node, struct budget_holder, node)->since_ms -= BUDGET_HOLD_MS + 1;
}

static void retry(struct stage *stage)
{
    usleep(SOCKET_RETRY_MS * 1000 + 5000);
    pump_once(stage->loop, 0);
    pump_once(stage->loop, 0);
}

static void all_finish(struct stage *stage, struct peer *peers, int count)
{
    for (int index = 0; index < count; index++)
        peer_finish(&peers[index]);
    assert_int_equal(share_of(stage)->bytes, 0);
    stage_close(stage);
}

/* Many large ones that have stopped: a small message passes, and its answer. */
static void large_halves_give_way_to_small_messages(void **state)
{
    static struct peer peers[PEERS], small;
    struct stage stage;
    uint32_t gone = 0;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    int count = fill(&stage, peers);

    /* What is left is taken by small ones, to the last of it. */
    share_of(&stage)->bytes_max = share_of(&stage)->bytes + 3 * KIB;
    peer_open(&small, &stage, NULL);
    peer_sends(&small, WS_BINARY, false, 0, px_str_make(large, 3000), WHOLE);
    peer_sends(&small, WS_CONTINUATION, true, 0, px_str_make(large, 10), WHOLE);
    assert_int_equal(small.messages, 1);
    assert_int_equal(small.message_len, 3010);
    assert_int_equal(px_websocket_send(small.socket, PX_WEBSOCKET_BINARY, px_str_make(large, 3000)),
                     PX_OK);
    call_drive(&small.call);
    assert_int_equal(small.call.content_len, 3004);
    pump_once(stage.loop, 0);
    for (int index = 0; index < count; index++) {
        gone += peers[index].closed;
        assert_true(!peers[index].closed || peers[index].code == WS_CODE_TRY_LATER);
    }
    assert_int_equal(gone, 1);
    peer_finish(&small);
    all_finish(&stage, peers, count);
}

/* What has been held for a second gives way to a large one, too. */
static void what_is_held_for_long_gives_way_to_large_ones(void **state)
{
    static struct peer peers[PEERS], other;
    struct stage stage;
    uint32_t gone = 0;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    int count = fill(&stage, peers);

    let_age(&stage);
    half_begin(&other, &stage);
    assert_false(other.socket->starved);
    peer_goes_on(&other, px_str_make(large, TAIL), HALF);
    assert_int_equal(other.messages, 1);
    pump_once(stage.loop, 0);
    for (int index = 0; index < count; index++)
        gone += peers[index].closed;
    assert_int_equal(gone, 1);
    peer_finish(&other);
    all_finish(&stage, peers, count);
}

/* What came in the same second does not: one waits for another that is whole.  The first that waits
 * may take what is for answers, so that not all wait for each other. */
static void new_ones_wait_for_each_other(void **state)
{
    static struct peer peers[PEERS];
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    int count = fill(&stage, peers);
    struct peer *first = &peers[count - 1], *second = &peers[count++];

    half_begin(second, &stage);
    assert_true(first->socket->starved && second->socket->starved);
    assert_ptr_equal(stage.loop->memory.favoured[BUDGET_SOCKETS], &first->socket->work->holder);
    retry(&stage);
    assert_false(first->socket->starved);
    assert_true(second->socket->starved);
    peer_goes_on(first, px_str_make(large, HALF - first->socket->work->message_len),
                 first->socket->work->message_len);
    peer_goes_on(&peers[0], px_str_make(large, TAIL), HALF);
    assert_int_equal(peers[0].messages, 1);
    retry(&stage);
    assert_false(second->socket->starved);
    for (int index = 0; index < count; index++)
        assert_int_equal(peers[index].closed, 0);
    all_finish(&stage, peers, count);
}

/* For five seconds. */
static void one_does_not_wait_for_ever(void **state)
{
    static struct peer peers[PEERS];
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    int count = fill(&stage, peers);
    struct peer *second = &peers[count++];

    half_begin(second, &stage);
    assert_true(second->socket->starved);
    second->socket->work->starved_ms -= SOCKET_STARVE_MS;
    retry(&stage);
    assert_int_equal(second->closed, 1);
    assert_int_equal(second->code, WS_CODE_TRY_LATER);
    all_finish(&stage, peers, count);
}

/* An answer that its peer does not read for long gives way, too. */
static void what_is_not_read_gives_way(void **state)
{
    static struct peer slow, other;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    share_of(&stage)->bytes_max = SHARE;
    peer_open(&slow, &stage, NULL);
    peer_open(&other, &stage, NULL);
    assert_int_equal(px_websocket_send(slow.socket, PX_WEBSOCKET_BINARY, px_str_make(large, LARGE)),
                     PX_OK);
    share_of(&stage)->bytes_max = share_of(&stage)->bytes + 3 * KIB;
    assert_int_equal(px_websocket_send(other.socket, PX_WEBSOCKET_BINARY, px_str_make(large, 4000)),
                     PX_OK);
    call_drive(&other.call);
    pump_once(stage.loop, 0);
    assert_int_equal(slow.closed, 1);
    assert_int_equal(slow.code, WS_CODE_ABNORMAL);
    assert_int_equal(other.call.content_len, 4004);
    peer_finish(&slow);
    all_finish(&stage, &other, 1);
}

/* What is settled for many alike is there once. */
static void those_accepted_alike_share_their_terms(void **state)
{
    static struct peer peers[3], last;
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;

    (void)state;
    options.close_ms = 1234;
    assert_true(stage_open(&stage, NULL));
    for (int index = 0; index < 3; index++)
        peer_open(&peers[index], &stage, index == 2 ? &options : NULL);
    assert_ptr_equal(peers[0].socket->terms, peers[1].socket->terms);
    assert_int_equal(peers[0].socket->terms->holds, 2);
    assert_ptr_not_equal(peers[0].socket->terms, peers[2].socket->terms);
    assert_int_equal(peers[2].socket->terms->close_ms, 1234);
    peer_finish(&peers[2]);
    assert_null(stage.loop->socket_terms);
    peer_open(&last, &stage, NULL);
    peer_finish(&last);
    all_finish(&stage, peers, 2);
}

/* Many small answers that are not read, one of each: none of them is too small to be found. */
static void small_ones_that_are_not_read_give_way(void **state)
{
    enum { MANY = 64 };
    static struct peer slow[MANY], other;
    struct stage stage;
    uint32_t gone = 0;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    for (int index = 0; index < MANY; index++) {
        peer_open(&slow[index], &stage, NULL);
        assert_int_equal(
            px_websocket_send(slow[index].socket, PX_WEBSOCKET_BINARY, px_str_make(large, 3000)),
            PX_OK);
    }
    peer_open(&other, &stage, NULL);
    let_age(&stage);
    share_of(&stage)->bytes_max = share_of(&stage)->bytes;
    for (int turn = 0; turn < 3; turn++) {
        peer_sends(&other, WS_BINARY, false, 0, px_str_make(large, 3000), WHOLE);
        peer_sends(&other, WS_CONTINUATION, true, 0, px_str_make(large, 10), WHOLE);
        assert_int_equal(
            px_websocket_send(other.socket, PX_WEBSOCKET_BINARY, px_str_make(large, 3000)), PX_OK);
        call_drive(&other.call);
    }
    assert_int_equal(other.messages, 3);
    assert_int_equal(other.call.content_len, 3 * 3004);
    pump_once(stage.loop, 0);
    for (int index = 0; index < MANY; index++) {
        gone += slow[index].closed;
        peer_finish(&slow[index]);
    }
    assert_in_range(gone, 1, 6);
    all_finish(&stage, &other, 1);
}

/* Half of a frame is out when the rest gives way: nothing follows, neither a frame nor an end that
 * looks whole. */
static void nothing_follows_what_gave_way(void **state)
{
    static struct peer slow, other;

    (void)state;
    for (int way = 0; way < 4; way++) {
        struct stage stage;

        assert_true(stage_open(&stage, NULL));
        peer_open(&slow, &stage, NULL);
        peer_open(&other, &stage, NULL);
        assert_int_equal(
            px_websocket_send(slow.socket, PX_WEBSOCKET_BINARY, px_str_make(large, LARGE)), PX_OK);
        char part[100];
        size_t bytes = 0;

        assert_int_equal(exchange_pull(slow.call.exchange, part, sizeof(part), &bytes),
                         PX_PULL_MORE);
        if (way == 3)
            assert_int_equal(px_websocket_close(slow.socket, 1000, LITERAL("")), PX_OK);
        share_of(&stage)->bytes_max = share_of(&stage)->bytes + KIB;
        assert_int_equal(
            px_websocket_send(other.socket, PX_WEBSOCKET_BINARY, px_str_make(large, 4000)), PX_OK);
        assert_true(slow.socket->work->outbox.gave_way);
        if (way == 1)
            peer_sends(&slow, WS_PING, true, 0, LITERAL("p"), WHOLE);
        if (way == 2 || way == 3)
            peer_sends(&slow, WS_CLOSE, true, 0, LITERAL("è"), WHOLE);
        call_drive(&slow.call);
        pump_once(stage.loop, 0);
        call_drive(&slow.call);
        assert_int_equal(slow.call.content_len, 0);
        assert_false(slow.call.done);
        assert_int_equal(slow.closed, 1);
        peer_finish(&slow);
        all_finish(&stage, &other, 1);
    }
}

static void accept_stream(px_exchange *exchange, void *context)
{
    *(px_events **)context = px_events_accept(exchange, NULL);
}

/* A stream of events gives way like a WebSocket. */
static void streams_give_way(void **state)
{
    static struct peer other;
    px_events *stream = NULL;
    struct stage stage;
    struct call call;
    char part[100];
    size_t bytes = 0;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    peer_open(&other, &stage, NULL);
    assert_true(call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", accept_stream,
                           (void *)&stream));
    call_drive(&call);
    memset(large, 'l', sizeof(large));
    assert_int_equal(px_events_send(stream, LITERAL(""), LITERAL(""), px_str_make(large, LARGE)),
                     PX_OK);
    assert_int_equal(exchange_pull(call.exchange, part, sizeof(part), &bytes), PX_PULL_MORE);
    share_of(&stage)->bytes_max = share_of(&stage)->bytes + KIB;
    assert_int_equal(px_websocket_send(other.socket, PX_WEBSOCKET_BINARY, px_str_make(large, 4000)),
                     PX_OK);
    assert_int_equal(call.resets, 1);
    assert_int_equal(px_events_send(stream, LITERAL(""), LITERAL(""), LITERAL("more")),
                     PX_ERR_CLOSED);
    call_drive(&call);
    assert_int_equal(call.content_len, 0);
    assert_false(call.done);
    call.ended = 1;
    call_finish(&call);
    all_finish(&stage, &other, 1);
}

/* What a program does in on_close: it tells the others, who has left already. */
static void tell_others(struct peer *peer)
{
    px_topic *topic = peer->context;

    assert_int_equal(px_topic_count(topic), 1);
    assert_int_equal(px_topic_subscribe(topic, peer->socket), PX_ERR_CLOSED);
    assert_int_equal(px_websocket_send(peer->socket, PX_WEBSOCKET_TEXT, LITERAL("no")),
                     PX_ERR_CLOSED);
    share_of(told_stage)->bytes_max = share_of(told_stage)->bytes + 600;
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_BINARY, px_str_make(large, 3000)), PX_OK);
    assert_int_equal(px_topic_last(topic, peer->socket, 1), PX_ERR_CLOSED);
}

/* However one ends, also where what it has not read gives way to what is told of that. */
static void a_topic_hears_of_the_end(void **state)
{
    static struct peer leaves, stays;

    (void)state;
    for (int way = 0; way < 3; way++) {
        px_topic_options options = PX_TOPIC_OPTIONS_DEFAULT;
        struct stage stage;
        char part[100];
        size_t bytes = 0;

        options.kept_count = 1;
        assert_true(stage_open(&stage, NULL));
        told_stage = &stage;
        px_topic *topic = px_topic_create(stage.loop, &options, NULL);

        peer_open(&leaves, &stage, NULL);
        peer_open(&stays, &stage, NULL);
        leaves.on_close = tell_others;
        leaves.context = topic;
        assert_int_equal(px_topic_subscribe(topic, leaves.socket), PX_OK);
        assert_int_equal(px_topic_subscribe(topic, stays.socket), PX_OK);
        assert_int_equal(
            px_websocket_send(leaves.socket, PX_WEBSOCKET_BINARY, px_str_make(large, LARGE)),
            PX_OK);
        assert_int_equal(exchange_pull(leaves.call.exchange, part, sizeof(part), &bytes),
                         PX_PULL_MORE);
        if (way == 0)
            peer_sends(&leaves, WS_CLOSE, true, 0, LITERAL("\x03\xe8"), 8);
        else if (way == 1)
            call_end(&leaves.call, PX_END_PEER_GONE);
        else
            px_exchange_abort(leaves.call.exchange);
        for (int turn = 0; turn < 4; turn++) {
            call_drive(&leaves.call);
            pump_once(stage.loop, 0);
        }
        assert_int_equal(leaves.closed, 1);
        assert_false(leaves.call.done); /* half of a message is no end */
        call_drive(&stays.call);
        assert_int_equal(stays.call.content_len, 3004);
        px_topic_destroy(topic);
        peer_finish(&leaves);
        all_finish(&stage, &stays, 1);
    }
}

/* Answers that are not taken have a share of their own: they stop no message. */
static void what_others_write_stops_no_message(void **state)
{
    static struct peer peer;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    struct budget *memory = &stage.loop->memory;

    budget_divide(memory, MEMORY_BYTES_MIN, UINT64_MAX);
    uint64_t others = budget_left(memory, BUDGET_OUTPUT);

    assert_true(budget_take(memory, BUDGET_OUTPUT, others));
    peer_open(&peer, &stage, NULL);
    peer_sends(&peer, WS_BINARY, false, 0, px_str_make(large, LARGE), WHOLE);
    peer_sends(&peer, WS_CONTINUATION, true, 0, LITERAL("a"), WHOLE);
    assert_int_equal(peer.messages, 1);
    assert_int_equal(px_websocket_send(peer.socket, PX_WEBSOCKET_BINARY, px_str_make(large, LARGE)),
                     PX_OK);
    budget_give(memory, BUDGET_OUTPUT, others);
    all_finish(&stage, &peer, 1);
}

static void send_to_other(struct peer *peer)
{
    share_of(told_stage)->bytes_max = share_of(told_stage)->bytes + 100;
    assert_int_equal(
        px_websocket_send(peer->other->socket, PX_WEBSOCKET_BINARY, px_str_make(large, 2000)),
        PX_ERR_MEMORY);
}

/* A message is the program's while it is told of it: it does not give way to what it sends then,
 * which is the last that the other one is sent. */
static void what_is_told_stays(void **state)
{
    static struct peer told, other;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    told_stage = &stage;
    peer_open(&told, &stage, NULL);
    peer_open(&other, &stage, NULL);
    told.on_message = send_to_other;
    told.other = &other;
    peer_sends(&told, WS_BINARY, false, 0, px_str_make(large, LARGE), WHOLE);
    peer_sends(&told, WS_CONTINUATION, true, 0, LITERAL("a"), WHOLE);
    assert_int_equal(told.messages, 1);
    share_of(&stage)->bytes_max = SHARE;
    pump_once(stage.loop, 0);
    assert_int_equal(told.closed, 0);
    assert_int_equal(other.closed, 1);
    assert_int_equal(other.code, WS_CODE_TRY_LATER);
    peer_finish(&told);
    all_finish(&stage, &other, 1);
}

/* --- The rate --------------------------------------------------------------------------------- */

enum { WINDOW_MS = 20 };

static void wait_a_window(struct stage *stage)
{
    usleep((WINDOW_MS + 5) * 1000);
    pump_once(stage->loop, 0);
}

static void a_peer_that_stops_has_a_windows_time(void **state)
{
    const px_str begun[] = {LITERAL("\x81"), LITERAL("\x81\x85\1\2\3\4x"),
                            LITERAL("\x01\x81\0\0\0\0x"), LITERAL("\x89\x85\0\0\0\0x")};

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(begun); index++) {
        static struct peer stops, silent;
        struct stage stage;

        assert_true(stage_open(&stage, NULL));
        stage.rules.rate_min = 240;
        stage.service.rate_window_ms = WINDOW_MS;
        peer_open(&stops, &stage, NULL);
        peer_open(&silent, &stage, NULL);
        (void)call_receive(&stops.call, begun[index]);
        assert_int_equal(stops.closed, 0);
        wait_a_window(&stage);
        assert_int_equal(stops.closed, 1);
        assert_int_equal(stops.code, WS_CODE_POLICY);
        assert_int_equal(silent.closed, 0);
        peer_finish(&stops);
        all_finish(&stage, &silent, 1);
    }
}

/* What was counted of a frame in front of a message, and of the message before that, is not counted
 * of it. */
static void each_message_is_counted_for_itself(void **state)
{
    static struct peer peer;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    stage.rules.rate_min = 240;
    stage.service.rate_window_ms = WINDOW_MS;
    peer_open(&peer, &stage, NULL);
    peer_sends(&peer, WS_BINARY, false, 0, px_str_make(large, 5000), WHOLE);
    /* A ping that begins with the end of one and ends with the beginning of another. */
    (void)call_receive(&peer.call, LITERAL("\x80\x80\0\0\0\0\x89"));
    assert_int_equal(peer.messages, 1);
    assert_true(peer.socket->work->rated);
    (void)call_receive(&peer.call, LITERAL("\x80\0\0\0\0\x01\x82"));
    (void)call_receive(&peer.call, LITERAL("\0\0\0\0"));
    (void)call_receive(&peer.call, LITERAL("x"));
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 1);
    assert_int_equal(peer.code, WS_CODE_POLICY);
    all_finish(&stage, &peer, 1);
}

/* One that goes on is not ended, nor one that is held back, or whose program asks for no rate. */
static void a_peer_that_goes_on_is_not_ended(void **state)
{
    static struct peer peer, off;
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;
    size_t at = 100;

    (void)state;
    options.message_rate_min = PX_OFF;
    assert_true(stage_open(&stage, NULL));
    stage.rules.rate_min = 240;
    stage.service.rate_window_ms = WINDOW_MS;
    peer_open(&peer, &stage, NULL);
    peer_open(&off, &stage, &options);
    peer_sends(&peer, WS_BINARY, true, 0, px_str_make(large, 1000), 8 + at);
    peer_sends(&off, WS_BINARY, true, 0, px_str_make(large, 1000), 8 + at);
    for (int turn = 0; turn < 4; turn++, at += 100) {
        peer_goes_on(&peer, px_str_make(large, 100), at);
        wait_a_window(&stage);
        assert_int_equal(peer.closed, 0);
    }
    px_websocket_pause(peer.socket);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 0);
    px_websocket_resume(peer.socket);
    pump_once(stage.loop, 0);
    peer_goes_on(&peer, px_str_make(large, 1000 - at), at);
    assert_int_equal(peer.messages, 1);
    /* The next one is counted from its own beginning. */
    peer_sends(&peer, WS_BINARY, false, 0, px_str_make(large, 10), WHOLE);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 0);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 1);
    assert_int_equal(peer.code, WS_CODE_POLICY);
    assert_int_equal(off.closed, 0);
    peer_finish(&peer);
    all_finish(&stage, &off, 1);
}

/* What is not read is not missed, and is again once it is. */
static void a_pause_does_not_count(void **state)
{
    static struct peer peer;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    stage.rules.rate_min = 240;
    stage.service.rate_window_ms = WINDOW_MS;
    peer_open(&peer, &stage, NULL);
    peer_sends(&peer, WS_BINARY, false, 0, px_str_make(large, 100), WHOLE);
    px_websocket_pause(peer.socket);
    wait_a_window(&stage);
    wait_a_window(&stage);
    px_websocket_resume(peer.socket);
    pump_once(stage.loop, 0);
    assert_int_equal(peer.closed, 0);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 1);
    assert_int_equal(peer.code, WS_CODE_POLICY);
    all_finish(&stage, &peer, 1);
}

/* Nor is what cannot come: the transport does not read, or has opened no window. */
static void what_is_shut_does_not_count(void **state)
{
    static struct peer peer;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    stage.rules.rate_min = 240;
    stage.service.rate_window_ms = WINDOW_MS;
    peer_open(&peer, &stage, NULL);
    peer_sends(&peer, WS_BINARY, false, 0, px_str_make(large, 100), WHOLE);
    peer.call.open_since_ms = UINT64_MAX;
    wait_a_window(&stage);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 0);
    peer.call.open_since_ms = stage.loop->now_ms + 1; /* opened in the window that has begun */
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 0);
    wait_a_window(&stage);
    assert_int_equal(peer.closed, 1);
    assert_int_equal(peer.code, WS_CODE_POLICY);
    all_finish(&stage, &peer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_halves_give_way_to_small_messages),
        cmocka_unit_test(what_is_held_for_long_gives_way_to_large_ones),
        cmocka_unit_test(new_ones_wait_for_each_other),
        cmocka_unit_test(one_does_not_wait_for_ever),
        cmocka_unit_test(what_is_not_read_gives_way),
        cmocka_unit_test(those_accepted_alike_share_their_terms),
        cmocka_unit_test(small_ones_that_are_not_read_give_way),
        cmocka_unit_test(nothing_follows_what_gave_way),
        cmocka_unit_test(streams_give_way),
        cmocka_unit_test(a_topic_hears_of_the_end),
        cmocka_unit_test(what_others_write_stops_no_message),
        cmocka_unit_test(what_is_told_stays),
        cmocka_unit_test(a_peer_that_stops_has_a_windows_time),
        cmocka_unit_test(each_message_is_counted_for_itself),
        cmocka_unit_test(a_peer_that_goes_on_is_not_ended),
        cmocka_unit_test(a_pause_does_not_count),
        cmocka_unit_test(what_is_shut_does_not_count),
    };

    return cmocka_run_group_tests_name("socket_half", tests, NULL, NULL);
}
