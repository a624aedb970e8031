/*
 * The budget: a kind has its share, all kinds have a sum, and what does not fit takes nothing.
 */
#include "base/budget.h"

#include <signal.h>

#include "lib/test.h"

static void a_kind_has_its_share(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 50});
    assert_int_equal(budget_left(&budget, BUDGET_HEADS), 100);
    assert_true(budget_take(&budget, BUDGET_HEADS, 99));
    assert_false(budget_take(&budget, BUDGET_HEADS, 2));
    assert_int_equal(budget_left(&budget, BUDGET_HEADS), 1);
    assert_true(budget_take(&budget, BUDGET_HEADS, 1));
    assert_true(budget_take(&budget, BUDGET_HEADS, 0));
    assert_false(budget_take(&budget, BUDGET_HEADS, 1));
    assert_true(budget_take(&budget, BUDGET_INBOX, 50));
    budget_give(&budget, BUDGET_HEADS, 100);
    assert_int_equal(budget_left(&budget, BUDGET_HEADS), 100);
    assert_int_equal(budget_left(&budget, BUDGET_INBOX), 0);
    assert_int_equal(budget.sum.bytes, 50);
}

static void all_kinds_have_a_sum(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, 120, (uint64_t[]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 100});
    assert_true(budget_take(&budget, BUDGET_HEADS, 80));
    assert_int_equal(budget_left(&budget, BUDGET_INBOX), 40);
    assert_false(budget_take(&budget, BUDGET_INBOX, 41));
    assert_true(budget_take(&budget, BUDGET_INBOX, 40));
    assert_false(budget_take(&budget, BUDGET_HEADS, 1));
    budget_give(&budget, BUDGET_INBOX, 1);
    assert_true(budget_take(&budget, BUDGET_HEADS, 1));
    assert_false(budget_take(&budget, BUDGET_HEADS, UINT64_MAX));
}

static void give_too_much(void)
{
    struct budget budget;

    budget_init(&budget, 100, (uint64_t[]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 100});
    if (budget_take(&budget, BUDGET_HEADS, 5))
        budget_give(&budget, BUDGET_INBOX, 1);
}

static void giving_what_was_not_taken_aborts(void **state)
{
    char output[256];

    (void)state;
    assert_int_equal(test_signal_of(give_too_much, output, sizeof(output)), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_has_its_share),
        cmocka_unit_test(all_kinds_have_a_sum),
        cmocka_unit_test(giving_what_was_not_taken_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
