/*
 * Changing a request before its handler: target, fields, client; what is called at the end, in
 * which order; and every failing allocation.
 */
#include <string.h>

#include "pollux/request.h"
#include "unit/exchange/double.h"

static const char get[] =
    "GET /a%2Fb?x=1 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n"
    "Content-Length: 0\r\n\r\n";

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static void target_is_exchanged(void **state)
{
    static const struct {
        const char *target;
        const char *raw_path; /* NULL: it is refused */
        const char *path;
        const char *query; /* NULL: absent */
    } cases[] = {
        {"/", "/", "/", NULL},
        {"/new?y=2", "/new", "/new", "y=2"},
        {"/new?", "/new", "/new", ""},
        {"/n%65w/?a=100%", "/n%65w/", "/new/", "a=100%"},
        {"/a[b]\\c", "/a[b]\\c", "/a[b]\\c", NULL},
        {"/\xc3\xa9", "/\xc3\xa9", "/\xc3\xa9", NULL},
        {"", NULL, NULL, NULL},
        {"new", NULL, NULL, NULL},
        {"*", NULL, NULL, NULL},
        {"http://a/", NULL, NULL, NULL},
        {"/a b", NULL, NULL, NULL},
        {"/a#b", NULL, NULL, NULL},
        {"/a%2", NULL, NULL, NULL},
        {"/a\r\nX: y", NULL, NULL, NULL},
        {"/\xff", NULL, NULL, NULL},
        {"/a?b c", NULL, NULL, NULL},
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        assert_true(call_begin(&call, &stage, get, nothing, NULL));
        assert_str_equal(px_request_raw_path(call.exchange), LITERAL("/a%2Fb"));
        px_err err = px_request_rewrite(call.exchange, px_str_of(cases[index].target));

        if (cases[index].raw_path) {
            assert_int_equal(err, PX_OK);
            assert_str_equal(px_request_raw_path(call.exchange), px_str_of(cases[index].raw_path));
            assert_str_equal(px_request_path(call.exchange), px_str_of(cases[index].path));
            px_str query = px_request_query(call.exchange);

            assert_int_equal(query.ptr != NULL, cases[index].query != NULL);
            if (query.ptr)
                assert_str_equal(query, px_str_of(cases[index].query));
            assert_int_equal(px_request_raw_path(call.exchange).ptr[strlen(cases[index].raw_path)],
                             '\0');
        } else {
            assert_int_equal(err, PX_ERR_INVALID);
            assert_str_equal(px_request_raw_path(call.exchange), LITERAL("/a%2Fb"));
            assert_str_equal(px_request_query(call.exchange), LITERAL("x=1"));
        }
        assert_str_equal(px_request_target(call.exchange), LITERAL("/a%2Fb?x=1"));
        call_end(&call, PX_END_PEER_GONE);
        call_finish(&call);
    }
    stage_close(&stage);
}

/* "name=value;" of each field. */
static void fields_are(px_exchange *exchange, const char *expected)
{
    char text[512] = "";
    size_t count, len = 0;
    const px_field *fields = px_request_fields(exchange, &count);

    for (size_t index = 0; index < count; index++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s;", fields[index].name.ptr,
                                fields[index].value.ptr);
    assert_string_equal(text, expected);
}

static void fields_are_set_added_and_removed(void **state)
{
    px_str absent = px_str_make(NULL, 0);
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    px_exchange *exchange = call.exchange;

    fields_are(exchange, "Host=a;X-One=1;x-two=2;X-ONE=3;Content-Length=0;");
    assert_int_equal(px_request_set_field(exchange, LITERAL("x-one"), LITERAL("new")), PX_OK);
    fields_are(exchange, "Host=a;x-two=2;Content-Length=0;x-one=new;");
    assert_int_equal(px_request_set_field(exchange, LITERAL("X-Two"), absent), PX_OK);
    assert_int_equal(px_request_set_field(exchange, LITERAL("X-None"), absent), PX_OK);
    assert_int_equal(px_request_add_field(exchange, LITERAL("X-One"), LITERAL("")), PX_OK);
    fields_are(exchange, "Host=a;Content-Length=0;x-one=new;X-One=;");
    assert_str_equal(px_request_field(exchange, "X-One"), LITERAL("new"));
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    stage_close(&stage);
}

static void fields_that_decide_are_refused(void **state)
{
    static const px_field bad[] = {
        {{"Host", 4}, {"b", 1}},
        {{"host", 4}, {NULL, 0}},
        {{"Content-Length", 14}, {"1", 1}},
        {{"transfer-encoding", 17}, {NULL, 0}},
        {{"Connection", 10}, {"close", 5}},
        {{"Upgrade", 7}, {"x", 1}},
        {{"X Y", 3}, {"1", 1}},
        {{"", 0}, {"1", 1}},
        {{"X", 1}, {"a\r\nb", 4}},
        {{"X", 1}, {"\0", 1}},
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        assert_int_equal(px_request_set_field(call.exchange, bad[index].name, bad[index].value),
                         PX_ERR_INVALID);
        assert_int_equal(
            px_request_add_field(call.exchange, bad[index].name,
                                 bad[index].value.ptr ? bad[index].value : LITERAL("b")),
            PX_ERR_INVALID);
    }
    fields_are(call.exchange, "Host=a;X-One=1;x-two=2;X-ONE=3;Content-Length=0;");
    px_err err = PX_OK;

    for (uint32_t count = 0; err == PX_OK && count < 2000; count++)
        err = px_request_add_field(call.exchange, LITERAL("X"), LITERAL("y"));
    assert_true(err == PX_ERR_LIMIT || err == PX_ERR_MEMORY);
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    stage_close(&stage);
}

