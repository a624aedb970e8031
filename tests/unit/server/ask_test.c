/*
 * Asking a handler in one call, as a program's own tests do: every kind of answer, content both
 * ways, answers that come later, and those that never come whole.
 */
#include "pollux/test.h"

#include <string.h>

#include "pollux/pollux.h"
#include "unit/server/client.h"

static const px_str none = {NULL, 0};

static void say(px_exchange *exchange, void *context)
{
    px_response_add_field(exchange, LITERAL("X-Method"), px_request_method(exchange));
    px_response_add_field(exchange, LITERAL("X-Host"), px_request_field(exchange, "host"));
    px_response_add_field(exchange, LITERAL("X-Given"), px_request_field(exchange, "x-given"));
    px_response_inform(exchange, 103, LITERAL("Link"), LITERAL("</a>"));
    if (context)
        px_respond_text(exchange, 200, context);
    else
        px_respond(exchange, 201, LITERAL("text/x"), px_request_content(exchange));
}

static void a_handler_alone(void **state)
{
    char text[] = "hello";
    px_error error;
    px_test_answer *answer =
        px_test_handle(say, text, "GET /any/path?x=1\nX-Given: this", none, &error);

    (void)state;
    assert_non_null(answer);
    assert_int_equal(answer->struct_size, sizeof(*answer));
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->content.ptr, "hello");
    assert_str_equal(px_test_field(answer, "x-method"), LITERAL("GET"));
    assert_str_equal(px_test_field(answer, "X-HOST"), LITERAL("test"));
    assert_str_equal(px_test_field(answer, "x-given"), LITERAL("this"));
    assert_null(px_test_field(answer, "link").ptr); /* of the informational one */
    assert_int_equal(answer->trailer_count, 0);
    px_test_answer_free(answer);
    answer = px_test_handle(say, text, "HEAD /\nhost: other\n", none, NULL);
    assert_non_null(answer);
    assert_str_equal(px_test_field(answer, "Content-Length"), LITERAL("5"));
    assert_str_equal(px_test_field(answer, "X-Host"), LITERAL("other"));
    assert_int_equal(answer->content.len, 0);
    assert_non_null(answer->content.ptr);
    px_test_answer_free(answer);
    px_test_answer_free(NULL);
}

/* More than sockets keep, both ways. */
static void large_content(void **state)
{
    enum { BYTES = 1000 * 1000 };
    static char content[BYTES];
    px_error error;

    (void)state;
    memset(content, 'c', sizeof(content));
    px_test_answer *answer =
        px_test_handle(say, NULL, "PUT /", px_str_make(content, sizeof(content)), &error);

    assert_non_null(answer);
    assert_int_equal(answer->status, 201);
    assert_str_equal(answer->content, px_str_make(content, sizeof(content)));
    px_test_answer_free(answer);
}

static void pieces(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_start(exchange, 200, none, PX_LENGTH_UNKNOWN);
    px_response_write(exchange, LITERAL("a"));
    px_response_write(exchange, LITERAL("bc"));
    px_response_add_trailer(exchange, LITERAL("X-Sum"), LITERAL("3"));
    px_response_end(exchange);
}

struct later {
    px_timer *timer;
    px_exchange *exchange;
};

static void later_due(px_timer *timer, void *context)
{
    struct later *later = context;

    px_timer_destroy(timer);
    px_respond_text(later->exchange, 200, "later");
}

static void answer_later(px_exchange *exchange, void *context)
{
    struct later *later = context;

    later->exchange = exchange;
    later->timer = px_timer_create(px_exchange_loop(exchange), later_due, later);
    px_timer_start(later->timer, 20);
}

static px_pull pull_and_fail(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                             void *context)
{
    (void)room;
    (void)context;
    *out = 'x';
    *out_bytes = 1;
    if (px_response_status(exchange) == 200)
        px_exchange_abort(exchange);
    return PX_PULL_MORE;
}

static void break_off(px_exchange *exchange, void *context)
{
    const px_producer producer = {.struct_size = sizeof(px_producer), .pull = pull_and_fail};

    (void)context;
    px_respond_producer(exchange, 200, none, 100, &producer);
}

static void a_whole_server(void **state)
{
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    struct later later;
    px_test_answer *answer;

    (void)state;
    assert_int_equal(px_server_route(server, "GET /pieces", pieces, NULL, &error), PX_OK);
    assert_int_equal(px_server_route(server, "GET /later", answer_later, &later, &error), PX_OK);
    assert_int_equal(px_server_route(server, "GET /broken", break_off, NULL, &error), PX_OK);
    answer = px_test_ask(server, "GET /pieces", none, &error);
    assert_non_null(answer);
    assert_str_equal(answer->content, LITERAL("abc"));
    assert_int_equal(answer->trailer_count, 1);
    assert_str_equal(answer->trailers[0].value, LITERAL("3"));
    px_test_answer_free(answer);
    answer = px_test_ask(server, "GET /later", none, &error);
    assert_non_null(answer);
    assert_string_equal(answer->content.ptr, "later");
    px_test_answer_free(answer);
    answer = px_test_ask(server, "POST /later", LITERAL("x"), &error);
    assert_non_null(answer);
    assert_int_equal(answer->status, 405);
    px_test_answer_free(answer);
    answer = px_test_ask(server, "GET /none", none, &error);
    assert_non_null(answer);
    assert_int_equal(answer->status, 404);
    px_test_answer_free(answer);
    assert_null(px_test_ask(server, "GET /broken", none, &error));
    assert_int_equal(error.code, PX_ERR_MALFORMED);
    assert_true(error.text[0] != '\0');
    px_server_drain(server, 0, 0);
    assert_int_equal(px_server_run(server, &error), PX_OK);
    assert_null(px_test_ask(server, "GET /pieces", none, &error));
    assert_int_equal(error.code, PX_ERR_CLOSED);
    px_server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_alone),
        cmocka_unit_test(large_content),
        cmocka_unit_test(a_whole_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
