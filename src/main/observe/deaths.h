/*
 * Saying that workers died: each of a few in a line of its own, many in one.
 */
#ifndef PX_MAIN_DEATHS_H
#define PX_MAIN_DEATHS_H

#include <stdint.h>
#include <sys/types.h>

#include "process/sandbox.h"

enum {
    DEATHS_SAID_MAX = 20,         /* lines in one window */
    DEATHS_WINDOW_MS = 10 * 1000, /* one line for the rest of them */
};

struct deaths {
    uint64_t since_ms;  /* the first of this window */
    uint32_t count;     /* in this window */
    uint64_t oom_kills; /* of our control group, as last read */
};

/* What there was before: kills for want of memory. */
void deaths_init(struct deaths *deaths);

/* A worker ended that should not have; `status` is of waitpid. */
void deaths_tell(struct deaths *deaths, const struct sandbox *sandbox, pid_t pid, int status,
                 uint64_t now_ms);

/* Says what has to be said when a window is over; at the end with `now_ms` UINT64_MAX. */
void deaths_look(struct deaths *deaths, uint64_t now_ms);

#endif
