/*
 * A pool of objects of one size, named by slot and generation.
 *
 * Objects live in slabs that never move, so a pointer stays good while the object is taken, and
 * (slot, generation) can be checked at any time after: the generation changes when the object is
 * put back.  The last one put is the first one taken, while it is warm in the cache.
 * Taking can fail with NULL: at `count_max` objects or out of memory.
 *
 * Under AddressSanitizer an object that was put back cannot be touched but for its pool_item, rests
 * behind POOL_RESTING_COUNT others before it is taken again, and then holds no old value: so what
 * is used after its put, and what is read before it was set, is found.
 */
#ifndef PX_BASE_POOL_H
#define PX_BASE_POOL_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/poison.h"

enum { POOL_RESTING_COUNT = 64 };

/* The first member of every pooled object. */
struct pool_item {
    struct pool_item *next_free; /* borrowed: while it is in the pool */
    uint32_t slot;               /* fixed for the life of the pool */
    uint32_t generation;         /* odd while taken, even while free */
};

struct pool {
    struct pool_item *free;        /* the free items, last put first */
    char **slabs;                  /* owned */
    const px_allocator *allocator; /* borrowed: outlives the pool */
    uint32_t object_bytes;
    uint32_t slab_objects; /* objects a slab, a power of two */
    uint32_t slab_shift;
    uint32_t slab_count;
    uint32_t slab_room;
    uint32_t taken; /* objects out now */
    uint32_t count_max;
    uint32_t resting_count;
    struct pool_item *resting;      /* free, but not to be taken yet: first put first */
    struct pool_item *resting_last; /* the end of that list */
};

/* `object_bytes` with its pool_item first; it is rounded up to a multiple of 8. */
void pool_init(struct pool *pool, const px_allocator *allocator, size_t object_bytes,
               uint32_t slab_objects, uint32_t count_max);

/* Gives the slabs back.  Every object must have been put back. */
void pool_deinit(struct pool *pool);

struct pool_item *pool_take_slow(struct pool *pool);

/* Puts an object aside for a while, under AddressSanitizer. */
void pool_rest(struct pool *pool, struct pool_item *item);

/* An object with its pool_item filled in and nothing else, or NULL. */
static inline void *pool_take(struct pool *pool)
{
    struct pool_item *item = pool->free;

    if (PX_UNLIKELY(!item) && !(item = pool_take_slow(pool)))
        return NULL;
    pool->free = item->next_free;
    item->generation++;
    pool->taken++;
    unpoison_filled(item + 1, pool->object_bytes - sizeof(*item));
    return item;
}

static inline void pool_put(struct pool *pool, void *object)
{
    struct pool_item *item = object;

    CHECK(item->generation & 1);
    item->generation++;
    pool->taken--;
    if (ASAN_WATCHES) {
        pool_rest(pool, item);
        return;
    }
    item->next_free = pool->free;
    pool->free = item;
}

/* The object in `slot` when it is taken and of that generation, else NULL. */
void *pool_find(const struct pool *pool, uint32_t slot, uint32_t generation);

/* States what must hold; O(slots), for tests. */
void pool_check(const struct pool *pool);

/* Calls `visit` for every object that is taken.  `visit` may put the object it is given. */
void pool_each(struct pool *pool, void (*visit)(void *object, void *context), void *context);

#endif
