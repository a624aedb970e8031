/*
 * WebSockets, streams of events and topics without sockets: what the program does inside of a
 * callback, what a topic does when its subscribers end in the middle, and memory that runs out at
 * each N.
 */
#include <stdlib.h>
#include <string.h>

#include "http/ws/ws_deflate.h"
#include "http/ws/ws_frame.h"
#include "pollux/topic.h"
#include "realtime/socket.h"
#include "unit/exchange/double.h"

enum { CALLS_MAX = 8 };

static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/* A WebSocket, and what it was told. */
struct one {
    struct call call;
    px_websocket *socket;
    const px_websocket_options *options;
    px_topic *topic; /* destroyed in on_close */
    struct one *other;
    uint32_t messages;
    uint32_t closed;
    unsigned code;
    bool opened;
    bool closes_other;
};

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    struct one *one = context;
    px_body body = {.struct_size = sizeof(px_body), .bytes = LITERAL("static")};

    one->messages++;
    (void)px_websocket_send(socket, kind, message);
    (void)px_websocket_send_body(socket, kind, &body);
    (void)px_websocket_send_piece(socket, kind, LITERAL("a"), 0);
    (void)px_websocket_send_piece(socket, kind, LITERAL("b"), 1);
}

static void on_close(px_websocket *socket, unsigned code, px_str reason, int clean, void *context)
{
    struct one *one = context;

    (void)clean;
    assert_non_null(reason.ptr);
    assert_int_equal(px_websocket_send(socket, PX_WEBSOCKET_TEXT, LITERAL("late")), PX_ERR_CLOSED);
    one->closed++;
    one->code = code;
    one->socket = NULL;
    if (one->closes_other && one->other->socket)
        (void)px_websocket_close(one->other->socket, 1000, LITERAL("too"));
    if (one->topic)
        px_topic_destroy(one->topic);
    one->topic = NULL;
}

static const px_websocket_events events = {
    .struct_size = sizeof(events), .on_message = on_message, .on_close = on_close};

static void accept_it(px_exchange *exchange, void *context)
{
    struct one *one = context;

    one->socket = px_websocket_accept(exchange, one->options, &events, one);
    one->opened = one->socket != NULL;
}

static bool one_open(struct one *one, struct stage *stage, const px_websocket_options *options)
{
    memset(one, 0, sizeof(*one));
    one->options = options;
    return call_begin(&one->call, stage, head, accept_it, one);
}

/* As a transport: what comes, and what goes out. */
static void one_receive(struct one *one, enum ws_opcode opcode, px_str content, uint8_t rsv)
{
    static const uint8_t key[WS_MASK_BYTES] = {1, 2, 3, 4};
    char frame[8192];
    size_t len = ws_head_write(frame, opcode, true, rsv, content.len, key);

    ws_bytes_plain.mask(frame + len, content.ptr, content.len, key);
    len += content.len;
    call_drive(&one->call);
    (void)call_receive(&one->call, px_str_make(frame, len));
    call_drive(&one->call);
}

static void one_finish(struct one *one)
{
    one->call.ended = 1; /* the WebSocket has callbacks of its own */
    call_finish(&one->call);
}

static void a_message_is_echoed_and_closed(void **state)
{
    static struct one one;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    assert_true(one_open(&one, &stage, NULL));
    assert_non_null(one.socket);
    assert_ptr_equal(px_websocket_of(one.call.exchange), one.socket);
    one_receive(&one, WS_TEXT, LITERAL("hello"), 0);
    assert_int_equal(one.messages, 1);
    assert_str_equal(call_content(&one.call), LITERAL("\x81\x05hello\x81\x06static\x01\x01"
                                                      "a\x80\x01"
                                                      "b"));
    assert_int_equal(one.call.status, 101);

    const struct loop_sockets *counts = &stage.loop->told.sockets;

    assert_int_equal(counts->opened[SOCKETS_SERVED], 1);
    assert_int_equal(counts->closed[SOCKETS_SERVED], 0);
    assert_int_equal(counts->messages[SOCKETS_IN], 1);
    assert_int_equal(counts->bytes[SOCKETS_IN], 5);
    assert_int_equal(counts->messages[SOCKETS_OUT], 3);
    assert_int_equal(counts->bytes[SOCKETS_OUT], 5 + 6 + 2);
    one_receive(&one, WS_CLOSE, LITERAL("\x0f\xa0why"), 0);
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.code, 4000);
    assert_int_equal(counts->closed[SOCKETS_SERVED], 1);
    assert_int_equal(counts->ends[SOCKETS_APPLICATION], 1);
    assert_true(one.call.done); /* our side has ended */
    assert_null(one.call.exchange);
    one_finish(&one);
    stage_close(&stage);
}

