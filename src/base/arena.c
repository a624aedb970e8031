/*
 * The arena's slow path: a further block.  Blocks are at least ARENA_BLOCK_BYTES long so that a
 * busy exchange takes few of them.
 */
#include "base/arena.h"

#include <string.h>

#include "base/limits.h"

struct arena_block {
    struct arena_block *next; /* owned */
    uint64_t bytes;           /* keeps what follows aligned to 16 */
};

/* The lent block is the current one.  Without one, an empty place that is not NULL, so that taking
 * no bytes is not taken for a failure. */
static void arena_use_first(struct arena *arena)
{
    arena->at = arena->first ? arena->first : (char *)arena;
    arena->end = arena->at + arena->first_bytes;
}

void arena_init(struct arena *arena, const px_allocator *allocator, void *first,
                uint32_t first_bytes, uint32_t bytes_max)
{
    arena->allocator = allocator;
    arena->first = first;
    arena->first_bytes = first ? first_bytes : 0;
    arena_use_first(arena);
    arena->blocks = NULL;
    arena->bytes_taken = 0;
    arena->bytes_max = bytes_max;
    arena->budget = NULL;
}

void arena_reset(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        unpoison(block + 1, block->bytes);
        alloc_put(arena->allocator, block);
    }
    if (arena->budget)
        budget_give(arena->budget, BUDGET_EXCHANGES, arena->bytes_taken);
    arena->bytes_taken = 0;
    arena_use_first(arena);
}

void *arena_take_slow(struct arena *arena, size_t bytes)
{
    size_t room = arena->bytes_max - arena->bytes_taken;
    size_t want = bytes > ARENA_BLOCK_BYTES / 2 ? bytes : ARENA_BLOCK_BYTES;

    if (want > room)
        want = bytes;
    if (want > room)
        return NULL;
    if (arena->budget &&
        !budget_take_fair(arena->budget, BUDGET_EXCHANGES, arena->bytes_taken, want))
        return NULL;
    struct arena_block *block = alloc_take(arena->allocator, sizeof(*block) + want);

    if (!block) {
        if (arena->budget)
            budget_give(arena->budget, BUDGET_EXCHANGES, want);
        return NULL;
    }
    block->next = arena->blocks;
    block->bytes = want;
    arena->blocks = block;
    arena->bytes_taken += (uint32_t)want;

    char *start = (char *)(block + 1);

    poison(start + bytes, want - bytes);

    /* Go on where more room is left: a block made for one large object has none. */
    if (want - bytes > (size_t)(arena->end - arena->at)) {
        arena->at = start + bytes;
        arena->end = start + want;
    }
    return start;
}

px_str arena_copy(struct arena *arena, px_str str)
{
    char *copy = arena_take_text(arena, str.len + 1);

    if (!copy)
        return px_str_make(NULL, 0);
    if (str.len > 0)
        memcpy(copy, str.ptr, str.len);
    copy[str.len] = '\0';
    return px_str_make(copy, str.len);
}

void arena_check(const struct arena *arena)
{
    uint64_t taken = 0;
    bool inside = arena->at >= arena->first && arena->end == arena->first + arena->first_bytes;

    ASSERT(arena->allocator);
    for (const struct arena_block *block = arena->blocks; block; block = block->next) {
        const char *start = (const char *)(block + 1);

        ASSERT(block->bytes > 0);
        taken += block->bytes;
        inside = inside || (arena->at >= start && arena->end == start + block->bytes);
    }
    ASSERT(arena->at <= arena->end);
    ASSERT(inside || !arena->first);
    ASSERT(taken == arena->bytes_taken && taken <= arena->bytes_max);
}
