/*
 * Blocks by class.  Happy path: the last block that was put back is taken again, while it is warm.
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

void h2_spares_init(struct h2_spares *spares, const px_allocator *allocator, struct budget *budget)
{
    memset(spares, 0, sizeof(*spares));
    spares->budget = budget;
    spares->allocator = allocator;
}

void h2_spares_deinit(struct h2_spares *spares)
{
    for (uint32_t class = 0; class < H2_MEMORY_CLASSES; class ++) {
        while (spares->free[class]) {
            struct h2_block *block = spares->free[class];

            spares->free[class] = block->link.next_free;
            spares->count[class]--;
            alloc_put(spares->allocator, block);
        }
        CHECK(spares->count[class] == 0);
    }
}

void h2_memory_init(struct h2_memory *memory, struct h2_spares *spares, size_t bytes_max)
{
    memory->spares = spares;
    list_init(&memory->blocks);
    memory->bytes = 0;
    memory->bytes_max = bytes_max;
}

void h2_memory_deinit(struct h2_memory *memory)
{
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
    if (bytes > memory->bytes_max - memory->bytes ||
        (spares->budget && !budget_take(spares->budget, BUDGET_SESSIONS, bytes)))
        return NULL;
    if (class < H2_MEMORY_CLASSES && spares->free[class]) {
        block = spares->free[class];
        spares->free[class] = block->link.next_free;
        spares->count[class]--;
    } else {
        block = alloc_take(spares->allocator, sizeof(*block) + bytes);
        if (!block) {
            if (spares->budget)
                budget_give(spares->budget, BUDGET_SESSIONS, bytes);
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
    if (spares->budget)
        budget_give(spares->budget, BUDGET_SESSIONS, block->bytes);
    if (class == H2_MEMORY_CLASSES || spares->count[class] == H2_MEMORY_SPARE_BLOCKS) {
        alloc_put(spares->allocator, block);
        return;
    }
    block->link.next_free = spares->free[class];
    spares->free[class] = block;
    spares->count[class]++;
}
