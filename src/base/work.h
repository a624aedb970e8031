/*
 * Work that is not seen in what is received and sent: counted where it is done, in the units below,
 * and bounded in each turn of a tick for all connections together.  What is ready when a turn is
 * over waits for its own next turn, in the order in which it became ready.
 */
#ifndef PX_BASE_WORK_H
#define PX_BASE_WORK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* A unit is about a microsecond of a machine of today (docs/decisions/work-units.md).  The
     * first number is what a turn of a tick may begin: its timers, and its tasks; its streams have
     * two. So all stay below half of the 10 ms that a tick may take.  The second is what one
     * connection may have of it. */
    WORK_TURN_MAX = 1200,
    WORK_CONN_MAX = 512,
    WORK_RUN = 4,                /* a stream that is looked at: a system call or two */
    WORK_ACCEPT = 8,             /* a descriptor, its options, its place */
    WORK_CLOSE = 10,             /* likewise, at the end */
    WORK_PURGE_BYTES = 2 * 1024, /* that the kernel holds for a peer, and a close drops: one unit */
    WORK_REQUEST = 4,            /* routing, a handler */
    WORK_ANSWER = 2,             /* a head rendered, or a stream reset */
    WORK_END = 2,                /* memory given back, a line of log */
    WORK_LOOK = 1,               /* a deadline that is due */
    WORK_RESOLVE = 6,            /* a path, in the kernel's caches */
    WORK_POST = 4,               /* a call from another thread */
    WORK_SLICE = 4,              /* a slice of small frames, see h2_session.c */
    WORK_RECORD = 1,             /* a TLS record, opened */
    WORK_UPDATE = 12,            /* new keys, or a handshake that is refused */
    WORK_HANDSHAKE = 40,         /* a flight, without its signature */
    WORK_BYTES = 1024,           /* of heads decoded, of records opened: one unit */
    WORK_FILTER_BYTES = 64,      /* through filters: one unit */
    WORK_WALK_COUNT = 32,        /* connections passed in a walk over all: one unit */
    ACCEPTS_MIN = 8,             /* newcomers of a tick however much others have begun in it */
    POSTS_MIN = 8,               /* likewise, calls from other threads */
};

struct work {
    uint32_t turn;     /* since the turn that runs now began */
    uint32_t turn_max; /* of this turn */
    uint32_t tick;     /* since the tick began */
    uint32_t most;     /* of all ticks */
    bool behind;       /* streams wait on the again list since a turn was over */
};

static inline void work_count(struct work *work, uint32_t units)
{
    work->turn += units;
    work->tick += units;
}

static inline bool work_is_over(const struct work *work)
{
    return work->turn >= work->turn_max;
}

static inline void work_begin(struct work *work, uint32_t units_max)
{
    work->turn = 0;
    work->turn_max = units_max;
}

#endif
