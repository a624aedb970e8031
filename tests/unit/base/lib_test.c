/*
 * The test helpers themselves: that they find what they are there to find.
 */
#include "lib/test.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/splits.h"

static void three_blocks(const px_allocator *allocator, void *context)
{
    void *blocks[3];

    (void)context;
    for (int index = 0; index < 3; index++)
        blocks[index] = alloc_take(allocator, 8);
    for (int index = 0; index < 3; index++)
        alloc_put(allocator, blocks[index]);
}

static void fault_alloc_counts(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("three_blocks", three_blocks, NULL), 3);
}

static void fault_alloc_fails_once_or_on(void **state)
{
    struct fault_alloc fault;

    (void)state;
    fault_alloc_init(&fault);
    fault.fail_at = 2;
    void *first = alloc_take(&fault.allocator, 1);
    assert_non_null(first);
    assert_null(alloc_resize(&fault.allocator, first, 9));
    first = alloc_resize(&fault.allocator, first, 9);
    assert_non_null(first);
    assert_int_equal(fault.live, 1);
    fault.fail_at = 4;
    fault.fail_on = true;
    assert_null(alloc_take(&fault.allocator, 1));
    assert_null(alloc_take(&fault.allocator, 1));
    assert_int_equal(fault.failures, 3);
    alloc_put(&fault.allocator, first);
    fault_alloc_assert_empty(&fault);
}

static void read_behind(void)
{
    struct guard guard;

    guard_init(&guard, 10);
    px_str placed = guard_at_end(&guard, LITERAL("hello"));

    _exit(((const volatile char *)placed.ptr)[placed.len]);
}

static void read_before(void)
{
    struct guard guard;

    guard_init(&guard, 10);
    px_str placed = guard_at_start(&guard, LITERAL("hello"));

    _exit(((const volatile char *)placed.ptr)[-1]);
}

static void guard_faults_at_both_ends(void **state)
{
    struct guard guard;
    char output[64];

    (void)state;
    guard_init(&guard, 4096);
    assert_str_equal(guard_at_end(&guard, LITERAL("abc")), LITERAL("abc"));
    assert_str_equal(guard_at_start(&guard, LITERAL("abc")), LITERAL("abc"));
    guard_deinit(&guard);
    assert_int_equal(test_signal_of(read_behind, output, sizeof(output)), SIGSEGV);
    assert_int_equal(test_signal_of(read_before, output, sizeof(output)), SIGSEGV);
}

/* A reader of lines: a line is consumed when it is whole. */
struct lines {
    char text[64];
    size_t len;
    uint32_t runs;
    uint32_t calls;
};

static void lines_begin(void *context)
{
    struct lines *lines = context;

    lines->len = 0;
}

static size_t lines_feed(px_str bytes, void *context)
{
    struct lines *lines = context;
    size_t used = 0;

    lines->calls++;
    for (size_t at = 0; at < bytes.len; at++)
        if (bytes.ptr[at] == '\n')
            used = at + 1;
    memcpy(lines->text + lines->len, bytes.ptr, used);
    lines->len += used;
    return used;
}

static void lines_end(size_t left, const char *split, void *context)
{
    struct lines *lines = context;

    lines->runs++;
    if (left != 2)
        fail_msg("%s: %zu left", split, left);
    assert_str_equal(px_str_make(lines->text, lines->len), LITERAL("a\nbc\n\n"));
}

static void splits_cover_every_offset(void **state)
{
    struct lines lines = {.runs = 0};
    const struct split_reader reader = {lines_begin, lines_feed, lines_end, &lines};
    px_str input = LITERAL("a\nbc\n\nde");

    (void)state;
    assert_int_equal(splits_each(input, &reader), input.len * 2 + 4);
    assert_int_equal(lines.runs, input.len * 2 + 4);
    /* Whole is 1 call, byte by byte 8, a cut 2 except the last, which is 1: 24 for each guard. */
    assert_int_equal(lines.calls, 2 * (1 + 8 + 7 * 2 + 1));
}

static void do_nothing(void)
{
}

static void kill_itself(void)
{
    fputs("about to end\n", stderr);
    raise(SIGTERM);
}

static void signal_of_tells(void **state)
{
    char output[64];

    (void)state;
    assert_int_equal(test_signal_of(do_nothing, output, sizeof(output)), 0);
    assert_string_equal(output, "");
    assert_int_equal(test_signal_of(kill_itself, output, sizeof(output)), SIGTERM);
    assert_string_equal(output, "about to end\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault_alloc_counts),        cmocka_unit_test(fault_alloc_fails_once_or_on),
        cmocka_unit_test(guard_faults_at_both_ends), cmocka_unit_test(splits_cover_every_offset),
        cmocka_unit_test(signal_of_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
