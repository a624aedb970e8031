/*
 * The allocator hook, seen from inside: three calls and the default that is malloc.
 *
 * The happy path is one indirect call.  It can fail by returning NULL, which every caller turns
 * into PX_ERR_MEMORY; allocation-failure tests hand in an allocator that fails the N-th call.
 */
#ifndef PX_BASE_ALLOC_H
#define PX_BASE_ALLOC_H

#include "pollux/alloc.h"

/* malloc, realloc and free of the C library. */
extern const px_allocator alloc_libc;

/* Much was released: gives pages back to the system, where the allocator is libc's and can. */
void alloc_trim(const px_allocator *allocator);

void *alloc_take(const px_allocator *allocator, size_t bytes);
void *alloc_take_zeroed(const px_allocator *allocator, size_t bytes);
void *alloc_resize(const px_allocator *allocator, void *ptr, size_t bytes);
void alloc_put(const px_allocator *allocator, void *ptr);

/* A copy of a text that ends in NUL. */
char *alloc_copy_text(const px_allocator *allocator, const char *text);

#endif
