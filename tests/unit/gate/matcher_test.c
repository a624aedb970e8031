/*
 * Matchers and globs: what each kind of line is true for, which values are wrong, and that no
 * spelling of a path passes by.
 */
#include "pollux/matcher.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "gate/glob.h"
#include "lib/guard.h"
#include "unit/exchange/double.h"

static const struct {
    const char *glob, *text;
    bool is_match;
} globs[] = {
    {"", "", true},        {"", "a", false},           {"a", "", false},
    {"a", "a", true},      {"a", "b", false},          {"*", "", true},
    {"*", "abc", true},    {"a*", "a", true},          {"a*", "abc", true},
    {"a*", "b", false},    {"*c", "abc", true},        {"*c", "abcd", false},
    {"a*c", "ac", true},   {"a*c", "abbc", true},      {"a*c", "abcb", false},
    {"*b*", "abc", true},  {"*b*", "aac", false},      {"a*b*c", "aXbYc", true},
    {"a**c", "abc", true}, {"*ab", "aab", true},       {"*aab", "aaaab", true},
    {"a*a", "a", false},   {"/v1/*", "/v1/a/b", true}, {"/v1/*", "/v1", false},
    {"**", "", true},      {"*a*b", "ab", true},       {"*a*b", "ba", false},
};

static void globs_match(void **state)
{
    struct guard guard, other;

    (void)state;
    guard_init(&guard, 4096);
    guard_init(&other, 4096);
    for (size_t index = 0; index < sizeof(globs) / sizeof(globs[0]); index++) {
        px_str glob = guard_at_end(&guard, px_str_of(globs[index].glob));
        px_str text = guard_at_end(&other, px_str_of(globs[index].text));

        assert_int_equal(glob_matches(glob, text), globs[index].is_match);
        assert_int_equal(glob_matches_query(glob, text), globs[index].is_match);
    }
    assert_int_equal(sizeof(globs) / sizeof(globs[0]), 27);
    assert_true(glob_matches_query(px_str_of("a b*"), guard_at_end(&other, px_str_of("%61+b%"))));
    assert_false(glob_matches_query(px_str_of("a+b"), px_str_of("a+b")));
    guard_deinit(&guard);
    guard_deinit(&other);
}

/* --- Lines ------------------------------------------------------------------------------------ */

static const px_field sent_fields[] = {
    {{"X-Beta", 6}, {"yes, please", 11}},    {{"x-beta", 6}, {"no", 2}},  {{"X-Empty", 7}, {"", 0}},
    {{"Cookie", 6}, {"a=1; b=\"two\"", 12}}, {{"cookie", 6}, {"c=3", 3}},
};

static px_match_request request_of(const char *path, const char *client)
{
    px_match_request request = PX_MATCH_REQUEST_DEFAULT;
    const char *query = path ? strchr(path, '?') : NULL;

    request.method = px_str_of("GET");
    request.scheme = px_str_of("https");
    request.authority = px_str_of("API.example.org.:8443");
    request.raw_path = query ? px_str_make(path, (size_t)(query - path)) : px_str_of(path);
    request.query = px_str_of(query ? query + 1 : NULL);
    request.client = px_str_of(client);
    request.fields = sent_fields;
    request.field_count = sizeof(sent_fields) / sizeof(sent_fields[0]);
    return request;
}

