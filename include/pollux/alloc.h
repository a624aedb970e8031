/*
 * The allocator hook: what pollux allocates for a loop, and for what lives on it, goes through one
 * of these.  OpenSSL and hiredis allocate by themselves, with malloc.
 */
#ifndef PX_ALLOC_H
#define PX_ALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where memory comes from.  It is copied into the loop that is created with it; `context` is
 *  borrowed and must outlive that loop and its servers.  The functions are called on the loop's
 *  thread, and on those that post to it or drop a px_ref: where other threads do that, they must be
 *  safe to call from several (malloc is).  Listeners exist without a loop and use malloc. */
typedef struct px_allocator {
    /** Returns `bytes` bytes aligned as malloc does, or NULL when there are none. */
    void *(*allocate)(size_t bytes, void *context);
    /** Resizes what `allocate` returned, as realloc does; NULL leaves the old block as it was. */
    void *(*resize)(void *ptr, size_t bytes, void *context);
    /** Gives back what the other two returned.  `ptr` may be NULL. */
    void (*release)(void *ptr, void *context);
    void *context; /**< Handed to each of the three. */
} px_allocator;

#ifdef __cplusplus
}
#endif

#endif
