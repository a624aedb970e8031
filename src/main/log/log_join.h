/*
 * Whether the logs that go to another process on this machine have a receiver (log_sink.h).
 *
 * One that is started anew makes another socket of the same name, and what was connected to the old
 * one reaches nothing.  So each socket is connected once more from time to time: where it is by one
 * process, it is for all that share it.  It costs a call where nothing has changed.  The one
 * process that there is without a master may not connect: it looks at what has the name
 * (log_sink.h).
 */
#ifndef PX_MAIN_LOG_JOIN_H
#define PX_MAIN_LOG_JOIN_H

#include <stdbool.h>
#include <stdint.h>

/* What one look at all logs has found, so that it is told in one line. */
struct log_join {
    const char *gone; /* borrowed: a log that has lost its receiver; NULL: none */
    const char *back; /* borrowed: one that has its receiver again; NULL: none */
    uint32_t gone_count;
    uint32_t back_count;
    int failure; /* an errno: why `gone` cannot be connected */
};

/* Connects a log's socket anew, where it is one of a unix sink: any other is left alone.
 *  path: the log's; NULL: stdout.  is_gone: what was found the last time, and is now. */
void log_join_look(struct log_join *join, const char *path, int fd, bool *is_gone);

/* Notes what was found of a log: 0, or why it has no receiver (an errno). */
void log_join_note(struct log_join *join, const char *path, int failure, bool *is_gone);

/* Says what has changed, if anything has. */
void log_join_tell(const struct log_join *join);

#endif
