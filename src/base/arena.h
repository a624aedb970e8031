/*
 * An arena: allocations that end together.  It bumps a pointer inside a block, takes more blocks
 * from its allocator when one is full, and refuses to pass its cap.
 *
 * The first block is lent by the owner (usually the tail of the object that embeds the arena), so
 * that a small life costs no allocation.  It can fail with NULL: out of memory, or out of the cap.
 *
 * Under AddressSanitizer what is left of a further block cannot be touched before it is taken.
 */
#ifndef PX_BASE_ARENA_H
#define PX_BASE_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/budget.h"
#include "base/check.h"
#include "base/poison.h"
#include "pollux/str.h"

struct arena_block;

struct arena {
    char *at;                      /* the next free byte of the current block */
    char *end;                     /* one past the current block */
    struct arena_block *blocks;    /* owned: further blocks, newest first */
    const px_allocator *allocator; /* borrowed: outlives the arena */
    char *first;                   /* borrowed: the lent block */
    uint32_t first_bytes;
    uint32_t bytes_taken;  /* in further blocks */
    uint32_t bytes_max;    /* cap of all further blocks together */
    struct budget *budget; /* borrowed, or NULL: what further blocks are taken from */
};

void arena_init(struct arena *arena, const px_allocator *allocator, void *first,
                uint32_t first_bytes, uint32_t bytes_max);

/* Further blocks are of BUDGET_EXCHANGES from now on; before the first of them. */
static inline void arena_use_budget(struct arena *arena, struct budget *budget)
{
    arena->budget = budget;
}

/* Gives every further block back and starts again in the lent one. */
void arena_reset(struct arena *arena);

void *arena_take_slow(struct arena *arena, size_t bytes);

/* `bytes` bytes without alignment (text), or NULL. */
static inline char *arena_take_text(struct arena *arena, size_t bytes)
{
    char *at = arena->at;

    if (PX_UNLIKELY(bytes > (size_t)(arena->end - at)))
        return arena_take_slow(arena, bytes);
    arena->at = at + bytes;
    unpoison(at, bytes);
    return at;
}

/* `bytes` bytes aligned for any object of at most 8-byte alignment, or NULL. */
static inline void *arena_take(struct arena *arena, size_t bytes)
{
    size_t padding = (size_t)(-(uintptr_t)arena->at & 7);
    size_t room = (size_t)(arena->end - arena->at);

    if (PX_UNLIKELY(padding > room || bytes > room - padding))
        return arena_take_slow(arena, bytes);
    char *at = arena->at + padding;
    arena->at = at + bytes;
    unpoison(at, bytes);
    return at;
}

/* States what must hold; for tests. */
void arena_check(const struct arena *arena);

/* A copy of `str` that ends in NUL; absent (ptr == NULL) when there is no memory for it. */
px_str arena_copy(struct arena *arena, px_str str);

#endif
