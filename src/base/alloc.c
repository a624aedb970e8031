/*
 * The allocator hook and its default.  Nothing here keeps state: an allocator is a value that its
 * owner (a loop) holds.
 */
#include "base/alloc.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void *libc_allocate(size_t bytes, void *context)
{
    (void)context;
    return malloc(bytes);
}

static void *libc_resize(void *ptr, size_t bytes, void *context)
{
    (void)context;
    return realloc(ptr, bytes);
}

static void libc_release(void *ptr, void *context)
{
    (void)context;
    free(ptr);
}

const px_allocator alloc_libc = {libc_allocate, libc_resize, libc_release, NULL};

/* A program may be linked with an allocator of its own, which does not have it. */
#pragma weak malloc_trim

void alloc_trim(const px_allocator *allocator)
{
    if (allocator->release == libc_release && malloc_trim)
        malloc_trim(0);
}

void *alloc_take(const px_allocator *allocator, size_t bytes)
{
    return allocator->allocate(bytes, allocator->context);
}

void *alloc_take_zeroed(const px_allocator *allocator, size_t bytes)
{
    void *ptr = alloc_take(allocator, bytes);

    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

void *alloc_resize(const px_allocator *allocator, void *ptr, size_t bytes)
{
    return allocator->resize(ptr, bytes, allocator->context);
}

void alloc_put(const px_allocator *allocator, void *ptr)
{
    if (ptr)
        allocator->release(ptr, allocator->context);
}

char *alloc_copy_text(const px_allocator *allocator, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = alloc_take(allocator, bytes);

    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}
