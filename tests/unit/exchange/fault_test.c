/*
 * What a program hears of the rules that it breaks: which one, once, at once, and to the end; and
 * calls that take what another program made without breaking any.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const px_str no_type = {NULL, 0};

static void twice(px_exchange *exchange)
{
    px_respond_text(exchange, 200, "once");
    px_respond_text(exchange, 200, "twice");
}

static void bad_status(px_exchange *exchange)
{
    px_respond_text(exchange, 1000, "x");
}

static void bad_type(px_exchange *exchange)
{
    px_respond(exchange, 200, LITERAL("text\r\n"), LITERAL("x"));
}

static void bad_value(px_exchange *exchange)
{
    px_response_add_field(exchange, LITERAL("A"), LITERAL("b\r\nC: d"));
}

static void bad_name(px_exchange *exchange)
{
    px_response_set_field(exchange, LITERAL("A b"), LITERAL("c"));
}

static void framing(px_exchange *exchange)
{
    px_response_add_field(exchange, LITERAL("Content-Length"), LITERAL("7"));
}

static void no_start(px_exchange *exchange)
{
    px_response_write(exchange, LITERAL("x"));
}

static void bad_redirect(px_exchange *exchange)
{
    px_respond_redirect(exchange, 200, LITERAL("/"));
}

static void no_error(px_exchange *exchange)
{
    px_respond_error(exchange, 200);
}

static void bad_cookie(px_exchange *exchange)
{
    const px_cookie cookie = {
        .struct_size = sizeof(px_cookie), .name = LITERAL("a b"), .value = LITERAL("c")};

    px_response_add_cookie(exchange, &cookie);
}

static void no_interim(px_exchange *exchange)
{
    px_response_inform(exchange, 200, no_type, no_type);
}

static void no_table(px_exchange *exchange)
{
    static const px_exchange_callbacks callbacks = {.struct_size = 0};

    px_exchange_set_callbacks(exchange, &callbacks, NULL);
}

static px_pull pull_nothing(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                            void *context)
{
    (void)exchange, (void)out, (void)room, (void)context;
    *out_bytes = 0;
    return PX_PULL_MORE;
}

static px_pull pull_little(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    (void)exchange, (void)room, (void)context;
    *out = 'x';
    *out_bytes = 1;
    return PX_PULL_END;
}

static void empty_more(px_exchange *exchange)
{
    const px_producer producer = {.struct_size = sizeof(px_producer), .pull = pull_nothing};

    px_respond_producer(exchange, 200, no_type, PX_LENGTH_UNKNOWN, &producer);
}

static void too_short(px_exchange *exchange)
{
    const px_producer producer = {.struct_size = sizeof(px_producer), .pull = pull_little};

    px_respond_producer(exchange, 200, no_type, 2, &producer);
}

static void give_up(px_exchange *exchange)
{
    px_exchange_abort(exchange);
}

static void answer(px_exchange *exchange)
{
    px_respond_text(exchange, 200, "x");
}

static const struct {
    void (*breaks)(px_exchange *exchange);
    const char *what;
    px_end end;
} cases[] = {
    {twice, "a second answer", PX_END_ABORTED},
    {bad_status, "a status that is not one of 200 to 599", PX_END_ABORTED},
    {bad_type, "a Content-Type with bytes that no field may have", PX_END_ABORTED},
    {bad_value, "a field's value with bytes that no field may have", PX_END_ABORTED},
    {bad_name, "a field whose name is no token", PX_END_ABORTED},
    {framing, "a field that frames the message: pollux sets it", PX_END_ABORTED},
    {no_start, "a piece of an answer that px_response_start did not begin, or that has ended",
     PX_END_ABORTED},
    {bad_redirect, "a redirect with another status than 301, 302, 303, 307 or 308", PX_END_ABORTED},
    {no_error, "an error with a status that is not one of 400 to 599", PX_END_ABORTED},
    {bad_cookie, "a cookie that user agents refuse", PX_END_ABORTED},
    {no_interim, "an informational response behind the answer, or that is none", PX_END_ABORTED},
    {no_table, "a table of callbacks without struct_size", PX_END_ABORTED},
    {empty_more, "a producer that said PX_PULL_MORE with nothing", PX_END_ABORTED},
    {too_short, "less content than its length says", PX_END_ABORTED},
    {give_up, NULL, PX_END_ABORTED},
    {answer, NULL, PX_END_COMPLETE},
};

struct heard {
    uint32_t count;
    const char *what;
    const char *at_end; /* what was known in the function at the end */
    uint32_t ends;
};