static void client_is_named(void **state)
{
    static const char *const bad[] = {"", "a b", "1.2.3.4\r\n", "\xff"};
    char many[66];
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    assert_int_equal(px_request_set_client(call.exchange, LITERAL("2001:db8::1")), PX_OK);
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++)
        assert_int_equal(px_request_set_client(call.exchange, px_str_of(bad[index])),
                         PX_ERR_INVALID);
    memset(many, '1', sizeof(many));
    assert_int_equal(px_request_set_client(call.exchange, px_str_make(many, 65)), PX_ERR_INVALID);
    assert_str_equal(px_request_client(call.exchange), LITERAL("2001:db8::1"));
    assert_int_equal(px_request_set_client(call.exchange, px_str_make(many, 64)), PX_OK);
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    stage_close(&stage);
}

/* --- The end ---------------------------------------------------------------------------------- */

struct order {
    char text[128]; /* "name end status;" of each call */
    struct stage *stage;
};

struct named {
    struct order *order;
    const char *name;
};

static void note_end(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    const struct named *named = context;
    size_t len = strlen(named->order->text);

    assert_str_equal(px_request_method(exchange), LITERAL("GET"));
    assert_int_equal(px_exchange_at_end(exchange, note_end, context), PX_ERR_CLOSED);
    assert_int_equal(px_request_rewrite(exchange, LITERAL("/")), PX_ERR_CLOSED);
    assert_int_equal(px_request_set_client(exchange, LITERAL("::1")), PX_ERR_CLOSED);
    assert_int_equal(px_request_add_field(exchange, LITERAL("a"), LITERAL("b")), PX_ERR_CLOSED);
    assert_int_equal(px_respond_from(exchange, 404, LITERAL("/")), PX_ERR_CLOSED);
    snprintf(named->order->text + len, sizeof(named->order->text) - len, "%s %d %u;", named->name,
             (int)end, status);
}

static void handler_end(px_exchange *exchange, px_end end, void *context)
{
    struct named named = {context, "handler"};

    (void)exchange;
    (void)end;
    snprintf(named.order->text, sizeof(named.order->text), "handler;");
}

static const px_exchange_callbacks handler_callbacks = {
    .struct_size = sizeof(px_exchange_callbacks), .on_end = handler_end};

static void the_end_is_told_once_and_backwards(void **state)
{
    static const struct {
        int how; /* 0: answers, 1: aborts, 2: the peer leaves, 3: without callbacks */
        const char *told;
    } cases[] = {{0, "handler;second 0 201;first 0 201;"},
                 {1, "handler;second 3 500;first 3 500;"},
                 {2, "handler;second 1 499;first 1 499;"},
                 {3, "second 0 201;first 0 201;"}};
    struct stage stage;
    struct call call;

    (void)state;
    assert_int_equal(PX_END_ABORTED, 3);
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct order order = {.stage = &stage};
        struct named first = {&order, "first"}, second = {&order, "second"};

        assert_true(call_make(&call, &stage, get));
        assert_int_equal(px_exchange_at_end(call.exchange, note_end, &first), PX_OK);
        assert_int_equal(px_exchange_at_end(call.exchange, note_end, &second), PX_OK);
        px_exchange_set_callbacks(call.exchange, cases[index].how == 3 ? NULL : &handler_callbacks,
                                  &order);
        call_handler(&call, nothing, NULL);
        if (cases[index].how == 0 || cases[index].how == 3)
            px_respond(call.exchange, 201, px_str_make(NULL, 0), LITERAL("x"));
        if (cases[index].how == 1)
            px_exchange_abort(call.exchange);
        if (cases[index].how == 2)
            call_end(&call, PX_END_PEER_GONE);
        else
            call_drive(&call);
        assert_string_equal(order.text, ""); /* never from inside of a call */
        pump_quietly(stage.loop, 2);
        assert_string_equal(order.text, cases[index].told);
        call.ended = 1; /* its own callbacks were replaced */
        call_finish(&call);
    }
    stage_close(&stage);
}

/* --- Without memory --------------------------------------------------------------------------- */

static void change_all(const px_allocator *allocator, void *context)
{
    static char long_target[3000];
    struct stage stage;
    struct call call;

    (void)context;
    memset(long_target, 'x', sizeof(long_target) - 1);
    long_target[0] = '/';
    if (!stage_open(&stage, allocator))
        return;
    if (call_begin(&call, &stage, get, nothing, NULL)) {
        px_err err = px_request_rewrite(call.exchange, px_str_of(long_target));

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        for (int count = 0; count < 100; count++) {
            err = px_request_add_field(call.exchange, LITERAL("X-Name"), LITERAL("some value"));
            assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        }
        err = px_request_set_field(call.exchange, LITERAL("X-Name"), LITERAL("one"));
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        err = px_respond_from(call.exchange, 404, px_str_of(long_target));
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        call_end(&call, PX_END_PEER_GONE);
    }
    call_finish(&call);
    stage_close(&stage);
}

static void changes_survive_failing_allocations(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("rewrite", change_all, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_is_exchanged),
        cmocka_unit_test(fields_are_set_added_and_removed),
        cmocka_unit_test(fields_that_decide_are_refused),
        cmocka_unit_test(client_is_named),
        cmocka_unit_test(the_end_is_told_once_and_backwards),
        cmocka_unit_test(changes_survive_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
