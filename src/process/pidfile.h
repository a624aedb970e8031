/*
 * The file that holds the number of the running process, for scripts that send it signals.
 */
#ifndef PX_PROCESS_PIDFILE_H
#define PX_PROCESS_PIDFILE_H

#include <sys/types.h>

#include "pollux/error.h"

/* Whether `path` may be written: PX_ERR_CONFLICT when it holds the number of another program of our
 * name that runs (but `predecessor`'s; 0: there is none), PX_ERR_INVALID when something that is not
 * a regular file is there. */
PX_MUST_CHECK px_err pidfile_check(const char *path, pid_t predecessor, px_error *out_error);

/* Writes `pid` and LF to `path`, all at once: a reader sees the whole file or none.
 * PX_OK, the result of pidfile_check, or the category of the errno. */
PX_MUST_CHECK px_err pidfile_write(const char *path, pid_t pid, pid_t predecessor,
                                   px_error *out_error);

/* The number in a pid file of a program of our name that runs; 0: PX_ERR_NOT_FOUND (no file, or the
 * program has ended), PX_ERR_INVALID (it is no pid file, or of another program), or the category of
 * why it cannot be read. */
pid_t pidfile_read(const char *path, px_error *out_error);

/* Removes it when it still holds `pid`: a successor may have written its own. */
void pidfile_remove(const char *path, pid_t pid);

#endif
