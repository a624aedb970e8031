/*
 * The growing buffer: its maximum is exact whatever the sizes, and a failure changes nothing.
 */
#include "base/buf.h"

#include <signal.h>
#include <string.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"

static char text[100000];

static void empty_holds_no_memory(void **state)
{
    struct fault_alloc fault;
    struct buf buf;

    (void)state;
    fault_alloc_init(&fault);
    buf_init(&buf, &fault.allocator, 100);
    assert_int_equal(buf_append(&buf, px_str_make(NULL, 0)), PX_OK);
    assert_int_equal(buf_reserve(&buf, 0), PX_OK);
    buf_consume(&buf, 0);
    assert_int_equal(fault.calls, 0);
    assert_int_equal(buf_str(&buf).len, 0);
    buf_deinit(&buf);
    buf_deinit(&buf);
}

static void appends_in_order(void **state)
{
    struct fault_alloc fault;
    struct buf buf;

    (void)state;
    fault_alloc_init(&fault);
    buf_init(&buf, &fault.allocator, sizeof(text));
    for (size_t at = 0, step = 1; at < sizeof(text); at += step, step = step * 3 % 1009 + 1) {
        if (step > sizeof(text) - at)
            step = sizeof(text) - at;
        assert_int_equal(buf_append(&buf, px_str_make(text + at, step)), PX_OK);
    }
    assert_str_equal(buf_str(&buf), px_str_make(text, sizeof(text)));
    /* Doubling: few allocations for many appends. */
    assert_true(fault.calls <= 12);
    buf_deinit(&buf);
    fault_alloc_assert_empty(&fault);
}

static void maximum_is_exact(void **state)
{
    static const size_t maxima[] = {1, 2, 100, 255, 256, 257, 300, 511, 512, 513, 1000, 65536};

    (void)state;
    for (size_t index = 0; index < sizeof(maxima) / sizeof(maxima[0]); index++) {
        size_t max = maxima[index];
        struct fault_alloc fault;
        struct buf buf;

        fault_alloc_init(&fault);
        buf_init(&buf, &fault.allocator, max);
        assert_int_equal(buf_append(&buf, px_str_make(text, max + 1)), PX_ERR_LIMIT);
        assert_int_equal(fault.calls, 0);
        assert_int_equal(buf_append(&buf, px_str_make(text, max / 2)), PX_OK);
        /* Also when the room that was allocated first would be larger than the maximum. */
        assert_int_equal(buf_append(&buf, px_str_make(text, max - max / 2 + 1)), PX_ERR_LIMIT);
        assert_int_equal(buf.len, max / 2);
        assert_int_equal(buf_append(&buf, px_str_make(text + max / 2, max - max / 2)), PX_OK);
        assert_true(buf.cap <= max);
        assert_str_equal(buf_str(&buf), px_str_make(text, max));
        assert_int_equal(buf_reserve(&buf, 1), PX_ERR_LIMIT);
        assert_int_equal(buf_reserve(&buf, SIZE_MAX), PX_ERR_LIMIT);
        buf_consume(&buf, 1);
        assert_int_equal(buf_reserve(&buf, 1), PX_OK);
        assert_int_equal(buf_reserve(&buf, 2), PX_ERR_LIMIT);
        buf_deinit(&buf);
        fault_alloc_assert_empty(&fault);
    }
}

static void nothing_fits_a_maximum_of_zero(void **state)
{
    struct fault_alloc fault;
    struct buf buf;

    (void)state;
    fault_alloc_init(&fault);
    buf_init(&buf, &fault.allocator, 0);
    assert_int_equal(buf_reserve(&buf, 0), PX_OK);
    assert_int_equal(buf_reserve(&buf, 1), PX_ERR_LIMIT);
    buf_deinit(&buf);
}

static void consume_moves_the_rest(void **state)
{
    struct fault_alloc fault;
    struct buf buf;

    (void)state;
    fault_alloc_init(&fault);
    buf_init(&buf, &fault.allocator, 1000);
    assert_int_equal(buf_append(&buf, LITERAL("hello, world")), PX_OK);
    buf_consume(&buf, 0);
    assert_str_equal(buf_str(&buf), LITERAL("hello, world"));
    buf_consume(&buf, 7);
    assert_str_equal(buf_str(&buf), LITERAL("world"));
    assert_int_equal(buf_append(&buf, LITERAL("s")), PX_OK);
    assert_str_equal(buf_str(&buf), LITERAL("worlds"));
    buf_consume(&buf, 6);
    assert_int_equal(buf.len, 0);
    buf_deinit(&buf);
    fault_alloc_assert_empty(&fault);
}

static void consume_too_much(void)
{
    char storage[4] = "abc";
    struct buf buf = {.ptr = storage, .len = 3, .cap = 4};

    buf_consume(&buf, 4);
}

static void consuming_more_than_there_is_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(consume_too_much, output, sizeof(output)), SIGABRT);
}

static void append_and_fail(const px_allocator *allocator, void *context)
{
    struct buf buf;
    size_t len = 0;

    (void)context;
    buf_init(&buf, allocator, 10000);
    for (int count = 0; count < 40; count++) {
        px_err err = buf_append(&buf, px_str_make(text + len, 100));

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        if (err == PX_OK)
            len += 100;
        assert_int_equal(buf.len, len);
        if (len > 0)
            assert_str_equal(buf_str(&buf), px_str_make(text, len));
    }
    buf_deinit(&buf);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("buf", append_and_fail, NULL), 5);
}

int main(void)
{
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = (char)(at * 31 + at / 251);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_holds_no_memory),
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(maximum_is_exact),
        cmocka_unit_test(nothing_fits_a_maximum_of_zero),
        cmocka_unit_test(consume_moves_the_rest),
        cmocka_unit_test(consuming_more_than_there_is_aborts),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
