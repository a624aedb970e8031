/*
 * The access log's way out of the process: to stdout or a file, without ever stalling the loop.
 *
 * Lines are collected in one buffer while a helper thread writes another.  When the reader of a
 * pipe sleeps or the disk is full, lines are dropped and counted, and the server goes on answering.
 */
#ifndef PX_MAIN_LOG_H
#define PX_MAIN_LOG_H

#include <stdbool.h>

#include "main/log/log_join.h"
#include "main/patience.h"
#include "pollux/loop.h"
#include "pollux/metrics.h"
#include "pollux/str.h"

struct log;

/* Opens it, before there is a loop.
 *  path: borrowed, outlives the log; NULL: stdout.  fd: owned on success: of log_descriptor_open,
 * for a process that may not open it; -1: it is opened here.  lock_fd: of log_lock_create,
 * borrowed, when several processes write it; else -1. PX_OK, PX_ERR_MEMORY, or the category of the
 * errno that opening the file gave. */
PX_MUST_CHECK px_err log_open(const char *path, int fd, int lock_fd, struct log **out_log,
                              px_error *out_error);

/* The same of one of several logs: `number` tells it apart from the others, which is 0 there, so
 * that a lock that processes share is one of each. */
PX_MUST_CHECK px_err log_open_at(const char *path, int fd, int lock_fd, uint32_t number,
                                 struct log **out_log, px_error *out_error);

/* Says on whose helper threads it is written, and where room is waited for.  PX_OK or
 * PX_ERR_MEMORY. */
PX_MUST_CHECK px_err log_start(struct log *log, px_loop *loop, px_error *out_error);

/* Where dropped lines are counted too; borrowed: outlives the log. */
void log_count_in(struct log *log, px_metrics *metrics, px_metric dropped);

/* Takes whole lines; they are copied.  The signature of on_log in px_server_options. */
void log_write(px_str lines, void *log);

/* Looks whether it has its receiver, where that is a process on this machine, and notes it.  Where
 * there is no master: no descriptor of log_take may have come. */
void log_join(struct log *log, struct log_join *join, bool *is_gone);

/* Opens the file anew under its name; what is not being written yet goes there. */
void log_reopen(struct log *log);

/* The same with a descriptor that the master opened (log_descriptor_open), which is owned from
 * now on.
 */
void log_take(struct log *log, int fd);

/* Hands on what is left, and waits for no reader any longer than `patience` lasts.  Several logs
 * are hastened first and finished then, so that they wait together. */
void log_hasten(struct log *log, const struct patience *patience);

/* Writes what is left by stepping the loop, while `patience` lasts; once started, once.  NULL is
 * fine. */
void log_finish(struct log *log, const struct patience *patience);

/* NULL is fine. */
void log_close(struct log *log);

#endif
