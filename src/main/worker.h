/*
 * One process that serves: a loop, a server on it, and what signals mean to them.
 */
#ifndef PX_MAIN_WORKER_H
#define PX_MAIN_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "main/exit_code.h"
#include "main/listen.h"
#include "main/log.h"
#include "main/options.h"

struct worker {
    const struct options *options; /* borrowed */
    struct listeners *listeners;   /* borrowed; emptied */
    struct log *log;               /* borrowed; NULL: none */
    uint32_t index;
    bool has_master; /* signals come from it, not from a person */
    /* Called when it serves; a result other than 0 ends it with that exit code. */
    int (*on_ready)(void *context);
    void *context;
};

/* Serves until a drain has ended; what went wrong was said on stderr. */
enum exit_code worker_run(const struct worker *worker);

#endif
