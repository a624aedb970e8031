/*
 * The client over HTTP/2: against our own server, many at once; and against a far end that the test
 * plays by hand, frame by frame, which refuses, says good-bye and breaks rules.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/link.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "pollux/request.h"
#include "pollux/server.h"
#include "unit/client/far.h"

enum { MANY = 40 };

static struct far far;
static px_loop *loop;
static px_client *client;
static struct teller teller; /* large */
static struct teller other;
static char h2_url[64];

static int begin(void **state)
{
    (void)state;
    far_open(&far);
    snprintf(h2_url, sizeof(h2_url), "h2c://%s/", far.host);
    loop = px_loop_create(NULL, NULL);
    client = px_client_create(loop, NULL, NULL);
    memset(&teller, 0, sizeof(teller));
    memset(&other, 0, sizeof(other));
    return 0;
}

static int finish(void **state)
{
    (void)state;
    px_client_destroy(client);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
    far_close(&far);
    return 0;
}

/* --- Against our own server ------------------------------------------------------------------- */

static void on_collected(px_exchange *exchange, px_str content, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), content);
}

static void handle_echo(px_exchange *exchange, void *context)
{
    (void)context;
    px_request_collect(exchange, 1024 * 1024, on_collected, NULL);
}

static void handle_path(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), px_request_path(exchange));
}

static px_server *server_make_with(px_server_options *options, char *out_url, size_t room)
{
    px_error error;

    options->loop = loop;
    px_server *server = px_server_create(options, &error);

    assert_non_null(server);
    assert_int_equal(px_server_route(server, "POST /{path...}", handle_echo, NULL, &error), PX_OK);
    assert_int_equal(px_server_route(server, "GET /{path...}", handle_path, NULL, &error), PX_OK);
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

    assert_non_null(listener);
    snprintf(out_url, room, "h2c://%s", px_listener_address(listener));
    assert_int_equal(px_server_serve(server, listener, &error), PX_OK);
    return server;
}

static px_server *server_make(char *out_url, size_t room)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    return server_make_with(&options, out_url, room);
}

static void many_share_a_connection(void **state)
{
    static struct teller tellers[MANY];
    px_counters counters = {.struct_size = sizeof(counters)};
    char url[64], target[MANY][32];

    (void)state;
    memset(tellers, 0, sizeof(tellers));
    px_server *server = server_make(url, sizeof(url));

    for (uint32_t index = 0; index < MANY; index++) {
        px_fetch_options options = teller_get(url);

        snprintf(target[index], sizeof(target[index]), "/number/%u", index);
        options.target = px_str_of(target[index]);
        teller_start(&tellers[index], loop, client, &options);
    }
    for (uint32_t index = 0; index < MANY; index++) {
        teller_wait(&tellers[index]);
        assert_int_equal(tellers[index].error.code, PX_OK);
        assert_int_equal(tellers[index].version, 20);
        assert_string_equal(tellers[index].bytes, target[index]);
    }
    px_server_counters(server, &counters);
    assert_int_equal(counters.accepted, 1);
    px_client_destroy(client);
    client = NULL;
    px_server_destroy(server);
}

