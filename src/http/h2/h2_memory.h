/*
 * The memory of HTTP/2 sessions: what an engine takes beside itself, counted and capped a session,
 * and kept by size for the next one that asks.
 *
 * Each session's blocks are on a list of their own, so that all of it is given back at once.  All
 * of it is of one budget, spare blocks too.  It can fail with NULL: out of memory, or out of the
 * cap, or out of the budget after what can give way has: spare blocks first, then what sessions
 * carry, the oldest first.
 */
#ifndef PX_HTTP_H2_MEMORY_H
#define PX_HTTP_H2_MEMORY_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/budget.h"
#include "base/list.h"

enum {
    H2_MEMORY_CLASS_BYTES = 64,
    H2_MEMORY_CLASSES = 16,       /* up to 1,024 bytes */
    H2_MEMORY_SPARE_BLOCKS = 256, /* kept of each class: 2.1 MiB in all, while half is left */
    /* What all sessions may carry, as a part of the budget: the rest is for what they cannot do
     * without. */
    H2_MEMORY_CARRY_PART = 4
};

struct h2_block;

/* What all sessions of a server share: blocks that are not in use now. */
struct h2_spares {
    const px_allocator *allocator; /* borrowed: outlives it */
    struct budget *budget;         /* likewise: what sessions take theirs from; or NULL */
    struct h2_block *free[H2_MEMORY_CLASSES];
    uint32_t count[H2_MEMORY_CLASSES];
    struct list carrying; /* of h2_memory.carrying: those that began first are first */
    size_t carried_bytes; /* by all of them */
};

/* What one session has. */
struct h2_memory {
    struct h2_spares *spares; /* borrowed: outlives it */
    struct list blocks;       /* of h2_block */
    size_t bytes;             /* in use, without our own part */
    size_t bytes_max;
    struct list carrying; /* while it carries something */
    size_t carried_bytes; /* how much that is */
    /* Has to put what it carries, for others. */
    void (*give_way)(struct h2_memory *memory);
};

void h2_spares_init(struct h2_spares *spares, const px_allocator *allocator, struct budget *budget);
void h2_spares_deinit(struct h2_spares *spares);

/* Lets go of what is not in use. */
void h2_spares_drop(struct h2_spares *spares);

/* Takes that many bytes of the budget, for memory that comes from elsewhere; others may have to
 * give way.  h2_spares_give gives them back. */
bool h2_spares_reserve(struct h2_spares *spares, size_t bytes);
void h2_spares_give(struct h2_spares *spares, size_t bytes);

void h2_memory_init(struct h2_memory *memory, struct h2_spares *spares, size_t bytes_max);

/* Gives back every block that is still there. */
void h2_memory_deinit(struct h2_memory *memory);

/* States what must hold between two calls; for tests. */
void h2_memory_check(const struct h2_memory *memory);

void *h2_memory_take(struct h2_memory *memory, size_t bytes);
void *h2_memory_resize(struct h2_memory *memory, void *ptr, size_t bytes);
void h2_memory_put(struct h2_memory *memory, void *ptr);

/* The same of what a session carries: a part of something that is not whole, which its peer can
 * have us keep for as long as it likes.  All that is carried has a bound, and gives way where
 * memory is short: then give_way is called, which ends the session and puts what it carries.  One
 * block at a time. */
void *h2_memory_carry(struct h2_memory *memory, void *ptr, size_t bytes);
void h2_memory_carry_put(struct h2_memory *memory, void *ptr);

#endif
