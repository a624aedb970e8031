/*
 * Reading from files without stalling the loop: what the page cache holds is read at once, the rest
 * on a helper thread.
 */
#ifndef PX_IO_FILE_H
#define PX_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/helper.h"
#include "pollux/str.h"

/* Reads what can be read without waiting for a disk: PX_OK (0 bytes: the end of the file), PX_AGAIN
 * (a helper must read it) or PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err file_read_now(int fd, void *out, size_t room, uint64_t offset,
                                   size_t *out_bytes);

/* Whether the page cache has a range of a file, as far as looking here and there can tell.  What
 * lies behind the end of the file counts as there. */
bool file_is_warm(int fd, uint64_t offset, uint64_t length);

/* A read on a helper thread.  The caller's memory, in use until `done` was called. */
struct file_read {
    struct helper_job job; /* private */
    int fd;
    uint64_t offset;
    size_t room;
    char *out;     /* borrowed: until `done` */
    ssize_t count; /* the result: bytes, 0 at the end, -1 */
    int sys_errno;
    void (*done)(struct file_read *read, px_err status);
    void *context;
};

/* Has a helper thread read the range `offset`, `room` of the file into the page cache and nowhere
 * else; `out` is not used.  As file_read_later. */
PX_MUST_CHECK px_err file_warm_later(px_loop *loop, struct file_read *read);

/* Reads here and now, waiting for the disk; `done` is not called. */
void file_read_waiting(struct file_read *read);

/* Begins it: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err file_read_later(px_loop *loop, struct file_read *read);

/* A write on a helper thread, at the descriptor's position.  The caller's memory, in use until
 * `done` was called. */
struct file_write {
    struct helper_job job; /* private */
    int fd;
    px_str bytes;   /* borrowed: until `done` */
    size_t written; /* the result: all of them, or fewer and why */
    int sys_errno;  /* 0: all of them */
    void (*done)(struct file_write *job, px_err status);
};

/* Writes here and now, waiting for the disk; `done` is not called. */
void file_write_waiting(struct file_write *job);

/* Begins it: PX_OK, PX_ERR_LIMIT, PX_ERR_MEMORY or PX_ERR_CLOSED. */
PX_MUST_CHECK px_err file_write_later(px_loop *loop, struct file_write *job);

#endif