/* Whole and pulled, used at once and a little at a time. */
static void content_goes_both_ways(void **state)
{
    static char content[300 * 1024];
    px_fetch_options options;
    char url[64];

    (void)state;
    px_server *server = server_make(url, sizeof(url));

    for (size_t at = 0; at < sizeof(content); at++)
        content[at] = (char)file_byte(at);
    for (int way = 0; way < 4; way++) {
        size_t bytes = way < 2 ? 200 * 1024 : 100 * 1024;

        memset(&teller, 0, sizeof(teller));
        options = teller_get(url);
        options.method = px_str_of("POST");
        if (way & 1) {
            options.pull_length = bytes;
            teller.pull_bytes = bytes;
            teller.pull_piece = 9000;
            teller.pull_later = true;
        } else {
            options.content = px_str_make(content, bytes);
        }
        teller.use = way >= 2 ? 3000 : 0;
        teller_start(&teller, loop, client, &options);
        for (uint32_t turn = 0; teller.ends == 0 && turn < 20000; turn++) {
            pump_once(loop, 1);
            if (teller.fetch)
                px_fetch_resume(teller.fetch);
        }
        teller_wait(&teller);
        assert_int_equal(teller.error.code, PX_OK);
        assert_int_equal(teller.len, bytes);
        assert_memory_equal(teller.bytes, content, bytes);
        assert_int_equal(teller.facts.content_sent, bytes);
    }
    px_client_destroy(client);
    client = NULL;
    px_server_destroy(server);
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    /* '0' again, where there is a connection: what was not rendered yet is counted once. */
    static const char moments[] = {'0', 'h', 'c', 'e', 'p', '0', '0', 'h'};
    px_counters counters = {.struct_size = sizeof(counters)};
    char url[64];

    (void)state;
    px_server *server = server_make(url, sizeof(url));

    for (size_t index = 0; index < sizeof(moments); index++) {
        px_fetch_options options = teller_get(url);

        memset(&teller, 0, sizeof(teller));
        memset(&other, 0, sizeof(other));
        options.method = px_str_of("POST");
        options.pull_length = 10;
        teller.pull_bytes = other.pull_bytes = 10;
        teller.cancel_at = moments[index];
        teller_start(&teller, loop, client, &options);
        teller_start(&other, loop, client, &options);
        if (moments[index] == '0')
            px_fetch_cancel(teller.fetch);
        teller_wait(&teller);
        teller_wait(&other);
        assert_int_equal(teller.error.code, PX_ERR_CANCELLED);
        assert_int_equal(other.error.code, PX_OK);
        assert_int_equal(other.len, 10);
    }
    px_server_counters(server, &counters);
    assert_int_equal(counters.accepted, 1);
    px_client_destroy(client);
    client = NULL;
    px_server_destroy(server);
}

/* A program that has nothing to send now is not a server that is silent. */
static void content_that_pauses_does_not_time_out(void **state)
{
    char url[64];

    (void)state;
    px_server *server = server_make(url, sizeof(url));
    px_fetch_options options = teller_get(url);

    options.method = px_str_of("POST");
    options.pull_length = 10;
    options.silence_timeout_ms = 30;
    teller.pull_bytes = 10;
    teller.pull_later = true;
    teller_start(&teller, loop, client, &options);
    pump_until(loop, teller.laters == 1);
    pump_quietly(loop, 150);
    assert_int_equal(teller.ends, 0);
    px_fetch_resume(teller.fetch);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    px_client_destroy(client);
    client = NULL;
    px_server_destroy(server);
}

enum { LARGE_BYTES = 100 * 1024 };

static void handle_large(px_exchange *exchange, void *context)
{
    static char large[LARGE_BYTES];

    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(large, sizeof(large)));
}

/* Answers that are whole and not used are kept in the loop's sum, however many have ended. */
static void what_is_not_used_has_a_sum(void **state)
{
    enum { COUNT = 64 };
    static struct teller tellers[COUNT];
    const struct budget *memory = &loop->memory;
    uint32_t refused = 0;
    px_error error;
    char url[64];

    (void)state;
    memset(tellers, 0, sizeof(tellers));
    px_server *server = server_make(url, sizeof(url));

    assert_int_equal(px_server_route(server, "GET /large", handle_large, NULL, &error), PX_OK);
    budget_divide(&loop->memory, 1 << 30, 2 << 20);
    for (uint32_t index = 0; index < COUNT; index++) {
        px_fetch_options options = teller_get(url);

        options.target = px_str_of("/large");
        tellers[index].hold = true;
        teller_start(&tellers[index], loop, client, &options);
    }
    for (int turn = 0; turn < 300; turn++)
        pump_once(loop, 1);
    assert_true(memory->shares[BUDGET_INBOX].bytes > LARGE_BYTES);
    assert_true(memory->shares[BUDGET_INBOX].bytes <= memory->shares[BUDGET_INBOX].bytes_max);
    for (uint32_t index = 0; index < COUNT; index++) {
        tellers[index].hold = false;
        if (tellers[index].ends == 0)
            px_fetch_resume(tellers[index].fetch);
        teller_wait(&tellers[index]);
        refused += tellers[index].error.code == PX_ERR_MEMORY;
        assert_true(tellers[index].error.code == PX_ERR_MEMORY ||
                    tellers[index].len == LARGE_BYTES);
    }
    assert_true(refused > 0 && refused < COUNT);
    px_client_destroy(client);
    client = NULL;
    px_server_destroy(server);
    assert_int_equal(memory->shares[BUDGET_INBOX].bytes, 0);
}

