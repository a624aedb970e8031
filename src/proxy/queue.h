/*
 * Requests that wait until a server has room: in order, so many, and no longer than they may.
 *
 * Happy path: queue_add; queue_serve calls them as room comes about.  One that leaves is taken out.
 * What can go wrong: it took too long, and then it is called all the same.
 */
#ifndef PX_PROXY_QUEUE_H
#define PX_PROXY_QUEUE_H

#include "base/list.h"
#include "pollux/loop.h"

struct queue;

struct waiter {
    struct list node; /* in queue.waiters; linked while it waits */
    uint64_t due_ms;
    /* It waits no more: for having its turn, or being late. */
    void (*call)(struct waiter *waiter, bool is_late);
};

struct queue {
    px_loop *loop;       /* borrowed */
    px_timer *timer;     /* owned */
    struct list waiters; /* in order */
    uint64_t due_ms;     /* when the timer fires, at the soonest; UINT64_MAX: never */
    uint32_t count;
    bool is_serving;
};

/* PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err queue_init(struct queue *queue, px_loop *loop);
void queue_deinit(struct queue *queue);

/* It is called from the loop, or by queue_serve. */
void queue_add(struct queue *queue, struct waiter *waiter, uint64_t due_ms);

/* Takes it out, if it waits. */
void queue_leave(struct queue *queue, struct waiter *waiter);

/* Calls one after the other, while `has_room` says that a server would take it: the first of which
 * `is_fair` says that it may go before all others, else the first. */
void queue_serve(struct queue *queue, bool (*has_room)(const void *context),
                 bool (*is_fair)(const struct waiter *waiter), const void *context);

#endif
