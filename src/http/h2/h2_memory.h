/*
 * The memory of HTTP/2 sessions: what an engine takes beside itself, counted and capped a session,
 * and kept by size for the next one that asks.
 *
 * Each session's blocks are on a list of their own, so that all of it is given back at once.  It
 * can fail with NULL: out of memory, or out of the cap.
 */
#ifndef PX_HTTP_H2_MEMORY_H
#define PX_HTTP_H2_MEMORY_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/budget.h"
#include "base/list.h"

enum {
    H2_MEMORY_CLASS_BYTES = 64,
    H2_MEMORY_CLASSES = 16,      /* up to 1,024 bytes */
    H2_MEMORY_SPARE_BLOCKS = 256 /* kept of each class: 0.6 MiB in all when full */
};

struct h2_block;

/* What all sessions of a server share: blocks that are not in use now. */
struct h2_spares {
    const px_allocator *allocator; /* borrowed: outlives it */
    struct budget *budget;         /* likewise: what sessions take theirs from; or NULL */
    struct h2_block *free[H2_MEMORY_CLASSES];
    uint32_t count[H2_MEMORY_CLASSES];
};

/* What one session has. */
struct h2_memory {
    struct h2_spares *spares; /* borrowed: outlives it */
    struct list blocks;       /* of h2_block */
    size_t bytes;             /* in use, without our own part */
    size_t bytes_max;
};

void h2_spares_init(struct h2_spares *spares, const px_allocator *allocator, struct budget *budget);
void h2_spares_deinit(struct h2_spares *spares);

void h2_memory_init(struct h2_memory *memory, struct h2_spares *spares, size_t bytes_max);

/* Gives back every block that is still there. */
void h2_memory_deinit(struct h2_memory *memory);

/* States what must hold between two calls; for tests. */
void h2_memory_check(const struct h2_memory *memory);

void *h2_memory_take(struct h2_memory *memory, size_t bytes);
void *h2_memory_resize(struct h2_memory *memory, void *ptr, size_t bytes);
void h2_memory_put(struct h2_memory *memory, void *ptr);

#endif
