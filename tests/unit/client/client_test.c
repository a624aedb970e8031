/*
 * The client over HTTP/1.1 against a far end that the test plays by hand: what is asked byte for
 * byte, what becomes of answers whole and broken, which connections are used again, and when a
 * request is sent a second time.
 */
#include "client/link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/client/far.h"

static struct far far;
static px_loop *loop;
static px_client *client;
static struct teller teller; /* large */
static struct teller other;

static void open_with(const px_client_options *options)
{
    far_open(&far);
    loop = px_loop_create(NULL, NULL);
    client = px_client_create(loop, options, NULL);
    assert_non_null(client);
    memset(&teller, 0, sizeof(teller));
    memset(&other, 0, sizeof(other));
}

static int begin(void **state)
{
    (void)state;
    open_with(NULL);
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

static void get(struct teller *into)
{
    px_fetch_options options = teller_get(far.url);

    teller_start(into, loop, client, &options);
}

/* Starts a GET and reads its head. */
static int get_asked(struct teller *into)
{
    get(into);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    return fd;
}

/* --- The request, byte for byte --------------------------------------------------------------- */

static void a_request_is_answered(void **state)
{
    char expected[128];

    (void)state;
    get(&teller);
    int fd = far_accept(&far, loop);

    snprintf(expected, sizeof(expected), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", far.host);
    far_expect(fd, loop, expected);
    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_int_equal(teller.status, 200);
    assert_int_equal(teller.version, 11);
    assert_int_equal(teller.length, 5);
    assert_string_equal(teller.bytes, "hello");
    assert_int_equal(teller.content_ends, 1);
    assert_int_equal(teller.facts.tries, 1);
    assert_int_equal(teller.facts.reused, 0);

    /* The same connection serves the next. */
    get(&other);
    far_expect(fd, loop, expected);
    peer_send(fd, LITERAL("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    teller_wait(&other);
    assert_int_equal(other.status, 404);
    assert_int_equal(other.facts.reused, 1);
    assert_false(far_is_dialled(&far, loop));
    close(fd);
}

struct request_case {
    const char *method;
    const char *target;
    const char *host;
    const char *name; /* of a field, or NULL */
    const char *value;
    const char *content;
    uint64_t pull_bytes; /* pulled; with PX_LENGTH_UNKNOWN: 3 bytes in chunks */
    uint32_t flags;
    const char *upgrade;
    px_str expected; /* "@": the host; absent: refused */
};

#define TEXT(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

static const struct request_case request_cases[] = {
    {"GET", "/a?b=c", NULL, NULL, NULL, NULL, 0, 0, NULL,
     TEXT("GET /a?b=c HTTP/1.1\r\nHost: @\r\n\r\n")},
    {"HEAD", "/", "a.test", NULL, NULL, NULL, 0, 0, NULL,
     TEXT("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")},
    {"GET", "/", NULL, "X-A", "b", NULL, 0, 0, NULL,
     TEXT("GET / HTTP/1.1\r\nHost: @\r\nX-A: b\r\n\r\n")},
    {"GET", "/a b", NULL, NULL, NULL, NULL, 0, 0, NULL,
     TEXT("GET /a%20b HTTP/1.1\r\nHost: @\r\n\r\n")},
    {"OPTIONS", "*", NULL, NULL, NULL, NULL, 0, 0, NULL,
     TEXT("OPTIONS * HTTP/1.1\r\nHost: @\r\n\r\n")},
    {"POST", "/", NULL, NULL, NULL, NULL, 0, 0, NULL,
     TEXT("POST / HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\n\r\n")},
    {"DELETE", "/", NULL, NULL, NULL, NULL, 0, 0, NULL,
     TEXT("DELETE / HTTP/1.1\r\nHost: @\r\n\r\n")},
    {"POST", "/", NULL, NULL, NULL, "abc", 0, 0, NULL,
     TEXT("POST / HTTP/1.1\r\nHost: @\r\nContent-Length: 3\r\n\r\nabc")},
    {"PUT", "/", NULL, NULL, NULL, "", 0, 0, NULL,
     TEXT("PUT / HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\n\r\n")},
    {"POST", "/", NULL, NULL, NULL, NULL, 3, 0, NULL,
     TEXT("POST / HTTP/1.1\r\nHost: @\r\nContent-Length: 3\r\n\r\n\x00\x07\x0e")},
    {"POST", "/", NULL, NULL, NULL, NULL, PX_LENGTH_UNKNOWN, 0, NULL,
     TEXT("POST / HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: "
          "chunked\r\n\r\n0003\r\n\x00\x07\x0e\r\n0\r\n\r\n")},
    {"GET", "/", NULL, NULL, NULL, NULL, 0, PX_FETCH_TRAILERS, NULL,
     TEXT("GET / HTTP/1.1\r\nHost: @\r\nTE: trailers\r\nConnection: TE\r\n\r\n")},
    {"GET", "/", NULL, NULL, NULL, NULL, 0, PX_FETCH_FRESH, NULL,
     TEXT("GET / HTTP/1.1\r\nHost: @\r\nConnection: close\r\n\r\n")},
    {"GET", "/", NULL, NULL, NULL, NULL, 0, 0, "websocket",
     TEXT("GET / HTTP/1.1\r\nHost: @\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")},
    {"CONNECT", "b.test:443", "b.test:443", NULL, NULL, NULL, 0, 0, NULL,
     TEXT("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n")},
    {"G T", "/", NULL, NULL, NULL, NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", "a b", NULL, NULL, NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "X A", "b", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "X-A", "b\r\nX-B: c", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "Content-Length", "3", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "Transfer-Encoding", "chunked", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "Host", "b.test", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "/", NULL, "Connection", "close", NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "*", NULL, NULL, NULL, NULL, 0, 0, NULL, {NULL, 0}},
    {"GET", "", NULL, NULL, NULL, NULL, 0, 0, NULL, {NULL, 0}},
    {"CONNECT", "/", NULL, NULL, NULL, NULL, 0, 0, NULL, {NULL, 0}},
    {"POST", "/", NULL, NULL, NULL, "abc", 3, 0, NULL, {NULL, 0}},
};

static void request_case_run(const struct request_case *c)
{
    px_field field = {px_str_of(c->name), px_str_of(c->value)};
    px_fetch_options options = teller_get(far.url);
    char expected[256];
    px_error error;

    memset(&teller, 0, sizeof(teller));
    options.method = px_str_of(c->method);
    options.target = px_str_of(c->target);
    options.host = px_str_of(c->host);
    options.content = px_str_of(c->content);
    options.pull_length = c->pull_bytes;
    options.upgrade = px_str_of(c->upgrade);
    options.flags = c->flags;
    options.fields = &field;
    options.field_count = c->name != NULL;
    teller.pull_bytes = 3;
    if (!c->expected.ptr) {
        assert_null(px_fetch_start(client, &options, &teller_callbacks, &teller, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
        return;
    }
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);
    char got[256], *end = expected;
    size_t have = 0;

    for (size_t at = 0; at < c->expected.len; at++)
        end = c->expected.ptr[at] == '@' ? stpcpy(end, far.host)
                                         : (*end = c->expected.ptr[at], end + 1);
    while (have < (size_t)(end - expected)) {
        pump_once(loop, 1);
        long count = peer_recv(fd, got + have, sizeof(got) - have, 0);

        assert_true(count != 0 && count != -2);
        have += count > 0 ? (size_t)count : 0;
    }
    assert_int_equal(have, end - expected);
    assert_memory_equal(got, expected, have);
    px_fetch_cancel(teller.fetch);
    teller_wait(&teller);
    close(fd);
}

static void requests_are_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(request_cases); index++)
        request_case_run(&request_cases[index]);
    assert_int_equal(ARRAY_COUNT(request_cases), 27);
}

static void urls_are_checked(void **state)
{
    static const char *const urls[] = {"",
                                       "foo",
                                       "ftp://a/",
                                       "http://",
                                       "http:///a",
                                       "http://a:0x/",
                                       "http://a:70000/",
                                       "http://u@a/",
                                       "http://a b/",
                                       "http://a/\x01",
                                       "h2c:/a",
                                       "unix:a"};
    px_error error;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(urls); index++) {
        px_fetch_options options = teller_get(urls[index]);

        assert_null(px_fetch_start(client, &options, &teller_callbacks, &teller, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
    assert_int_equal(ARRAY_COUNT(urls), 12);
}

/* --- Answers ---------------------------------------------------------------------------------- */

enum after { KEEPS, ENDS, RESETS };

struct answer_case {
    const char *method;
    const char *bytes;
    enum after after;
    px_err code;
    unsigned status;     /* 0: no head was told */
    const char *content; /* what was told of it */
    bool kept;           /* the connection is used again */
};

static const struct answer_case answer_cases[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", KEEPS, PX_OK, 200, "ab", true},
    {"GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab", KEEPS, PX_OK, 200, "ab", true},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEPS, PX_OK, 200, "", true},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", KEEPS, PX_OK, 204, "", true},
    {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", KEEPS, PX_OK, 204, "", true},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", KEEPS, PX_OK, 304, "", true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", KEEPS, PX_OK, 200, "", true},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", KEEPS, PX_OK, 200, "", true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", KEEPS, PX_OK, 200, "", false},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\nabc", KEEPS, PX_OK, 204, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", KEEPS, PX_OK, 200, "ab", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
     KEEPS, PX_OK, 200, "abc", true},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", KEEPS, PX_OK, 200,
     "a", false},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nabc", ENDS, PX_OK, 200, "abc", false},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nabc", RESETS, PX_ERR_CLOSED, 200, "abc", false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", KEEPS, PX_OK, 200, "a", false},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", KEEPS, PX_OK,
     200, "a", true},
    {"GET", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 1\r\n\r\na", KEEPS, PX_OK,
     200, "a", false},
    {"GET", "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=9\r\nContent-Length: 1\r\n\r\na", KEEPS,
     PX_OK, 200, "a", true},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEPS,
     PX_OK, 200, "", true},
    {"GET",
     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     KEEPS, PX_OK, 200, "", true},
    {"GET", "HTTP/1.1 103 Early Hints\r\n\r\n", ENDS, PX_ERR_CLOSED, 0, "", false},
    {"GET", "", ENDS, PX_ERR_CLOSED, 0, "", false},
    {"GET", "", RESETS, PX_ERR_CLOSED, 0, "", false},
    {"GET", "HTTP/1.1 20", ENDS, PX_ERR_CLOSED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ENDS, PX_ERR_CLOSED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", ENDS, PX_ERR_CLOSED, 200, "abc",
     false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", ENDS, PX_ERR_CLOSED,
     200, "ab", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nab\r\n", KEEPS,
     PX_ERR_MALFORMED, 200, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", KEEPS,
     PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     KEEPS, PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na", KEEPS, PX_ERR_MALFORMED, 0, "",
     false},
    {"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", KEEPS,
     PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", KEEPS,
     PX_ERR_MALFORMED, 0, "", false},
    {"GET", "garbage\r\n\r\n", KEEPS, PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/2.0 200 OK\r\n\r\n", KEEPS, PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nA: b\n\r\n", KEEPS, PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", KEEPS, PX_ERR_MALFORMED, 0, "", false},
    {"GET", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", KEEPS, PX_ERR_MALFORMED, 0, "", false},
};

/* The connection is used again, or closed. */
static void kept_check(int fd, bool kept)
{
    if (!kept) {
        assert_true(far_sees_end(fd, loop));
        return;
    }
    memset(&other, 0, sizeof(other));
    get(&other);
    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    teller_wait(&other);
    assert_int_equal(other.error.code, PX_OK);
    assert_int_equal(other.facts.reused, 1);
}

static void answer_case_run(const struct answer_case *c, bool bytewise)
{
    px_fetch_options options = teller_get(far.url);

    memset(&teller, 0, sizeof(teller));
    options.method = px_str_of(c->method);
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    for (const char *at = c->bytes; bytewise && *at && teller.ends == 0; at++) {
        peer_send(fd, px_str_make(at, 1));
        pump_once(loop, 1);
    }
    if (!bytewise)
        peer_send(fd, px_str_of(c->bytes));
    pump_quietly(loop, 2);
    if (c->after == ENDS)
        shutdown(fd, SHUT_WR);
    else if (c->after == RESETS)
        peer_reset(fd);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, c->code);
    assert_int_equal(teller.status, c->status);
    assert_string_equal(teller.bytes, c->content);
    if (c->after != RESETS) {
        kept_check(fd, c->kept);
        close(fd);
    }
}

static void answers_are_judged(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(answer_cases); index++) {
        answer_case_run(&answer_cases[index], false);
        /* A byte behind the end is not waited for. */
        if (answer_cases[index].kept || answer_cases[index].code != PX_OK)
            answer_case_run(&answer_cases[index], true);
    }
    assert_int_equal(ARRAY_COUNT(answer_cases), 39);
}

static void trailers_and_hints_are_told(void **state)
{
    (void)state;
    int fd = get_asked(&teller);

    peer_send(fd, LITERAL("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\na\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.informs, 1);
    assert_int_equal(teller.inform_status, 103);
    assert_int_equal(teller.length, PX_LENGTH_UNKNOWN);
    assert_int_equal(teller.trailer_count, 1);
    assert_string_equal(teller.trailer, "7");
    close(fd);
}

static void hints_are_bounded(void **state)
{
    (void)state;
    int fd = get_asked(&teller);

    for (uint32_t count = 0; count <= CLIENT_INFORM_COUNT_MAX; count++)
        peer_send(fd, LITERAL("HTTP/1.1 103 Early Hints\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_LIMIT);
    assert_int_equal(teller.informs, CLIENT_INFORM_COUNT_MAX);
    close(fd);
}

static void a_head_is_bounded(void **state)
{
    static char line[40 * 1024];

    (void)state;
    int fd = get_asked(&teller);

    memset(line, 'a', sizeof(line));
    memcpy(line, "HTTP/1.1 200 OK\r\nX: ", 20);
    peer_send(fd, px_str_make(line, sizeof(line)));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_LIMIT);
    close(fd);
}

/* --- Back-pressure ---------------------------------------------------------------------------- */

static void a_receiver_holds_the_server_back(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    (void)state;
    int fd = get_asked(&teller);

    teller.use = 3;
    peer_send(fd, px_str_of(head));
    peer_send(fd, LITERAL("5\r\nabcde\r\n4\r\nfghi\r\n0\r\n\r\n"));
    for (uint32_t count = 0; count < 20 && teller.ends == 0; count++) {
        size_t len = teller.len;

        pump_quietly(loop, 3);
        assert_true(teller.len - len <= 3 + 4);
        if (teller.fetch)
            px_fetch_resume(teller.fetch);
    }
    teller_wait(&teller);
    assert_string_equal(teller.bytes, "abcdefghi");
    close(fd);
}

static void nothing_is_read_while_it_is_held(void **state)
{
    (void)state;
    int fd = get_asked(&teller);

    pair_shrink(fd);
    teller.hold = true;
    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
    pump_until(loop, teller.heads == 1);
    pump_quietly(loop, 20);
    assert_int_equal(teller.len, 0);
    peer_send(fd, LITERAL("defghij"));
    shutdown(fd, SHUT_WR);
    pump_quietly(loop, 20);
    assert_int_equal(teller.ends, 0);
    teller.hold = false;
    px_fetch_resume(teller.fetch);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_string_equal(teller.bytes, "abcdefghij");
    close(fd);
}

/* --- Content of the request ------------------------------------------------------------------- */

static void content_is_sent_whole(int fd, const char *head_end, size_t bytes)
{
    static char text[TELLER_BYTES_MAX];
    size_t len = strlen(far_read(fd, loop, head_end)), at = 0;

    (void)len;
    while (at < bytes) {
        pump_once(loop, 1);
        long count = peer_recv(fd, text + at, bytes - at, 0);

        assert_true(count != 0 && count != -2);
        at += count > 0 ? (size_t)count : 0;
    }
    for (at = 0; at < bytes; at++)
        assert_int_equal((unsigned char)text[at], file_byte(at));
}

static void large_content_waits_for_the_server(void **state)
{
    static char content[200 * 1024];
    px_fetch_options options = teller_get(far.url);

    (void)state;
    for (size_t at = 0; at < sizeof(content); at++)
        content[at] = (char)file_byte(at);
    options.method = px_str_of("PUT");
    options.content = px_str_make(content, sizeof(content));
    options.flags = PX_FETCH_EXPECT;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    assert_non_null(strstr(far_read(fd, loop, "\r\n\r\n"), "Expect: 100-continue\r\n"));
    pump_quietly(loop, 20);
    char byte;

    assert_int_equal(peer_recv(fd, &byte, 1, 0), -1);
    peer_send(fd, LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
    content_is_sent_whole(fd, "", sizeof(content));
    peer_send(fd, LITERAL("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.status, 201);
    assert_int_equal(teller.facts.content_sent, sizeof(content));
    kept_check(fd, true);
    close(fd);
}

static void a_server_that_does_not_say_continue_gets_it_in_a_second(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.method = px_str_of("PUT");
    options.content = px_str_of("abc");
    options.flags = PX_FETCH_EXPECT;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);
    uint64_t since = pump_now_ms();

    far_read(fd, loop, "\r\n\r\nabc");
    assert_true(pump_now_ms() - since >= CLIENT_CONTINUE_MS - 50);
    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    close(fd);
}

static void content_that_is_not_wanted_is_not_sent(void **state)
{
    px_fetch_options options = teller_get(far.url);
    char byte;

    (void)state;
    options.method = px_str_of("PUT");
    options.content = px_str_of("abc");
    options.flags = PX_FETCH_EXPECT;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.status, 413);
    assert_int_equal(teller.facts.content_sent, 0);
    assert_true(peer_recv(fd, &byte, 1, 1000) <= 0);
    close(fd);
}

static void content_is_pulled(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    for (int later = 0; later < 2; later++) {
        memset(&teller, 0, sizeof(teller));
        options.method = px_str_of("PUT");
        options.pull_length = 100000;
        teller.pull_bytes = 100000;
        teller.pull_piece = later ? 30011 : 0;
        teller.pull_later = later;
        teller_start(&teller, loop, client, &options);
        int fd = far_accept(&far, loop);
        size_t got = 0, head = 0;
        static char text[TELLER_BYTES_MAX];

        while (head == 0 || got < head + 100000) {
            pump_once(loop, 1);
            if (teller.fetch)
                px_fetch_resume(teller.fetch);
            long count = peer_recv(fd, text + got, sizeof(text) - 1 - got, 0);

            assert_true(count != 0 && count != -2);
            got += count > 0 ? (size_t)count : 0;
            const char *end = memmem(text, got, "\r\n\r\n", 4);

            head = end ? (size_t)(end - text) + 4 : 0;
        }
        for (size_t at = 0; at < 100000; at++)
            assert_int_equal((unsigned char)text[head + at], file_byte(at));
        peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
        teller_wait(&teller);
        assert_int_equal(teller.error.code, PX_OK);
        close(fd);
    }
}

static void content_of_another_length_breaks_off(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    for (int more = 0; more < 2; more++) {
        memset(&teller, 0, sizeof(teller));
        options.method = px_str_of("PUT");
        options.pull_length = 100;
        teller.pull_bytes = more ? 101 : 99;
        teller.pull_short = !more;
        teller_start(&teller, loop, client, &options);
        teller_wait(&teller);
        assert_int_equal(teller.error.code, PX_ERR_INVALID);
        close(far_accept(&far, loop));
    }
}

static void an_early_answer_is_told_at_once(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.method = px_str_of("PUT");
    options.pull_length = PX_LENGTH_UNKNOWN;
    teller.pull_bytes = SIZE_MAX / 2; /* it never ends */
    teller.pull_piece = 1000;
    teller.pull_later = true;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_string_equal(teller.bytes, "no");
    close(fd);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

static void a_tunnel_goes_both_ways(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.upgrade = px_str_of("echo");
    options.pull_length = PX_LENGTH_UNKNOWN;
    teller.pull_bytes = 5;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: Echo\r\n"
                          "Connection: Upgrade\r\n\r\nhello"));
    char text[8];
    size_t len = 0;

    while (len < 5) {
        pump_once(loop, 1);
        long count = peer_recv(fd, text + len, sizeof(text) - len, 0);

        len += count > 0 ? (size_t)count : 0;
    }
    assert_int_equal((unsigned char)text[1], file_byte(1));
    assert_true(far_sees_end(fd, loop)); /* our side has ended, theirs goes on */
    peer_send(fd, LITERAL(" world"));
    pump_quietly(loop, 10);
    assert_int_equal(teller.ends, 0);
    close(fd);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_int_equal(teller.status, 101);
    assert_string_equal(teller.bytes, "hello world");
}

/* --- Connections ------------------------------------------------------------------------------ */

struct stale_case {
    const char *method;
    uint32_t flags;
    const char *content;
    bool reset;
    bool again;
};

static const struct stale_case stale_cases[] = {
    {"GET", 0, NULL, false, true},
    {"GET", 0, NULL, true, true},
    {"PUT", 0, "abc", false, true},
    {"DELETE", 0, NULL, false, true},
    {"POST", 0, "abc", false, false},
    {"PATCH", 0, "abc", true, false},
    {"GET", PX_FETCH_ONCE, NULL, false, false},
};

/* The server reads the second request of a connection and ends it without a byte. */
static void stale_case_run(const struct stale_case *c)
{
    px_fetch_options options = teller_get(far.url);

    memset(&teller, 0, sizeof(teller));
    memset(&other, 0, sizeof(other));
    int fd = get_asked(&teller);

    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    options.method = px_str_of(c->method);
    options.content = px_str_of(c->content);
    options.flags = c->flags;
    teller_start(&other, loop, client, &options);
    far_read(fd, loop, c->content ? c->content : "\r\n\r\n");
    if (c->reset)
        peer_reset(fd);
    else
        close(fd);
    if (!c->again) {
        teller_wait(&other);
        assert_int_equal(other.error.code, PX_ERR_CLOSED);
        assert_int_equal(other.facts.tries, 1);
        assert_int_equal(other.facts.unprocessed, 0);
        assert_false(far_is_dialled(&far, loop));
        return;
    }
    fd = far_accept(&far, loop);
    far_read(fd, loop, c->content ? c->content : "\r\n\r\n");
    /* A second time it is the server's fault. */
    close(fd);
    teller_wait(&other);
    assert_int_equal(other.error.code, PX_ERR_CLOSED);
    assert_int_equal(other.facts.tries, 2);
}

static void stale_connections_are_tried_once_more(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(stale_cases); index++)
        stale_case_run(&stale_cases[index]);
    assert_int_equal(ARRAY_COUNT(stale_cases), 7);
}

static void bytes_on_an_idle_connection_end_it(void **state)
{
    (void)state;
    int fd = get_asked(&teller);

    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"));
    pump_quietly(loop, 20);
    get(&other);
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"));
    teller_wait(&other);
    assert_string_equal(other.bytes, "good");
    close(fd);
    close(second);
}

static void idle_connections_are_given_up(void **state)
{
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;

    (void)state;
    options.keep_timeout_ms = 50;
    open_with(&options);
    int fd = get_asked(&teller);

    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    assert_true(far_sees_end(fd, loop));
    close(fd);
    finish(NULL);
}

static void connections_are_bounded(void **state)
{
    static struct teller tellers[4];
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;
    struct far second;

    (void)state;
    memset(tellers, 0, sizeof(tellers));
    options.connections_max = 2;
    open_with(&options);
    far_open(&second);
    px_fetch_options elsewhere = teller_get(second.url);

    for (uint32_t index = 0; index < 3; index++)
        get(&tellers[index]);
    teller_start(&tellers[3], loop, client, &elsewhere);
    int fds[2] = {far_accept(&far, loop), far_accept(&far, loop)};

    assert_false(far_is_dialled(&far, loop));
    assert_false(far_is_dialled(&second, loop));
    far_read(fds[0], loop, "\r\n\r\n");
    far_read(fds[1], loop, "\r\n\r\n");
    peer_send(fds[0], LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    far_read(fds[0], loop, "\r\n\r\n"); /* the third has it now */
    peer_send(fds[0], LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    /* Idle here, it makes room for another origin. */
    int fd = far_accept(&second, loop);

    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    peer_send(fds[1], LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    for (uint32_t index = 0; index < 4; index++) {
        teller_wait(&tellers[index]);
        assert_int_equal(tellers[index].error.code, PX_OK);
    }
    close(fd);
    close(fds[0]);
    close(fds[1]);
    far_close(&second);
    finish(NULL);
}

/* At the limit of connections an origin whose fetches go on and on leaves room for the fetch of
 * another that has waited longer. */
static void no_origin_starves_another(void **state)
{
    static struct teller more; /* large */
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;
    struct far second;

    (void)state;
    memset(&more, 0, sizeof(more));
    options.connections_max = 1;
    open_with(&options);
    far_open(&second);
    px_fetch_options elsewhere = teller_get(second.url);
    int first = get_asked(&teller);

    teller_start(&other, loop, client, &elsewhere);
    get(&more);
    peer_send(first, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    int fd = far_accept(&second, loop);

    far_read(fd, loop, "\r\n\r\n");
    assert_true(far_sees_end(first, loop));
    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&other);
    int again = far_accept(&far, loop);

    far_read(again, loop, "\r\n\r\n");
    peer_send(again, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&more);
    assert_int_equal(other.error.code, PX_OK);
    assert_int_equal(more.error.code, PX_OK);
    close(first);
    close(fd);
    close(again);
    far_close(&second);
    finish(NULL);
}

/* With as many idle as are kept, one that must be fresh still gets its own. */
static void a_fresh_one_is_opened_beside_those_kept(void **state)
{
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;

    (void)state;
    options.origin_idle_max = 1;
    open_with(&options);
    px_fetch_options asked = teller_get(far.url);
    int first = get_asked(&teller);

    peer_send(first, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    asked.flags = PX_FETCH_FRESH;
    teller_start(&other, loop, client, &asked);
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&other);
    assert_true(far_sees_end(second, loop));
    kept_check(first, true);
    close(first);
    close(second);
    finish(NULL);
}

/* At the limit of connections to a server one that is idle makes room, since it cannot be had; and
 * what waits behind is served by those that are left. */
static void a_fresh_one_takes_the_place_of_an_idle_one(void **state)
{
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;
    static struct teller third; /* large */

    (void)state;
    options.origin_connections_max = 2;
    open_with(&options);
    memset(&third, 0, sizeof(third));
    px_fetch_options asked = teller_get(far.url);
    int first = get_asked(&teller), second = get_asked(&other);

    peer_send(first, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&other);
    asked.flags = PX_FETCH_FRESH;
    memset(&teller, 0, sizeof(teller));
    teller_start(&teller, loop, client, &asked);
    get(&third);
    assert_true(far_sees_end(first, loop)); /* it was idle for longest */
    int fresh = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&third);
    far_read(fresh, loop, "\r\n\r\n");
    peer_send(fresh, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    assert_int_equal(teller.facts.reused, 0);
    assert_int_equal(third.facts.reused, 1);
    assert_false(far_is_dialled(&far, loop));
    close(first);
    close(second);
    close(fresh);
    finish(NULL);
}

/* A connection that is open, and was opened for a fetch that has left. */
static int opened_for_none(void)
{
    get(&teller);
    while (list_empty(&client->open))
        pump_once(loop, 0);
    px_fetch_cancel(teller.fetch);
    teller_wait(&teller);
    int fd = far_accept(&far, loop);

    pump_until(loop, LIST_ENTRY(client->open.next, struct link, node)->stage == LINK_OPEN);
    pump_quietly(loop, 20);
    return fd;
}

/* Its server may have given up a connection that served none, as any other that is kept. */
static void one_that_served_none_may_be_stale(void **state)
{
    (void)state;
    int first = opened_for_none();

    get(&other);
    far_read(first, loop, "\r\n\r\n");
    close(first);
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&other);
    assert_int_equal(other.error.code, PX_OK);
    assert_int_equal(other.facts.tries, 2);
    close(second);
}

static void one_that_served_none_is_not_fresh(void **state)
{
    px_fetch_options asked = teller_get(far.url);

    (void)state;
    int first = opened_for_none();

    asked.flags = PX_FETCH_FRESH;
    memset(&teller, 0, sizeof(teller));
    teller_start(&teller, loop, client, &asked);
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    close(first);
    close(second);
}

static void what_nobody_answers_fails(void **state)
{
    px_fetch_options options = teller_get("http://127.0.0.1:1/");

    (void)state;
    teller_start(&teller, loop, client, &options);
    teller_start(&other, loop, client, &options);
    teller_wait(&teller);
    teller_wait(&other);
    assert_int_equal(teller.error.code, PX_ERR_CLOSED);
    assert_int_equal(other.error.code, PX_ERR_CLOSED);
    assert_int_equal(teller.facts.unprocessed, 1);
    assert_int_equal(teller.facts.tries, 0);
}

/* What begins a connection is not shared with others. */
static void a_preamble_comes_first(void **state)
{
    px_fetch_options options = teller_get(far.url);
    char expected[128];

    (void)state;
    options.preamble = px_str_of("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    snprintf(expected, sizeof(expected),
             "%sGET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", options.preamble.ptr,
             far.host);
    far_expect(fd, loop, expected);
    peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&teller);
    assert_true(far_sees_end(fd, loop));
    close(fd);
}

/* --- Time ------------------------------------------------------------------------------------- */

static void silence_has_an_end(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.first_byte_timeout_ms = 60;
    options.silence_timeout_ms = 30;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_TIMEOUT);
    assert_true(far_sees_end(fd, loop) || true);
    close(fd);

    memset(&teller, 0, sizeof(teller));
    teller_start(&teller, loop, client, &options);
    fd = far_accept(&far, loop);
    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_TIMEOUT);
    assert_string_equal(teller.bytes, "ab");
    close(fd);
}

static void a_fetch_has_an_end(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.total_timeout_ms = 60;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    for (uint32_t count = 0; count < 400 && teller.ends == 0; count++) {
        peer_send(fd, LITERAL("a"));
        pump_quietly(loop, 2);
    }
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_TIMEOUT);
    close(fd);
}

/* The caller's own pause is no silence of the server's. */
static void a_pause_does_not_time_out(void **state)
{
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.silence_timeout_ms = 30;
    teller.hold = true;
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
    pump_quietly(loop, 150);
    assert_int_equal(teller.ends, 0);
    teller.hold = false;
    px_fetch_resume(teller.fetch);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
    close(fd);
}

static void waiting_has_an_end(void **state)
{
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;

    (void)state;
    options.origin_connections_max = 1;
    options.wait_timeout_ms = 40;
    open_with(&options);
    get(&teller);
    int fd = far_accept(&far, loop);

    far_read(fd, loop, "\r\n\r\n");
    get(&other);
    teller_wait(&other);
    assert_int_equal(other.error.code, PX_ERR_TIMEOUT);
    assert_int_equal(teller.ends, 0);
    close(fd);
    teller_wait(&teller);
    finish(NULL);
}

/* --- Cancelling ------------------------------------------------------------------------------- */

static void it_can_be_cancelled_at_any_moment(void **state)
{
    static const char moments[] = {'0', '1', '2', 'i', 'h', 'c', 'e', 'p'};
    px_fetch_options options = teller_get(far.url);

    (void)state;
    for (size_t index = 0; index < sizeof(moments); index++) {
        char moment = moments[index];
        int fd = -1;

        memset(&teller, 0, sizeof(teller));
        teller.cancel_at = moment;
        teller.pull_bytes = 10;
        options.method = px_str_of("PUT");
        options.pull_length = 10;
        teller_start(&teller, loop, client, &options);
        if (moment == '0')
            px_fetch_cancel(teller.fetch);
        if (moment != '0')
            fd = far_accept(&far, loop);
        if (moment == '1')
            px_fetch_cancel(teller.fetch);
        if (fd >= 0 && moment != '1' && moment != 'p') {
            far_read(fd, loop, "\r\n\r\n");
            if (moment == '2')
                px_fetch_cancel(teller.fetch);
            else
                peer_send(fd, LITERAL("HTTP/1.1 103 Early Hints\r\n\r\n"
                                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
        }
        teller_wait(&teller);
        assert_int_equal(teller.error.code, PX_ERR_CANCELLED);
        assert_int_equal(teller.content_ends, moment == 'e');
        if (fd >= 0)
            close(fd);
    }
}

/* With a send in flight its memory is used until that has reported. */
static void it_can_be_cancelled_while_it_is_sent(void **state)
{
    static char content[4 * 1024 * 1024];
    px_fetch_options options = teller_get(far.url);

    (void)state;
    options.method = px_str_of("PUT");
    options.content = px_str_make(content, sizeof(content));
    teller_start(&teller, loop, client, &options);
    int fd = far_accept(&far, loop);

    pump_quietly(loop, 20);
    assert_int_equal(teller.ends, 0);
    px_fetch_cancel(teller.fetch);
    assert_int_equal(teller.ends, 0);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_CANCELLED);
    close(fd);
}

static void a_client_that_ends_ends_its_fetches(void **state)
{
    (void)state;
    int fd = get_asked(&teller);

    get(&other);
    px_client_destroy(client);
    assert_int_equal(teller.ends, 1);
    assert_int_equal(other.ends, 1);
    assert_int_equal(teller.error.code, PX_ERR_CANCELLED);
    client = px_client_create(loop, NULL, NULL);
    close(fd);
}

static void destroy_on_end(px_fetch *fetch, const px_error *error, void *context)
{
    (void)fetch;
    (void)error;
    *(bool *)context = true;
    px_client_destroy(client);
    client = NULL;
}

static void a_client_may_end_in_a_callback(void **state)
{
    static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                 .on_end = destroy_on_end};
    px_fetch_options options = teller_get(far.url);
    bool ended = false;

    (void)state;
    get(&other);
    int fd = far_accept(&far, loop);

    assert_non_null(px_fetch_start(client, &options, &callbacks, &ended, NULL));
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    pump_until(loop, ended && other.ends == 1 && px_loop_handle_count(loop) == 0);
    close(fd);
    close(second);
}

/* --- Without memory --------------------------------------------------------------------------- */

static void fetch_without_memory(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_fetch_options asked = teller_get(far.url);
    px_error error;

    (void)context;
    memset(&teller, 0, sizeof(teller));
    options.allocator = allocator;
    loop = px_loop_create(&options, &error);
    if (!loop)
        return;
    client = px_client_create(loop, NULL, &error);
    asked.method = px_str_of("PUT");
    asked.content = px_str_of("abc");
    teller.loop = loop;
    if (client)
        teller.fetch = px_fetch_start(client, &asked, &teller_callbacks, &teller, &error);
    bool began = teller.fetch != NULL;
    int fd = -1;

    for (uint32_t count = 0; began && teller.ends == 0 && count < 2000; count++) {
        char text[512];

        pump_once(loop, 1);
        if (fd < 0 && count % 2 == 0) {
            struct timeval none = {.tv_usec = 1};

            setsockopt(far.fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
            fd = accept(far.fd, NULL, NULL);
            continue;
        }
        long got = fd >= 0 ? peer_recv(fd, text, sizeof(text), 0) : -1;

        /* It may be one that was given up before it was accepted. */
        if (got == 0 || got == -2) {
            close(fd);
            fd = -1;
        } else if (got > 0) {
            peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "1\r\na\r\n0\r\nX: y\r\n\r\n"));
        }
    }
    if (began) {
        assert_int_equal(teller.ends, 1);
        assert_true(teller.error.code == PX_OK || teller.error.code == PX_ERR_MEMORY ||
                    teller.error.code == PX_ERR_LIMIT);
    }
    if (fd >= 0)
        close(fd);
    px_client_destroy(client);
    px_loop_destroy(loop);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    far_open(&far);
    assert_true(fault_alloc_each("a fetch", fetch_without_memory, NULL) >= 8);
    far_close(&far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_answered, begin, finish),
        cmocka_unit_test_setup_teardown(requests_are_what_was_asked_for, begin, finish),
        cmocka_unit_test_setup_teardown(urls_are_checked, begin, finish),
        cmocka_unit_test_setup_teardown(answers_are_judged, begin, finish),
        cmocka_unit_test_setup_teardown(trailers_and_hints_are_told, begin, finish),
        cmocka_unit_test_setup_teardown(hints_are_bounded, begin, finish),
        cmocka_unit_test_setup_teardown(a_head_is_bounded, begin, finish),
        cmocka_unit_test_setup_teardown(a_receiver_holds_the_server_back, begin, finish),
        cmocka_unit_test_setup_teardown(nothing_is_read_while_it_is_held, begin, finish),
        cmocka_unit_test_setup_teardown(large_content_waits_for_the_server, begin, finish),
        cmocka_unit_test_setup_teardown(a_server_that_does_not_say_continue_gets_it_in_a_second,
                                        begin, finish),
        cmocka_unit_test_setup_teardown(content_that_is_not_wanted_is_not_sent, begin, finish),
        cmocka_unit_test_setup_teardown(content_is_pulled, begin, finish),
        cmocka_unit_test_setup_teardown(content_of_another_length_breaks_off, begin, finish),
        cmocka_unit_test_setup_teardown(an_early_answer_is_told_at_once, begin, finish),
        cmocka_unit_test_setup_teardown(a_tunnel_goes_both_ways, begin, finish),
        cmocka_unit_test_setup_teardown(stale_connections_are_tried_once_more, begin, finish),
        cmocka_unit_test_setup_teardown(bytes_on_an_idle_connection_end_it, begin, finish),
        cmocka_unit_test(idle_connections_are_given_up),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(no_origin_starves_another),
        cmocka_unit_test(a_fresh_one_is_opened_beside_those_kept),
        cmocka_unit_test(a_fresh_one_takes_the_place_of_an_idle_one),
        cmocka_unit_test_setup_teardown(one_that_served_none_may_be_stale, begin, finish),
        cmocka_unit_test_setup_teardown(one_that_served_none_is_not_fresh, begin, finish),
        cmocka_unit_test_setup_teardown(what_nobody_answers_fails, begin, finish),
        cmocka_unit_test_setup_teardown(a_preamble_comes_first, begin, finish),
        cmocka_unit_test_setup_teardown(silence_has_an_end, begin, finish),
        cmocka_unit_test_setup_teardown(a_fetch_has_an_end, begin, finish),
        cmocka_unit_test_setup_teardown(a_pause_does_not_time_out, begin, finish),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test_setup_teardown(it_can_be_cancelled_at_any_moment, begin, finish),
        cmocka_unit_test_setup_teardown(it_can_be_cancelled_while_it_is_sent, begin, finish),
        cmocka_unit_test_setup_teardown(a_client_that_ends_ends_its_fetches, begin, finish),
        cmocka_unit_test_setup_teardown(a_client_may_end_in_a_callback, begin, finish),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