static void on_fault(px_exchange *exchange, const char *what, void *context)
{
    struct heard *heard = context;

    assert_ptr_equal(px_exchange_fault(exchange), what);
    assert_false(px_exchange_is_open(exchange) && px_response_status(exchange) == 0);
    heard->count++;
    heard->what = what;
}

static void at_end(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    struct heard *heard = context;

    (void)end, (void)status;
    heard->at_end = px_exchange_fault(exchange);
    heard->ends++;
}

static void handle(px_exchange *exchange, void *context)
{
    size_t index = *(size_t *)context;

    cases[index].breaks(exchange);
}

static void each_rule_has_a_name(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct heard heard = {0};
        struct stage stage;
        struct call call;

        stage_open(&stage, NULL);
        stage.service.on_fault = on_fault;
        stage.service.fault_context = &heard;
        assert_true(call_make(&call, &stage, get));
        assert_null(px_exchange_fault(call.exchange));
        assert_int_equal(px_exchange_at_end(call.exchange, at_end, &heard), PX_OK);
        call_handler(&call, handle, &index);
        call_drive(&call);
        call_finish(&call);
        assert_int_equal(call.end, cases[index].end);
        assert_int_equal(heard.ends, 1);
        assert_int_equal(heard.count, cases[index].what ? 1 : 0);
        assert_ptr_equal(heard.what, heard.at_end);
        if (cases[index].what)
            assert_string_equal(heard.at_end, cases[index].what);
        stage_close(&stage);
    }
    assert_int_equal(ARRAY_COUNT(cases), 16);
}

/* Memory is named too, and so is what the program hands over without one to hear it. */
static void a_bound_has_a_name(void **state)
{
    struct stage stage;
    struct call call;
    struct heard heard = {0};

    (void)state;
    stage_open(&stage, NULL);
    stage.service.respond_bytes_max = 8;
    assert_true(call_make(&call, &stage, get));
    assert_int_equal(px_exchange_at_end(call.exchange, at_end, &heard), PX_OK);
    char *content = px_exchange_alloc(call.exchange, 128 * 1024);

    assert_non_null(content);
    memset(content, 'c', 128 * 1024);
    px_respond(call.exchange, 200, no_type, px_str_make(content, 128 * 1024));
    call_drive(&call);
    assert_int_equal(call.status, 503);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_NO_MEMORY);
    assert_non_null(heard.at_end);
    assert_true(strstr(heard.at_end, "respond_bytes_max") != NULL);
    stage_close(&stage);
}

static void content_is_taken(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_make(&call, &stage, get));
    px_respond_take(call.exchange, 200, LITERAL("text/plain"), strdup("handed over"), 11);
    px_respond_take(call.exchange, 200, no_type, strdup("a second one is freed too"), 7);
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    assert_true(call_make(&call, &stage, get));
    px_respond_take(call.exchange, 200, LITERAL("text/plain"), strdup("handed over"), 11);
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("handed over"));
    call_finish(&call);
    assert_true(call_make(&call, &stage, get));
    px_respond_take(call.exchange, 200, no_type, NULL, 0);
    call_drive(&call);
    assert_int_equal(call.status, 200);
    assert_int_equal(call.length, 0);
    call_finish(&call);
    stage_close(&stage);
}

static void fields_of_others_break_nothing(void **state)
{
    static const struct {
        const char *name, *value;
        int passed;
    } fields[] = {
        {"X-A", "b", 1},
        {"Content-Length", "7", 0},
        {"Transfer-Encoding", "chunked", 0},
        {"Keep-Alive", "timeout=5", 0},
        {"X B", "c", 0},
        {"X-C", "d\r\nX-D: e", 0},
        {"Content-Type", "text/css", 1},
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_make(&call, &stage, get));
    for (size_t index = 0; index < ARRAY_COUNT(fields); index++)
        assert_int_equal(px_response_pass_field(call.exchange, px_str_of(fields[index].name),
                                                px_str_of(fields[index].value)),
                         fields[index].passed);
    assert_false(call.exchange->answer.close_after);
    assert_int_equal(
        px_response_pass_field(call.exchange, LITERAL("Connection"), LITERAL("x, Close")), 0);
    assert_true(call.exchange->answer.close_after);
    px_respond(call.exchange, 200, no_type, LITERAL("x"));
    call_drive(&call);
    assert_string_equal(call.head, "Content-Type: text/css\nX-A: b\n");
    call_finish(&call);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_a_name),
        cmocka_unit_test(a_bound_has_a_name),
        cmocka_unit_test(content_is_taken),
        cmocka_unit_test(fields_of_others_break_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
