/*
 * What came of a reload, where `pollux reload` finds it: a file beside the pid file.
 *
 *   pollux-reload BEGAN CODE BYTES LF, so many bytes of text, end BEGAN LF, config PATH LF
 *
 * BEGAN is when the configuration was read, in nanoseconds of the monotonic clock, which is the
 * same for all processes: what began before the signal was sent is not its outcome.  PATH is the
 * configuration that the process reads, absolute, and is there from the start, when BEGAN is 0; the
 * line is not where it could not be told.
 */
#ifndef PX_MAIN_RUN_OUTCOME_H
#define PX_MAIN_RUN_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "main/exit_code.h"

enum { RUN_OUTCOME_BYTES_MAX = 64 * 1024 };

struct run_outcome {
    char *path;   /* owned; NULL: there is none */
    char *config; /* owned: what is read, absolute; NULL: not known */
    int fd;       /* owned; -1: none */
    uint64_t began_ns;
};

/* Makes the file; where it cannot be made a reload is not waited for.  `pid_file` may be NULL.
 *  config: the configuration that is read, relative to where the process is now. */
void run_outcome_open(struct run_outcome *outcome, const char *pid_file, const char *config);

/* Ends it; the file goes where `is_ours`. */
void run_outcome_close(struct run_outcome *outcome, bool is_ours);

/* The configuration is read from now on. */
void run_outcome_begin(struct run_outcome *outcome);

/* What came of it. */
void run_outcome_end(const struct run_outcome *outcome, enum exit_code code, px_str text);

/* The file's name; owned by the caller; NULL without memory. */
char *run_outcome_path(const char *pid_file);

/* Reads what came of a reload that began at `since_ns` or later: true when there is something.
 * `out_text` is filled, and cut at its cap. */
bool run_outcome_read(const char *path, uint64_t since_ns, enum exit_code *out_code,
                      struct buf *out_text);

/* The configuration that the process reads; owned by the caller, NULL: it is not known. */
char *run_outcome_config(const char *path);

uint64_t run_outcome_now_ns(void);

#endif
