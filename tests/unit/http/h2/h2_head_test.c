/*
 * Heads of HTTP/2 requests: what is a request, what is malformed, what is too much, and what a
 * handler gets to see of it.
 */
#include "http/h2/h2_head.h"

#include <stdlib.h>
#include <string.h>

#include "http/fields/field.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

static const struct http_limits limits = {
    .head_bytes_max = 4096, .target_bytes_max = 100, .field_count_max = 10};

static struct h2_head *head;
static struct arena arena;
static char memory[16 * 1024];

static int setup(void **state)
{
    (void)state;
    head = malloc(h2_head_object_bytes(&limits));
    assert_non_null(head);
    arena_init(&arena, &alloc_libc, memory, sizeof(memory), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(head);
    return 0;
}

static void begin(bool trailers)
{
    arena_reset(&arena);
    h2_head_init(head, &scan_plain, &limits, trailers);
}

static void add(const char *name, const char *value)
{
    h2_head_add(head, px_str_of(name), px_str_of(value));
}

/* "name: value" lines, one a line, until the absent one. */
static px_err head_of(const char *const *fields)
{
    begin(false);
    for (; fields[0]; fields += 2)
        add(fields[0], fields[1]);
    return h2_head_end(head);
}

#define HEAD_OF(...) head_of((const char *const[]){__VA_ARGS__, NULL})
#define GET ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"

static struct http_request taken(void)
{
    struct http_request request;

    assert_int_equal(h2_head_take(head, &arena, &request), PX_OK);
    return request;
}

static px_str field(const struct http_request *request, const char *name)
{
    return field_find_value(request->fields, request->field_count, name);
}

/* What was noted of a field changes nothing of the heads that it comes in again. */
static void head_is_the_same_by_its_notes(void **state)
{
    static const char *const fields[][2] = {
        {":method", "POST"}, {":scheme", "https"}, {":path", "/a?b=c"}, {":authority", "a.example"},
        {"accept", "*/*"},   {"x-empty", ""},      {"cookie", "a=1"},   {"content-length", "3"},
    };
    uint16_t notes[ARRAY_COUNT(fields)] = {0}, refused = 0, late = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        begin(false);
        for (size_t index = 0; index < ARRAY_COUNT(fields); index++)
            h2_head_add_noted(head, px_str_of(fields[index][0]), px_str_of(fields[index][1]),
                              &notes[index]);
        assert_int_equal(h2_head_end(head), PX_OK);
        struct http_request request = taken();

        assert_string_equal(request.method.ptr, "POST");
        assert_string_equal(request.raw_path.ptr, "/a");
        assert_string_equal(request.query.ptr, "b=c");
        assert_string_equal(request.authority.ptr, "a.example");
        assert_string_equal(field(&request, "accept").ptr, "*/*");
        assert_string_equal(field(&request, "x-empty").ptr, "");
        assert_string_equal(field(&request, "cookie").ptr, "a=1");
        assert_int_equal(head->method_id, METHOD_POST);
        assert_int_equal(head->content_length, 3);
        assert_int_equal(head->bytes, 125);
    }
    /* Those that mean something are looked at each time. */
    assert_true(notes[0] && notes[1] && notes[2] && notes[3] && notes[4] && notes[5]);
    assert_true(!notes[6] && !notes[7]);
    /* Once more in the same head it is one too many; behind a field, and in trailers, it is late.
     */
    h2_head_add_noted(head, px_str_of(":path"), px_str_of("/a?b=c"), &notes[2]);
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
    begin(true);
    h2_head_add_noted(head, px_str_of(":path"), px_str_of("/a?b=c"), &notes[2]);
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
    /* What is not good is not noted. */
    for (int round = 0; round < 2; round++) {
        begin(false);
        h2_head_add_noted(head, px_str_of(":path"), px_str_of("/a b"), &refused);
        h2_head_add_noted(head, px_str_of("X-Upper"), px_str_of("a"), &late);
        assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
        assert_int_equal(refused + late, 0);
    }
    /* Limits hold as ever. */
    begin(false);
    for (uint32_t index = 0; index <= limits.field_count_max; index++)
        h2_head_add_noted(head, px_str_of("accept"), px_str_of("*/*"), &notes[4]);
    assert_int_equal(h2_head_end(head), PX_ERR_LIMIT);
    assert_int_equal(head->status, 431);
}

