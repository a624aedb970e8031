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
    budget_init(&budget, UINT64_MAX,
                (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 50});
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
    budget_init(&budget, 120,
                (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 100});
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

    budget_init(&budget, 100,
                (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_HEADS] = 100, [BUDGET_INBOX] = 100});
    if (budget_take(&budget, BUDGET_HEADS, 5))
        budget_give(&budget, BUDGET_INBOX, 1);
}

static void giving_what_was_not_taken_aborts(void **state)
{
    char output[256];

    (void)state;
    assert_int_equal(test_signal_of(give_too_much, output, sizeof(output)), SIGABRT);
}

/* Half may be had by one; then who holds much is refused, and who holds little is not. */
static void one_that_is_full_is_fair(void **state)
{
    enum { KIB = 1024, SHARE = 1024 * KIB };
    struct budget budget;
    uint64_t held = 0;

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_OUTPUT] = SHARE});
    while (budget_take_fair(&budget, BUDGET_OUTPUT, held, 16 * KIB))
        held += 16 * KIB;
    assert_in_range(held, SHARE / 2, SHARE / 2 + 16 * KIB);
    /* Many that begin find room for their first bytes to the last of them. */
    for (uint64_t left = SHARE - held; left >= BUDGET_FIRST_BYTES; left -= BUDGET_FIRST_BYTES) {
        assert_true(budget_take_fair(&budget, BUDGET_OUTPUT, 0, BUDGET_FIRST_BYTES));
        assert_false(budget_take_fair(&budget, BUDGET_OUTPUT, held, KIB));
        /* Nor for one that asks for as much at once as others have had by and by. */
        assert_false(budget_take_fair(&budget, BUDGET_OUTPUT, 0, 16 * KIB));
    }
    assert_false(budget_take_fair(&budget, BUDGET_OUTPUT, 0, BUDGET_FIRST_BYTES));
}

static void a_reserve_is_known(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_INBOX] = 1000});
    assert_false(budget_is_at_reserve(&budget, BUDGET_INBOX, 750));
    assert_true(budget_is_at_reserve(&budget, BUDGET_INBOX, 751));
    assert_true(budget_take(&budget, BUDGET_INBOX, 700));
    assert_false(budget_is_at_reserve(&budget, BUDGET_INBOX, 50));
    assert_true(budget_is_at_reserve(&budget, BUDGET_INBOX, 51));
    assert_true(budget_take(&budget, BUDGET_INBOX, 200));
    assert_true(budget_is_at_reserve(&budget, BUDGET_INBOX, 0));
    /* What has no bound has no reserve that is ever reached. */
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_INBOX] = UINT64_MAX});
    assert_false(budget_is_at_reserve(&budget, BUDGET_INBOX, UINT32_MAX));
}

/* The shares are parts of one whole, with room for caches and coders beside them. */
static void shares_are_parts_of_a_sum(void **state)
{
    enum { MIB = 1024 * 1024 };
    static const uint64_t sums[] = {16 * MIB, 96 * MIB, 1024 * (uint64_t)MIB, UINT64_MAX};

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(sums); index++) {
        struct budget budget;
        uint64_t all = 0;

        budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){0});
        budget_divide(&budget, sums[index], 64 * MIB);
        for (int kind = 0; kind < BUDGET_KIND_COUNT; kind++) {
            assert_true(budget.shares[kind].bytes_max >= MIB);
            all += budget.shares[kind].bytes_max;
        }
        /* Exchanges and blocks are counted by their pools. */
        all += sums[index] / MEMORY_PARTS * (PART_EXCHANGES + PART_OUTPUT);
        all += sums[index] / MEMORY_PARTS * (PART_CODERS + PART_CACHES);
        assert_true(all <= sums[index]);
        assert_true(budget.shares[BUDGET_INBOX].bytes_max <= 64 * MIB);
    }
    /* What was taken before it was made smaller is given back as ever. */
    struct budget budget;

    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_OUTPUT] = UINT64_MAX});
    assert_true(budget_take(&budget, BUDGET_OUTPUT, 64 * MIB));
    budget_divide(&budget, 16 * MIB, MIB);
    assert_int_equal(budget_left(&budget, BUDGET_OUTPUT), 0);
    assert_false(budget_take_fair(&budget, BUDGET_OUTPUT, 0, 1));
    budget_give(&budget, BUDGET_OUTPUT, 64 * MIB);
    assert_true(budget_take_fair(&budget, BUDGET_OUTPUT, 0, 1));
}

/* --- What gives way --------------------------------------------------------------------------- */

struct held {
    struct budget *budget;
    struct budget_holder holder;
    bool gone;
};

static void gives_way(struct budget_holder *holder)
{
    struct held *held = CONTAINER_OF(holder, struct held, holder);

    budget_give(held->budget, BUDGET_OUTPUT, holder->bytes);
    budget_release(holder);
    held->gone = true;
}

static void hold(struct budget *budget, struct held *held, uint64_t bytes, uint64_t now_ms)
{
    *held = (struct held){.budget = budget, .holder = {.give_way = gives_way}};
    list_init(&held->holder.node);
    assert_true(budget_take(budget, BUDGET_OUTPUT, bytes));
    budget_hold(budget, BUDGET_OUTPUT, &held->holder, bytes, 0, now_ms);
    budget_check(budget);
}