static void without_a_close_it_is_told_by_the_end(void **state)
{
    static struct one one;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    assert_true(one_open(&one, &stage, NULL));
    assert_int_equal(px_websocket_close(one.socket, 1005, LITERAL("")), PX_ERR_INVALID);
    assert_int_equal(px_websocket_close(one.socket, 1010, LITERAL("")), PX_ERR_INVALID);
    assert_int_equal(one.closed, 0);
    one_finish(&one);
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.code, WS_CODE_ABNORMAL);
    assert_int_equal(stage.loop->told.sockets.ends[SOCKETS_ABNORMAL], 1);
    stage_close(&stage);
}

/* A subscriber that is closed for its backlog, without memory for its Close, ends another one, and
 * the topic: from the loop, and never inside of a call of the program's. */
static void a_topic_may_end_with_its_subscriber(void **state)
{
    static struct one ones[3];
    px_websocket_options small = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;
    px_error error;

    (void)state;
    small.backlog_bytes_max = 10;
    small.backlog = PX_BACKLOG_CLOSE;
    assert_true(stage_open(&stage, NULL));
    px_topic *topic = px_topic_create(stage.loop, NULL, &error);

    for (int index = 0; index < 3; index++) {
        assert_true(one_open(&ones[index], &stage, index == 0 ? &small : NULL));
        assert_int_equal(px_topic_subscribe(topic, ones[index].socket), PX_OK);
        assert_int_equal(px_topic_subscribe(topic, ones[index].socket), PX_OK);
    }
    assert_int_equal(px_topic_count(topic), 3);
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("0123456789")), PX_OK);
    pump_once(stage.loop, 0);
    for (int index = 1; index < 3; index++)
        call_drive(&ones[index].call);
    assert_str_equal(call_content(&ones[2].call), LITERAL("\x81\x0a"
                                                          "0123456789"));
    /* The second message finds the first one full; no memory for its Close ends it at once. */
    ones[0].closes_other = true;
    ones[0].other = &ones[1];
    ones[0].topic = topic;
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("abc")), PX_OK);
    stage.fault.fail_at = atomic_load(&stage.fault.calls) + 1;
    stage.fault.fail_on = true;
    pump_once(stage.loop, 0);
    stage.fault.fail_at = 0;
    pump_once(stage.loop, 0);
    assert_int_equal(ones[0].closed, 1);
    assert_null(ones[0].topic);
    for (int index = 0; index < 3; index++)
        one_finish(&ones[index]);
    stage_close(&stage);
}

/* A frame of a topic that waits alone is sent before what comes behind it, and in pieces where
 * there is less room than it takes; a pong and a Close come behind it too. */
static void parted_wake(struct tunnel *tunnel)
{
    tunnel->is_later = true;
    px_resume(tunnel->carrier);
}

static void parted_reset(struct tunnel *tunnel)
{
    px_exchange_abort(tunnel->carrier);
}

static bool parted_is_idle(const struct tunnel *tunnel)
{
    (void)tunnel;
    return true;
}

static const struct tunnel_transport parted = {parted_wake, parted_reset, parted_is_idle};

/* As if it had parted from its exchange, to a transport that has nothing on its way. */
static void part(struct one *one)
{
    one->socket->tunnel.transport = &parted;
    one->socket->tunnel.carrier = one->call.exchange;
    one->socket->tunnel.is_later = true;
}

/* What is on its way to a peer that does not read may stay there: it is found in the budget. */
static void what_may_wait_for_long_is_found(void **state)
{
    static struct one one;
    struct stage stage;
    px_error error;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_topic *topic = px_topic_create(stage.loop, NULL, &error);

    assert_true(one_open(&one, &stage, NULL));
    assert_int_equal(px_topic_subscribe(topic, one.socket), PX_OK);
    call_drive(&one.call);
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("alone")), PX_OK);
    pump_once(stage.loop, 0);
    assert_non_null(one.socket->work);
    assert_false(list_empty(&stage.loop->memory.little[BUDGET_SOCKETS]));
    call_drive(&one.call);
    assert_true(list_empty(&stage.loop->memory.little[BUDGET_SOCKETS]));
    px_topic_destroy(topic);
    one_finish(&one);
    stage_close(&stage);
}

