/*
 * What the table of h1_cases.c does not say: limits at their exact byte, long input, what a taken
 * request holds, the response role, and failing memory.
 */
#include "http/h1/h1_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/splits.h"
#include "lib/test.h"
#include "unit/http/h1/h1_flow.h"

enum { TEXT_BYTES = 256 * 1024, TABLES_MAX = 8 };

#define HOST_END " HTTP/1.1\r\nHost: a\r\n\r\n"

/* A text made of pieces. */
struct pieces {
    char bytes[TEXT_BYTES];
    size_t len;
};

static struct pieces text;

static void text_add(px_str piece)
{
    assert_true(text.len + piece.len <= TEXT_BYTES);
    memcpy(text.bytes + text.len, piece.ptr, piece.len);
    text.len += piece.len;
}

static void text_repeat(char byte, size_t count)
{
    assert_true(text.len + count <= TEXT_BYTES);
    memset(text.bytes + text.len, byte, count);
    text.len += count;
}

static void text_begin(px_str piece)
{
    text.len = 0;
    text_add(piece);
}

/* Feeds the text in pieces of `step` bytes; returns how many bytes had come when it ended, or the
 * whole length. */
static size_t feed_text(struct h1_flow *flow, size_t step)
{
    size_t taken = 0;
    size_t arrived = 0;

    while (arrived < text.len && flow->phase != FLOW_END) {
        arrived = text.len - arrived > step ? arrived + step : text.len;
        taken += h1_flow_feed(flow, px_str_make(text.bytes + taken, arrived - taken));
    }
    return arrived;
}

/* The text gives `line` whatever way it comes, and when it comes byte by byte it is over after
 * `bytes` bytes. */
static void assert_text_gives(const char *line, size_t bytes)
{
    static struct h1_flow flow;
    static const size_t steps[] = {1, 2, 3, 7, 16, 17, 31, 64, 1000, 4096, 8191, 65536, TEXT_BYTES};
    const struct scan_table *tables[TABLES_MAX];
    size_t count = scan_tables(tables, TABLES_MAX);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
            size_t arrived;

            h1_flow_begin(&flow, tables[i]);
            arrived = feed_text(&flow, steps[k]);
            if (steps[k] == 1)
                assert_int_equal(arrived, bytes);
            assert_string_equal(h1_flow_end(&flow), line);
        }
    }
    h1_flow_deinit(&flow);
}

static void parse_refuses_a_long_method_at_its_byte(void **state)
{
    (void)state;
    text_begin(LITERAL(""));
    text_repeat('A', 8 * 1024);
    assert_text_gives("400", METHOD_BYTES_MAX + 1);
}

