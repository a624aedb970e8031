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

/* --- Of a budget ------------------------------------------------------------------------------ */

enum { SHARE_BYTES = 64 * 1024, HOLDERS = 4 };

struct holder {
    struct h2_memory memory;
    char *carried;
    int gave_way;
};

static struct budget budget;
static struct holder holders[HOLDERS];

static void gives_way(struct h2_memory *memory)
{
    struct holder *holder = CONTAINER_OF(memory, struct holder, memory);

    h2_memory_carry_put(memory, holder->carried);
    holder->carried = NULL;
    holder->gave_way++;
}

static int setup_budget(void **state)
{
    const uint64_t shares[BUDGET_KIND_COUNT] = {[BUDGET_SESSIONS] = SHARE_BYTES};

    (void)state;
    fault_alloc_init(&fault);
    budget_init(&budget, SHARE_BYTES, shares);
    h2_spares_init(&spares, &fault.allocator, &budget);
    memset(holders, 0, sizeof(holders));
    for (int index = 0; index < HOLDERS; index++) {
        h2_memory_init(&holders[index].memory, &spares, SHARE_BYTES);
        holders[index].memory.give_way = gives_way;
    }
    return 0;
}

static int teardown_budget(void **state)
{
    for (int index = 0; index < HOLDERS; index++) {
        h2_memory_check(&holders[index].memory);
        h2_memory_deinit(&holders[index].memory);
    }
    teardown(state);
    assert_int_equal(budget.sum.bytes, 0);
    budget_check(&budget);
    return 0;
}

static uint64_t taken(void)
{
    return budget.shares[BUDGET_SESSIONS].bytes;
}

static bool carry(int index, size_t bytes)
{
    struct holder *holder = &holders[index];
    char *larger = h2_memory_carry(&holder->memory, holder->carried, bytes);

    if (larger)
        holder->carried = larger;
    return larger;
}

static void spares_are_of_the_budget(void **state)
{
    struct h2_memory *memory = &holders[0].memory;
    void *block = h2_memory_take(memory, 1024);

    (void)state;
    assert_int_equal(taken(), 1024);
    h2_memory_put(memory, block);
    assert_int_equal(memory->bytes, 0);
    assert_int_equal(taken(), 1024);
    assert_ptr_equal(h2_memory_take(memory, 1024), block);
    assert_int_equal(taken(), 1024);
    h2_memory_put(memory, block);
    h2_spares_drop(&spares);
    assert_int_equal(taken(), 0);
    assert_int_equal(fault.live, 0);
}

static void spares_go_first(void **state)
{
    struct h2_memory *memory = &holders[0].memory;
    void *blocks[8];

    (void)state;
    assert_true(carry(1, 2000));
    for (int index = 0; index < 8; index++)
        assert_non_null(blocks[index] = h2_memory_take(memory, 1024));
    for (int index = 0; index < 8; index++)
        h2_memory_put(memory, blocks[index]);
    assert_int_equal(taken(), 8 * 1024 + 2000);
    assert_non_null(h2_memory_take(memory, SHARE_BYTES - 2000));
    assert_int_equal(taken(), SHARE_BYTES);
    assert_int_equal(holders[1].gave_way, 0);
    h2_memory_check(memory);
}

/* Where less than half is left nothing is kept that is not used. */
static void spares_are_not_kept_where_memory_is_short(void **state)
{
    struct h2_memory *memory = &holders[0].memory;
    void *block = h2_memory_take(memory, 1024);

    (void)state;
    assert_non_null(h2_memory_take(memory, SHARE_BYTES / 2));
    h2_memory_put(memory, block);
    assert_int_equal(taken(), SHARE_BYTES / 2);
}

/* What many carry has a bound of its own, and the one that began first goes first. */
static void carries_have_a_bound(void **state)
{
    size_t most = SHARE_BYTES / H2_MEMORY_CARRY_PART;

    (void)state;
    assert_true(carry(0, most / 2));
    assert_true(carry(1, 2048));
    assert_true(carry(2, most / 2 - 2048));
    assert_int_equal(spares.carried_bytes, most);
    h2_memory_check(&holders[2].memory);
    /* It does not give way to itself, and growing makes it no younger. */
    assert_true(carry(0, most / 2 + 1000));
    assert_int_equal(holders[0].gave_way, 0);
    assert_int_equal(holders[1].gave_way, 1);
    assert_int_equal(holders[2].gave_way, 0);
    assert_true(carry(3, 4096));
    assert_int_equal(holders[0].gave_way, 1);
    assert_int_equal(holders[2].gave_way, 0);
    assert_int_equal(holders[3].gave_way, 0);
    assert_int_equal(spares.carried_bytes, most / 2 - 2048 + 4096);
    /* The only one there is may have more. */
    gives_way(&holders[2].memory);
    assert_true(carry(3, 2 * most));
    gives_way(&holders[3].memory);
    assert_int_equal(spares.carried_bytes, 0);
}

/* A session that cannot do without has what others carry; what is not carried stays. */
static void carries_give_way_to_what_is_needed(void **state)
{
    size_t most = SHARE_BYTES / H2_MEMORY_CARRY_PART;

    (void)state;
    assert_true(carry(0, most / 2));
    assert_true(carry(1, most / 2));
    assert_non_null(h2_memory_take(&holders[2].memory, SHARE_BYTES - most));
    assert_non_null(h2_memory_take(&holders[3].memory, 300));
    assert_int_equal(holders[0].gave_way, 1);
    assert_int_equal(holders[1].gave_way, 0);
    /* Its own is no help to it. */
    assert_null(h2_memory_take(&holders[1].memory, most));
    assert_int_equal(holders[1].gave_way, 0);
    assert_true(h2_spares_reserve(&spares, most / 2 - 320));
    assert_int_equal(holders[1].gave_way, 0);
    assert_true(h2_spares_reserve(&spares, 300));
    assert_int_equal(holders[1].gave_way, 1);
    assert_false(h2_spares_reserve(&spares, most));
    h2_spares_give(&spares, most / 2 - 20);
}

static void a_carry_that_fails_leaves_the_old_one(void **state)
{
    (void)state;
    assert_true(carry(0, 1000));
    fault.fail_at = fault.calls + 1;
    assert_false(carry(0, 3000));
    assert_int_equal(spares.carried_bytes, 1024);
    assert_int_equal(taken(), 1024);
    assert_int_equal(holders[0].memory.bytes, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_counted_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_keeps_what_it_resizes, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_has_a_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_keeps_a_number_of_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(spares_are_of_the_budget, setup_budget, teardown_budget),
        cmocka_unit_test_setup_teardown(spares_go_first, setup_budget, teardown_budget),
        cmocka_unit_test_setup_teardown(spares_are_not_kept_where_memory_is_short, setup_budget,
                                        teardown_budget),
        cmocka_unit_test_setup_teardown(carries_have_a_bound, setup_budget, teardown_budget),
        cmocka_unit_test_setup_teardown(carries_give_way_to_what_is_needed, setup_budget,
                                        teardown_budget),
        cmocka_unit_test_setup_teardown(a_carry_that_fails_leaves_the_old_one, setup_budget,
                                        teardown_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
