/*
 * Reading a small file whole, at start: waits for the disk.
 *
 * It can fail as opening and reading can, and by a file that is larger than the caller can use, or
 * none at all (a folder, a FIFO).
 */
#ifndef PX_IO_WHOLE_FILE_H
#define PX_IO_WHOLE_FILE_H

#include <stddef.h>

#include "pollux/alloc.h"
#include "pollux/error.h"

/* Reads it into memory of the allocator, which the caller gives back, and ends it with a NUL that
 * is not counted: PX_OK, PX_ERR_NOT_FOUND, PX_ERR_LIMIT, PX_ERR_MEMORY or another, with a line that
 * names the path. */
PX_MUST_CHECK px_err whole_file_read(const px_allocator *allocator, const char *path,
                                     size_t bytes_max, char **out_text, size_t *out_bytes,
                                     px_error *out_error);

#endif
