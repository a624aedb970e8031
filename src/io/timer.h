/*
 * Timers of a loop: a binary heap of embedded nodes, earliest first.
 *
 * Room in the heap is made when a timer is made, so starting one cannot fail.  Deadlines of
 * connections do not live here one by one (server/session/deadline.h keeps them in constant time);
 * this heap serves what is few.
 */
#ifndef PX_IO_TIMER_H
#define PX_IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "pollux/error.h"

enum { TIMER_IDLE = UINT32_MAX };

struct io_timer {
    uint64_t due_ms;
    uint32_t index; /* in the heap, or TIMER_IDLE */
    void (*on_due)(struct io_timer *timer);
};

struct timer_heap {
    struct io_timer **nodes; /* owned array of borrowed timers */
    uint32_t count;
    uint32_t room;
    uint32_t timer_count;          /* timers that exist, started or not */
    uint64_t floor_ms;             /* while firing: nothing that is started now is due before */
    const px_allocator *allocator; /* borrowed: outlives the heap */
};

void timer_heap_init(struct timer_heap *heap, const px_allocator *allocator);
void timer_heap_deinit(struct timer_heap *heap);

/* PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err timer_init(struct timer_heap *heap, struct io_timer *timer,
                                void (*on_due)(struct io_timer *timer));
void timer_deinit(struct timer_heap *heap, struct io_timer *timer);

void timer_start(struct timer_heap *heap, struct io_timer *timer, uint64_t due_ms);
void timer_stop(struct timer_heap *heap, struct io_timer *timer);

/* States what must hold; for tests. */
void timer_heap_check(const struct timer_heap *heap);

static inline bool timer_started(const struct io_timer *timer)
{
    return timer->index != TIMER_IDLE;
}

/* When the earliest is due: *out_due_ms is written and true returned, or false when none is. */
bool timer_next(const struct timer_heap *heap, uint64_t *out_due_ms);

/* Fires what is due at `now_ms`; a timer that starts itself anew waits for the next call. */
void timer_fire(struct timer_heap *heap, uint64_t now_ms);

#endif
