/*
 * Memory that is ours and that no code may touch now: free objects of a pool, the rest of an
 * arena's block.  AddressSanitizer stops the program at an access to it; in other builds all of
 * this is nothing, and costs nothing.
 */
#ifndef PX_BASE_POISON_H
#define PX_BASE_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/check.h"

/* What the sanitizer's library has; called in builds with it alone. */
void __asan_poison_memory_region(void const volatile *ptr, size_t bytes);
void __asan_unpoison_memory_region(void const volatile *ptr, size_t bytes);
int __asan_address_is_poisoned(void const volatile *ptr);

enum { POISON_BYTE = 0xa5 };

static inline void poison(void *ptr, size_t bytes)
{
    if (ASAN_WATCHES)
        __asan_poison_memory_region(ptr, bytes);
}

/* May be touched again, and holds what it held. */
static inline void unpoison(void *ptr, size_t bytes)
{
    if (ASAN_WATCHES)
        __asan_unpoison_memory_region(ptr, bytes);
}

/* May be touched again, and holds nothing that a reader could take for a value. */
static inline void unpoison_filled(void *ptr, size_t bytes)
{
    if (ASAN_WATCHES) {
        __asan_unpoison_memory_region(ptr, bytes);
        memset(ptr, POISON_BYTE, bytes);
    }
}

static inline bool is_poisoned(const void *ptr)
{
    return ASAN_WATCHES && __asan_address_is_poisoned(ptr);
}

#endif
