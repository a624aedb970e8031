/*
 * Where log lines end: a file, what stdout is (a file, a pipe, a terminal, a socket), or a sink
 * (log_sink.h).
 *
 * Nothing here waits for a reader, but a disk may be slow: so all is called on a helper thread (but
 * opening, at start-up).
 */
#ifndef PX_MAIN_LOG_FILE_H
#define PX_MAIN_LOG_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "main/log/log_sink.h"
#include "pollux/str.h"

struct log_file {
    const char *path; /* borrowed: outlives it; NULL: stdout */
    int fd;           /* owned */
    int lock_fd;      /* borrowed; -1 when no other process writes */
    uint32_t lock_at; /* which byte of it is this log's */
    bool is_stream;   /* a pipe, a terminal or a socket: it may have no room */
    bool is_socket;
    bool is_sink;           /* `sink` is what it is */
    bool is_torn;           /* the last write ended within a line */
    bool is_lock_kept;      /* by another process, for longer than a write takes */
    bool is_locked;         /* by us */
    bool is_within;         /* a line was written in part, and its end is what is written next */
    uint64_t lock_asked_ms; /* since when the lock is asked for in vain; 0: it is not */
    bool is_alone;          /* it was opened here: no master connects it */
    _Atomic bool is_named;  /* messages of a unix sink name their receiver; while busy: shared */
    struct log_sink sink;
};

/* A lock for processes that write one log, whose batches of lines must not mix.  A descriptor
 * (closed on exec), or -1 with errno. */
int log_lock_create(void);

/* Opens the file, or what stdout is (NULL): a descriptor, or -1 with errno.  A link is followed by
 * root only where no other user can have put it. */
int log_descriptor_open(const char *path);

/* Only the end of a file is written from now on, by every process that shares the descriptor. */
void log_append_only(int fd);

/* Takes hold of `fd` (owned on success), or opens it where that is -1.  lock_fd: of
 * log_lock_create, borrowed; -1: no other process writes.  0, or an errno. */
int log_file_open(struct log_file *out_file, const char *path, int fd, int lock_fd);
void log_file_close(struct log_file *file);

/* Opens the path anew; on failure the old file stays.  0, or an errno. */
int log_file_reopen(struct log_file *file);

/* Goes on with what log_descriptor_open gave, which is owned from now on. */
void log_file_take(struct log_file *file, int fd);

/* Writes `lines` while there is room.  0, EAGAIN where there is none, EBUSY while another process
 * writes, or another errno; *out_bytes is how much was written in any case. */
int log_file_write(struct log_file *file, px_str lines, size_t *out_bytes);

/* What was to be written next is not: a line that was begun has no end. */
void log_file_drop(struct log_file *file);

/* What can be watched for room (POLLOUT), or -1: then it is asked again in a while. */
int log_file_watchable(const struct log_file *file);

#endif