static const struct {
    px_match_kind kind;
    const char *values[3];
    const char *path;
    const char *client;
    bool is_match;
} lines[] = {
    {PX_MATCH_METHOD, {"GET"}, "/", "192.0.2.1", true},
    {PX_MATCH_METHOD, {"POST", "GET"}, "/", "192.0.2.1", true},
    {PX_MATCH_METHOD, {"get", "HEAD"}, "/", "192.0.2.1", false},
    {PX_MATCH_SCHEME, {"https"}, "/", "192.0.2.1", true},
    {PX_MATCH_SCHEME, {"http"}, "/", "192.0.2.1", false},
    {PX_MATCH_HOST, {"api.example.org"}, "/", "192.0.2.1", true},
    {PX_MATCH_HOST, {"*.example.org"}, "/", "192.0.2.1", true},
    {PX_MATCH_HOST, {"*.ORG"}, "/", "192.0.2.1", true},
    {PX_MATCH_HOST, {"*"}, "/", "192.0.2.1", true},
    {PX_MATCH_HOST, {"example.org", "*.api.example.org"}, "/", "192.0.2.1", false},
    {PX_MATCH_HEADER, {"x-beta"}, "/", "192.0.2.1", true},
    {PX_MATCH_HEADER, {"X-Beta", "no"}, "/", "192.0.2.1", true},
    {PX_MATCH_HEADER, {"X-Beta", "never", "yes*"}, "/", "192.0.2.1", true},
    {PX_MATCH_HEADER, {"X-Beta", "YES*"}, "/", "192.0.2.1", false},
    {PX_MATCH_HEADER, {"X-Empty"}, "/", "192.0.2.1", true},
    {PX_MATCH_HEADER, {"X-None"}, "/", "192.0.2.1", false},
    {PX_MATCH_HEADER, {"X-None", "*"}, "/", "192.0.2.1", false},
    {PX_MATCH_QUERY, {"a"}, "/?a", "192.0.2.1", true},
    {PX_MATCH_QUERY, {"a=1"}, "/?b=2&a=2&a=1", "192.0.2.1", true},
    {PX_MATCH_QUERY, {"a=x y*"}, "/?%61=x+y%7a", "192.0.2.1", true},
    {PX_MATCH_QUERY, {"a=1"}, "/?a=11", "192.0.2.1", false},
    {PX_MATCH_QUERY, {"a="}, "/?a", "192.0.2.1", true},
    {PX_MATCH_QUERY, {"a"}, "/", "192.0.2.1", false},
    {PX_MATCH_COOKIE, {"a=1"}, "/", "192.0.2.1", true},
    {PX_MATCH_COOKIE, {"b=tw*"}, "/", "192.0.2.1", true},
    {PX_MATCH_COOKIE, {"c"}, "/", "192.0.2.1", true},
    {PX_MATCH_COOKIE, {"A", "d"}, "/", "192.0.2.1", false},
    {PX_MATCH_CLIENT, {"192.0.2.0/24"}, "/", "192.0.2.1", true},
    {PX_MATCH_CLIENT, {"10.0.0.0/8", "192.0.2.1"}, "/", "192.0.2.1", true},
    {PX_MATCH_CLIENT, {"192.0.2.0/24"}, "/", "::ffff:192.0.2.9", true},
    {PX_MATCH_CLIENT, {"2001:db8::/32"}, "/", "2001:db8:1::", true},
    {PX_MATCH_CLIENT, {"2001:db8::/32"}, "/", "192.0.2.1", false},
    {PX_MATCH_CLIENT, {"unix:"}, "/", "unix:", true},
    {PX_MATCH_CLIENT, {"unix:"}, "/", "192.0.2.1", false},
    {PX_MATCH_CLIENT, {"0.0.0.0/0", "::/0"}, "/", "unix:", false},
    {PX_MATCH_CLIENT, {"all"}, "/", NULL, true},
    {PX_MATCH_CLIENT, {"0.0.0.0/0"}, "/", NULL, false},
    {PX_MATCH_PATH, {"/"}, "/", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/v1/*", "/v2/*"}, "/v2/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/v1/*"}, "/v1", "192.0.2.1", false},
    {PX_MATCH_PATH, {"*.php"}, "/a/b.php?x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/a b"}, "/a%20b", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/"}, NULL, "192.0.2.1", false},
    {PX_MATCH_PATH, {"*"}, "*", "192.0.2.1", true},
    /* Each spelling of /admin/x. */
    {PX_MATCH_PATH, {"/admin/*"}, "/admin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/%61dmin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/admin%2Fx", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "//admin//x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/./admin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/a/../admin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/a/%2e%2E/admin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/a/b/../../admin/./x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/../admin/x", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/*"}, "/admin/../x", "192.0.2.1", false},
    {PX_MATCH_PATH, {"/admin/*"}, "/admin/..", "192.0.2.1", false},
    {PX_MATCH_PATH, {"/admin/"}, "/admin/.", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/admin/"}, "/admin/x/..", "192.0.2.1", true},
    {PX_MATCH_PATH, {"/a/..b/.c"}, "/a/..b/.c", "192.0.2.1", true},
};

static void lines_are_true_or_not(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(lines) / sizeof(lines[0]); index++) {
        px_matcher *matcher = px_matcher_create(NULL, NULL), *other = px_matcher_create(NULL, NULL);
        px_match_request request = request_of(lines[index].path, lines[index].client);
        px_str values[3];
        size_t count = 0;
        px_error error = PX_ERROR_INIT;

        assert_int_equal(px_matcher_matches_request(matcher, &request), 1);
        while (count < 3 && lines[index].values[count]) {
            values[count] = px_str_of(lines[index].values[count]);
            count++;
        }
        assert_int_equal(px_matcher_add(matcher, lines[index].kind, values, count, NULL, &error),
                         PX_OK);
        if (px_matcher_matches_request(matcher, &request) != lines[index].is_match)
            fail_msg("case %zu: %s", index, lines[index].path);
        /* And the contrary. */
        assert_int_equal(px_matcher_add_not(other, matcher, &error), PX_OK);
        px_matcher_destroy(matcher);
        assert_int_equal(px_matcher_matches_request(other, &request), !lines[index].is_match);
        px_matcher_destroy(other);
    }
    assert_int_equal(sizeof(lines) / sizeof(lines[0]), 58);
}

static const struct {
    px_match_kind kind;
    const char *values[2];
    size_t at;
} wrongs[] = {
    {PX_MATCH_METHOD, {"GET", "G ET"}, 1}, {PX_MATCH_PATH, {"a/b"}, 0},
    {PX_MATCH_HOST, {"a.example:80"}, 0},  {PX_MATCH_HOST, {"a", "a*.example"}, 1},
    {PX_MATCH_SCHEME, {"ftp"}, 0},         {PX_MATCH_HEADER, {"X Y"}, 0},
    {PX_MATCH_QUERY, {"=x"}, 0},           {PX_MATCH_COOKIE, {"a", ""}, 1},
    {PX_MATCH_CLIENT, {"10.1.2.3/8"}, 0},  {PX_MATCH_CLIENT, {"all", "example.org"}, 1},
    {(px_match_kind)99, {"x"}, 0},
};

static void wrong_values_are_told(void **state)
{
    px_matcher *matcher = px_matcher_create(NULL, NULL);
    px_match_request request = request_of("/", "192.0.2.1");

    (void)state;
    for (size_t index = 0; index < sizeof(wrongs) / sizeof(wrongs[0]); index++) {
        px_str values[2] = {px_str_of(wrongs[index].values[0]), px_str_of(wrongs[index].values[1])};
        size_t at = 99;
        px_error error = PX_ERROR_INIT;

        assert_int_equal(px_matcher_add(matcher, wrongs[index].kind, values,
                                        wrongs[index].values[1] ? 2 : 1, &at, &error),
                         PX_ERR_INVALID);
        assert_int_equal(at, wrongs[index].at);
        assert_true(error.text[0] != '\0');
    }
    assert_int_equal(sizeof(wrongs) / sizeof(wrongs[0]), 11);
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, NULL, 0, NULL, NULL), PX_ERR_INVALID);
    assert_int_equal(px_matcher_matches_request(matcher, &request), 1); /* as it was */
    px_matcher_destroy(matcher);
}

