/*
 * Reading what is in a folder.  Every call may block: helper threads.
 *
 * Happy path: open, next until there is no more, close.  Files and folders alone are seen: no
 * FIFO, device or socket, no "." and "..".  It can fail because the folder has gone, or the disk.
 */
#ifndef PX_IO_FOLDER_H
#define PX_IO_FOLDER_H

#include <stdbool.h>

#include "io/root.h"

struct folder {
    void *stream; /* owned: of the C library */
};

struct folder_item {
    const char *name; /* borrowed: until the next call */
    bool is_link;     /* `info` is not filled in: where it leads has to be asked of the root */
    struct file_info info;
};

/* Opens the folder that `fd` is open on, anew: `fd` stays as it is.  PX_OK, PX_ERR_LIMIT,
 * PX_ERR_MEMORY or another category of the system's. */
PX_MUST_CHECK px_err folder_open(struct folder *folder, int fd);

/* The next item, in no order: PX_OK, PX_ERR_NOT_FOUND behind the last, PX_ERR_SYSTEM.
 * `wanted` is asked for each name before the file is looked at; NULL: all. */
PX_MUST_CHECK px_err folder_next(struct folder *folder, bool (*wanted)(const char *name),
                                 struct folder_item *out_item);

void folder_close(struct folder *folder);

#endif