/* --- Against frames --------------------------------------------------------------------------- */

static void frame_send(int fd, uint8_t type, uint8_t flags, uint32_t stream, px_str payload)
{
    char head[9] = {(char)(payload.len >> 16),
                    (char)(payload.len >> 8),
                    (char)payload.len,
                    (char)type,
                    (char)flags,
                    (char)(stream >> 24),
                    (char)(stream >> 16),
                    (char)(stream >> 8),
                    (char)stream};

    peer_send(fd, px_str_make(head, sizeof(head)));
    if (payload.len > 0)
        peer_send(fd, payload);
}

/* Accepts, says SETTINGS, and waits for the request's HEADERS. */
static int h2_accept(void)
{
    char text[16 * 1024];
    size_t len = 0;
    int fd = far_accept(&far, loop);

    frame_send(fd, H2_SETTINGS, 0, 0, px_str_make("", 0));
    for (;;) {
        pump_once(loop, 1);
        long count = peer_recv(fd, text + len, sizeof(text) - len, 0);

        assert_true(count != 0 && count != -2);
        len += count > 0 ? (size_t)count : 0;
        for (size_t at = H2_PREFACE_BYTES; at + 9 <= len;) {
            if (text[at + 3] == H2_HEADERS)
                return fd;
            at += 9 + (((size_t)(uint8_t)text[at] << 16) | ((size_t)(uint8_t)text[at + 1] << 8) |
                       (uint8_t)text[at + 2]);
        }
    }
}

struct frame_step {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    px_str payload;
};

struct frame_case {
    const char *what;
    struct frame_step steps[4]; /* a payload that is absent: the end */
    px_err code;
    unsigned status;
    const char *content;
    bool again; /* it is asked for a second time, on another connection */
};

#define BYTES(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }
#define STATUS_200 "\x88"
#define LENGTH_3   \
    "\x0f\x0d\x01" \
    "3"

