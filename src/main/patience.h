/*
 * How long the end of a process waits for others: the readers of its logs, a collector of traces.
 *
 * Each wait has a length of its own and a shorter one for an end in a hurry, and from the moment
 * that it is in a hurry all that is still waited for together has PATIENCE_HURRIED_MS.
 */
#ifndef PX_MAIN_PATIENCE_H
#define PX_MAIN_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Less than a master waits after "at once" (STOP_HURRIED_MS). */
enum { PATIENCE_HURRIED_MS = 1000 };

/* All zero: nothing is waited for, and there is no hurry. */
struct patience {
    uint64_t until_ms;         /* of the monotonic clock: the wait at hand */
    uint64_t hurried_until_ms; /* every wait; 0: there is no hurry */
    uint32_t short_ms;         /* how much longer the wait at hand lasts once there is */
};

/* Begins a wait; in a hurry it is the short one. */
void patience_begin(struct patience *patience, uint32_t long_ms, uint32_t short_ms);

/* Shortens the wait at hand and those to come. */
void patience_hurry(struct patience *patience);

static inline bool patience_is_hurried(const struct patience *patience)
{
    return patience->hurried_until_ms != 0;
}

/* What is left of the wait at hand; 0: it is over. */
int patience_left_ms(const struct patience *patience);

#endif
