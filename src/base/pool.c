/*
 * Slabs behind the pool.  A slab is taken when the free list is empty and kept until the pool ends:
 * a server that was busy once will be again, and an idle object costs its own size only.
 */
#include "base/pool.h"

#include <stdbool.h>
#include <string.h>

void pool_init(struct pool *pool, const px_allocator *allocator, size_t object_bytes,
               uint32_t slab_objects, uint32_t count_max)
{
    CHECK(object_bytes >= sizeof(struct pool_item));
    CHECK(slab_objects > 0 && (slab_objects & (slab_objects - 1)) == 0);
    memset(pool, 0, sizeof(*pool));
    pool->allocator = allocator;
    pool->object_bytes = (uint32_t)((object_bytes + 7) & ~(size_t)7);
    pool->slab_objects = slab_objects;
    pool->slab_shift = (uint32_t)__builtin_ctz(slab_objects);
    pool->count_max = count_max;
}

void pool_deinit(struct pool *pool)
{
    CHECK(pool->taken == 0);
    for (uint32_t index = 0; index < pool->slab_count; index++) {
        unpoison(pool->slabs[index], (size_t)pool->slab_objects * pool->object_bytes);
        alloc_put(pool->allocator, pool->slabs[index]);
    }
    alloc_put(pool->allocator, pool->slabs);
    pool->slabs = NULL;
    pool->slab_count = 0;
    pool->slab_room = 0;
    pool->free = NULL;
    pool->resting = NULL;
    pool->resting_last = NULL;
    pool->resting_count = 0;
}

static struct pool_item *item_at(const struct pool *pool, uint32_t slot)
{
    char *slab = pool->slabs[slot >> pool->slab_shift];

    return (void *)(slab + (size_t)(slot & (pool->slab_objects - 1)) * pool->object_bytes);
}

static void free_add(struct pool *pool, struct pool_item *item)
{
    item->next_free = pool->free;
    pool->free = item;
}

/* --- Resting ---------------------------------------------------------------------------------- */

/* The one that has rested longest may be taken again. */
static void rest_end(struct pool *pool)
{
    struct pool_item *item = pool->resting;

    pool->resting = item->next_free;
    pool->resting_count--;
    free_add(pool, item);
}

void pool_rest(struct pool *pool, struct pool_item *item)
{
    poison(item + 1, pool->object_bytes - sizeof(*item));
    item->next_free = NULL;
    if (pool->resting)
        pool->resting_last->next_free = item;
    else
        pool->resting = item;
    pool->resting_last = item;
    pool->resting_count++;
    if (pool->resting_count > POOL_RESTING_COUNT)
        rest_end(pool);
}

/* --- Taking ----------------------------------------------------------------------------------- */

/* Room for one more slab in the table of slabs. */
static bool slabs_reserve(struct pool *pool)
{
    if (pool->slab_count < pool->slab_room)
        return true;
    uint32_t room = pool->slab_room ? pool->slab_room * 2 : 4;
    char **slabs = alloc_resize(pool->allocator, pool->slabs, room * sizeof(*slabs));

    if (!slabs)
        return false;
    pool->slabs = slabs;
    pool->slab_room = room;
    return true;
}

static bool slab_add(struct pool *pool)
{
    uint32_t first = pool->slab_count << pool->slab_shift;
    size_t bytes = (size_t)pool->slab_objects * pool->object_bytes;

    if (first >= pool->count_max || !slabs_reserve(pool))
        return false;
    char *slab = alloc_take(pool->allocator, bytes);

    if (!slab)
        return false;
    pool->slabs[pool->slab_count++] = slab;
    for (uint32_t index = pool->slab_objects; index-- > 0;) {
        if (first + index >= pool->count_max)
            continue;
        struct pool_item *item = item_at(pool, first + index);

        item->slot = first + index;
        item->generation = 0;
        free_add(pool, item);
        poison(item + 1, pool->object_bytes - sizeof(*item));
    }
    return true;
}

struct pool_item *pool_take_slow(struct pool *pool)
{
    if (!slab_add(pool) && pool->resting)
        rest_end(pool);
    return pool->free;
}

void *pool_find(const struct pool *pool, uint32_t slot, uint32_t generation)
{
    if ((slot >> pool->slab_shift) >= pool->slab_count || slot >= pool->count_max)
        return NULL;
    struct pool_item *item = item_at(pool, slot);

    return item->generation == generation && (generation & 1) ? item : NULL;
}

void pool_each(struct pool *pool, void (*visit)(void *object, void *context), void *context)
{
    uint32_t slots = pool->slab_count << pool->slab_shift;

    for (uint32_t slot = 0; slot < slots && slot < pool->count_max; slot++) {
        struct pool_item *item = item_at(pool, slot);

        if (item->generation & 1)
            visit(item, context);
    }
}

/* --- Checking --------------------------------------------------------------------------------- */

static uint32_t items_check(const struct pool *pool, const struct pool_item *first)
{
    uint32_t count = 0;

    for (const struct pool_item *item = first; item; item = item->next_free) {
        ASSERT(!(item->generation & 1));
        ASSERT(item->slot < pool->count_max && item_at(pool, item->slot) == item);
        count++;
        ASSERT(count <= pool->count_max);
    }
    return count;
}

void pool_check(const struct pool *pool)
{
    uint32_t slots = pool->slab_count << pool->slab_shift;
    uint32_t taken = 0;

    if (slots > pool->count_max)
        slots = pool->count_max;
    ASSERT(pool->slab_count <= pool->slab_room);
    ASSERT((pool->slabs == NULL) == (pool->slab_room == 0));
    ASSERT((1U << pool->slab_shift) == pool->slab_objects);
    for (uint32_t slot = 0; slot < slots; slot++) {
        ASSERT(item_at(pool, slot)->slot == slot);
        taken += item_at(pool, slot)->generation & 1;
    }
    ASSERT(taken == pool->taken && taken <= pool->count_max);
    uint32_t resting = items_check(pool, pool->resting);

    ASSERT(resting == pool->resting_count && resting <= POOL_RESTING_COUNT);
    ASSERT(!pool->resting || pool->resting_last->next_free == NULL);
    ASSERT(items_check(pool, pool->free) + resting + taken == slots);
}
