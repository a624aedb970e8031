/*
 * How this process speaks: up to which level, and whether its lines go to a log.
 *
 * A fork speaks as its parent did.
 */
#ifndef PX_PROCESS_SPOKEN_H
#define PX_PROCESS_SPOKEN_H

#include <stdbool.h>

struct spoken {
    int level_max; /* as in syslog(3): what is above it is not said, but for debug */
    bool is_log;   /* stderr is a file of its own: lines have time, level and process */
};

/* All is said, to a person, until this is called; before the first fork. */
void spoken_settle(struct spoken spoken);

struct spoken spoken_as(void);

#endif
