/*
 * Reason phrases: the whole range of unsigned short, so that a code gained or lost shows.
 */
#include "http/message/status.h"

#include "lib/test.h"

static void status_has_the_registered_phrases(void **state)
{
    (void)state;
    assert_str_equal(status_reason(100), LITERAL("Continue"));
    assert_str_equal(status_reason(101), LITERAL("Switching Protocols"));
    assert_str_equal(status_reason(103), LITERAL("Early Hints"));
    assert_str_equal(status_reason(200), LITERAL("OK"));
    assert_str_equal(status_reason(204), LITERAL("No Content"));
    assert_str_equal(status_reason(206), LITERAL("Partial Content"));
    assert_str_equal(status_reason(304), LITERAL("Not Modified"));
    assert_str_equal(status_reason(400), LITERAL("Bad Request"));
    assert_str_equal(status_reason(404), LITERAL("Not Found"));
    assert_str_equal(status_reason(405), LITERAL("Method Not Allowed"));
    assert_str_equal(status_reason(408), LITERAL("Request Timeout"));
    assert_str_equal(status_reason(413), LITERAL("Content Too Large"));
    assert_str_equal(status_reason(414), LITERAL("URI Too Long"));
    assert_str_equal(status_reason(417), LITERAL("Expectation Failed"));
    assert_str_equal(status_reason(421), LITERAL("Misdirected Request"));
    assert_str_equal(status_reason(422), LITERAL("Unprocessable Content"));
    assert_str_equal(status_reason(431), LITERAL("Request Header Fields Too Large"));
    assert_str_equal(status_reason(501), LITERAL("Not Implemented"));
    assert_str_equal(status_reason(505), LITERAL("HTTP Version Not Supported"));
    assert_str_equal(status_reason(511), LITERAL("Network Authentication Required"));
}

static void status_is_empty_for_all_others(void **state)
{
    unsigned count[6] = {0};

    (void)state;
    for (unsigned status = 0; status <= UINT16_MAX; status++) {
        px_str reason = status_reason(status);

        assert_non_null(reason.ptr);
        if (reason.len == 0)
            continue;
        assert_in_range(status, 100, 599);
        count[status / 100]++;
        assert_int_equal(reason.len, strlen(reason.ptr));
        for (size_t i = 0; i < reason.len; i++)
            assert_true(reason.ptr[i] >= ' ' && reason.ptr[i] <= '~');
    }
    assert_int_equal(count[1], 4);
    assert_int_equal(count[2], 10);
    assert_int_equal(count[3], 8);
    assert_int_equal(count[4], 28);
    assert_int_equal(count[5], 11);
    assert_int_equal(status_reason(UINT32_MAX).len, 0);
    assert_int_equal(status_reason(306).len, 0);
    assert_int_equal(status_reason(418).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_the_registered_phrases),
        cmocka_unit_test(status_is_empty_for_all_others),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
