/*
 * The arena: what it hands out is apart, aligned, inside the cap, and all given back at once.
 */
#include "base/arena.h"

#include <string.h>

#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

struct fixture {
    struct fault_alloc fault;
    struct arena arena;
    _Alignas(16) char first[256];
};

static struct fixture *arena_over(struct fixture *fixture, uint32_t first_bytes, uint32_t bytes_max)
{
    fault_alloc_init(&fixture->fault);
    arena_init(&fixture->arena, &fixture->fault.allocator, first_bytes ? fixture->first : NULL,
               first_bytes, bytes_max);
    return fixture;
}

static void arena_end(struct fixture *fixture)
{
    arena_reset(&fixture->arena);
    fault_alloc_assert_empty(&fixture->fault);
}

static void lent_block_comes_first(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 256, 100000)->arena;

    (void)state;
    assert_ptr_equal(arena_take_text(arena, 3), fixture.first);
    assert_ptr_equal(arena_take(arena, 8), fixture.first + 8);
    assert_ptr_equal(arena_take_text(arena, 240), fixture.first + 16);
    assert_int_equal(fixture.fault.calls, 0);
    /* Full to the last byte; nothing more fits, but no bytes always do. */
    assert_non_null(arena_take_text(arena, 0));
    assert_int_equal(fixture.fault.calls, 0);
    char *more = arena_take_text(arena, 1);

    assert_non_null(more);
    assert_true(more < fixture.first || more >= fixture.first + 256);
    assert_int_equal(fixture.fault.calls, 1);
    arena_end(&fixture);
}

/* Under AddressSanitizer what was not taken of a further block is out of bounds. */
static void the_rest_is_out_of_bounds(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 0, 100000)->arena;

    (void)state;
    if (!ASAN_WATCHES)
        skip();
    char *text = arena_take_text(arena, 16);

    assert_false(is_poisoned(text + 15));
    assert_true(is_poisoned(text + 16));
    char *more = arena_take(arena, 24);

    assert_ptr_equal(more, text + 16);
    assert_false(is_poisoned(more + 23));
    assert_true(is_poisoned(more + 24));
    arena_end(&fixture);
}

static void objects_are_aligned(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 200, 1000000)->arena;

    (void)state;
    for (size_t bytes = 1; bytes < 600; bytes++) {
        char *text = arena_take_text(arena, bytes % 5);

        assert_non_null(text);
        char *object = arena_take(arena, bytes);

        assert_non_null(object);
        assert_int_equal((uintptr_t)object & 7, 0);
        memset(object, (int)bytes, bytes);
    }
    arena_end(&fixture);
}

static void what_it_hands_out_does_not_overlap(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 100, 1000000)->arena;
    static const size_t sizes[] = {1, 7,    64, 99,   4096, 2048, 2049,
                                   3, 5000, 12, 4095, 4097, 1,    90000};
    unsigned char *ptrs[ARRAY_COUNT(sizes) * 3];

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(ptrs); index++) {
        size_t bytes = sizes[index % ARRAY_COUNT(sizes)];

        ptrs[index] = index & 1 ? arena_take(arena, bytes) : (void *)arena_take_text(arena, bytes);
        assert_non_null(ptrs[index]);
        memset(ptrs[index], (int)index + 1, bytes);
    }
    for (size_t index = 0; index < ARRAY_COUNT(ptrs); index++)
        for (size_t at = 0; at < sizes[index % ARRAY_COUNT(sizes)]; at++)
            assert_int_equal(ptrs[index][at], index + 1);
    arena_end(&fixture);
}

static void large_object_leaves_the_current_block_in_use(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 256, 1000000)->arena;

    (void)state;
    char *before = arena_take_text(arena, 8);

    assert_non_null(arena_take(arena, ARENA_BLOCK_BYTES));
    assert_non_null(arena_take(arena, 3 * ARENA_BLOCK_BYTES));
    assert_ptr_equal(arena_take_text(arena, 8), before + 8);
    assert_int_equal(fixture.fault.calls, 2);
    arena_end(&fixture);
}

static void small_objects_share_a_block(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 0, 1000000)->arena;

    (void)state;
    for (size_t count = 0; count < ARENA_BLOCK_BYTES / 16; count++)
        assert_non_null(arena_take(arena, 16));
    assert_int_equal(fixture.fault.calls, 1);
    arena_end(&fixture);
}

