/*
 * Virtual time and what is to happen in it.
 *
 * The monotonic clock only moves when the simulation moves it: a little with every system call, and
 * to the next event when the engine waits.  The real-time clock is the monotonic one plus an offset
 * that may jump.  Two events due at the same instant come in seeded order.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_random.h"

#define SIM_NS_PER_US ((uint64_t)1000)
#define SIM_NS_PER_MS ((uint64_t)1000 * 1000)
#define SIM_NS_PER_S ((uint64_t)1000 * 1000 * 1000)
#define SIM_NEVER UINT64_MAX

/* Something that happens later.  Embedded in its owner, zeroed before its first use. */
struct sim_event {
    void (*fire)(struct sim_event *event);
    uint64_t time_ns;
    uint64_t order;
    uint32_t place; /* its place in the heap, from 1; 0 when it is not scheduled */
};

struct sim_clock {
    uint64_t now_ns;         /* the monotonic clock */
    int64_t real_offset_ns;  /* real time less monotonic time */
    struct sim_event **heap; /* owned; entries borrowed from their owners; heap[0] is unused */
    uint32_t count;
    uint32_t room;
    struct sim_random *random; /* borrowed: outlives the clock */
    uint64_t fired;
};

void sim_clock_init(struct sim_clock *clock, struct sim_random *random);
void sim_clock_deinit(struct sim_clock *clock);

/* Schedules, or schedules anew. */
void sim_event_start(struct sim_clock *clock, struct sim_event *event, uint64_t delay_ns,
                     void (*fire)(struct sim_event *event));
void sim_event_stop(struct sim_clock *clock, struct sim_event *event);

static inline bool sim_event_waits(const struct sim_event *event)
{
    return event->place != 0;
}

/* When the next event is due, or SIM_NEVER. */
uint64_t sim_clock_next(const struct sim_clock *clock);

/* Moves time to `until_ns` (never back) and fires what is due on the way, in order. */
void sim_clock_advance(struct sim_clock *clock, uint64_t until_ns);

/* The real-time clock in nanoseconds since 1970. */
uint64_t sim_clock_real_ns(const struct sim_clock *clock);

#endif
