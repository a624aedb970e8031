/*
 * The memory of sessions: counted, capped, kept for the next one, and given back whole.
 */
#include "http/h2/h2_memory.h"

#include <string.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"

static struct h2_spares spares;
static struct fault_alloc fault;

static int setup(void **state)
{
    (void)state;
    fault_alloc_init(&fault);
    h2_spares_init(&spares, &fault.allocator, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_spares_deinit(&spares);
    fault_alloc_assert_empty(&fault);
    return 0;
}

static void memory_is_counted_and_kept(void **state)
{
    struct h2_memory memory;
    void *first, *second;
    unsigned calls;

    (void)state;
    h2_memory_init(&memory, &spares, 100000);
    first = h2_memory_take(&memory, 65);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % 16, 0);
    memset(first, 1, 65);
    assert_int_equal(memory.bytes, 128);
    h2_memory_put(&memory, first);
    assert_int_equal(memory.bytes, 0);
    /* The same size comes from what was put back, another does not. */
    calls = fault.calls;
    second = h2_memory_take(&memory, 128);
    assert_ptr_equal(second, first);
    assert_int_equal(fault.calls, calls);
    assert_non_null(h2_memory_take(&memory, 129));
    assert_int_equal(fault.calls, calls + 1);
    h2_memory_put(&memory, NULL);
    h2_memory_deinit(&memory);
    assert_int_equal(memory.bytes, 0);
}

static void memory_keeps_what_it_resizes(void **state)
{
    static const size_t sizes[] = {1, 64, 65, 1000, 1024, 1025, 5000, 100};
    struct h2_memory memory;
    char *text = NULL;

    (void)state;
    h2_memory_init(&memory, &spares, 100000);
    for (size_t index = 0; index < sizeof(sizes) / sizeof(sizes[0]); index++) {
        text = h2_memory_resize(&memory, text, sizes[index]);
        assert_non_null(text);
        if (index == 0)
            text[0] = 'x';
        assert_int_equal(text[0], 'x');
        text[sizes[index] - 1] = index == 0 ? 'x' : 'y';
    }
    h2_memory_deinit(&memory);
}

static void memory_has_a_cap(void **state)
{
    struct h2_memory memory;
    void *large;

    (void)state;
    h2_memory_init(&memory, &spares, 2000);
    large = h2_memory_take(&memory, 1500);
    assert_non_null(large);
    assert_null(h2_memory_take(&memory, 501));
    /* What counts is what a block has, not what was asked of it. */
    for (int index = 0; index < 7; index++)
        assert_non_null(h2_memory_take(&memory, 1));
    assert_null(h2_memory_take(&memory, 1));
    assert_null(h2_memory_resize(&memory, large, 1501));
    assert_null(h2_memory_take(&memory, SIZE_MAX));
    h2_memory_deinit(&memory);
    assert_non_null(h2_memory_take(&memory, 2000));
    h2_memory_deinit(&memory);
}

static void memory_keeps_a_number_of_blocks(void **state)
{
    static void *blocks[2 * H2_MEMORY_SPARE_BLOCKS];
    struct h2_memory memory;

    (void)state;
    h2_memory_init(&memory, &spares, 1000000);
    for (size_t index = 0; index < sizeof(blocks) / sizeof(blocks[0]); index++)
        assert_non_null(blocks[index] = h2_memory_take(&memory, 64));
    for (size_t index = 0; index < sizeof(blocks) / sizeof(blocks[0]); index++)
        h2_memory_put(&memory, blocks[index]);
    assert_int_equal(fault.live, H2_MEMORY_SPARE_BLOCKS);
    h2_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_counted_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_keeps_what_it_resizes, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_has_a_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_keeps_a_number_of_blocks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
