/*
 * Slabs behind the pool.  A slab is taken when the free list is empty and kept until the pool ends:
 * a server that was busy once will be again, and an idle object costs its own size only.
 */
#include "base/pool.h"

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
    for (uint32_t index = 0; index < pool->slab_count; index++)
        alloc_put(pool->allocator, pool->slabs[index]);
    alloc_put(pool->allocator, pool->slabs);
    pool->slabs = NULL;
    pool->slab_count = 0;
    pool->slab_room = 0;
    pool->free = NULL;
}

static struct pool_item *item_at(const struct pool *pool, uint32_t slot)
{
    char *slab = pool->slabs[slot >> pool->slab_shift];

    return (void *)(slab + (size_t)(slot & (pool->slab_objects - 1)) * pool->object_bytes);
}

struct pool_item *pool_take_slow(struct pool *pool)
{
    uint32_t first = pool->slab_count << pool->slab_shift;

    if (first >= pool->count_max)
        return NULL;
    if (pool->slab_count == pool->slab_room) {
        uint32_t room = pool->slab_room ? pool->slab_room * 2 : 4;
        char **slabs = alloc_resize(pool->allocator, pool->slabs, room * sizeof(*slabs));

        if (!slabs)
            return NULL;
        pool->slabs = slabs;
        pool->slab_room = room;
    }
    char *slab = alloc_take(pool->allocator, (size_t)pool->slab_objects * pool->object_bytes);

    if (!slab)
        return NULL;
    pool->slabs[pool->slab_count++] = slab;
    for (uint32_t index = pool->slab_objects; index-- > 0;) {
        if (first + index >= pool->count_max)
            continue;
        struct pool_item *item = item_at(pool, first + index);

        item->slot = first + index;
        item->generation = 0;
        item->next_free = pool->free;
        pool->free = item;
    }
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