static void what_waits_alone_keeps_its_place(void **state)
{
    static struct one one;
    static char large[40000];
    struct stage stage;
    px_error error;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_topic *topic = px_topic_create(stage.loop, NULL, &error);

    assert_true(one_open(&one, &stage, NULL));
    assert_int_equal(px_topic_subscribe(topic, one.socket), PX_OK);
    call_drive(&one.call);
    part(&one);
    size_t memory = stage.loop->memory.shares[BUDGET_SOCKETS].bytes;

    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("A\xff\xfe")),
                     PX_ERR_INVALID);
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("cut \xe2\x82")),
                     PX_ERR_INVALID);
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("alone")), PX_OK);
    pump_once(stage.loop, 0);
    assert_null(one.socket->work);
    assert_int_equal(px_websocket_room(one.socket), (1 << 20) - 7);
    call_drive(&one.call);
    assert_str_equal(call_content(&one.call), LITERAL("\x81\x05"
                                                      "alone"));
    assert_int_equal(stage.loop->memory.shares[BUDGET_SOCKETS].bytes, memory);
    one.call.content_len = 0;
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("first")), PX_OK);
    pump_once(stage.loop, 0);
    assert_int_equal(px_websocket_send(one.socket, PX_WEBSOCKET_TEXT, LITERAL("second")), PX_OK);
    call_drive(&one.call);
    assert_str_equal(call_content(&one.call), LITERAL("\x81\x05"
                                                      "first\x81\x06second"));
    one.call.content_len = 0;
    memset(large, 'l', sizeof(large));
    assert_int_equal(
        px_topic_publish(topic, PX_WEBSOCKET_BINARY, px_str_make(large, sizeof(large))), PX_OK);
    pump_once(stage.loop, 0);
    call_drive(&one.call);
    assert_int_equal(call_content(&one.call).len, 4 + sizeof(large));
    assert_null(one.socket->work);
    one.call.content_len = 0;
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("last")), PX_OK);
    pump_once(stage.loop, 0);
    assert_int_equal(px_websocket_close(one.socket, 1000, LITERAL("")), PX_OK);
    call_drive(&one.call);
    assert_str_equal(call_content(&one.call), LITERAL("\x81\x04last\x88\x02\x03\xe8"));
    px_topic_destroy(topic);
    one_finish(&one);
    stage_close(&stage);
}

static void newcomers_get_what_comes_after(void **state)
{
    static struct one first, second;
    px_topic_options options = PX_TOPIC_OPTIONS_DEFAULT;
    struct stage stage;
    px_error error;

    (void)state;
    options.kept_count = 2;
    assert_true(stage_open(&stage, NULL));
    px_topic *topic = px_topic_create(stage.loop, &options, &error);

    assert_true(one_open(&first, &stage, NULL));
    assert_true(one_open(&second, &stage, NULL));
    assert_int_equal(px_topic_subscribe(topic, first.socket), PX_OK);
    for (char letter = 'a'; letter < 'e'; letter++)
        assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_BINARY, px_str_make(&letter, 1)),
                         PX_OK);
    /* Subscribed before they were handed out, and after they were published. */
    assert_int_equal(px_topic_subscribe(topic, second.socket), PX_OK);
    pump_once(stage.loop, 0);
    call_drive(&first.call);
    call_drive(&second.call);
    assert_str_equal(call_content(&first.call), LITERAL("\x82\x01"
                                                        "a\x82\x01"
                                                        "b\x82\x01"
                                                        "c\x82\x01"
                                                        "d"));
    assert_int_equal(second.call.content_len, 0);
    assert_int_equal(px_topic_last(topic, second.socket, 5), PX_OK);
    call_drive(&second.call);
    assert_str_equal(call_content(&second.call), LITERAL("\x82\x01"
                                                         "c\x82\x01"
                                                         "d"));
    px_topic_unsubscribe(topic, first.socket);
    px_topic_unsubscribe(topic, first.socket);
    assert_int_equal(px_topic_count(topic), 1);
    for (int count = 0; count < TOPIC_WAITING_MAX; count++)
        assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("x")), PX_OK);
    assert_int_equal(px_topic_publish(topic, PX_WEBSOCKET_TEXT, LITERAL("x")), PX_FULL);
    px_topic_destroy(topic);
    one_finish(&first);
    one_finish(&second);
    stage_close(&stage);
}

/* --- What a program may do
 * ------------------------------------------------------------------------
 */

static uint32_t released;

static void on_released(void *context)
{
    (void)context;
    released++;
}

