/*
 * Rules by address: which of them decides, and what the client is answered.
 */
#include "pollux/access.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "unit/exchange/double.h"

/* "+block" allows, "-block" denies; the client is 192.0.2.1. */
static const struct {
    const char *rules[3];
    unsigned status; /* 200: let in */
} cases[] = {
    {{NULL}, 200},
    {{"+192.0.2.0/24", "-all"}, 200},
    {{"-192.0.2.0/24", "+all"}, 403},
    {{"-all", "+192.0.2.1"}, 403},
    {{"+10.0.0.0/8", "+unix:", "-all"}, 403},
    {{"+10.0.0.0/8"}, 200},
    {{"-2001:db8::/32", "-unix:"}, 200},
};

static void handle(px_exchange *exchange, void *context)
{
    if (px_access_check(exchange, context) == PX_NEXT)
        px_respond_text(exchange, 200, "");
}

static unsigned ask(px_access *access)
{
    struct stage stage;
    struct call call;

    assert_true(stage_open(&stage, NULL));
    assert_true(call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", handle, access));
    call_drive(&call);
    unsigned status = call.status;

    call_finish(&call);
    stage_close(&stage);
    return status;
}

static void the_first_that_names_it_decides(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_access *access = px_access_create(NULL, NULL);

        for (size_t rule = 0; rule < 3 && cases[index].rules[rule]; rule++)
            assert_int_equal(px_access_add(access, cases[index].rules[rule][0] == '+',
                                           px_str_of(cases[index].rules[rule] + 1), NULL, NULL),
                             PX_OK);
        assert_int_equal(ask(access), cases[index].status);
        px_access_destroy(access);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 7);
}

static void a_rule_holds_when_its_matcher_does(void **state)
{
    px_access_options options = PX_ACCESS_OPTIONS_DEFAULT;
    px_matcher *post = px_matcher_create(NULL, NULL), *get = px_matcher_create(NULL, NULL);
    px_str post_text = px_str_of("POST"), get_text = px_str_of("GET");

    (void)state;
    options.status = 404;
    px_access *access = px_access_create(&options, NULL);

    assert_int_equal(px_matcher_add(post, PX_MATCH_METHOD, &post_text, 1, NULL, NULL), PX_OK);
    assert_int_equal(px_matcher_add(get, PX_MATCH_METHOD, &get_text, 1, NULL, NULL), PX_OK);
    assert_int_equal(px_access_add(access, 0, px_str_of("all"), post, NULL), PX_OK);
    assert_int_equal(ask(access), 200);
    assert_int_equal(px_access_add(access, 0, px_str_of("all"), get, NULL), PX_OK);
    px_matcher_destroy(post); /* the rules have holds of their own */
    px_matcher_destroy(get);
    assert_int_equal(ask(access), 404);
    px_access_destroy(access);
}

static void wrong_options_are_told(void **state)
{
    px_access_options options = PX_ACCESS_OPTIONS_DEFAULT;
    px_access *access = px_access_create(NULL, NULL);
    px_error error = PX_ERROR_INIT;

    (void)state;
    options.status = 200;
    assert_null(px_access_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_int_equal(px_access_add(access, 1, px_str_of("10.0.0.0/33"), NULL, &error),
                     PX_ERR_INVALID);
    assert_true(error.text[0] != '\0');
    for (uint32_t count = 0; count < ACCESS_RULES_MAX; count++)
        assert_int_equal(px_access_add(access, 1, px_str_of("all"), NULL, NULL), PX_OK);
    assert_int_equal(px_access_add(access, 1, px_str_of("all"), NULL, &error), PX_ERR_LIMIT);
    px_access_destroy(access);
    px_access_destroy(NULL);
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_access_options options = PX_ACCESS_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;

    (void)context;
    options.allocator = allocator;
    px_access *access = px_access_create(&options, &error);

    if (access && px_access_add(access, 1, px_str_of("all"), NULL, &error) == PX_OK)
        assert_int_equal(error.code, PX_OK);
    else
        assert_int_equal(error.code, PX_ERR_MEMORY);
    px_access_destroy(access);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("access", make_once, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_names_it_decides),
        cmocka_unit_test(a_rule_holds_when_its_matcher_does),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
