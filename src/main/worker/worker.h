/*
 * One process that serves: a loop, a server on it, and what signals or a master mean to them.
 */
#ifndef PX_MAIN_WORKER_H
#define PX_MAIN_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "main/exit_code.h"
#include "main/file_watch.h"
#include "main/flags/options.h"
#include "main/listen/listen.h"
#include "main/log/log.h"
#include "main/observe/counts.h"
#include "main/run/run_swap.h"
#include "main/secure.h"
#include "process/board.h"
#include "process/control.h"
#include "process/notify.h"
#include "process/sandbox.h"

struct worker {
    const struct options *options; /* borrowed */
    const struct sandbox *sandbox; /* borrowed */
    uint32_t worker_count;         /* of the program, or 0: it is alone */
    int root_fd;                   /* borrowed: of the folder that is served; -1: none is given */
    int log_fd;                  /* owned by the worker from then on; -1: it opens the log itself */
    int log_lock_fd;             /* borrowed; -1: no other process writes the log */
    struct log_keep *log;        /* borrowed: alone, what is opened anew */
    struct log_set *logs;        /* borrowed: of hosts and routes; with a master a copy of its */
    struct listeners *listeners; /* borrowed; handed to the server when it is alone */

    /* With a master: */
    struct control_ends ends; /* open until the process ends; -1: it is alone */
    uint32_t beat_ms;
    struct board_block *block; /* borrowed */
    struct counts *counts;     /* borrowed: in which it counts, alone too */

    /* Alone: */
    struct file_watch *watch;    /* borrowed: files that are read anew when they change */
    struct secure_dates *dates;  /* borrowed: what was said of certificates */
    struct run_swap *swap;       /* borrowed: a configuration to read anew; NULL: there is none */
    const struct notify *notify; /* borrowed */
    /* Called when it serves; a result other than 0 ends it with that exit code. */
    int (*on_ready)(void *context);
    void *context;
};

static inline bool worker_is_alone(const struct worker *worker)
{
    return worker->ends.word_fd < 0;
}

/* States what holds of one that may run (worker_check.c). */
void worker_check(const struct worker *worker);

/* Serves until a drain has ended; what went wrong was said on stderr. */
enum exit_code worker_run(const struct worker *worker);

#endif