static void cap_is_exact(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 0, 10000)->arena;
    size_t got = 0;

    (void)state;
    /* The cap counts blocks, so single bytes use all of it: the last block is what is left. */
    while (arena_take_text(arena, 1))
        got++;
    assert_in_range(got, 10000 - ARENA_BLOCK_BYTES, 10000);
    assert_true(arena->bytes_taken <= 10000);
    assert_null(arena_take_text(arena, 1 + 10000 - arena->bytes_taken));

    arena_reset(arena);
    assert_int_equal(fixture.fault.live, 0);
    assert_null(arena_take(arena, 10001));
    assert_non_null(arena_take(arena, 10000));
    assert_null(arena_take(arena, 1));
    arena_end(&fixture);
}

static void no_cap_left_but_the_lent_block_works(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 64, 0)->arena;

    (void)state;
    assert_non_null(arena_take(arena, 60));
    assert_null(arena_take(arena, 8));
    assert_non_null(arena_take_text(arena, 4));
    assert_null(arena_take_text(arena, 1));
    assert_int_equal(fixture.fault.calls, 0);
    arena_end(&fixture);
}

static void absurd_sizes_are_refused(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 64, 1000)->arena;

    (void)state;
    arena_take_text(arena, 1);
    /* Adding the padding to these would wrap around to something small. */
    for (size_t less = 0; less < 20; less++) {
        assert_null(arena_take(arena, SIZE_MAX - less));
        assert_null(arena_take_text(arena, SIZE_MAX - less));
    }
    assert_int_equal(fixture.fault.calls, 0);
    arena_end(&fixture);
}

static void no_bytes_without_a_block(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 0, 1000)->arena;

    (void)state;
    assert_non_null(arena_take(arena, 0));
    assert_non_null(arena_take_text(arena, 0));
    assert_int_equal(fixture.fault.calls, 0);
    arena_end(&fixture);
}

static void reset_starts_again(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 64, 100000)->arena;

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_ptr_equal(arena_take(arena, 64), fixture.first);
        for (int count = 0; count < 10; count++)
            assert_non_null(arena_take(arena, 5000));
        assert_int_equal(fixture.fault.live, 10);
        arena_reset(arena);
        assert_int_equal(fixture.fault.live, 0);
        assert_int_equal(arena->bytes_taken, 0);
    }
    arena_end(&fixture);
}

static void copy_ends_in_nul(void **state)
{
    struct fixture fixture;
    struct arena *arena = &arena_over(&fixture, 64, 100)->arena;

    (void)state;
    px_str copy = arena_copy(arena, LITERAL("a\0b"));

    assert_str_equal(copy, LITERAL("a\0b"));
    assert_int_equal(copy.ptr[3], 0);
    copy = arena_copy(arena, px_str_make(NULL, 0));
    assert_str_equal(copy, LITERAL(""));
    assert_int_equal(copy.ptr[0], 0);
    char text[200] = {0};

    memset(text, 'x', sizeof(text));
    assert_null(arena_copy(arena, px_str_make(text, sizeof(text))).ptr);
    /* The NUL counts. */
    assert_null(arena_copy(arena, px_str_make(text, 100)).ptr);
    assert_int_equal(arena_copy(arena, px_str_make(text, 99)).len, 99);
    arena_end(&fixture);
}

static void take_and_fail(const px_allocator *allocator, void *context)
{
    struct arena arena;
    char first[32];

    (void)context;
    arena_init(&arena, allocator, first, sizeof(first), 100000);
    for (int count = 0; count < 8; count++) {
        char *ptr = arena_take(&arena, 3000);

        if (ptr)
            memset(ptr, count, 3000);
        /* A failure leaves the arena as it was. */
        arena_take_text(&arena, 2);
    }
    arena_reset(&arena);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("arena", take_and_fail, NULL), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_is_out_of_bounds),
        cmocka_unit_test(lent_block_comes_first),
        cmocka_unit_test(objects_are_aligned),
        cmocka_unit_test(what_it_hands_out_does_not_overlap),
        cmocka_unit_test(large_object_leaves_the_current_block_in_use),
        cmocka_unit_test(small_objects_share_a_block),
        cmocka_unit_test(cap_is_exact),
        cmocka_unit_test(no_cap_left_but_the_lent_block_works),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(no_bytes_without_a_block),
        cmocka_unit_test(reset_starts_again),
        cmocka_unit_test(copy_ends_in_nul),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
