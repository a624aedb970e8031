/*
 * A hub over Redis, whose place a socket of the test takes: what it is made with, what is lost
 * while nothing answers, a peer that speaks no RESP, and memory that runs out at each N.
 * tests/e2e/test_hub_redis.py has a real one.
 */
#include "pollux/hub_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/io.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct stand_in {
    char address[64];
    int listener;
};

static void stand_in_open(struct stand_in *stand_in)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    snprintf(stand_in->address, sizeof(stand_in->address), "unix:/tmp/pollux-redis-%d",
             (int)getpid());
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", stand_in->address + 5);
    unlink(name.sun_path);
    stand_in->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stand_in->listener, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(stand_in->listener, 100), 0);
}

static bool has_come(int listener, int *conn)
{
    if (*conn < 0)
        *conn = accept(listener, NULL, NULL);
    return *conn >= 0;
}

static void stand_in_close(struct stand_in *stand_in)
{
    close(stand_in->listener);
    unlink(stand_in->address + 5);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const addresses[] = {
        "localhost:6379", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
        "127.0.0.1:1x",   ":6379x",    "[::1]:6379", "unix:path",   "",
    };
    px_loop *loop = px_loop_create(NULL, NULL);
    px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
    px_error error;
    char prefix[66];

    (void)state;
    for (size_t index = 0; index < sizeof(addresses) / sizeof(addresses[0]); index++) {
        options.address = addresses[index];
        assert_null(px_hub_create_redis(loop, &options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
    options.address = NULL;
    memset(prefix, 'p', sizeof(prefix));
    prefix[65] = '\0';
    options.prefix = prefix;
    assert_null(px_hub_create_redis(loop, &options, &error));
    options.struct_size = 1;
    assert_null(px_hub_create_redis(loop, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    px_loop_destroy(loop);
}

static void without_it_the_own_loop_is_reached(void **state)
{
    px_loop *loop = px_loop_create(NULL, NULL);
    px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
    px_topic *topic = px_topic_create(loop, NULL, NULL);
    px_error error;

    (void)state;
    options.address = "unix:/nowhere/redis";
    options.retry_ms = 1;
    px_hub *hub = px_hub_create_redis(loop, &options, &error);

    assert_non_null(hub);
    assert_int_equal(px_hub_name(hub, "news", topic), PX_OK);
    pump_quietly(loop, 20);
    assert_int_equal(px_hub_is_connected(hub), 0);
    assert_int_equal(px_hub_publish(hub, "news", PX_WEBSOCKET_TEXT, LITERAL("a")), PX_FULL);
    assert_int_equal(px_hub_publish(hub, "olds", PX_WEBSOCKET_TEXT, LITERAL("a")),
                     PX_ERR_NOT_FOUND);
    assert_int_equal(px_hub_lost(hub), 1);
    px_hub_destroy(hub);
    px_topic_destroy(topic);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
}

/* What it says ends the connection, and the next one is tried; none is kept. */
static void a_peer_that_speaks_no_resp_is_left(void **state)
{
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "*3\r\n$-5\r\n",
                                       "-ERR max number of clients reached\r\n", "+PONG\r\n*x\r\n",
                                       ""};
    px_loop *loop = px_loop_create(NULL, NULL);
    px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
    px_topic *topic = px_topic_create(loop, NULL, NULL);
    struct stand_in stand_in;

    (void)state;
    stand_in_open(&stand_in);
    options.address = stand_in.address;
    options.retry_ms = 1;
    px_hub *hub = px_hub_create_redis(loop, &options, NULL);

    assert_int_equal(px_hub_name(hub, "news", topic), PX_OK);
    for (size_t index = 0; index < 2 * sizeof(said) / sizeof(said[0]); index++) {
        int conn = -1;

        pump_until(loop, has_come(stand_in.listener, &conn));
        (void)!write(conn, said[index / 2], strlen(said[index / 2]));
        pump_once(loop, 1);
        close(conn);
    }
    assert_int_equal(px_hub_is_connected(hub), 0);
    px_hub_destroy(hub);
    px_topic_destroy(topic);
    stand_in_close(&stand_in);
    px_loop_destroy(loop);
}

/* What it does not read is not kept without end. */
static void what_it_does_not_take_is_lost(void **state)
{
    static char large[60000];
    px_loop *loop = px_loop_create(NULL, NULL);
    px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
    px_topic *topic = px_topic_create(loop, NULL, NULL);
    struct stand_in stand_in;
    int conns[2] = {-1, -1};
    uint32_t taken = 0;

    (void)state;
    stand_in_open(&stand_in);
    options.address = stand_in.address;
    px_hub *hub = px_hub_create_redis(loop, &options, NULL);

    assert_int_equal(px_hub_name(hub, "news", topic), PX_OK);
    for (int index = 0; index < 2; index++) {
        pump_until(loop, has_come(stand_in.listener, &conns[index]));
        assert_int_equal(write(conns[index], "+PONG\r\n", 7), 7);
        pump_once(loop, 10);
    }
    pump_once(loop, 10);
    while (px_hub_publish(hub, "news", PX_WEBSOCKET_BINARY, px_str_make(large, sizeof(large))) ==
           PX_OK) {
        assert_in_range(++taken, 1, 100);
        pump_once(loop, 0);
    }
    assert_in_range(taken, 17, 100);
    px_hub_destroy(hub);
    px_topic_destroy(topic);
    close(conns[0]);
    close(conns[1]);
    stand_in_close(&stand_in);
    px_loop_destroy(loop);
}

static void build(const px_allocator *allocator, void *context)
{
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
    const struct stand_in *stand_in = context;
    px_error error;

    loop_options.allocator = allocator;
    px_loop *loop = px_loop_create(&loop_options, &error);

    if (!loop)
        return;
    px_topic *topic = px_topic_create(loop, NULL, &error);

    options.address = stand_in->address;
    options.retry_ms = 1;
    px_hub *hub = px_hub_create_redis(loop, &options, &error);

    if (hub && topic && px_hub_name(hub, "n", topic) == PX_OK) {
        pump_once(loop, 2);
        (void)px_hub_publish(hub, "n", PX_WEBSOCKET_TEXT, LITERAL("a"));
        pump_once(loop, 2);
    }
    px_hub_destroy(hub);
    px_topic_destroy(topic);
    assert_int_equal(loop->memory.shares[BUDGET_SOCKETS].bytes, 0);
    px_loop_destroy(loop);
    for (int conn; (conn = accept(stand_in->listener, NULL, NULL)) >= 0;)
        close(conn);
}

static void memory_may_run_out_anywhere(void **state)
{
    struct stand_in stand_in;

    (void)state;
    stand_in_open(&stand_in);
    assert_true(fault_alloc_each("hub over Redis", build, &stand_in) >= 6);
    stand_in_close(&stand_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(without_it_the_own_loop_is_reached),
        cmocka_unit_test(a_peer_that_speaks_no_resp_is_left),
        cmocka_unit_test(what_it_does_not_take_is_lost),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests_name("hub_redis", tests, NULL, NULL);
}
