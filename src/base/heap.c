/*
 * Blocks with their size in front, from one end of the memory to the other.
 */
#include "base/heap.h"

#include <stdbool.h>

#include "base/check.h"

enum { HEAP_ALIGN = 16 };

struct heap_block {
    size_t bytes; /* of the whole block, this head included */
    bool used;
};

_Static_assert(sizeof(struct heap_block) <= HEAP_ALIGN, "a head is one unit");

static struct heap_block *block_at(const struct heap *heap, size_t offset)
{
    return (struct heap_block *)(void *)(heap->memory + offset);
}

void heap_init(struct heap *heap, void *memory, size_t bytes)
{
    CHECK(bytes >= 2 * HEAP_ALIGN);
    heap->memory = memory;
    heap->bytes = bytes & ~(size_t)(HEAP_ALIGN - 1);
    *block_at(heap, 0) = (struct heap_block){.bytes = heap->bytes};
}

void *heap_take(struct heap *heap, size_t bytes)
{
    if (bytes > heap->bytes)
        return NULL;
    size_t wanted = ((bytes + HEAP_ALIGN - 1) & ~(size_t)(HEAP_ALIGN - 1)) + HEAP_ALIGN;

    for (size_t at = 0; at < heap->bytes; at += block_at(heap, at)->bytes) {
        struct heap_block *block = block_at(heap, at);

        if (block->used)
            continue;
        while (at + block->bytes < heap->bytes && !block_at(heap, at + block->bytes)->used)
            block->bytes += block_at(heap, at + block->bytes)->bytes;
        if (block->bytes < wanted)
            continue;
        if (block->bytes > wanted) {
            *block_at(heap, at + wanted) = (struct heap_block){.bytes = block->bytes - wanted};
            block->bytes = wanted;
        }
        block->used = true;
        return heap->memory + at + HEAP_ALIGN;
    }
    return NULL;
}

void heap_put(struct heap *heap, void *ptr)
{
    struct heap_block *block = block_at(heap, (size_t)((char *)ptr - heap->memory) - HEAP_ALIGN);

    CHECK(heap_owns(heap, ptr) && block->used);
    block->used = false;
}

void heap_check(const struct heap *heap)
{
    size_t at = 0;

    while (at < heap->bytes) {
        size_t bytes = block_at(heap, at)->bytes;

        ASSERT(bytes >= HEAP_ALIGN && bytes % HEAP_ALIGN == 0);
        ASSERT(bytes <= heap->bytes - at);
        at += bytes;
    }
    ASSERT(at == heap->bytes);
}
