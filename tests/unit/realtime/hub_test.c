/*
 * Hubs: three members in three loops are one topic; what is lost is counted; a member that is gone
 * holds up nobody; memory that runs out at each N.
 */
#include "pollux/hub.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "realtime/limits.h"
#include "realtime/subscriber.h"
#include "realtime/topic_message.h"
#include "unit/exchange/double.h"

enum { MEMBERS = 3 };

static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static const px_websocket_events events = {.struct_size = sizeof(events)};

struct member {
    struct stage stage;
    px_topic *topic;
    px_hub *hub;
    struct call call; /* a WebSocket that is subscribed */
};

static void pair_make(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
                     0);
}

static void subscribe(px_exchange *exchange, void *context)
{
    struct member *member = context;
    px_websocket *socket = px_websocket_accept(exchange, NULL, &events, NULL);

    assert_non_null(socket);
    assert_int_equal(px_topic_subscribe(member->topic, socket), PX_OK);
}

static void members_open(struct member *members)
{
    int fds[MEMBERS][MEMBERS];
    px_error error;

    for (int one = 0; one < MEMBERS; one++) {
        for (int other = one + 1; other < MEMBERS; other++) {
            int ends[2];

            pair_make(ends);
            fds[one][other - 1] = ends[0];
            fds[other][one] = ends[1];
        }
    }
    for (int index = 0; index < MEMBERS; index++) {
        struct member *member = &members[index];

        memset(member, 0, sizeof(*member));
        assert_true(stage_open(&member->stage, NULL));
        member->topic = px_topic_create(member->stage.loop, NULL, &error);
        member->hub = px_hub_create(member->stage.loop, fds[index], MEMBERS - 1, &error);
        assert_non_null(member->hub);
        assert_int_equal(px_hub_name(member->hub, "news", member->topic), PX_OK);
        assert_true(call_begin(&member->call, &member->stage, head, subscribe, member));
    }
}

static void member_close(struct member *member)
{
    px_hub_destroy(member->hub);
    px_topic_destroy(member->topic);
    member->call.ended = 1;
    call_finish(&member->call);
    stage_close(&member->stage);
}

static void members_turn(struct member *members, int count)
{
    for (int turn = 0; turn < 4; turn++) {
        for (int index = 0; index < count; index++) {
            pump_once(members[index].stage.loop, 0);
            call_drive(&members[index].call);
        }
    }
}

static void what_one_says_all_hear(void **state)
{
    static struct member members[MEMBERS];

    (void)state;
    members_open(members);
    assert_int_equal(px_hub_publish(members[0].hub, "news", PX_WEBSOCKET_TEXT, LITERAL("hello")),
                     PX_OK);
    assert_int_equal(px_hub_publish(members[2].hub, "news", PX_WEBSOCKET_BINARY, LITERAL("")),
                     PX_OK);
    members_turn(members, MEMBERS);
    for (int index = 0; index < 2; index++)
        assert_str_equal(call_content(&members[index].call), LITERAL("\x81\x05hello\x82\x00"));
    assert_int_equal(members[2].call.content_len, 9);
    for (int index = 0; index < MEMBERS; index++)
        member_close(&members[index]);
}

static void names_and_lengths_are_held_to(void **state)
{
    static struct member members[MEMBERS];
    static char large[PX_HUB_MESSAGE_BYTES_MAX];
    char name[258];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[257] = '\0';
    members_open(members);
    px_hub *hub = members[0].hub;

    assert_int_equal(px_hub_name(hub, "news", members[0].topic), PX_ERR_CONFLICT);
    assert_int_equal(px_hub_name(hub, "", members[0].topic), PX_ERR_INVALID);
    assert_int_equal(px_hub_name(hub, name, members[0].topic), PX_ERR_INVALID);
    assert_int_equal(px_hub_publish(hub, "olds", PX_WEBSOCKET_TEXT, LITERAL("a")),
                     PX_ERR_NOT_FOUND);
    assert_int_equal(px_hub_publish(hub, "news", PX_WEBSOCKET_TEXT, LITERAL("\xff")),
                     PX_ERR_INVALID);
    px_str most = px_str_make(large, sizeof(large) - 6);

    assert_int_equal(px_hub_publish(hub, "news", PX_WEBSOCKET_BINARY, most), PX_OK);
    most.len++;
    assert_int_equal(px_hub_publish(hub, "news", PX_WEBSOCKET_BINARY, most), PX_ERR_LIMIT);
    members_turn(members, MEMBERS);
    assert_int_equal(members[1].call.content_len, sizeof(large) - 6 + 4);
    assert_int_equal(px_hub_lost(members[1].hub), 0); /* the text was not sent to it */
    for (int index = 0; index < MEMBERS; index++)
        member_close(&members[index]);
}

