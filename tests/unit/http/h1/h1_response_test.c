/*
 * What an HTTP/1 answer is taken for: its head in an arena, its kind, its framing, its content,
 * whether the connection persists; and which answers are refused.  Every case at every split,
 * against guard pages, and with each allocation failing.
 */
#include "lib/test.h"

#include "base/alloc.h"
#include "base/check.h"
#include "http/h1/h1_body.h"
#include "http/h1/h1_parse.h"
#include "lib/fault_alloc.h"
#include "lib/splits.h"

enum { FIELDS_MAX = 8, CONTENT_MAX = 256 };

static const struct http_limits limits = {512, 64, FIELDS_MAX};

/* How an answer ended when the connection did. */
enum ending {
    WHOLE,    /* and what follows belongs to the next one */
    CUT,      /* it must not look complete */
    REFUSED,  /* nothing of it may be handed on */
    UNENDING, /* the head was not whole */
};

struct answer_case {
    const char *bytes;
    enum ending ending;
    uint16_t status;
    const char *content;
    uint8_t kind;  /* enum http_response_kind */
    bool head;     /* it answers a HEAD */
    bool keeps;    /* the connection may be used again */
    uint32_t rest; /* bytes behind it */
};

#define OK_LINE "HTTP/1.1 200 OK\r\n"
#define FINAL HTTP_RESPONSE_FINAL
#define INFORMS HTTP_RESPONSE_INFORMATIONAL
#define SWITCHES HTTP_RESPONSE_SWITCHING
#define BAD(bytes)                                    \
    {                                                 \
        bytes, REFUSED, 0, "", FINAL, false, false, 0 \
    }