/* --- What is a request ------------------------------------------------------------------------ */

static void head_is_what_http_1_brings(void **state)
{
    struct http_request request;

    (void)state;
    assert_int_equal(HEAD_OF(":method", "POST", ":scheme", "https", ":authority", "example.org:1",
                             ":path", "/a/b?c=d", "content-length", "12", "x-y", "z", "empty", ""),
                     PX_OK);
    assert_int_equal(head->method_id, METHOD_POST);
    assert_true(head->said & H2_SAID_LENGTH);
    assert_int_equal(head->content_length, 12);
    request = taken();
    assert_str_equal(request.method, LITERAL("POST"));
    assert_str_equal(request.target, LITERAL("/a/b?c=d"));
    assert_str_equal(request.raw_path, LITERAL("/a/b"));
    assert_str_equal(request.query, LITERAL("c=d"));
    assert_str_equal(request.authority, LITERAL("example.org:1"));
    assert_str_equal(field(&request, "Host"), LITERAL("example.org:1"));
    assert_str_equal(field(&request, "X-Y"), LITERAL("z"));
    assert_str_equal(field(&request, "Empty"), LITERAL(""));
    assert_int_equal(request.field_count, 4);
    for (uint32_t index = 0; index < request.field_count; index++) {
        assert_int_equal(request.fields[index].name.ptr[request.fields[index].name.len], 0);
        assert_int_equal(request.fields[index].value.ptr[request.fields[index].value.len], 0);
    }
    assert_int_equal(request.raw_path.ptr[request.raw_path.len], 0);
}