/* One does not read: the others go on, what waits for it is bounded, and comes in order. */
static void a_slow_member_loses_what_it_cannot_take(void **state)
{
    static struct member members[MEMBERS];
    char text[2000];
    uint32_t full = 0, count = 2000;

    (void)state;
    members_open(members);
    for (uint32_t index = 0; index < count; index++) {
        int len = snprintf(text, sizeof(text), "%u ", index);

        memset(text + len, 'x', sizeof(text) - (size_t)len);
        full += px_hub_publish(members[0].hub, "news", PX_WEBSOCKET_TEXT,
                               px_str_make(text, sizeof(text))) == PX_FULL;
        members_turn(members, 2);
        members[0].call.content_len = 0;
        members[1].call.content_len = 0;
    }
    assert_true(full > 100 && full < count);
    assert_int_equal(px_hub_lost(members[0].hub), full);
    uint32_t last = 0, heard = 0;

    for (int turn = 0; turn < 200; turn++) {
        pump_once(members[turn % 2 ? 0 : 2].stage.loop, 0); /* what waits goes, and comes */
        call_drive(&members[2].call);
        for (size_t at = 0; at < members[2].call.content_len; at += sizeof(text) + 4) {
            uint32_t number = (uint32_t)strtoul(members[2].call.content + at + 4, NULL, 10);

            assert_true(heard == 0 || number > last);
            last = number;
            heard++;
        }
        members[2].call.content_len = 0;
    }
    assert_int_equal(heard, count - full);
    for (int index = 0; index < MEMBERS; index++)
        member_close(&members[index]);
}

static void a_member_that_is_gone_holds_up_nobody(void **state)
{
    static struct member members[MEMBERS];

    (void)state;
    members_open(members);
    member_close(&members[2]);
    assert_int_equal(px_hub_publish(members[0].hub, "news", PX_WEBSOCKET_TEXT, LITERAL("a")),
                     PX_OK);
    members_turn(members, 2);
    assert_int_equal(px_hub_publish(members[1].hub, "news", PX_WEBSOCKET_TEXT, LITERAL("b")),
                     PX_OK);
    members_turn(members, 2);
    assert_str_equal(call_content(&members[0].call), LITERAL("\x81\x01"
                                                             "a\x81\x01"
                                                             "b"));
    for (int index = 0; index < 2; index++)
        member_close(&members[index]);
}

/* What another program sends to a member's socket is passed over. */
static void what_is_no_packet_is_passed_over(void **state)
{
    static const px_str packets[] = {{"", 1},
                                     {"\x01", 1},
                                     {"\x01\x04new", 5},
                                     {"\x03\x04newsa", 7},
                                     {"\x01\xffnews", 6},
                                     {"\x01\x04oldsa", 7}};
    static struct member member;
    px_error error;
    int ends[2];

    (void)state;
    pair_make(ends);
    memset(&member, 0, sizeof(member));
    assert_true(stage_open(&member.stage, NULL));
    member.topic = px_topic_create(member.stage.loop, NULL, &error);
    member.hub = px_hub_create(member.stage.loop, ends, 1, &error);
    assert_int_equal(px_hub_name(member.hub, "news", member.topic), PX_OK);
    assert_true(call_begin(&member.call, &member.stage, head, subscribe, &member));
    for (size_t index = 0; index < sizeof(packets) / sizeof(packets[0]); index++)
        assert_int_equal(send(ends[1], packets[index].ptr, packets[index].len, 0),
                         packets[index].len);
    assert_int_equal(send(ends[1], "\x01\x04newsa", 7, 0), 7);
    members_turn(&member, 1);
    assert_str_equal(call_content(&member.call), LITERAL("\x81\x01"
                                                         "a"));
    close(ends[1]);
    members_turn(&member, 1);
    member_close(&member);
}

static void build(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;
    int ends[2];

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    pair_make(ends);
    px_topic *topic = px_topic_create(loop, NULL, &error);
    px_hub *hub = px_hub_create(loop, ends, 1, &error);

    if (!hub)
        close(ends[0]); /* it stayed ours */
    if (hub && topic && px_hub_name(hub, "n", topic) == PX_OK) {
        px_err err = px_hub_publish(hub, "n", PX_WEBSOCKET_TEXT, LITERAL("a"));

        assert_true(err == PX_OK || err == PX_ERR_MEMORY || err == PX_FULL);
        pump_once(loop, 0);
    }
    px_hub_destroy(hub);
    px_topic_destroy(topic);
    close(ends[1]);
    assert_int_equal(loop->memory.shares[BUDGET_SOCKETS].bytes, 0);
    px_loop_destroy(loop);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("hub", build, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_says_all_hear),
        cmocka_unit_test(names_and_lengths_are_held_to),
        cmocka_unit_test(a_slow_member_loses_what_it_cannot_take),
        cmocka_unit_test(a_member_that_is_gone_holds_up_nobody),
        cmocka_unit_test(what_is_no_packet_is_passed_over),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
