/*
 * Preconditions of a handler's own answers (RFC 9110 section 13), with strong and weak tags, for
 * reading and for changing; and the credentials and pairs that a request carries.
 */
#include <string.h>

#include "unit/exchange/double.h"

enum { MODIFIED = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"

static const struct {
    const char *method;
    const char *fields;
    const char *etag; /* NULL: none */
    int64_t modified;
    unsigned status;
} cases[] = {
    {"GET", "", "\"a\"", MODIFIED, 200},
    {"GET", "If-None-Match: \"a\"\r\n", "\"a\"", MODIFIED, 304},
    {"HEAD", "If-None-Match: \"a\"\r\n", "\"a\"", MODIFIED, 304},
    {"GET", "If-None-Match: \"b\", W/\"a\"\r\n", "\"a\"", MODIFIED, 304},
    {"GET", "If-None-Match: \"b\"\r\n", "\"a\"", MODIFIED, 200},
    {"GET", "If-None-Match: *\r\n", "\"a\"", MODIFIED, 304},
    {"GET", "If-None-Match: \"a\"\r\n", "W/\"a\"", MODIFIED, 304},
    {"GET", "If-None-Match: W/\"a\"\r\n", "W/\"a\"", MODIFIED, 304},
    {"GET", "If-None-Match: \"a\"\r\n", NULL, MODIFIED, 200},
    {"GET", "If-None-Match: \"b\"\r\nIf-Modified-Since: " SAME "\r\n", "\"a\"", MODIFIED, 200},
    {"GET", "If-Modified-Since: " SAME "\r\n", "\"a\"", MODIFIED, 304},
    {"GET", "If-Modified-Since: " LATER "\r\n", NULL, MODIFIED, 304},
    {"GET", "If-Modified-Since: " EARLIER "\r\n", NULL, MODIFIED, 200},
    {"GET", "If-Modified-Since: " LATER "\r\n", "\"a\"", 0, 200},
    {"GET", "If-Match: \"a\"\r\n", "\"a\"", MODIFIED, 200},
    {"GET", "If-Match: \"b\"\r\n", "\"a\"", MODIFIED, 412},
    {"GET", "If-Match: \"a\"\r\n", "W/\"a\"", MODIFIED, 412},
    {"GET", "If-Match: W/\"a\"\r\n", "W/\"a\"", MODIFIED, 412},
    {"GET", "If-Match: *\r\nIf-None-Match: \"a\"\r\n", "W/\"a\"", MODIFIED, 304},
    {"GET", "If-Match: *\r\nIf-Unmodified-Since: " EARLIER "\r\n", "W/\"a\"", MODIFIED, 200},
    {"GET", "If-Unmodified-Since: " EARLIER "\r\n", NULL, MODIFIED, 412},
    {"GET", "If-Unmodified-Since: " EARLIER "\r\n", "W/\"a\"", MODIFIED, 412},
    {"PUT", "If-None-Match: *\r\n", "\"a\"", MODIFIED, 412},
    {"PUT", "If-None-Match: \"a\"\r\n", "\"a\"", MODIFIED, 412},
    {"PUT", "If-Modified-Since: " LATER "\r\n", "\"a\"", MODIFIED, 200},
    {"PUT", "If-Match: \"a\"\r\n", "\"a\"", MODIFIED, 200},
    {"PUT", "If-Match: \"b\"\r\n", "\"a\"", MODIFIED, 412},
    {"GET", "", "\"a\r\n\"", MODIFIED, 500},
};

static void handle(px_exchange *exchange, void *context)
{
    size_t index = *(size_t *)context;

    if (!px_respond_unless_modified(exchange, px_str_of(cases[index].etag), cases[index].modified))
        px_respond_text(exchange, 200, "x");
}

static void each_precondition(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        char head[256];
        struct stage stage;
        struct call call;

        snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[index].method,
                 cases[index].fields);
        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage, head, handle, &index));
        call_drive(&call);
        if (call.status != cases[index].status)
            fail_msg("case %zu: %u", index, call.status);
        if (call.status < 400) {
            assert_int_equal(strstr(call.head, "ETag: ") != NULL, cases[index].etag != NULL);
            assert_int_equal(strstr(call.head, "Last-Modified: " SAME "\n") != NULL,
                             cases[index].modified != 0);
        }
        call_finish(&call);
        stage_close(&stage);
    }
    assert_int_equal(ARRAY_COUNT(cases), 28);
}

static void look(px_exchange *exchange, void *context)
{
    size_t count;
    const px_field *pairs = px_request_query_pairs(exchange, &count);
    px_str user = {NULL, 0}, password = {NULL, 0};

    (void)context;
    assert_int_equal(count, 3);
    assert_str_equal(pairs[0].name, LITERAL("a"));
    assert_str_equal(pairs[0].value, LITERAL("1"));
    assert_str_equal(pairs[1].name, LITERAL("a"));
    assert_str_equal(pairs[1].value, LITERAL("x y"));
    assert_str_equal(pairs[2].name, LITERAL("b"));
    assert_int_equal(pairs[2].value.len, 0);
    assert_int_equal(px_request_basic_auth(exchange, &user, &password), 1);
    assert_string_equal(user.ptr, "Aladdin");
    assert_string_equal(password.ptr, "open");
    px_respond_text(exchange, 200, "x");
}

static void look_for_nothing(px_exchange *exchange, void *context)
{
    px_str user = LITERAL("kept"), password = user;
    size_t count = 7;

    (void)context;
    assert_null(px_request_query_pairs(exchange, &count));
    assert_int_equal(count, 0);
    assert_int_equal(px_request_basic_auth(exchange, &user, &password), 0);
    assert_str_equal(user, LITERAL("kept"));
    px_respond_text(exchange, 200, "x");
}

static void pairs_and_credentials(void **state)
{
    static const char *const without[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /? HTTP/1.1\r\nHost: a\r\nAuthorization: Basic\r\n\r\n",
        "GET /?&& HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer YTpi\r\n\r\n",
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage,
                           "GET /?a=1&a=x+y&b HTTP/1.1\r\nHost: a\r\n"
                           "Authorization: Basic QWxhZGRpbjpvcGVu\r\n\r\n",
                           look, NULL));
    call_drive(&call);
    call_finish(&call);
    for (size_t index = 0; index < ARRAY_COUNT(without); index++) {
        assert_true(call_begin(&call, &stage, without[index], look_for_nothing, NULL));
        call_drive(&call);
        call_finish(&call);
    }
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_precondition),
        cmocka_unit_test(pairs_and_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
