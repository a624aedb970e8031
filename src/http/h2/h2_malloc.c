/*
 * nghttp2's allocator.  It can fail with NULL, as h2_memory_take does.
 */
#include "http/h2/h2_malloc.h"

#include <stdint.h>

static void *library_malloc(size_t bytes, void *context)
{
    return h2_memory_take(context, bytes);
}

static void library_free(void *ptr, void *context)
{
    h2_memory_put(context, ptr);
}

static void *library_calloc(size_t count, size_t bytes, void *context)
{
    return bytes > 0 && count > SIZE_MAX / bytes ? NULL
                                                 : h2_memory_take_zeroed(context, count * bytes);
}

static void *library_realloc(void *ptr, size_t bytes, void *context)
{
    return h2_memory_resize(context, ptr, bytes);
}

nghttp2_mem h2_malloc(struct h2_memory *memory)
{
    return (nghttp2_mem){memory, library_malloc, library_free, library_calloc, library_realloc};
}