static void head_without_query(void **state)
{
    struct http_request request;

    (void)state;
    assert_int_equal(HEAD_OF(GET), PX_OK);
    request = taken();
    assert_str_equal(request.raw_path, LITERAL("/"));
    assert_null(request.query.ptr);
    assert_int_equal(HEAD_OF(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/?"),
                     PX_OK);
    request = taken();
    assert_str_equal(request.query, LITERAL(""));
}

static void head_joins_crumbs(void **state)
{
    struct http_request request;

    (void)state;
    assert_int_equal(HEAD_OF(GET, "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"),
                     PX_OK);
    request = taken();
    assert_str_equal(field(&request, "Cookie"), LITERAL("a=1; b=2; c=3"));
    assert_int_equal(request.field_count, 3);
}

static void head_limits_crumbs(void **state)
{
    (void)state;
    for (int count = H2_CRUMBS_MAX; count <= H2_CRUMBS_MAX + 1; count++) {
        begin(false);
        add(":method", "GET");
        add(":scheme", "http");
        add(":authority", "a");
        add(":path", "/");
        for (int index = 0; index < count; index++)
            add("cookie", "a");
        assert_int_equal(h2_head_end(head), count > H2_CRUMBS_MAX ? PX_ERR_LIMIT : PX_OK);
    }
    assert_int_equal(head->status, 431);
}

static void head_of_connect(void **state)
{
    struct http_request request;

    (void)state;
    assert_int_equal(HEAD_OF(":method", "CONNECT", ":authority", "a:443"), PX_OK);
    request = taken();
    assert_str_equal(request.target, LITERAL("a:443"));
    assert_str_equal(request.authority, LITERAL("a:443"));
    assert_null(request.raw_path.ptr);
    assert_int_equal(HEAD_OF(":method", "CONNECT"), PX_ERR_MALFORMED);
    assert_int_equal(HEAD_OF(":method", "CONNECT", ":authority", "a:1", ":path", "/"),
                     PX_ERR_MALFORMED);
}

static void head_of_extended_connect(void **state)
{
    struct http_request request;

    (void)state;
    assert_int_equal(HEAD_OF(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
                             ":authority", "a", ":path", "/chat"),
                     PX_OK);
    assert_true(head->extended);
    request = taken();
    assert_str_equal(request.method, LITERAL("GET"));
    assert_str_equal(field(&request, "Upgrade"), LITERAL("websocket"));
    assert_str_equal(request.raw_path, LITERAL("/chat"));
    assert_int_equal(HEAD_OF(GET, ":protocol", "x"), PX_ERR_MALFORMED);
    assert_int_equal(HEAD_OF(":method", "CONNECT", ":protocol", "x", ":authority", "a"),
                     PX_ERR_MALFORMED);
}

static void head_notes_expectations_and_priority(void **state)
{
    (void)state;
    assert_int_equal(HEAD_OF(GET, "expect", "100-continue", "priority", "u=1, i"), PX_OK);
    assert_true((head->said & H2_SAID_EXPECT_CONTINUE) && !(head->said & H2_SAID_EXPECT_UNKNOWN) &&
                (head->said & H2_SAID_PRIORITY));
    assert_int_equal(head->priority.len, 6);
    assert_int_equal(HEAD_OF(GET, "expect", "tea"), PX_OK);
    assert_true(head->said & H2_SAID_EXPECT_UNKNOWN);
}

/* --- What is none ----------------------------------------------------------------------------- */

static void head_malformed(void **state)
{
    static const char *const cases[][12] = {
        {":method", "GET", ":scheme", "http", ":authority", "a"},
        {":method", "GET", ":authority", "a", ":path", "/"},
        {":scheme", "http", ":authority", "a", ":path", "/"},
        {GET, ":method", "GET"},
        {GET, ":status", "200"},
        {GET, ":x", "y"},
        {GET, "X", "y"},
        {GET, "", "y"},
        {GET, "a b", "y"},
        {GET, "a:", "y"},
        {GET, "x", "y "},
        {GET, "x", "\ty"},
        {GET, "x", "a\r\nb: c"},
        {GET, "x", "\x7f"},
        {GET, "connection", "close"},
        {GET, "keep-alive", "1"},
        {GET, "proxy-connection", "close"},
        {GET, "transfer-encoding", "chunked"},
        {GET, "upgrade", "h2c"},
        {GET, "te", "gzip"},
        {GET, "content-length", ""},
        {GET, "content-length", "+1"},
        {GET, "content-length", "9223372036854775808"},
        {GET, "content-length", "1", "content-length", "1"},
        {"x", "y", ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        const char *fields[14] = {NULL};

        memcpy(fields, cases[index], sizeof(cases[index]));
        if (head_of(fields) != PX_ERR_MALFORMED)
            fail_msg("case %zu is taken", index);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 25);
}

/* What is refused for its target, method or host is answered, as over HTTP/1. */
static void head_answered(void **state)
{
    static const struct {
        const char *reason;
        const char *fields[12];
    } cases[] = {
        {"Host is missing", {":method", "GET", ":scheme", "http", ":path", "/"}},
        {"Host differs from :authority", {GET, "host", "b"}},
        {"Host differs from :authority", {GET, "host", "a:80"}},
        {"Host twice", {GET, "host", "a", "host", "a"}},
        {"bad Host", {":method", "GET", ":scheme", "http", ":path", "/", "host", "a, b"}},
        {"bad byte in the target",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", ""}},
        {"bad byte in the target",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/a b"}},
        {"asterisk target without OPTIONS",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "*"}},
        {"bad authority in the target",
         {":method", "GET", ":scheme", "http", ":authority", "u@a", ":path", "/"}},
        {"scheme not served", {":method", "GET", ":scheme", "1", ":authority", "a", ":path", "/"}},
        {"scheme not served",
         {":method", "GET", ":scheme", "ftp", ":authority", "a", ":path", "/"}},
        {"bad method", {":method", "G T", ":scheme", "http", ":authority", "a", ":path", "/"}},
        {"bad method", {":method", "", ":scheme", "http", ":authority", "a", ":path", "/"}},
        {"CONNECT needs a host and a port", {":method", "CONNECT", ":authority", "a"}},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        const char *fields[14] = {NULL};

        memcpy(fields, cases[index].fields, sizeof(cases[index].fields));
        if (head_of(fields) != PX_ERR_LIMIT)
            fail_msg("case %zu is not refused", index);
        assert_int_equal(head->status, 400);
        assert_string_equal(head->reason, cases[index].reason);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 14);
}

/* Clients send more in a target than they may. */
static void head_with_raw_target(void **state)
{
    static const char target[] = "/a[b]{}|^\"<>\\`\xc3\xa4?off=100%&x=[\xe2\x82\xac]";
    struct http_request request;

    (void)state;
    assert_int_equal(
        HEAD_OF(":method", "GET", ":scheme", "http", ":authority", "a", ":path", target), PX_OK);
    assert_int_equal(h2_head_take(head, &arena, &request), PX_OK);
    assert_string_equal(request.target.ptr, target);
    assert_string_equal(request.raw_path.ptr, "/a[b]{}|^\"<>\\`\xc3\xa4");
    assert_string_equal(request.query.ptr, "off=100%&x=[\xe2\x82\xac]");
}

static void head_with_nul(void **state)
{
    (void)state;
    begin(false);
    h2_head_add(head, LITERAL("x"), LITERAL("a\0b"));
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
    begin(false);
    h2_head_add(head, LITERAL("x\0"), LITERAL("a"));
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
}

static void head_good_at_the_edge(void **state)
{
    (void)state;
    assert_int_equal(HEAD_OF(GET, "te", "trailers", "host", "A"), PX_OK);
    assert_int_equal(
        HEAD_OF(":method", "OPTIONS", ":scheme", "http", ":authority", "a", ":path", "*"), PX_OK);
    assert_int_equal(HEAD_OF(":method", "GET", ":scheme", "http", "host", "a", ":path", "/"),
                     PX_ERR_MALFORMED);
    assert_int_equal(HEAD_OF(":method", "GET", ":scheme", "http", ":path", "/", "host", "a"),
                     PX_OK);
    assert_int_equal(HEAD_OF(GET, "x", "\xe4 \t y"), PX_OK);
}

/* --- What is too much ------------------------------------------------------------------------- */

static void head_refused(void **state)
{
    /* Answered as over HTTP/1, not reset. */
    static const char *const targets[] = {"x",     "?a",     "/%4",   "/a#b",         "/a?b#c",
                                          "/\xc3", "/?\xff", "/a\tb", "/\xed\xa0\x80"};
    char long_path[103] = "/", method[34];
    char value[4097];

    (void)state;
    memset(long_path + 1, 'a', 100);
    assert_int_equal(
        HEAD_OF(":method", "GET", ":scheme", "http", ":authority", "a", ":path", long_path),
        PX_ERR_LIMIT);
    assert_int_equal(head->status, 414);
    long_path[100] = '\0';
    assert_int_equal(
        HEAD_OF(":method", "GET", ":scheme", "http", ":authority", "a", ":path", long_path), PX_OK);
    memset(method, 'A', 33);
    method[33] = '\0';
    assert_int_equal(HEAD_OF(":method", method, ":scheme", "http", ":authority", "a", ":path", "/"),
                     PX_ERR_LIMIT);
    assert_int_equal(head->status, 400);
    assert_int_equal(HEAD_OF(":method", "GET", ":scheme", "ftp", ":authority", "a", ":path", "/"),
                     PX_ERR_LIMIT);
    assert_int_equal(head->status, 400);
    for (size_t index = 0; index < sizeof(targets) / sizeof(targets[0]); index++) {
        assert_int_equal(HEAD_OF(":method", "GET", ":scheme", "http", ":authority", "a", ":path",
                                 targets[index]),
                         PX_ERR_LIMIT);
        assert_int_equal(head->status, 400);
    }
    memset(value, 'a', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(HEAD_OF(GET, "x", value), PX_ERR_LIMIT);
    assert_int_equal(head->status, 431);
}

static void head_limits_fields(void **state)
{
    (void)state;
    for (uint32_t count = limits.field_count_max; count <= limits.field_count_max + 1; count++) {
        begin(false);
        add(":method", "GET");
        add(":scheme", "http");
        add(":authority", "a");
        add(":path", "/");
        for (uint32_t index = 0; index < count; index++)
            add("x", "y");
        assert_int_equal(h2_head_end(head), count > limits.field_count_max ? PX_ERR_LIMIT : PX_OK);
    }
}

static void head_counts_bytes_at_their_limit(void **state)
{
    char value[4096];
    size_t others = sizeof(":method"
                           "GET"
                           ":scheme"
                           "http"
                           ":authority"
                           "a"
                           ":path"
                           "/"
                           "x") -
                    1 + 5 * sizeof(": \r\n") - 5;

    (void)state;
    for (uint32_t over = 0; over < 2; over++) {
        size_t len = limits.head_bytes_max - others + over;

        memset(value, 'a', len);
        value[len] = '\0';
        assert_int_equal(HEAD_OF(GET, "x", value), over ? PX_ERR_LIMIT : PX_OK);
    }
}

static void head_knows_a_bomb(void **state)
{
    char value[1025];

    (void)state;
    memset(value, 'a', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    begin(false);
    for (int index = 0; index < 15; index++)
        add("x", value);
    assert_false(h2_head_is_bomb(head));
    for (int index = 0; index < 2; index++)
        add("x", value);
    assert_true(h2_head_is_bomb(head));
}

/* --- Trailers --------------------------------------------------------------------------------- */

static void head_of_trailers(void **state)
{
    px_field *fields;
    uint32_t count;

    (void)state;
    begin(true);
    add("x-sum", "1");
    add("content-type", "text/plain");
    add("x-more", "");
    assert_int_equal(h2_head_end(head), PX_OK);
    assert_int_equal(h2_head_take_trailers(head, &arena, &fields, &count), PX_OK);
    assert_int_equal(count, 2);
    assert_str_equal(fields[0].name, LITERAL("x-sum"));
    assert_str_equal(fields[1].value, LITERAL(""));
    begin(true);
    add(":path", "/");
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
    begin(true);
    add("X", "y");
    assert_int_equal(h2_head_end(head), PX_ERR_MALFORMED);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void take_both(const px_allocator *allocator, void *context)
{
    struct arena small;
    struct http_request request;
    px_field *fields;
    uint32_t count;

    (void)context;
    arena_init(&small, allocator, NULL, 0, 16 * 1024);
    HEAD_OF(GET, "cookie", "a");
    if (h2_head_take(head, &small, &request) == PX_OK)
        assert_str_equal(field(&request, "cookie"), LITERAL("a"));
    begin(true);
    add("x", "y");
    if (h2_head_take_trailers(head, &small, &fields, &count) == PX_OK)
        assert_int_equal(count, 1);
    arena_reset(&small);
}

static void head_lives_without_memory(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("h2_head", take_both, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_the_same_by_its_notes),
        cmocka_unit_test(head_is_what_http_1_brings),
        cmocka_unit_test(head_without_query),
        cmocka_unit_test(head_joins_crumbs),
        cmocka_unit_test(head_limits_crumbs),
        cmocka_unit_test(head_of_connect),
        cmocka_unit_test(head_of_extended_connect),
        cmocka_unit_test(head_notes_expectations_and_priority),
        cmocka_unit_test(head_malformed),
        cmocka_unit_test(head_answered),
        cmocka_unit_test(head_with_raw_target),
        cmocka_unit_test(head_with_nul),
        cmocka_unit_test(head_good_at_the_edge),
        cmocka_unit_test(head_refused),
        cmocka_unit_test(head_limits_fields),
        cmocka_unit_test(head_counts_bytes_at_their_limit),
        cmocka_unit_test(head_knows_a_bomb),
        cmocka_unit_test(head_of_trailers),
        cmocka_unit_test(head_lives_without_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