/* Text that is not UTF-8 is not sent by any of the calls: its reader would have to fail. */
static void text_that_is_not_utf8_is_not_sent(void **state)
{
    static const char *const bad[] = {"\xff", "a\xed\xa0\x80", "cut \xe2\x82"};
    static struct one one;
    struct stage stage;

    (void)state;
    released = 0;
    assert_true(stage_open(&stage, NULL));
    assert_true(one_open(&one, &stage, NULL));
    px_ref ref = px_websocket_ref(one.socket);

    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        px_str text = px_str_of(bad[index]);
        px_body body = {.struct_size = sizeof(px_body), .bytes = text, .release = on_released};

        assert_int_equal(px_websocket_send(one.socket, PX_WEBSOCKET_TEXT, text), PX_ERR_INVALID);
        assert_int_equal(px_websocket_send_body(one.socket, PX_WEBSOCKET_TEXT, &body),
                         PX_ERR_INVALID);
        assert_int_equal(px_websocket_send_from(&ref, PX_WEBSOCKET_TEXT, text), PX_ERR_INVALID);
        assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_TEXT, text, 1),
                         PX_ERR_INVALID);
        assert_int_equal(px_websocket_close(one.socket, 1000, text), PX_ERR_INVALID);
        assert_int_equal(px_websocket_send(one.socket, PX_WEBSOCKET_BINARY, text), PX_OK);
    }
    assert_int_equal(released, ARRAY_COUNT(bad));
    call_drive(&one.call);
    one.call.content_len = 0;
    /* In pieces it may be cut inside of a character, and what is refused has changed nothing. */
    assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_TEXT, LITERAL("\xe2\x82"), 0),
                     PX_OK);
    assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_BINARY, LITERAL("a"), 0),
                     PX_ERR_INVALID);
    assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_TEXT, LITERAL(""), 1),
                     PX_ERR_INVALID);
    assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_TEXT, LITERAL("\xac"), 1),
                     PX_OK);
    assert_int_equal(px_websocket_send_piece(one.socket, PX_WEBSOCKET_BINARY, LITERAL("\xff"), 1),
                     PX_OK);
    call_drive(&one.call);
    assert_str_equal(call_content(&one.call), LITERAL("\x01\x02\xe2\x82\x80\x01\xac\x82\x01\xff"));
    px_ref_release(&ref);
    one_finish(&one);
    stage_close(&stage);
}

/* No limit is a limit that is added to. */
static void a_message_may_have_no_limit(void **state)
{
    static struct one one;
    static char large[6000];
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct stage stage;

    (void)state;
    options.message_bytes_max = UINT64_MAX;
    memset(large, 'a', sizeof(large));
    assert_true(stage_open(&stage, NULL));
    assert_true(one_open(&one, &stage, &options));
    one_receive(&one, WS_BINARY, px_str_make(large, sizeof(large)), 0);
    assert_int_equal(one.messages, 1);
    one_finish(&one);
    stage_close(&stage);
}

/* Back-pressure that comes late does not keep the peer's Close unread. */
static void a_pause_does_not_hold_up_closing(void **state)
{
    static struct one one;
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    assert_true(one_open(&one, &stage, NULL));
    assert_int_equal(px_websocket_close(one.socket, 1000, LITERAL("")), PX_OK);
    call_drive(&one.call);
    px_websocket_pause(one.socket);
    one_receive(&one, WS_CLOSE, LITERAL("\x03\xe8"), 0);
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.code, 1000);
    one_finish(&one);
    stage_close(&stage);
}

struct twice {
    bool events, after_answer;
    uint32_t ended;
    struct one one;
};

static void twice_end(px_exchange *exchange, px_end end, void *context)
{
    struct twice *twice = context;

    (void)exchange;
    assert_int_not_equal(end, PX_END_COMPLETE);
    twice->ended++;
}

static const px_exchange_callbacks twice_callbacks = {.struct_size = sizeof(twice_callbacks),
                                                      .on_end = twice_end};

static void accept_twice(px_exchange *exchange, void *context)
{
    struct twice *twice = context;

    if (twice->after_answer) {
        px_exchange_set_callbacks(exchange, &twice_callbacks, twice);
        px_respond_text(exchange, 200, "first");
    } else if (twice->events) {
        assert_non_null(px_events_accept(exchange, NULL));
    } else {
        assert_non_null(px_websocket_accept(exchange, NULL, &events, &twice->one));
    }
    if (twice->events)
        assert_null(px_events_accept(exchange, NULL));
    else
        assert_null(px_websocket_accept(exchange, NULL, &events, &twice->one));
}

