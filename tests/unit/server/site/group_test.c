/*
 * Groups: prefixes, middleware from the outside in, limits where a route has none, and contexts
 * that are released once, whatever fails.
 */
#include <string.h>

#include "lib/test.h"
#include "pollux/pollux.h"

static void say(px_exchange *exchange, void *context)
{
    px_response_add_field(exchange, LITERAL("X-Id"), px_request_param(exchange, "id"));
    px_respond_text(exchange, 200, context);
}

/* Notes its letter in a request field. */
static px_verdict mark(px_exchange *exchange, void *context)
{
    return px_request_add_field(exchange, LITERAL("X-Mark"), px_str_of(context)) == PX_OK ? PX_NEXT
                                                                                          : PX_STOP;
}

static void marks(px_exchange *exchange, void *context)
{
    char text[16] = "";
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    (void)context;
    for (size_t index = 0; index < count; index++)
        if (px_str_equal_case(fields[index].name, LITERAL("x-mark")))
            strncat(text, fields[index].value.ptr, 2);
    px_respond_text(exchange, 200, text);
}

static void ask_is(px_server *server, const char *request, unsigned status, const char *content)
{
    px_error error;
    px_test_answer *answer = px_test_ask(server, request, px_str_of(NULL), &error);

    assert_non_null(answer);
    assert_int_equal(answer->status, status);
    if (content)
        assert_string_equal(answer->content.ptr, content);
    px_test_answer_free(answer);
}

static void count_release(void *context)
{
    *(uint32_t *)context += 1;
}

static void prefixes_and_rules(void **state)
{
    static char a[] = "a", b[] = "b", c[] = "c", hello[] = "hello";
    const px_middleware_use outer[] = {{mark, a, NULL}, {mark, b, NULL}};
    const px_middleware_use inner[] = {{mark, c, NULL}};
    px_route_options rules = PX_ROUTE_OPTIONS_DEFAULT, own = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    px_group *group;

    (void)state;
    rules.middleware = outer;
    rules.middleware_count = 2;
    rules.content_bytes_max = 4;
    rules.content_mode = PX_CONTENT_COLLECT;
    assert_int_equal(px_server_group(server, "/users/{id}", &rules, &group, &error), PX_OK);
    assert_int_equal(px_group_route(group, "GET /name", NULL, say, hello, &error), PX_OK);
    assert_int_equal(px_group_route(group, "/{$}", NULL, marks, NULL, &error), PX_OK);
    own.middleware = inner;
    own.middleware_count = 1;
    own.content_bytes_max = 100;
    assert_int_equal(px_group_route(group, "/own", &own, marks, NULL, &error), PX_OK);
    assert_int_equal(px_group_route(group, "GET /name", NULL, say, hello, &error), PX_ERR_CONFLICT);
    ask_is(server, "GET /users/7/name", 200, "hello");
    ask_is(server, "GET /name", 404, NULL);
    ask_is(server, "POST /users/7/name", 405, NULL);
    ask_is(server, "GET /users/7/", 200, "ab");
    ask_is(server, "GET /users/7/own", 200, "abc");
    px_test_answer *answer = px_test_ask(server, "POST /users/7/", LITERAL("12345"), &error);

    assert_int_equal(answer->status, 413); /* the group's limit */
    px_test_answer_free(answer);
    answer = px_test_ask(server, "POST /users/7/own", LITERAL("12345"), &error);
    assert_int_equal(answer->status, 200); /* the route's */
    px_test_answer_free(answer);
    px_server_destroy(server);
}

static void contexts_are_released_once(void **state)
{
    uint32_t group_released = 0, route_released = 0;
    const px_middleware_use outer[] = {{mark, &group_released, count_release}};
    const px_middleware_use inner[] = {{mark, &route_released, count_release}};
    px_route_options rules = PX_ROUTE_OPTIONS_DEFAULT, own = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    px_group *group;
    static const char *const wrong[] = {"", "/", "api", "/api/", "/a b", "/a/{rest...}", "/{$}"};

    (void)state;
    rules.middleware = outer;
    rules.middleware_count = 1;
    for (uint32_t index = 0; index < 7; index++) {
        assert_int_equal(px_server_group(server, wrong[index], &rules, &group, &error),
                         PX_ERR_INVALID);
        assert_int_equal(group_released, index + 1);
    }
    group_released = 0;
    assert_int_equal(px_server_group(server, "/api", &rules, &group, &error), PX_OK);
    own.middleware = inner;
    own.middleware_count = 1;
    own.release = count_release;
    assert_int_equal(px_group_route(group, "no path", &own, say, &route_released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(route_released, 2);
    assert_int_equal(px_group_route(group, "/a", &own, NULL, &route_released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(route_released, 4);
    assert_int_equal(group_released, 0); /* the group's stay, whatever a route's call does */
    assert_int_equal(px_group_route(group, "/a", &own, say, &route_released, &error), PX_OK);
    assert_int_equal(px_group_route(group, "/b", NULL, say, &route_released, &error), PX_OK);
    px_server_destroy(server);
    assert_int_equal(group_released, 1);
    assert_int_equal(route_released, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_and_rules),
        cmocka_unit_test(contexts_are_released_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
