/*
 * Caches on a loop: what was not asked for in a while is let go, so that memory comes back when the
 * load is gone.
 *
 * Happy path: a cache is noted whenever something is put into it; a timer of the loop has it let go
 * of what was not used since it last did.  Without memory for the timer nothing grows old.  One
 * thread.
 */
#ifndef PX_IO_CACHE_H
#define PX_IO_CACHE_H

#include "io/io.h"

/* All zero at first. */
struct loop_cache {
    struct list node; /* on loop->caches while `loop` is set */
    px_loop *loop;    /* NULL: not on one yet, or it has ended */
    uint64_t due_ms;
    bool holds; /* something that can grow old: set by loop_cache_note, cleared by `age` */
    /* Lets go of what was not used since the last call that was not cut short, CACHE_AGE_COUNT at
     * most: how many there were.  That many: it is called again soon.  Clears `holds` when nothing
     * is left. */
    uint32_t (*age)(struct loop_cache *cache);
    /* In builds for tests: states what must hold of it between ticks.  NULL: nothing. */
    void (*check)(const struct loop_cache *cache);
};

/* Something was put in; `age` is set. */
void loop_cache_note(px_loop *loop, struct loop_cache *cache);

/* The cache ends; it may have outlived its loop. */
void loop_cache_leave(struct loop_cache *cache);

/* What must hold of a loop's caches between ticks. */
void loop_caches_check(const px_loop *loop);

/* The loop ends. */
void loop_caches_end(px_loop *loop);

#endif
