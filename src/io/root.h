/*
 * A folder that files are served from, opened once, and the files beneath it.
 *
 * Happy path: openat2 resolves a whole path below the folder's descriptor in one call; first only
 * with what the kernel has in its caches (nothing can block), and if that is not enough, by a
 * helper thread.  It can fail because there is no such file, because a link or ".." leaves the
 * folder, for want of permission, descriptors or memory, or because the disk does.
 *
 * Kernels before 5.6, and sandboxes that forbid openat2, get a walk of one openat a segment, which
 * reads links and follows those that stay inside.
 */
#ifndef PX_IO_ROOT_H
#define PX_IO_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pollux/error.h"

struct root {
    int fd;         /* owned; -1: closed */
    bool walk;      /* openat2 cannot be used: every open may block */
    bool no_cached; /* the kernel does not know RESOLVE_CACHED: every open may block */
    bool follow;    /* links may lead out of the folder */
};

enum file_kind { FILE_REGULAR, FILE_FOLDER };

/* What was found; everything that tells one state of a file from another. */
struct file_info {
    uint8_t kind; /* enum file_kind */
    uint32_t modified_ns;
    uint32_t changed_ns;
    int64_t modified; /* Unix seconds */
    int64_t changed;
    uint64_t size;
    uint64_t device;
    uint64_t inode;
};

/* Whether an open may wait for a disk (helper threads) or may not (the loop's thread). */
enum root_patience { ROOT_NOW, ROOT_WAIT };

/* Opens a folder.  Writes `out_error`.  May block. */
PX_MUST_CHECK px_err root_open(struct root *root, const char *path, bool follow,
                               px_error *out_error);
/* The same of one that is open; `fd` is borrowed for the call.  `path` names it. */
PX_MUST_CHECK px_err root_open_at(struct root *root, int fd, const char *path, bool follow,
                                  px_error *out_error);
void root_close(struct root *root);

/* Opens a regular file or a folder beneath the root, for reading, without blocking on a FIFO.
 * `path` is relative ("" is the root itself), decoded, without "..".
 * PX_OK; PX_AGAIN (ROOT_NOW: it may block); PX_ERR_NOT_FOUND (also what is neither file nor folder,
 * and what leads out); PX_ERR_PERMISSION; PX_ERR_LIMIT (descriptors); PX_ERR_MEMORY;
 * PX_ERR_SYSTEM.  Any thread. */
PX_MUST_CHECK px_err root_find(const struct root *root, const char *path,
                               enum root_patience patience, int *out_fd,
                               struct file_info *out_info);

/* Reads what there is of the first `bytes` bytes, to have them in the page cache.  Blocks. */
void root_warm(int fd, uint64_t bytes);

/* Reads up to `room` bytes from `offset` on: how many, 0 at the end, -1 when it fails.  Blocks. */
ssize_t root_read(int fd, void *out, size_t room, uint64_t offset);

/* What an open file or folder is now: PX_OK or PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err root_look(int fd, struct file_info *out_info);

/* Whether an open file is still what root_find found; not, whether it still has its name. */
bool root_unchanged(int fd, const struct file_info *info);

/* Gives a descriptor of root_find back. */
void root_put(int fd);

struct stat;

/* What the system says of a regular file or a folder. */
void file_info_fill(struct file_info *out_info, const struct stat *stat);

static inline bool file_info_equal(const struct file_info *left, const struct file_info *right)
{
    return left->inode == right->inode && left->device == right->device &&
           left->size == right->size && left->modified == right->modified &&
           left->modified_ns == right->modified_ns && left->changed == right->changed &&
           left->changed_ns == right->changed_ns && left->kind == right->kind;
}

#endif