static const struct answer_case cases[] = {
    /* Framing that is fine. */
    {OK_LINE "Content-Length: 3\r\n\r\nabc", WHOLE, 200, "abc", FINAL, false, true, 0},
    {OK_LINE "Content-Length: 3\r\n\r\nabcd", WHOLE, 200, "abc", FINAL, false, true, 1},
    {OK_LINE "Content-Length: 3\r\n\r\nab", CUT, 200, "ab", FINAL, false, true, 0},
    {OK_LINE "Content-Length: 0\r\n\r\n", WHOLE, 200, "", FINAL, false, true, 0},
    {OK_LINE "Content-Length: 007\r\n\r\nabcdefg", WHOLE, 200, "abcdefg", FINAL, false, true, 0},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", WHOLE, 200, "abc", FINAL,
     false, true, 0},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nz", WHOLE, 200, "abc",
     FINAL, false, true, 1},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CUT, 200, "abc", FINAL, false, true,
     0},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", CUT, 200, "abc", FINAL, false,
     true, 0},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n", CUT, 200, "abc", FINAL, false, true,
     0},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\nz\r\n", CUT, 200, "", FINAL, false, true, 0},
    {OK_LINE "\r\nuntil the end", WHOLE, 200, "until the end", FINAL, false, false, 0},
    {"HTTP/1.0 200 OK\r\n\r\nold", WHOLE, 200, "old", FINAL, false, false, 0},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", WHOLE, 200, "x",
     FINAL, false, true, 0},
    {OK_LINE "Connection: close\r\nContent-Length: 1\r\n\r\nx", WHOLE, 200, "x", FINAL, false,
     false, 0},
    {"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", WHOLE, 200, "x", FINAL, false, true, 0},
    {"HTTP/1.1 999 Odd\r\nContent-Length: 1\r\n\r\nx", WHOLE, 999, "x", FINAL, false, true, 0},
    /* No content, whatever the fields say; what comes all the same is not an answer. */
    {OK_LINE "Content-Length: 3\r\n\r\nabc", WHOLE, 200, "", FINAL, true, true, 3},
    {OK_LINE "Transfer-Encoding: chunked\r\n\r\n", WHOLE, 200, "", FINAL, true, true, 0},
    {OK_LINE "\r\n", WHOLE, 200, "", FINAL, true, true, 0},
    {"HTTP/1.1 204 No Content\r\n\r\n", WHOLE, 204, "", FINAL, false, true, 0},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", WHOLE, 204, "", FINAL, false, true,
     3},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", WHOLE, 204, "", FINAL, false,
     false, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", WHOLE, 304, "", FINAL, false, true,
     0},
    {"HTTP/1.1 304 Not Modified\r\n\r\nabc", WHOLE, 304, "", FINAL, false, true, 3},
    /* Informational, and another protocol. */
    {"HTTP/1.1 100 Continue\r\n\r\n", WHOLE, 100, "", INFORMS, false, true, 0},
    {"HTTP/1.1 102 Processing\r\n\r\n", WHOLE, 102, "", INFORMS, false, true, 0},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_LINE, WHOLE, 103, "", INFORMS, false, true,
     17},
    {"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" OK_LINE, WHOLE, 103, "", INFORMS,
     false, true, 17},
    {"HTTP/1.1 199 Other\r\n\r\n", WHOLE, 199, "", INFORMS, false, true, 0},
    /* ... which end with their heads, whatever these say of framing. */
    {"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", WHOLE, 100, "", INFORMS, false,
     true, 0},
    {"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n" OK_LINE,
     WHOLE, 103, "", INFORMS, false, true, 17},
    {"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\nContent-Length: x\r\n\r\n" OK_LINE, WHOLE,
     103, "", INFORMS, false, true, 17},
    {"HTTP/1.1 102 Processing\r\nTransfer-Encoding: foo\r\nTransfer-Encoding: chunked, a\r\n\r\n",
     WHOLE, 102, "", INFORMS, false, true, 0},
    {"HTTP/1.0 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n", WHOLE, 103, "", INFORMS,
     false, false, 0},
    BAD("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"),
    BAD("HTTP/1.1 204 No Content\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81",
     WHOLE, 101, "", SWITCHES, false, false, 1},
    /* Content-Length that two could read in two ways. */
    BAD(OK_LINE "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    BAD(OK_LINE "Content-Length: 3, 3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: +3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: -3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: 0x3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: 3 3\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: \r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: three\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: 9223372036854775808\r\n\r\nabc"),
    BAD(OK_LINE "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    /* Transfer-Encoding likewise. */
    BAD(OK_LINE "Transfer-Encoding: foo\r\n\r\nabc"),
    BAD(OK_LINE "Transfer-Encoding: identity\r\n\r\nabc"),
    BAD(OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: \r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    BAD(OK_LINE "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /* The head itself. */
    BAD(OK_LINE "X: a\x01z\r\n\r\n"),
    BAD(OK_LINE "X: y\n\r\n"),
    BAD("HTTP/1.1 200 OK\nX: y\r\n\r\n"),
    BAD(OK_LINE "X: y\rZ: a\r\n\r\n"),
    BAD(OK_LINE "X: y\r\n folded\r\n\r\n"),
    BAD(OK_LINE "X : y\r\n\r\n"),
    BAD(OK_LINE ": y\r\n\r\n"),
    BAD(OK_LINE "no colon\r\n\r\n"),
    BAD("HTTP/1.1 OK\r\n\r\n"),
    BAD("HTTP/1.1 20\r\n\r\n"),
    BAD("HTTP/1.1 2000 OK\r\n\r\n"),
    BAD("HTTP/1.1 000 OK\r\n\r\n"),
    BAD("HTTP/1.1  200 OK\r\n\r\n"),
    BAD("HTTP/2 200\r\n\r\n"),
    BAD("HTTP/0.9 200 OK\r\n\r\n"),
    BAD("<html>HTTP/0.9</html>"),
    BAD("\r\nHTTP/1.1 200 OK\r\n\r\n"),
    BAD("SSH-2.0-OpenSSH_9.2\r\n"),
    BAD("220 mail ESMTP\r\n"),
    BAD(OK_LINE "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\nA: 7\r\nA: 8\r\nA: 9\r\n\r\n"),
    /* Cut short in the head: half an answer is none. */
    {"HTT", UNENDING, 0, "", FINAL, false, false, 0},
    {"HTTP/1.1 200 OK\r\nX: y\r\n", UNENDING, 0, "", FINAL, false, false, 0},
};

struct run {
    const struct answer_case *expected;
    struct http_field_span fields[FIELDS_MAX];
    struct h1_parser parser;
    struct h1_body body;
    struct http_response response;
    struct arena arena;
    char memory[1024];
    char content[CONTENT_MAX];
    size_t content_len;
    px_err head; /* of h1_parse */
    px_err err;  /* of the content */
    bool body_begun;
};

static void run_begin(void *context)
{
    struct run *run = context;

    if (run->body_begun)
        h1_body_deinit(&run->body);
    run->body_begun = false;
    run->content_len = 0;
    run->head = run->err = PX_AGAIN;
    arena_init(&run->arena, NULL, run->memory, sizeof(run->memory), 0);
    h1_parser_init(&run->parser, H1_RESPONSE, scan_table_best(), &limits, run->fields);
    run->parser.head_response = run->expected->head;
}

static size_t run_content(struct run *run, px_str bytes)
{
    size_t used = 0;

    while (run->err == PX_AGAIN) {
        px_str content;
        size_t more;

        run->err = h1_body_read(&run->body, px_str_make(bytes.ptr + used, bytes.len - used), &more,
                                &content);
        if (run->err != PX_OK && run->err != PX_AGAIN)
            break;
        used += more;
        assert_true(run->content_len + content.len <= CONTENT_MAX);
        memcpy(run->content + run->content_len, content.ptr, content.len);
        run->content_len += content.len;
        if (used == bytes.len)
            break;
    }
    return used;
}

static size_t run_feed(px_str bytes, void *context)
{
    struct run *run = context;
    size_t used = 0;

    if (run->head == PX_AGAIN) {
        run->head = h1_parse(&run->parser, bytes.ptr, bytes.len);
        if (run->head != PX_OK)
            return 0;
        assert_int_equal(h1_response_take(&run->parser, bytes.ptr, &run->arena, &run->response),
                         PX_OK);
        used = run->parser.head_bytes;
        h1_body_init(&run->body, (enum h1_framing)run->parser.framing, run->parser.content_length,
                     &alloc_libc);
        run->body.response = true;
        run->body_begun = true;
        if (run->parser.framing == H1_FRAMING_NONE)
            run->err = PX_OK;
    }
    if (run->head == PX_OK)
        used += run_content(run, px_str_make(bytes.ptr + used, bytes.len - used));
    return used;
}

static enum ending run_ending(struct run *run)
{
    if (run->head != PX_OK)
        return run->head == PX_AGAIN ? UNENDING : REFUSED;
    if (run->err == PX_AGAIN)
        run->err = h1_body_eof(&run->body);
    return run->err == PX_OK ? WHOLE : CUT;
}

static void run_end(size_t left, const char *split, void *context)
{
    struct run *run = context;
    const struct answer_case *expected = run->expected;
    enum ending ending = run_ending(run);

    if (ending != expected->ending)
        fail_msg("ending %d of %s, split %s", (int)ending, expected->bytes, split);
    if (ending == REFUSED) {
        assert_int_equal(run->parser.status, 502);
        assert_non_null(run->parser.reason);
    }
    if (run->head != PX_OK)
        return;
    assert_int_equal(run->response.status, expected->status);
    assert_int_equal(run->response.kind, expected->kind);
    assert_int_equal(run->parser.keep_alive, expected->keeps);
    assert_str_equal(px_str_make(run->content, run->content_len), px_str_of(expected->content));
    if (ending == WHOLE)
        assert_int_equal(left, expected->rest);
}

static void answers_are_taken_or_refused(void **state)
{
    static struct run run;
    struct split_reader reader = {run_begin, run_feed, run_end, &run};
    uint32_t runs = 0;

    (void)state;
    assert_int_equal(ARRAY_COUNT(cases), 82);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        run.expected = &cases[index];
        runs += splits_each(px_str_of(cases[index].bytes), &reader);
    }
    run_begin(&run);
    assert_true(runs > 5000);
}

/* NUL is no part of a C string, so it has a test of its own. */
static void nul_is_refused_everywhere(void **state)
{
    static const char head[] = OK_LINE "X: y\r\nContent-Length: 0\r\n\r\n";
    uint32_t refused = 0;

    (void)state;
    for (size_t at = 0; at < sizeof(head) - 1; at++) {
        struct http_field_span fields[FIELDS_MAX];
        struct h1_parser parser;
        char text[sizeof(head)];

        memcpy(text, head, sizeof(head));
        text[at] = '\0';
        h1_parser_init(&parser, H1_RESPONSE, scan_table_best(), &limits, fields);
        refused += h1_parse(&parser, text, sizeof(head) - 1) == PX_ERR_MALFORMED;
    }
    assert_int_equal(refused, sizeof(head) - 1);
}

/* The limit is named, so that a log can say it. */
static void limits_are_named(void **state)
{
    struct http_field_span fields[FIELDS_MAX];
    struct h1_parser parser;
    char text[1024];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, OK_LINE "X: ", 20);
    h1_parser_init(&parser, H1_RESPONSE, scan_table_best(), &limits, fields);
    assert_int_equal(h1_parse(&parser, text, sizeof(text)), PX_ERR_MALFORMED);
    assert_string_equal(parser.reason, "head too large");
    assert_int_equal(parser.status, 502);
}

static void head_is_taken(void **state)
{
    static const char head[] = "HTTP/1.0 404 Not here\r\nServer:  a b \r\nX:\r\n"
                               "Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 12\r\n\r\n";
    struct http_field_span fields[FIELDS_MAX];
    struct http_response response;
    struct h1_parser parser;
    struct arena arena;
    char memory[512];

    (void)state;
    arena_init(&arena, NULL, memory, sizeof(memory), 0);
    h1_parser_init(&parser, H1_RESPONSE, scan_table_best(), &limits, fields);
    assert_int_equal(h1_parse(&parser, head, sizeof(head) - 1), PX_OK);
    assert_int_equal(h1_response_take(&parser, head, &arena, &response), PX_OK);
    assert_string_equal(response.reason.ptr, "Not here");
    assert_int_equal(response.field_count, 5);
    assert_string_equal(response.fields[0].name.ptr, "Server");
    assert_string_equal(response.fields[0].value.ptr, "a b");
    assert_string_equal(response.fields[1].value.ptr, "");
    assert_int_equal(response.fields[1].value.len, 0);
    assert_int_equal(response.major * 10 + response.minor, 10);
    assert_true(response.has_length && response.has_upgrade);
    assert_int_equal(response.length, 12);
}

/* An answer in chunks of one byte is what a stream of events may be; a request like it is refused.
 */
static void small_chunks_are_an_answer(void **state)
{
    static const char chunk[] = "1\r\nx\r\n";

    (void)state;
    for (int response = 0; response < 2; response++) {
        struct h1_body body;
        px_err err = PX_AGAIN;
        uint32_t chunks = 0;

        h1_body_init(&body, H1_FRAMING_CHUNKED, 0, &alloc_libc);
        body.response = response;
        for (; chunks < 100000 && err == PX_AGAIN; chunks++) {
            px_str rest = LITERAL(chunk), content;

            while (rest.len > 0 && err == PX_AGAIN) {
                size_t used = 0;

                err = h1_body_read(&body, rest, &used, &content);
                rest = px_str_make(rest.ptr + used, rest.len - used);
            }
        }
        assert_int_equal(err, response ? PX_AGAIN : PX_ERR_MALFORMED);
        h1_body_deinit(&body);
    }
}

static void take_with(const px_allocator *allocator, void *context)
{
    static const char head[] = OK_LINE "X: y\r\n\r\n";
    struct http_field_span fields[FIELDS_MAX];
    struct http_response response;
    struct h1_parser parser;
    struct arena arena;
    char memory[16];

    (void)context;
    arena_init(&arena, allocator, memory, sizeof(memory), 4096);
    h1_parser_init(&parser, H1_RESPONSE, scan_table_best(), &limits, fields);
    assert_int_equal(h1_parse(&parser, head, sizeof(head) - 1), PX_OK);
    if (h1_response_take(&parser, head, &arena, &response) == PX_OK)
        assert_string_equal(response.fields[0].value.ptr, "y");
    arena_reset(&arena);
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("h1_response_take", take_with, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_taken_or_refused),
        cmocka_unit_test(nul_is_refused_everywhere),
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(head_is_taken),
        cmocka_unit_test(small_chunks_are_an_answer),
        cmocka_unit_test(memory_may_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