/* Most bytes for longest; what asks counts as well, and what is new stays. */
static void what_has_held_most_for_longest_gives_way(void **state)
{
    enum { KIB = 1024, SHARE = 1024 * KIB, NOW = 100 * 1000 };
    struct held old, large, new, spare;
    struct budget budget;
    struct budget_asker small = {0, 4 * KIB, NOW, NOW, 4}, big = {0, 64 * KIB, NOW, NOW, 4};

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_OUTPUT] = SHARE});
    hold(&budget, &old, 8 * KIB, NOW - 60 * 1000);
    hold(&budget, &large, 500 * KIB, NOW - 10 * 1000);
    hold(&budget, &new, 512 * KIB, NOW - 100);
    /* In the rest of it first bytes are taken without any giving way. */
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &small));
    assert_false(old.gone || large.gone || new.gone);
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &big));
    assert_true(large.gone);
    assert_false(old.gone || new.gone);
    /* One that has held more for longer than those does not press them. */
    big.has_bytes = 300 * KIB;
    big.more_bytes = 300 * KIB;
    big.since_ms = NOW - 9000;
    assert_false(budget_take_pressing(&budget, BUDGET_OUTPUT, &big));
    assert_false(old.gone || new.gone);
    /* Spare is what misses nothing: it goes first. */
    spare = (struct held){.budget = &budget, .holder = {.give_way = gives_way}};
    list_init(&spare.holder.node);
    assert_true(budget_take(&budget, BUDGET_OUTPUT, 200 * KIB));
    budget_spare(&budget, BUDGET_OUTPUT, &spare.holder, 200 * KIB, NOW);
    big = (struct budget_asker){0, 100 * KIB, NOW, NOW, 4};
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &big));
    assert_true(spare.gone);
    assert_false(old.gone);
    /* What moves on is as if it were new. */
    gives_way(&new.holder);
    assert_true(budget_take(&budget, BUDGET_OUTPUT, 512 * KIB));
    budget_touch(&budget, BUDGET_OUTPUT, &old.holder, NOW);
    big.more_bytes = 5 * KIB;
    assert_true(budget_take(&budget, BUDGET_OUTPUT, budget_left(&budget, BUDGET_OUTPUT)));
    assert_false(budget_take_pressing(&budget, BUDGET_OUTPUT, &big));
    assert_false(old.gone);
    big.now_ms += BUDGET_HOLD_MS;
    big.since_ms += BUDGET_HOLD_MS;
    (void)budget_take_pressing(&budget, BUDGET_OUTPUT, &big);
    assert_true(old.gone);
}

/* Many with little: they are found behind all others, by what asks for little and for much. */
static void what_holds_little_is_found(void **state)
{
    enum { KIB = 1024, SHARE = 64 * KIB, NOW = 100 * 1000, COUNT = 64 };
    struct held held[COUNT], large;
    struct budget budget;
    struct budget_asker small = {0, KIB, NOW, NOW, 4}, big = {0, 12 * KIB, NOW, NOW, 4};
    uint32_t gone = 0;

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_OUTPUT] = SHARE});
    for (int index = 0; index < COUNT - 8; index++)
        hold(&budget, &held[index], KIB, NOW - 60 * 1000 + index);
    hold(&budget, &large, 8 * KIB, NOW - 10 * 1000);
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &small));
    assert_true(large.gone);
    assert_false(held[0].gone);
    assert_true(budget_take(&budget, BUDGET_OUTPUT, budget_left(&budget, BUDGET_OUTPUT)));
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &small));
    assert_true(held[0].gone);
    assert_false(held[1].gone);
    assert_true(budget_take_pressing(&budget, BUDGET_OUTPUT, &big));
    for (int index = 0; index < COUNT - 8; index++)
        gone += held[index].gone;
    assert_int_equal(gone, 1 + SHARE / KIB / 4 + 12);
    budget_check(&budget);
}

/* A byte now and then is no moving on of what is large; a part of it within a second is. */
static void moving_on_is_a_part_of_what_is_held(void **state)
{
    enum { KIB = 1024, SHARE = 1024 * KIB, NOW = 100 * 1000 };
    struct budget budget;
    struct held held;

    (void)state;
    budget_init(&budget, UINT64_MAX, (uint64_t[BUDGET_KIND_COUNT]){[BUDGET_OUTPUT] = SHARE});
    hold(&budget, &held, 512 * KIB, NOW);
    for (uint64_t now = NOW; now < NOW + 10 * 1000; now += BUDGET_HOLD_MS)
        budget_move(&budget, BUDGET_OUTPUT, &held.holder, 60 * KIB, 512 * KIB, now);
    assert_int_equal(held.holder.since_ms, NOW);
    for (uint64_t at = 0; at < 4; at++)
        budget_move(&budget, BUDGET_OUTPUT, &held.holder, 16 * KIB, 512 * KIB,
                    NOW + 20 * 1000 + at * 100);
    assert_int_equal(held.holder.since_ms, NOW + 20 * 1000 + 300);
    /* Nothing is no part of nothing. */
    budget_move(&budget, BUDGET_OUTPUT, &held.holder, 0, 0, NOW + 30 * 1000);
    assert_int_equal(held.holder.since_ms, NOW + 20 * 1000 + 300);
    gives_way(&held.holder);
    budget_check(&budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_full_is_fair),
        cmocka_unit_test(a_reserve_is_known),
        cmocka_unit_test(shares_are_parts_of_a_sum),
        cmocka_unit_test(what_has_held_most_for_longest_gives_way),
        cmocka_unit_test(what_holds_little_is_found),
        cmocka_unit_test(moving_on_is_a_part_of_what_is_held),
        cmocka_unit_test(a_kind_has_its_share),
        cmocka_unit_test(all_kinds_have_a_sum),
        cmocka_unit_test(giving_what_was_not_taken_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
