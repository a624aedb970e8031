/*
 * Blocks by class.  Happy path: the last block that was put back is taken again, while it is warm.
 * Spare blocks stay taken from the budget; where it is short they go first.
 */
#include "http/h2/h2_memory.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

struct h2_block {
    union {
        struct list node;           /* on its session's list, while it is used */
        struct h2_block *next_free; /* borrowed: while it is spare */
    } link;
    size_t bytes; /* behind this; a multiple of the class size */
    size_t reserved;
};

_Static_assert(sizeof(struct h2_block) % 16 == 0, "what follows is aligned as malloc does it");

/* The class of that many bytes, or H2_MEMORY_CLASSES. */
static uint32_t class_of(size_t bytes)
{
    size_t class = bytes > 0 ? (bytes - 1) / H2_MEMORY_CLASS_BYTES : 0;

    return class < H2_MEMORY_CLASSES ? (uint32_t) class : H2_MEMORY_CLASSES;
}

/* --- What all sessions share ------------------------------------------------------------------ */

void h2_spares_init(struct h2_spares *spares, const px_allocator *allocator, struct budget *budget)
{
    memset(spares, 0, sizeof(*spares));
    spares->budget = budget;
    spares->allocator = allocator;
    list_init(&spares->carrying);
}

void h2_spares_deinit(struct h2_spares *spares)
{
    CHECK(list_empty(&spares->carrying) && spares->carried_bytes == 0);
    h2_spares_drop(spares);
}

void h2_spares_drop(struct h2_spares *spares)
{
    for (uint32_t class = 0; class < H2_MEMORY_CLASSES; class ++) {
        while (spares->free[class]) {
            struct h2_block *block = spares->free[class];

            spares->free[class] = block->link.next_free;
            spares->count[class]--;
            h2_spares_give(spares, block->bytes);
            alloc_put(spares->allocator, block);
        }
        CHECK(spares->count[class] == 0);
    }
}

/* Of all but one that asks, the one that has carried something for longest lets go of it: whether
 * there was one. */
static bool carry_gives_way(struct h2_spares *spares, const struct h2_memory *asks)
{
    for (struct list *at = spares->carrying.next; at != &spares->carrying; at = at->next) {
        struct h2_memory *oldest = LIST_ENTRY(at, struct h2_memory, carrying);

        if (oldest == asks)
            continue;
        oldest->give_way(oldest);
        CHECK(!list_linked(&oldest->carrying));
        return true;
    }
    return false;
}

/* Takes bytes of the budget for one that asks, or for none of those that carry. */
static bool reserve_for(struct h2_spares *spares, const struct h2_memory *asks, size_t bytes)
{
    struct budget *budget = spares->budget;

    if (!budget || PX_LIKELY(budget_take(budget, BUDGET_SESSIONS, bytes)))
        return true;
    h2_spares_drop(spares);
    while (!budget_take(budget, BUDGET_SESSIONS, bytes)) {
        if (!carry_gives_way(spares, asks))
            return false;
    }
    return true;
}

bool h2_spares_reserve(struct h2_spares *spares, size_t bytes)
{
    return reserve_for(spares, NULL, bytes);
}

void h2_spares_give(struct h2_spares *spares, size_t bytes)
{
    if (spares->budget)
        budget_give(spares->budget, BUDGET_SESSIONS, bytes);
}

/* Whether a block may be kept: it is as good as taken, so only where there is plenty. */
static bool keeps(const struct h2_spares *spares, uint32_t class)
{
    const struct budget *budget = spares->budget;

    if (class == H2_MEMORY_CLASSES || spares->count[class] == H2_MEMORY_SPARE_BLOCKS)
        return false;
    return !budget ||
           budget_left(budget, BUDGET_SESSIONS) >= budget->shares[BUDGET_SESSIONS].bytes_max / 2;
}

/* --- What one session has --------------------------------------------------------------------- */

void h2_memory_init(struct h2_memory *memory, struct h2_spares *spares, size_t bytes_max)
{
    memory->spares = spares;
    list_init(&memory->blocks);
    memory->bytes = 0;
    memory->bytes_max = bytes_max;
    list_init(&memory->carrying);
    memory->carried_bytes = 0;
    memory->give_way = NULL;
}

static void carry_over(struct h2_memory *memory)
{
    list_remove(&memory->carrying);
    memory->spares->carried_bytes -= memory->carried_bytes;
    memory->carried_bytes = 0;
}

