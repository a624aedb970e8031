/*
 * The file that holds the number of the running process, for scripts that send it signals.
 */
#ifndef PX_PROCESS_PIDFILE_H
#define PX_PROCESS_PIDFILE_H

#include <sys/types.h>

#include "pollux/error.h"

/* Writes `pid` and LF to `path`, all at once: a reader sees the whole file or none.
 * PX_OK; PX_ERR_INVALID when something that is not a regular file is there; else the category of
 * the errno. */
PX_MUST_CHECK px_err pidfile_write(const char *path, pid_t pid, px_error *out_error);

/* Removes it when it still holds `pid`: a successor may have written its own. */
void pidfile_remove(const char *path, pid_t pid);

#endif