static void bounds_hold(void **state)
{
    px_matcher *matcher = px_matcher_create(NULL, NULL);
    char glob[GLOB_BYTES_MAX + 2];
    px_str value = px_str_make(glob, GLOB_BYTES_MAX);

    (void)state;
    memset(glob, '/', sizeof(glob));
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &value, 1, NULL, NULL), PX_OK);
    value.len++;
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &value, 1, NULL, NULL), PX_ERR_INVALID);
    value.len = 1;
    for (uint32_t count = 1; count < MATCHER_LINES_MAX; count++)
        assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &value, 1, NULL, NULL), PX_OK);
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &value, 1, NULL, NULL), PX_ERR_LIMIT);
    px_matcher_destroy(matcher);
    matcher = px_matcher_create(NULL, NULL);
    for (uint32_t depth = 0; depth < MATCHER_DEPTH_MAX; depth++) {
        px_matcher *outer = px_matcher_create(NULL, NULL);

        assert_int_equal(px_matcher_add_not(outer, matcher, NULL), PX_OK);
        px_matcher_destroy(matcher);
        matcher = outer;
    }
    px_matcher *outer = px_matcher_create(NULL, NULL);

    assert_int_equal(px_matcher_add_not(outer, matcher, NULL), PX_ERR_LIMIT);
    px_matcher_destroy(outer);
    px_matcher_destroy(matcher);
}

