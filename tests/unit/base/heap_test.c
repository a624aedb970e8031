/*
 * A heap in one piece: random takes and puts, whose blocks never overlap and keep what is in them;
 * in the end it is one free block again.
 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

enum { BYTES = 64 * 1024, COUNT = 32 };

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % limit;
}

static void blocks_keep_what_is_in_them(void **state)
{
    char *memory = malloc(BYTES);
    struct heap heap;
    unsigned char *blocks[COUNT] = {NULL};
    size_t sizes[COUNT] = {0};
    uint64_t seed = 3;
    uint32_t refused = 0;

    (void)state;
    assert_non_null(memory);
    heap_init(&heap, memory, BYTES);
    for (uint32_t turn = 0; turn < 20000; turn++) {
        uint32_t index = random_below(&seed, COUNT);

        if (blocks[index]) {
            for (size_t at = 0; at < sizes[index]; at++)
                assert_int_equal(blocks[index][at], index);
            heap_put(&heap, blocks[index]);
            blocks[index] = NULL;
            continue;
        }
        sizes[index] = random_below(&seed, 6000);
        blocks[index] = heap_take(&heap, sizes[index]);
        if (!blocks[index]) {
            refused++;
            continue;
        }
        assert_int_equal((uintptr_t)blocks[index] % 16, 0);
        assert_true(heap_owns(&heap, blocks[index]));
        memset(blocks[index], (int)index, sizes[index]);
    }
    assert_true(refused > 0);
    for (uint32_t index = 0; index < COUNT; index++) {
        if (blocks[index])
            heap_put(&heap, blocks[index]);
    }
    void *all = heap_take(&heap, BYTES - 16);

    assert_non_null(all);
    assert_null(heap_take(&heap, 0));
    heap_put(&heap, all);
    assert_null(heap_take(&heap, BYTES));
    assert_null(heap_take(&heap, SIZE_MAX));
    assert_false(heap_owns(&heap, memory + BYTES));
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_what_is_in_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
