/*
 * The signals of the program, as its users know them, and what the master tells its workers.
 */
#ifndef PX_PROCESS_SIGNALS_H
#define PX_PROCESS_SIGNALS_H

#include <signal.h>

/* The master speaks to a worker in signals of its own.  It does not pass on what it got: a terminal
 * sends INT to every process of the group, and a service manager may send TERM to each, and a
 * worker that counted them would take the second for "at once". */
enum worker_signal {
    WORKER_DRAIN = SIGTERM,  /* any number of times */
    WORKER_STOP = SIGUSR2,   /* at once */
    WORKER_REOPEN = SIGHUP,  /* the log */
    WORKER_REPORT = SIGUSR1, /* reopen the log and print the counters */
};

/* Blocks everything that is read from a descriptor later, so that nothing is lost and nothing kills
 * us on the way up; SIGPIPE is ignored.  For a process that is still alone. */
void signals_block(void);

/* The set that signals_block blocks. */
void signals_fill(sigset_t *out_set);

#endif