void h2_memory_deinit(struct h2_memory *memory)
{
    carry_over(memory);
    while (!list_empty(&memory->blocks))
        h2_memory_put(memory, LIST_ENTRY(memory->blocks.next, struct h2_block, link.node) + 1);
}

void h2_memory_check(const struct h2_memory *memory)
{
    const struct h2_spares *spares = memory->spares;
    size_t bytes = 0;

    for (const struct list *at = memory->blocks.next; at != &memory->blocks; at = at->next)
        bytes += LIST_ENTRY(at, const struct h2_block, link.node)->bytes;
    ASSERT(bytes == memory->bytes && bytes <= memory->bytes_max);
    ASSERT(memory->carried_bytes <= bytes && memory->carried_bytes <= spares->carried_bytes);
    ASSERT(list_linked(&memory->carrying) == (memory->carried_bytes > 0));
    for (uint32_t class = 0; class < H2_MEMORY_CLASSES; class ++) {
        ASSERT(spares->count[class] <= H2_MEMORY_SPARE_BLOCKS);
        ASSERT((spares->count[class] > 0) == (spares->free[class] != NULL));
    }
}

void *h2_memory_take(struct h2_memory *memory, size_t bytes)
{
    struct h2_spares *spares = memory->spares;
    uint32_t class = class_of(bytes);
    struct h2_block *block;

    if (class < H2_MEMORY_CLASSES)
        bytes = ((size_t) class + 1) * H2_MEMORY_CLASS_BYTES;
    if (bytes > memory->bytes_max - memory->bytes)
        return NULL;
    if (class < H2_MEMORY_CLASSES && spares->free[class]) {
        block = spares->free[class];
        spares->free[class] = block->link.next_free;
        spares->count[class]--;
    } else {
        if (!reserve_for(spares, memory, bytes))
            return NULL;
        block = alloc_take(spares->allocator, sizeof(*block) + bytes);
        if (!block) {
            h2_spares_give(spares, bytes);
            return NULL;
        }
        block->bytes = bytes;
    }
    list_append(&memory->blocks, &block->link.node);
    memory->bytes += bytes;
    return block + 1;
}

void *h2_memory_resize(struct h2_memory *memory, void *ptr, size_t bytes)
{
    struct h2_block *block = ptr ? (struct h2_block *)ptr - 1 : NULL;
    void *larger;

    if (block && bytes <= block->bytes)
        return ptr;
    larger = h2_memory_take(memory, bytes);
    if (!larger || !block)
        return larger;
    memcpy(larger, ptr, block->bytes);
    h2_memory_put(memory, ptr);
    return larger;
}

void h2_memory_put(struct h2_memory *memory, void *ptr)
{
    struct h2_spares *spares = memory->spares;
    struct h2_block *block = ptr ? (struct h2_block *)ptr - 1 : NULL;

    if (!block)
        return;
    uint32_t class = class_of(block->bytes);

    CHECK(block->bytes <= memory->bytes);
    list_remove(&block->link.node);
    memory->bytes -= block->bytes;
    if (!keeps(spares, class)) {
        h2_spares_give(spares, block->bytes);
        alloc_put(spares->allocator, block);
        return;
    }
    block->link.next_free = spares->free[class];
    spares->free[class] = block;
    spares->count[class]++;
}

void *h2_memory_carry(struct h2_memory *memory, void *ptr, size_t bytes)
{
    struct h2_spares *spares = memory->spares;
    const struct budget *budget = spares->budget;
    uint64_t most = budget ? budget->shares[BUDGET_SESSIONS].bytes_max / H2_MEMORY_CARRY_PART : 0;
    struct h2_block *block;

    while (budget && spares->carried_bytes - memory->carried_bytes + bytes > most) {
        if (!carry_gives_way(spares, memory))
            break;
    }
    ptr = h2_memory_resize(memory, ptr, bytes);
    if (!ptr)
        return NULL;
    block = (struct h2_block *)ptr - 1;
    spares->carried_bytes += block->bytes - memory->carried_bytes;
    memory->carried_bytes = block->bytes;
    if (!list_linked(&memory->carrying))
        list_append(&spares->carrying, &memory->carrying);
    return ptr;
}

void h2_memory_carry_put(struct h2_memory *memory, void *ptr)
{
    carry_over(memory);
    h2_memory_put(memory, ptr);
}
