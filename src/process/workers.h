/*
 * A master and its workers: forks them, passes signals on, replaces those that die.
 *
 * The master does nothing else.  It holds whatever the workers inherit, so that a worker that takes
 * the place of a dead one finds the same sockets, with the connections that wait in them.
 */
#ifndef PX_PROCESS_WORKERS_H
#define PX_PROCESS_WORKERS_H

#include <stdint.h>

#include "pollux/error.h"

enum {
    WORKERS_MAX = 1024,
    RESTARTS_PER_SECOND =
        5, /* a worker that dies at once must not keep the machine busy with forks */
};

struct workers {
    uint32_t count;
    /* In a child, with all signals of signals_fill blocked: serves until WORKER_DRAIN or
     * WORKER_STOP. Calls workers_tell_ready(ready_fd) when it serves.  Its result is the exit code.
     */
    int (*on_work)(uint32_t index, int ready_fd, void *context);
    /* In the master: every worker serves.  A result other than 0 stops them; it is the exit code.
     */
    int (*on_ready)(void *context);
    /* In the master, once: the first signal to stop came, the workers are told next. */
    void (*on_stop)(void *context);
    /* In the master: a worker ended that should not have; `status` is of waitpid. */
    void (*on_death)(uint32_t index, int status, void *context);
    void *context; /* borrowed */
};

/* Runs them until the master is told to stop and the last has ended.  signals_block comes first.
 * PX_OK and the exit code; or the category of what could not be made (nothing is left running). */
PX_MUST_CHECK px_err workers_run(const struct workers *workers, int *out_exit_code,
                                 px_error *out_error);

/* A worker says that it serves.  The descriptor is closed. */
void workers_tell_ready(int ready_fd);

#endif