/* A second answer breaks the exchange, as any does: what was accepted first ends with it, and the
 * callbacks of a program that has answered stay. */
static void accepting_twice_is_a_second_answer(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        static struct twice twice;
        struct stage stage;
        struct call call;

        twice = (struct twice){.events = way & 1, .after_answer = way & 2};
        assert_true(stage_open(&stage, NULL));
        assert_true(call_begin(&call, &stage, head, accept_twice, &twice));
        call_drive(&call);
        for (int turn = 0; turn < 5; turn++)
            pump_once(stage.loop, 0);
        call.ended = 1;
        call_finish(&call);
        assert_int_equal(stage.service.exchanges.taken, 0);
        assert_int_equal(twice.ended, twice.after_answer);
        stage_close(&stage);
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void events_handler(px_exchange *exchange, void *context)
{
    px_events *stream = px_events_accept(exchange, NULL);

    if (!stream)
        return;
    (void)px_events_send(stream, LITERAL("1"), LITERAL("e"), LITERAL("data"));
    px_err err = px_topic_subscribe_events(context, stream);

    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
}

enum { LARGE = 3 * SOCKET_SLICE_BYTES };

static void live(struct stage *stage, px_topic *topic, char *large)
{
    static struct one ones[2];
    static struct call events_call;
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    bool streams;

    options.deflate = 1;
    options.deflate_bytes_min = 1;
    for (int index = 0; index < 2; index++) {
        if (one_open(&ones[index], stage, &options) && ones[index].socket) {
            px_err err = px_topic_subscribe(topic, ones[index].socket);

            assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        }
    }
    streams =
        call_begin(&events_call, stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", events_handler, topic);
    for (int turn = 0; turn < 2; turn++) {
        one_receive(&ones[0], WS_TEXT, LITERAL("\xf2\x48\xcd\xc9\xc9\x07\x00"), WS_RSV1);
        one_receive(&ones[1], WS_BINARY, px_str_make(large, 6000), 0);
        one_receive(&ones[0], WS_PING, LITERAL("p"), 0);
        (void)px_topic_publish(topic, PX_WEBSOCKET_TEXT, px_str_make(large, 2000));
        /* Deflated in slices: whole in the first turn, and cut off in the second. */
        if (ones[0].socket && ones[0].closed == 0)
            (void)px_websocket_send(ones[0].socket, PX_WEBSOCKET_TEXT, px_str_make(large, LARGE));
        for (int slice = 0; slice < (turn == 0 ? 4 : 1); slice++) {
            pump_once(stage->loop, 0);
            call_drive(&ones[0].call);
        }
        for (int index = 0; index < 2; index++)
            call_drive(&ones[index].call);
        call_drive(&events_call);
    }
    one_receive(&ones[0], WS_CLOSE, LITERAL("\x03\xe8"), 0);
    for (int index = 0; index < 2; index++) {
        if (ones[index].call.stage)
            one_finish(&ones[index]);
        assert_int_equal(ones[index].closed, ones[index].opened);
    }
    events_call.ended = 1;
    if (streams || events_call.exchange)
        call_finish(&events_call);
}

static void build(const px_allocator *allocator, void *context)
{
    struct stage stage;
    px_error error;

    if (!stage_open(&stage, allocator))
        return;
    px_topic *topic = px_topic_create(stage.loop, NULL, &error);

    if (topic)
        live(&stage, topic, context);
    px_topic_destroy(topic);
    assert_int_equal(stage.loop->memory.shares[BUDGET_SOCKETS].bytes, 0);
    assert_int_equal(stage.loop->memory.shares[BUDGET_SOCKET_CODERS].bytes, 0);
    stage_close(&stage);
}

static void memory_may_run_out_anywhere(void **state)
{
    static char large[LARGE];

    (void)state;
    memset(large, 'x', sizeof(large));
    assert_true(fault_alloc_each("realtime", build, large) >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_echoed_and_closed),
        cmocka_unit_test(without_a_close_it_is_told_by_the_end),
        cmocka_unit_test(a_topic_may_end_with_its_subscriber),
        cmocka_unit_test(what_waits_alone_keeps_its_place),
        cmocka_unit_test(what_may_wait_for_long_is_found),
        cmocka_unit_test(newcomers_get_what_comes_after),
        cmocka_unit_test(text_that_is_not_utf8_is_not_sent),
        cmocka_unit_test(a_message_may_have_no_limit),
        cmocka_unit_test(a_pause_does_not_hold_up_closing),
        cmocka_unit_test(accepting_twice_is_a_second_answer),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