/* --- Exchanges -------------------------------------------------------------------------------- */

static void answer(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, px_matcher_matches(context, exchange) ? 200 : 404, "");
}

static unsigned ask(struct stage *stage, px_matcher *matcher, const char *head)
{
    struct call call;

    assert_true(call_begin(&call, stage, head, answer, matcher));
    call_drive(&call);
    unsigned status = call.taken ? call.status : 0;

    call_finish(&call);
    return status;
}

static void exchanges_match(void **state)
{
    struct stage stage;
    px_matcher *matcher = px_matcher_create(NULL, NULL);
    px_str path = px_str_of("/v1/*"), client = px_str_of("192.0.2.0/24");

    (void)state;
    assert_true(stage_open(&stage, NULL));
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &path, 1, NULL, NULL), PX_OK);
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_CLIENT, &client, 1, NULL, NULL), PX_OK);
    assert_int_equal(ask(&stage, matcher, "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_int_equal(ask(&stage, matcher, "GET /v2/x HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_int_equal(ask(&stage, matcher, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    px_matcher_destroy(matcher);
    stage_close(&stage);
}

/* A path that is longer than the stack's room: resolved all the same, or not a match. */
static void long_paths_are_resolved(void **state)
{
    size_t bytes = 9000;
    char *text = malloc(bytes + 32);
    px_matcher *matcher = px_matcher_create(NULL, NULL);
    px_str path = px_str_of("/admin/*");
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    memset(text, 'a', bytes);
    text[0] = '/';
    memcpy(text + bytes, "/../admin/x", sizeof("/../admin/x"));
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &path, 1, NULL, NULL), PX_OK);
    assert_true(call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer, matcher));
    call_drive(&call);
    call_finish(&call);
    assert_true(call_make(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    call.exchange->arrival.request.raw_path = px_str_of(text);
    call_handler(&call, answer, matcher);
    call_drive(&call);
    assert_int_equal(call.status, 200);
    call_finish(&call);

    px_match_request request = request_of(text, "192.0.2.1");

    assert_int_equal(px_matcher_matches_request(matcher, &request), 0);
    /* Without memory nothing is let by: the exchange is aborted. */
    stage.service.exchange_bytes_max = 4096;
    assert_true(call_make(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    call.exchange->arrival.request.raw_path = px_str_of(text);
    call_handler(&call, answer, matcher);
    call_drive(&call);
    assert_false(call.taken);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_ABORTED);
    px_matcher_destroy(matcher);
    stage_close(&stage);
    free(text);
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_error error = PX_ERROR_INIT;
    px_matcher *matcher = px_matcher_create(allocator, &error);
    px_matcher *outer = px_matcher_create(allocator, NULL);
    px_str value = px_str_of("/x");

    (void)context;
    if (matcher && px_matcher_add(matcher, PX_MATCH_PATH, &value, 1, NULL, &error) == PX_OK &&
        outer && px_matcher_add_not(outer, matcher, &error) == PX_OK)
        assert_int_equal(error.code, PX_OK);
    else if (matcher && outer)
        assert_int_equal(error.code, PX_ERR_MEMORY);
    px_matcher_destroy(matcher);
    px_matcher_destroy(outer);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("matcher", make_once, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),
        cmocka_unit_test(lines_are_true_or_not),
        cmocka_unit_test(wrong_values_are_told),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(exchanges_match),
        cmocka_unit_test(long_paths_are_resolved),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
