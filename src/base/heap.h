/*
 * A heap in one piece of memory: for a foreign library that ends the process when an allocation
 * fails, and whose need is known in advance.
 *
 * First fit over blocks that lie side by side; neighbours that are free become one.  Meant for some
 * dozens of blocks.  It can fail when no gap is large enough.
 */
#ifndef PX_BASE_HEAP_H
#define PX_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap {
    char *memory; /* borrowed: outlives the heap; aligned as malloc does */
    size_t bytes;
};

/* All of it is free. */
void heap_init(struct heap *heap, void *memory, size_t bytes);

/* `bytes` bytes aligned as malloc does, or NULL. */
void *heap_take(struct heap *heap, size_t bytes);

/* Whether `ptr` lies in it. */
static inline int heap_owns(const struct heap *heap, const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr;

    return at >= (uintptr_t)heap->memory && at < (uintptr_t)heap->memory + heap->bytes;
}

/* States what must hold; for tests. */
void heap_check(const struct heap *heap);

/* Gives back what heap_take returned. */
void heap_put(struct heap *heap, void *ptr);

#endif
