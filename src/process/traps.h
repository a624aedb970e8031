/*
 * A black box: which system call a process was ended for by its filter.
 *
 * The memory is shared between a master and its workers.  A worker's last act is to write its pid
 * and the number of the call; the master reads that when it finds the worker dead by SIGSYS, and
 * believes nothing in it, for it was written by a process that did what it should not.
 */
#ifndef PX_PROCESS_TRAPS_H
#define PX_PROCESS_TRAPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "pollux/error.h"

enum {
    TRAPS_MAX = 64, /* deaths that the master has not looked at yet; older ones are overwritten */
};

struct traps;

/* NULL: out of memory.  Before the first fork. */
struct traps *traps_create(void);

void traps_destroy(struct traps *traps);

/* From now on a call that the filter refuses (SIGSYS) is noted and ends this process.  NULL: only
 * ends it.  Threads must not block SIGSYS. */
PX_MUST_CHECK px_err traps_catch(struct traps *traps, px_error *out_error);

/* Whether `pid` noted one, which is forgotten then.  The number may be anything. */
bool traps_take(struct traps *traps, pid_t pid, int *out_call);

#endif
