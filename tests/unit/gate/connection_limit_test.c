/*
 * Exchanges in flight by key: how many there may be, and that each end gives one back.
 */
#include "pollux/connection_limit.h"

#include "base/alloc.h"
#include "unit/exchange/double.h"

static void handle(px_exchange *exchange, void *context)
{
    (void)px_connection_limit_check(exchange, context); /* and the handler thinks */
}

static px_connection_limit *make(uint32_t count, const px_allocator *allocator)
{
    px_connection_limit_options options = PX_CONNECTION_LIMIT_OPTIONS_DEFAULT;

    options.allocator = allocator;
    options.key = "{header.X-Key}";
    options.count = count;
    return px_connection_limit_create(&options, NULL);
}

static bool begin(struct call *call, struct stage *stage, px_connection_limit *limit, char key)
{
    char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Key: ?\r\n\r\n";

    *strchr(head, '?') = key;
    return call_begin(call, stage, head, handle, limit);
}

/* Whether it was let in: the handler has not answered. */
static bool is_in(const struct call *call)
{
    return call->heads == 0;
}

static void answer(struct call *call)
{
    if (is_in(call))
        px_respond_text(call->exchange, 200, "");
    call_drive(call);
    call_finish(call);
}

static void exchanges_are_counted(void **state)
{
    px_connection_limit *limit = make(2, NULL);
    struct stage stage;
    struct call calls[4];

    (void)state;
    assert_true(stage_open(&stage, NULL));
    for (int round = 0; round < 3; round++) {
        for (int index = 0; index < 3; index++)
            assert_true(begin(&calls[index], &stage, limit, 'a'));
        assert_true(begin(&calls[3], &stage, limit, 'b'));
        assert_true(is_in(&calls[0]));
        assert_true(is_in(&calls[1]));
        assert_false(is_in(&calls[2]));
        assert_true(is_in(&calls[3])); /* another key */
        call_drive(&calls[2]);
        assert_int_equal(calls[2].status, 429);
        call_finish(&calls[2]);
        /* One ends well, one is left: a place each. */
        answer(&calls[0]);
        assert_true(begin(&calls[0], &stage, limit, 'a'));
        assert_true(is_in(&calls[0]));
        call_end(&calls[1], PX_END_PEER_GONE);
        call_finish(&calls[1]);
        assert_true(begin(&calls[1], &stage, limit, 'a'));
        assert_true(is_in(&calls[1]));
        answer(&calls[0]);
        answer(&calls[1]);
        answer(&calls[3]);
    }
    px_connection_limit_destroy(limit);
    px_connection_limit_destroy(NULL);
    stage_close(&stage);
}

static void a_limit_holds_when_its_matcher_does(void **state)
{
    px_connection_limit_options options = PX_CONNECTION_LIMIT_OPTIONS_DEFAULT;
    px_matcher *post = px_matcher_create(NULL, NULL);
    px_str method = px_str_of("POST");
    struct stage stage;
    struct call calls[2];

    (void)state;
    assert_int_equal(px_matcher_add(post, PX_MATCH_METHOD, &method, 1, NULL, NULL), PX_OK);
    options.when = post;
    options.count = 1;
    px_connection_limit *limit = px_connection_limit_create(&options, NULL);

    px_matcher_destroy(post);
    assert_true(stage_open(&stage, NULL));
    for (int index = 0; index < 2; index++) {
        assert_true(begin(&calls[index], &stage, limit, 'a'));
        assert_true(is_in(&calls[index]));
    }
    answer(&calls[0]);
    answer(&calls[1]);
    px_connection_limit_destroy(limit);
    stage_close(&stage);
}

static void wrong_options_are_told(void **state)
{
    px_connection_limit_options wrong[3] = {PX_CONNECTION_LIMIT_OPTIONS_INIT,
                                            PX_CONNECTION_LIMIT_OPTIONS_INIT,
                                            PX_CONNECTION_LIMIT_OPTIONS_INIT};

    (void)state;
    wrong[1].count = wrong[2].count = 1;
    wrong[1].status = 200;
    wrong[2].key = "{nothing}";
    for (int index = 0; index < 3; index++) {
        px_error error = PX_ERROR_INIT;

        assert_null(px_connection_limit_create(&wrong[index], &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
}

static void ask_once(const px_allocator *allocator, void *context)
{
    px_connection_limit *limit = make(1, allocator);
    struct stage stage;
    struct call call;

    (void)context;
    if (limit && stage_open(&stage, allocator)) {
        if (begin(&call, &stage, limit, 'a'))
            answer(&call);
        else
            call_finish(&call);
        stage_close(&stage);
    }
    px_connection_limit_destroy(limit);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("connection limit", ask_once, NULL) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_are_counted),
        cmocka_unit_test(a_limit_holds_when_its_matcher_does),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