static const struct frame_case frame_cases[] = {
    {"an answer",
     {{H2_HEADERS, 4, 1, BYTES(STATUS_200)}, {H2_DATA, 1, 1, BYTES("abc")}},
     PX_OK,
     200,
     "abc",
     false},
    {"no content", {{H2_HEADERS, 5, 1, BYTES(STATUS_200)}}, PX_OK, 200, "", false},
    {"an informational one first",
     {{H2_HEADERS, 4, 1,
       BYTES("\x08\x03"
             "103")},
      {H2_HEADERS, 5, 1, BYTES(STATUS_200)}},
     PX_OK,
     200,
     "",
     false},
    {"trailers",
     {{H2_HEADERS, 4, 1, BYTES(STATUS_200)},
      {H2_DATA, 0, 1, BYTES("a")},
      {H2_HEADERS, 5, 1,
       BYTES("\x00\x03x-a\x01"
             "b")}},
     PX_OK,
     200,
     "a",
     false},
    {"more than its length",
     {{H2_HEADERS, 4, 1, BYTES(STATUS_200 LENGTH_3)}, {H2_DATA, 1, 1, BYTES("abcd")}},
     PX_ERR_MALFORMED,
     200,
     "",
     false},
    {"less than its length",
     {{H2_HEADERS, 4, 1, BYTES(STATUS_200 LENGTH_3)}, {H2_DATA, 1, 1, BYTES("ab")}},
     PX_ERR_MALFORMED,
     200,
     "ab",
     false},
    {"no status",
     {{H2_HEADERS, 5, 1,
       BYTES("\x00\x03x-a\x01"
             "b")}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"a status behind a field",
     {{H2_HEADERS, 5, 1,
       BYTES("\x00\x03x-a\x01"
             "b" STATUS_200)}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"a name in upper case",
     {{H2_HEADERS, 5, 1,
       BYTES(STATUS_200 "\x00\x03X-A\x01"
                        "b")}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"a line end in a value",
     {{H2_HEADERS, 5, 1, BYTES(STATUS_200 "\x00\x01x\x02\r\n")}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"a field of one connection",
     {{H2_HEADERS, 5, 1,
       BYTES(STATUS_200 "\x00\x07upgrade\x01"
                        "b")}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"101",
     {{H2_HEADERS, 4, 1,
       BYTES("\x08\x03"
             "101")}},
     PX_ERR_MALFORMED,
     0,
     "",
     false},
    {"content before the head", {{H2_DATA, 1, 1, BYTES("abc")}}, PX_ERR_MALFORMED, 0, "", false},
    {"a reset",
     {{H2_HEADERS, 4, 1, BYTES(STATUS_200)}, {H2_RST_STREAM, 0, 1, BYTES("\0\0\0\2")}},
     PX_ERR_CLOSED,
     200,
     "",
     false},
    {"a reset without a head",
     {{H2_RST_STREAM, 0, 1, BYTES("\0\0\0\2")}},
     PX_ERR_CLOSED,
     0,
     "",
     false},
    {"refused", {{H2_RST_STREAM, 0, 1, BYTES("\0\0\0\7")}}, PX_OK, 200, "again", true},
    {"good-bye, unprocessed",
     {{H2_GOAWAY, 0, 0, BYTES("\0\0\0\0\0\0\0\0")}},
     PX_OK,
     200,
     "again",
     true},
    {"a push",
     {{H2_PUSH_PROMISE, 4, 1, BYTES("\0\0\0\2" STATUS_200)}},
     PX_ERR_CLOSED,
     0,
     "",
     false},
    {"a frame that is too long",
     {{H2_PING, 0, 0, BYTES("123456789")}},
     PX_ERR_CLOSED,
     0,
     "",
     false},
    {"garbage in the table",
     {{H2_HEADERS, 5, 1, BYTES("\xff\xff\xff\xff\xff")}},
     PX_ERR_CLOSED,
     0,
     "",
     false},
};

static void frame_case_run(const struct frame_case *c)
{
    px_fetch_options options = teller_get(h2_url);
    int fds[2] = {-1, -1};

    memset(&teller, 0, sizeof(teller));
    options.method = px_str_of("DELETE"); /* idempotent: what is not sent again may not be */
    teller_start(&teller, loop, client, &options);
    fds[0] = h2_accept();
    for (size_t index = 0; index < 4 && c->steps[index].payload.ptr; index++)
        frame_send(fds[0], c->steps[index].type, c->steps[index].flags, c->steps[index].stream,
                   c->steps[index].payload);
    if (c->again && c->steps[0].type == H2_RST_STREAM) {
        pump_quietly(loop, 10);
        close(fds[0]);
        fds[0] = -1;
    }
    if (c->again) {
        fds[1] = h2_accept();
        frame_send(fds[1], H2_HEADERS, 4, 1, px_str_make(STATUS_200, 1));
        frame_send(fds[1], H2_DATA, 1, 1, px_str_of("again"));
    }
    teller_wait(&teller);
    if (teller.error.code != c->code)
        fail_msg("%s: %s (%s)", c->what, px_err_name(teller.error.code), teller.error.text);
    assert_int_equal(teller.status, c->status);
    assert_string_equal(teller.bytes, c->content);
    for (int index = 0; index < 2; index++)
        if (fds[index] >= 0)
            close(fds[index]);
    pump_quietly(loop, 5);
}

static void frames_are_judged(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(frame_cases); index++)
        frame_case_run(&frame_cases[index]);
    assert_int_equal(ARRAY_COUNT(frame_cases), 20);
}

static void a_head_is_bounded(void **state)
{
    static char block[8 * 1024];
    px_fetch_options options = teller_get(h2_url);

    (void)state;
    teller_start(&teller, loop, client, &options);
    int fd = h2_accept();

    memset(block, 'a', sizeof(block));
    memcpy(block, "\x00\x01x\x7f\xe1\x3e", 6); /* a value of 127 + 0x61 + 0x3e * 128 = 8,160 */
    frame_send(fd, H2_HEADERS, 0, 1, px_str_make(STATUS_200, 1));
    for (int index = 0; index < 5; index++)
        frame_send(fd, H2_CONTINUATION, index == 4 ? 4 : 0, 1, px_str_make(block, 6 + 8160));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_LIMIT);
    close(fd);
}

/* Heads for which the session has no memory end no fetch beside theirs. */
static void large_heads_end_no_other_fetch(void **state)
{
    enum { COUNT = 6 };
    static struct teller tellers[COUNT];
    static char large[900 * 1000], sink[64 * 1024];
    px_field field = {px_str_of("x-large"), px_str_make(large, sizeof(large))};
    px_fetch_options options = teller_get(h2_url);

    (void)state;
    memset(tellers, 0, sizeof(tellers));
    memset(large, '~', sizeof(large)); /* no Huffman code makes it shorter */
    teller_start(&teller, loop, client, &options);
    int fd = h2_accept();

    options.fields = &field;
    options.field_count = 1;
    for (int index = 0; index < COUNT; index++)
        teller_start(&tellers[index], loop, client, &options);
    for (int turn = 0; turn < 400; turn++) {
        pump_once(loop, 0);
        while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
            continue;
    }
    for (int index = 0; index < COUNT; index++)
        assert_true(tellers[index].ends == 0 || tellers[index].error.code == PX_ERR_LIMIT);
    frame_send(fd, H2_HEADERS, 4, 1, px_str_make(STATUS_200, 1));
    frame_send(fd, H2_DATA, 1, 1, px_str_of("alive"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_string_equal(teller.bytes, "alive");
    for (int index = 0; index < COUNT; index++)
        if (tellers[index].ends == 0)
            px_fetch_cancel(tellers[index].fetch);
    close(fd);
}

static void a_flood_ends_the_connection(void **state)
{
    px_fetch_options options = teller_get(h2_url);

    (void)state;
    teller_start(&teller, loop, client, &options);
    int fd = h2_accept();

    for (uint32_t count = 0; count <= H2_FRAMES_MAX; count++)
        frame_send(fd, H2_PING, 0, 0, px_str_make("12345678", 8));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_CLOSED);
    close(fd);
}

/* One that speaks something else. */
static void a_server_of_http1_is_no_server_of_http2(void **state)
{
    px_fetch_options options = teller_get(h2_url);

    (void)state;
    options.flags = PX_FETCH_ONCE;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    peer_send(fd, LITERAL("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_CLOSED);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_share_a_connection, begin, finish),
        cmocka_unit_test_setup_teardown(content_goes_both_ways, begin, finish),
        cmocka_unit_test_setup_teardown(it_can_be_cancelled_at_any_moment, begin, finish),
        cmocka_unit_test_setup_teardown(content_that_pauses_does_not_time_out, begin, finish),
        cmocka_unit_test_setup_teardown(what_is_not_used_has_a_sum, begin, finish),
        cmocka_unit_test_setup_teardown(large_heads_end_no_other_fetch, begin, finish),
        cmocka_unit_test_setup_teardown(frames_are_judged, begin, finish),
        cmocka_unit_test_setup_teardown(a_head_is_bounded, begin, finish),
        cmocka_unit_test_setup_teardown(a_flood_ends_the_connection, begin, finish),
        cmocka_unit_test_setup_teardown(a_server_of_http1_is_no_server_of_http2, begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
