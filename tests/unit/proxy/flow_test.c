/*
 * Content on its way: in any pieces, held back, taken again from its start, cut, without memory.
 */
#include "proxy/flow.h"

#include "lib/fault_alloc.h"
#include "lib/test.h"

enum { BYTES_MAX = 64, TOTAL = 1000 };

static void open_budget(struct budget *budget)
{
    uint64_t shares[BUDGET_KIND_COUNT];

    for (size_t index = 0; index < BUDGET_KIND_COUNT; index++)
        shares[index] = 1 << 20;
    budget_init(budget, 1 << 20, shares);
}

/* Every size of pieces in, every size out: all comes, in order, and never more than is allowed is
 * kept. */
static void flow_keeps_order(void **state)
{
    struct budget budget;
    char content[TOTAL], out[TOTAL];

    (void)state;
    open_budget(&budget);
    for (size_t at = 0; at < TOTAL; at++)
        content[at] = (char)(at * 7);
    for (size_t in = 1; in < 3 * BYTES_MAX; in += 5) {
        for (size_t room = 1; room < 3 * BYTES_MAX; room += 7) {
            struct flow flow;
            size_t given = 0, taken = 0, bytes;

            flow_init(&flow, &alloc_libc, &budget, BYTES_MAX);
            while (taken < TOTAL) {
                size_t len = TOTAL - given < in ? TOTAL - given : in, used = 0;

                if (len > 0) {
                    assert_int_equal(
                        flow_put(&flow, px_str_make(content + given, len), SIZE_MAX, &used), PX_OK);
                    assert_int_equal(flow.full, used < len);
                }
                given += used;
                assert_true(flow.kept.len <= BYTES_MAX);
                assert_int_equal(flow_take(&flow, out + taken,
                                           room < TOTAL - taken ? room : TOTAL - taken, &bytes),
                                 PX_PULL_MORE);
                taken += bytes;
                flow_let_go(&flow);
            }
            assert_memory_equal(content, out, TOTAL);
            assert_false(flow_rewind(&flow));
            flow_deinit(&flow);
        }
    }
    assert_int_equal(budget.sum.bytes, 0);
}

static void flow_is_taken_again(void **state)
{
    struct budget budget;
    struct flow flow;
    char out[BYTES_MAX];
    size_t used, bytes;

    (void)state;
    open_budget(&budget);
    flow_init(&flow, &alloc_libc, &budget, BYTES_MAX);
    assert_int_equal(flow_put(&flow, LITERAL("hello"), SIZE_MAX, &used), PX_OK);
    assert_int_equal(flow_take(&flow, out, 3, &bytes), PX_PULL_MORE);
    assert_int_equal(flow_put(&flow, LITERAL(" world"), SIZE_MAX, &used), PX_OK);
    flow.ended = true;
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_END);
    assert_true(flow_rewind(&flow));
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_END);
    assert_str_equal(px_str_make(out, bytes), LITERAL("hello world"));
    flow_deinit(&flow);
}

static void flow_ends_and_breaks(void **state)
{
    struct budget budget;
    struct flow flow;
    char out[BYTES_MAX];
    size_t used, bytes;

    (void)state;
    open_budget(&budget);
    flow_init(&flow, &alloc_libc, &budget, BYTES_MAX);
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_LATER);
    assert_int_equal(flow_put(&flow, LITERAL("a"), SIZE_MAX, &used), PX_OK);
    flow.broken = true;
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_MORE);
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_ERROR);
    flow_deinit(&flow);
    flow_init(&flow, &alloc_libc, &budget, BYTES_MAX);
    flow.ended = true;
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_END);
    assert_int_equal(bytes, 0);
    flow_deinit(&flow);
}

static void flow_survives_no_memory(void **state)
{
    struct budget budget;
    struct fault_alloc faults;
    struct flow flow;
    size_t used;

    (void)state;
    open_budget(&budget);
    fault_alloc_init(&faults);
    faults.fail_at = 1;
    faults.fail_on = true;
    flow_init(&flow, &faults.allocator, &budget, BYTES_MAX);
    assert_int_equal(flow_put(&flow, LITERAL("a"), SIZE_MAX, &used), PX_ERR_MEMORY);
    flow_deinit(&flow);
    assert_int_equal(budget.sum.bytes, 0);
}

/* Where memory is short it keeps what is set aside for each, and what was taken goes for it. */
static void flow_keeps_little_where_memory_is_short(void **state)
{
    enum { SHARE = 1 << 16, WANTED = 3 * BUDGET_FIRST_BYTES };
    struct budget budget;
    struct flow flow;
    char content[WANTED] = {0}, out[BUDGET_FIRST_BYTES];
    size_t used, bytes;

    (void)state;
    open_budget(&budget);
    budget.shares[BUDGET_OUTPUT].bytes_max = SHARE;
    assert_true(budget_take(&budget, BUDGET_OUTPUT, SHARE - BUDGET_FIRST_BYTES));
    flow_init(&flow, &alloc_libc, &budget, WANTED);
    assert_int_equal(flow_put(&flow, px_str_make(content, WANTED), SIZE_MAX, &used), PX_OK);
    assert_int_equal(used, BUDGET_FIRST_BYTES);
    assert_true(flow.full);
    assert_int_equal(flow_put(&flow, px_str_make(content, WANTED), SIZE_MAX, &used), PX_OK);
    assert_int_equal(used, 0);
    assert_int_equal(flow_take(&flow, out, 100, &bytes), PX_PULL_MORE);
    assert_int_equal(flow_put(&flow, px_str_make(content, WANTED), SIZE_MAX, &used), PX_OK);
    assert_int_equal(used, 100);
    assert_false(flow_rewind(&flow));
    assert_int_equal(flow_take(&flow, out, sizeof(out), &bytes), PX_PULL_MORE);
    assert_int_equal(flow_len(&flow), 0);
    flow_trim(&flow);
    assert_int_equal(budget.sum.bytes, SHARE - BUDGET_FIRST_BYTES);
    flow_deinit(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_keeps_order),
        cmocka_unit_test(flow_is_taken_again),
        cmocka_unit_test(flow_ends_and_breaks),
        cmocka_unit_test(flow_survives_no_memory),
        cmocka_unit_test(flow_keeps_little_where_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