static void parse_refuses_a_long_target_at_its_byte(void **state)
{
    static const char bytes[] = {'a', '/', '?', '%', '#', '\0', '\r', '\x80'};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text_begin(LITERAL("GET /"));
        text_repeat('a', TARGET_BYTES_DEFAULT - 1);
        text_repeat(bytes[i], 1);
        text_repeat('a', 100 * 1024);
        assert_text_gives("414", 4 + TARGET_BYTES_DEFAULT + 1);
    }
    /* In a line that is whole and good otherwise. */
    for (int query = 0; query < 2; query++) {
        text_begin(query ? LITERAL("GET /?") : LITERAL("GET /a"));
        text_repeat('a', TARGET_BYTES_DEFAULT - 1);
        text_add(LITERAL(HOST_END));
        assert_text_gives("414", 4 + TARGET_BYTES_DEFAULT + 1);
    }
    text_begin(LITERAL("GET /?"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("414", 4 + TARGET_BYTES_DEFAULT + 1);
    text_begin(LITERAL("GET /"));
    for (int i = 0; i < 9000; i++)
        text_add(LITERAL("%41"));
    assert_text_gives("414", 4 + TARGET_BYTES_DEFAULT + 1);
    text_begin(LITERAL("GET http://"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("414", 4 + TARGET_BYTES_DEFAULT + 1);
    text_begin(LITERAL("CONNECT "));
    text_repeat('a', 100 * 1024);
    assert_text_gives("414", 8 + TARGET_BYTES_DEFAULT + 1);
}

/* The line that is expected would be as long as the target. */
static void parse_takes_a_long_target(void **state)
{
    static const size_t sizes[] = {8000, TARGET_BYTES_DEFAULT};
    static char line[TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int query = 0; query < 2; query++) {
            text_begin(query ? LITERAL("GET /?") : LITERAL("GET /a"));
            text_repeat('b', sizes[i] - 2);
            memcpy(line, text.bytes, text.len);
            memcpy(line + text.len, ";idle", sizeof(";idle"));
            text_add(LITERAL(HOST_END));
            assert_text_gives(line, text.len);
        }
    }
}

static void parse_prefers_the_first_bad_byte_to_a_limit(void **state)
{
    (void)state;
    text_begin(LITERAL("GET /#"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("400", 6);
    text_begin(LITERAL("GET / HTTP/1.1\r\nX: \x01"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("400", 20);
    text_begin(LITERAL("GET / HTTP/1.1\r\nContent-Length: x\r\n"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("400", 35);
}

static void parse_refuses_a_long_head_at_its_byte(void **state)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";

    (void)state;
    text_begin(LITERAL(start));
    text_repeat('a', HEAD_BYTES_DEFAULT - (sizeof(start) - 1) - 4);
    text_add(LITERAL("\r\n\r\n"));
    assert_int_equal(text.len, HEAD_BYTES_DEFAULT);
    assert_text_gives("GET /;idle", text.len);

    text_begin(LITERAL(start));
    text_repeat('a', HEAD_BYTES_DEFAULT - (sizeof(start) - 1) - 3);
    text_add(LITERAL("\r\n\r\n"));
    assert_text_gives("431", HEAD_BYTES_DEFAULT);

    text_begin(LITERAL(start));
    text_repeat('a', 100 * 1024);
    assert_text_gives("431", HEAD_BYTES_DEFAULT);

    text_begin(LITERAL("GET / HTTP/1.1\r\nHost: a\r\n"));
    text_repeat('a', 100 * 1024);
    assert_text_gives("431", HEAD_BYTES_DEFAULT);

    text_begin(LITERAL("GET / HTTP/1.1\r\nHost: a\r\nX:"));
    text_repeat(' ', 100 * 1024);
    assert_text_gives("431", HEAD_BYTES_DEFAULT);
}

static void parse_counts_fields(void **state)
{
    (void)state;
    text_begin(LITERAL("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 1; i < FIELD_COUNT_DEFAULT; i++)
        text_add(LITERAL("X: y\r\n"));
    text_add(LITERAL("\r\n"));
    assert_text_gives("GET /;idle", text.len);
    text.len -= 2;
    text_add(LITERAL("X: y\r\n\r\n"));
    assert_text_gives("431", text.len - 7);
}

static void parse_refuses_a_long_host(void **state)
{
    (void)state;
    text_begin(LITERAL("GET / HTTP/1.1\r\nHost: "));
    text_repeat('a', 5 * 1024);
    text_add(LITERAL("\r\n\r\n"));
    assert_text_gives("400", text.len - 2);
    text_begin(LITERAL("GET / HTTP/1.1\r\nHost: ["));
    text_repeat(':', 5 * 1024);
    text_add(LITERAL("]\r\n\r\n"));
    assert_text_gives("400", text.len - 2);
}

static void parse_answers_fifty_and_ten_thousand_in_a_row(void **state)
{
    static struct h1_flow flow;

    (void)state;
    text_begin(LITERAL(""));
    for (int i = 0; i < 50; i++)
        text_add(LITERAL("GET /" HOST_END));
    h1_flow_begin(&flow, scan_table_best());
    assert_int_equal(h1_flow_feed(&flow, px_str_make(text.bytes, text.len)), text.len);
    assert_int_equal(flow.started, 50);
    text_begin(LITERAL(""));
    for (int i = 0; i < 5000; i++)
        text_add(LITERAL("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:1\r\n\r\nx"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(h1_flow_feed(&flow, px_str_make(text.bytes, text.len)), text.len);
    assert_int_equal(flow.started, 10050);
    h1_flow_deinit(&flow);
}

static const struct http_limits limits = {HEAD_BYTES_DEFAULT, TARGET_BYTES_DEFAULT,
                                          FIELD_COUNT_DEFAULT};

static px_err parse_whole(struct h1_parser *parser, struct http_field_span *fields,
                          const char *head, enum h1_role role)
{
    h1_parser_init(parser, role, scan_table_best(), &limits, fields);
    return h1_parse(parser, head, strlen(head));
}

/* NULL: absent. */
struct taken_case {
    const char *target;
    enum h1_target_form form;
    const char *authority;
    const char *raw_path;
    const char *query;
};

static void assert_taken(const char *head, const struct taken_case *expected)
{
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    struct http_request request;
    struct arena arena;

    arena_init(&arena, &alloc_libc, NULL, 0, 64 * 1024);
    assert_int_equal(parse_whole(&parser, fields, head, H1_REQUEST), PX_OK);
    assert_int_equal(parser.target_form, expected->form);
    assert_int_equal(h1_request_take(&parser, head, &arena, &request), PX_OK);
    assert_str_equal(request.target, px_str_of(expected->target));
    assert_str_equal(request.authority, px_str_of(expected->authority));
    assert_str_equal(request.raw_path, px_str_of(expected->raw_path));
    assert_str_equal(request.query, px_str_of(expected->query));
    assert_int_equal(request.target.ptr[request.target.len], '\0');
    if (request.authority.ptr)
        assert_int_equal(request.authority.ptr[request.authority.len], '\0');
    if (request.raw_path.ptr)
        assert_int_equal(request.raw_path.ptr[request.raw_path.len], '\0');
    if (request.query.ptr)
        assert_int_equal(request.query.ptr[request.query.len], '\0');
    arena_reset(&arena);
}

static void take_splits_the_target(void **state)
{
    static const struct taken_case cases[] = {
        {"/", H1_TARGET_ORIGIN, "h:1", "/", NULL},
        {"/?", H1_TARGET_ORIGIN, "h:1", "/", ""},
        {"/a/%41", H1_TARGET_ORIGIN, "h:1", "/a/%41", NULL},
        {"/a?b=%20", H1_TARGET_ORIGIN, "h:1", "/a", "b=%20"},
        {"/a?b?c", H1_TARGET_ORIGIN, "h:1", "/a", "b?c"},
        {"//a//?", H1_TARGET_ORIGIN, "h:1", "//a//", ""},
        {"http://b", H1_TARGET_ABSOLUTE, "b", "/", NULL},
        {"http://b?c", H1_TARGET_ABSOLUTE, "b", "/", "c"},
        {"https://b:2/", H1_TARGET_ABSOLUTE, "b:2", "/", NULL},
        {"HTTP://[::1]:2/c/d?e", H1_TARGET_ABSOLUTE, "[::1]:2", "/c/d", "e"},
        {"http://b/?", H1_TARGET_ABSOLUTE, "b", "/", ""},
        {"http://b/%2e%2E", H1_TARGET_ABSOLUTE, "b", "/%2e%2E", NULL},
    };
    char head[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: h:1\r\n\r\n", cases[i].target);
        assert_taken(head, &cases[i]);
        snprintf(head, sizeof(head), "\r\n\r\nLONGMETHOD %s HTTP/1.0\r\nA: b\r\nHost: h:1 \r\n\r\n",
                 cases[i].target);
        assert_taken(head, &cases[i]);
    }
    assert_taken("CONNECT b:443 HTTP/1.1\r\nHost: h\r\n\r\n",
                 &(struct taken_case){"b:443", H1_TARGET_AUTHORITY, "b:443", NULL, NULL});
    assert_taken("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
                 &(struct taken_case){"*", H1_TARGET_ASTERISK, "h", "*", NULL});
    assert_taken("GET / HTTP/1.0\r\n\r\n",
                 &(struct taken_case){"/", H1_TARGET_ORIGIN, NULL, "/", NULL});
}

static void take_trims_fields_and_keeps_their_order(void **state)
{
    static const char head[] = "\r\nPATCH /a?b HTTP/1.1\r\nHost:h\r\nA:\r\nB: \t\r\nC:\t d e\t \r\n"
                               "a: \xe4\r\n\r\nbehind";
    static const px_field expected[] = {
        {{"Host", 4}, {"h", 1}}, {{"A", 1}, {"", 0}},     {{"B", 1}, {"", 0}},
        {{"C", 1}, {"d e", 3}},  {{"a", 1}, {"\xe4", 1}},
    };
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    struct http_request request;
    struct arena arena;

    (void)state;
    arena_init(&arena, &alloc_libc, NULL, 0, 64 * 1024);
    assert_int_equal(parse_whole(&parser, fields, head, H1_REQUEST), PX_OK);
    assert_int_equal(parser.head_bytes, sizeof(head) - 1 - strlen("behind"));
    assert_int_equal(parser.method_id, METHOD_PATCH);
    assert_int_equal(h1_request_take(&parser, head, &arena, &request), PX_OK);
    assert_str_equal(request.method, LITERAL("PATCH"));
    assert_int_equal(request.field_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_str_equal(request.fields[i].name, expected[i].name);
        assert_str_equal(request.fields[i].value, expected[i].value);
        assert_int_equal(request.fields[i].name.ptr[request.fields[i].name.len], '\0');
        assert_int_equal(request.fields[i].value.ptr[request.fields[i].value.len], '\0');
    }
    arena_reset(&arena);
}

static void parse_numbers_methods(void **state)
{
    static const struct {
        const char *name;
        enum http_method method;
    } cases[] = {
        {"GET", METHOD_GET},        {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},        {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
        {"TRACE", METHOD_TRACE},    {"PATCH", METHOD_PATCH},   {"get", METHOD_OTHER},
        {"GETS", METHOD_OTHER},     {"GE", METHOD_OTHER},      {"Head", METHOD_OTHER},
        {"PROPFIND", METHOD_OTHER}, {"connect", METHOD_OTHER}, {"OPTION", METHOD_OTHER},
    };
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    char head[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int minor = 0; minor < 2; minor++) {
            snprintf(head, sizeof(head), "%s / HTTP/1.%d\r\nHost: a\r\n\r\n", cases[i].name, minor);
            assert_int_equal(parse_whole(&parser, fields, head, H1_REQUEST), PX_OK);
            assert_int_equal(parser.method_id, cases[i].method);
            assert_int_equal(parser.minor_version, minor);
            assert_int_equal(parser.method.len, strlen(cases[i].name));
        }
    }
}

static void parse_stays_where_it_ended(void **state)
{
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;

    (void)state;
    assert_int_equal(parse_whole(&parser, fields, "GET /" HOST_END, H1_REQUEST), PX_OK);
    assert_int_equal(h1_parse(&parser, "GET /" HOST_END, 27), PX_OK);
    assert_int_equal(parse_whole(&parser, fields, "GET\n", H1_REQUEST), PX_ERR_MALFORMED);
    assert_int_equal(h1_parse(&parser, "GET /" HOST_END, 27), PX_ERR_MALFORMED);
    assert_int_equal(parser.status, 400);
    assert_non_null(parser.reason);
}

/* Responses, with what they give; a status of 0 means refused. */
struct response_case {
    const char *head;
    uint16_t status;
    const char *phrase;
    enum h1_framing framing;
    bool head_response;
    bool keep_alive;
};

#define REFUSED(head)                                \
    {                                                \
        head, 0, NULL, H1_FRAMING_NONE, false, false \
    }

static const struct response_case responses[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", H1_FRAMING_LENGTH, false, true},
    {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", H1_FRAMING_LENGTH, false, true},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", H1_FRAMING_LENGTH, false, true},
    {"HTTP/1.1 404 Not \t\xe4 Found\r\n\r\n", 404, "Not \t\xe4 Found", H1_FRAMING_CLOSE, false,
     false},
    {"HTTP/1.0 200 OK\r\n\r\n", 200, "OK", H1_FRAMING_CLOSE, false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", H1_FRAMING_LENGTH, false, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", 200, "OK",
     H1_FRAMING_LENGTH, false, true},
    {"HTTP/1.7 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", 200, "OK", H1_FRAMING_CHUNKED, false,
     true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", 200, "OK",
     H1_FRAMING_LENGTH, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", H1_FRAMING_NONE, true, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "OK", H1_FRAMING_NONE, true,
     true},
    {"HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue", H1_FRAMING_NONE, false, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 103, "Early Hints", H1_FRAMING_NONE, false,
     true},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "No Content", H1_FRAMING_NONE, false, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, "Not Modified", H1_FRAMING_NONE,
     false, true},
    {"HTTP/1.1 999 X\r\nHost: a b\r\nContent-Length: 0\r\n\r\n", 999, "X", H1_FRAMING_LENGTH, false,
     true},
    REFUSED("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
    REFUSED("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n"),
    REFUSED("HTTP/1.1 099 OK\r\n\r\n"),
    REFUSED("HTTP/1.1 20 OK\r\n\r\n"),
    REFUSED("HTTP/1.1 2000 OK\r\n\r\n"),
    REFUSED("HTTP/1.1 20x OK\r\n\r\n"),
    REFUSED("HTTP/1.1  200 OK\r\n\r\n"),
    REFUSED("HTTP/1.1\t200 OK\r\n\r\n"),
    REFUSED("HTTP/1.1200 OK\r\n\r\n"),
    REFUSED("HTTP/2.0 200 OK\r\n\r\n"),
    REFUSED("HTTP/1.x 200 OK\r\n\r\n"),
    REFUSED("http/1.1 200 OK\r\n\r\n"),
    REFUSED("ICY 200 OK\r\n\r\n"),
    REFUSED("\r\nHTTP/1.1 200 OK\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\rX\r\n\r\n"),
    REFUSED("HTTP/1.1 200 \x01\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\r\n X: y\r\n\r\n"),
    REFUSED("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
    REFUSED("<html>"),
};

struct response_run {
    const struct response_case *expected;
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    px_err err;
    char phrase[64];
};

static void response_begin(void *context)
{
    struct response_run *run = context;

    h1_parser_init(&run->parser, H1_RESPONSE, scan_table_best(), &limits, run->fields);
    run->parser.head_response = run->expected->head_response;
    run->err = PX_AGAIN;
}

static size_t response_feed(px_str bytes, void *context)
{
    struct response_run *run = context;

    if (run->err != PX_AGAIN)
        return 0;
    run->err = h1_parse(&run->parser, bytes.ptr, bytes.len);
    if (run->err == PX_OK)
        snprintf(run->phrase, sizeof(run->phrase), "%.*s", (int)run->parser.reason_phrase.len,
                 bytes.ptr + run->parser.reason_phrase.at);
    return 0;
}

static void response_end(size_t left, const char *split, void *context)
{
    struct response_run *run = context;
    const struct response_case *expected = run->expected;

    (void)split;
    if (expected->status == 0) {
        assert_int_equal(run->err, PX_ERR_MALFORMED);
        assert_int_equal(run->parser.status, 502);
        assert_non_null(run->parser.reason);
        return;
    }
    assert_int_equal(run->err, PX_OK);
    assert_int_equal(run->parser.head_bytes, left);
    assert_int_equal(run->parser.response_status, expected->status);
    assert_string_equal(run->phrase, expected->phrase);
    assert_int_equal(run->parser.framing, expected->framing);
    assert_int_equal(run->parser.keep_alive, expected->keep_alive);
}

static void parse_reads_responses(void **state)
{
    static struct response_run run;
    struct split_reader reader = {response_begin, response_feed, response_end, &run};
    size_t count = sizeof(responses) / sizeof(responses[0]);

    (void)state;
    assert_int_equal(count, 39);
    for (size_t i = 0; i < count; i++) {
        run.expected = &responses[i];
        assert_true(splits_each(px_str_of(responses[i].head), &reader) > 2);
    }
}

static void take_with(const px_allocator *allocator, void *context)
{
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    struct http_request request = {0};
    struct arena arena;
    const char *head = context;
    px_err err;

    assert_int_equal(parse_whole(&parser, fields, head, H1_REQUEST), PX_OK);
    arena_init(&arena, allocator, NULL, 0, 64 * 1024);
    err = h1_request_take(&parser, head, &arena, &request);
    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    assert_int_equal(err == PX_OK, request.target.ptr != NULL);
    arena_reset(&arena);
}

static void take_lives_without_memory(void **state)
{
    char head[] = "GET /a?b" HOST_END;

    (void)state;
    assert_int_equal(fault_alloc_each("take", take_with, head), 1);
}

/* More than the arena may hold is the same as no memory. */
static void take_obeys_the_arena(void **state)
{
    struct http_field_span fields[FLOW_FIELDS_MAX];
    struct h1_parser parser;
    struct http_request request;
    struct arena arena;
    char memory[32];

    (void)state;
    assert_int_equal(parse_whole(&parser, fields, "GET /" HOST_END, H1_REQUEST), PX_OK);
    arena_init(&arena, &alloc_libc, memory, sizeof(memory), 16);
    assert_int_equal(h1_request_take(&parser, "GET /" HOST_END, &arena, &request), PX_ERR_MEMORY);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_refuses_a_long_method_at_its_byte),
        cmocka_unit_test(parse_refuses_a_long_target_at_its_byte),
        cmocka_unit_test(parse_takes_a_long_target),
        cmocka_unit_test(parse_prefers_the_first_bad_byte_to_a_limit),
        cmocka_unit_test(parse_refuses_a_long_head_at_its_byte),
        cmocka_unit_test(parse_counts_fields),
        cmocka_unit_test(parse_refuses_a_long_host),
        cmocka_unit_test(parse_answers_fifty_and_ten_thousand_in_a_row),
        cmocka_unit_test(take_splits_the_target),
        cmocka_unit_test(take_trims_fields_and_keeps_their_order),
        cmocka_unit_test(parse_numbers_methods),
        cmocka_unit_test(parse_stays_where_it_ended),
        cmocka_unit_test(parse_reads_responses),
        cmocka_unit_test(take_lives_without_memory),
        cmocka_unit_test(take_obeys_the_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
