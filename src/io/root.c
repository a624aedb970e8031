/*
 * Opening files beneath a folder.  The kernel keeps the path inside (RESOLVE_BENEATH), so there is
 * no gap between looking and opening that a rename could use.
 */
#include "io/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"

enum {
    OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    RACE_TRIES = 8, /* a rename somewhere on the way makes RESOLVE_BENEATH say EAGAIN */
    WARM_BYTES = 16 * 1024
};

static int open_beneath(const struct root *root, const char *path, uint64_t more)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_NO_MAGICLINKS | more};

    if (!root->follow)
        how.resolve |= RESOLVE_BENEATH;
    return (int)syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
}

/* Takes hold of `fd`; a negative one is an error with errno. */
static px_err root_take(struct root *root, int fd, const char *path, bool follow,
                        px_error *out_error)
{
    *root = (struct root){.fd = fd, .follow = follow};
    if (root->fd < 0)
        return error_set(out_error, error_category(errno), errno, "cannot serve %s: %s", path,
                         strerror(errno));
    /* Which calls there are is the same for every path. */
    fd = open_beneath(root, ".", 0);
    root->walk = fd < 0;
    if (fd >= 0)
        close(fd);
    fd = open_beneath(root, ".", RESOLVE_CACHED);
    root->no_cached = fd < 0 && errno == EINVAL;
    if (fd >= 0)
        close(fd);
    return error_clear(out_error);
}

px_err root_open(struct root *root, const char *path, bool follow, px_error *out_error)
{
    return root_take(root, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path, follow, out_error);
}

px_err root_open_at(struct root *root, int fd, const char *path, bool follow, px_error *out_error)
{
    return root_take(root, fcntl(fd, F_DUPFD_CLOEXEC, 0), path, follow, out_error);
}

void root_close(struct root *root)
{
    if (root->fd >= 0)
        close(root->fd);
    root->fd = -1;
}

void root_put(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* A segment at a time.  Links are not followed: where they lead cannot be known beforehand. */
static int open_walk(const struct root *root, const char *path)
{
    char segment[FILE_PATH_BYTES_MAX + 1];
    int at = root->fd;

    for (;;) {
        const char *end = strchrnul(path, '/');
        size_t bytes = (size_t)(end - path);
        const char *next = end;

        while (*next == '/')
            next++;
        if (bytes >= sizeof(segment)) {
            errno = ENAMETOOLONG;
            bytes = 0;
        } else {
            memcpy(segment, path, bytes);
        }
        segment[bytes] = '\0';
        bool last = *next == '\0';
        int flags = last && *end == '\0' ? OPEN_FLAGS : OPEN_FLAGS | O_DIRECTORY;
        /* ".." is not to be found in a path that was normalised, and must not be followed. */
        bool good = bytes > 0 && strcmp(segment, "..") != 0;
        int fd = good ? openat(at, segment, flags | O_NOFOLLOW) : -1;
        int sys_errno = good ? errno : ENOENT;

        if (at != root->fd)
            close(at);
        errno = sys_errno;
        if (fd < 0 || last)
            return fd;
        at = fd;
        path = next;
    }
}

static px_err find_category(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV: /* it leads out */
    case ENAMETOOLONG:
    case ENXIO:  /* a socket */
    case ENODEV: /* a device without a driver */
    case EINVAL: /* a name that the file system cannot have */
    case EILSEQ:
        return PX_ERR_NOT_FOUND;
    case EAGAIN: /* still being renamed, or leased */
        return PX_ERR_LIMIT;
    }
    return error_category(sys_errno);
}

void file_info_fill(struct file_info *out_info, const struct stat *stat)
{
    *out_info = (struct file_info){
        .kind = S_ISDIR(stat->st_mode) ? FILE_FOLDER : FILE_REGULAR,
        .modified = stat->st_mtim.tv_sec,
        .modified_ns = (uint32_t)stat->st_mtim.tv_nsec,
        .changed = stat->st_ctim.tv_sec,
        .changed_ns = (uint32_t)stat->st_ctim.tv_nsec,
        .size = stat->st_size > 0 ? (uint64_t)stat->st_size : 0,
        .device = stat->st_dev,
        .inode = stat->st_ino,
    };
}

static int open_patiently(const struct root *root, const char *path)
{
    int fd = -1;

    for (int tries = 0; tries < RACE_TRIES; tries++) {
        if (root->walk)
            fd = root->follow ? openat(root->fd, path, OPEN_FLAGS) : open_walk(root, path);
        else
            fd = open_beneath(root, path, 0);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

px_err root_find(const struct root *root, const char *path, enum root_patience patience,
                 int *out_fd, struct file_info *out_info)
{
    struct stat stat;
    int fd;

    if (*path == '\0')
        path = ".";
    if (patience == ROOT_NOW) {
        if (root->walk || root->no_cached)
            return PX_AGAIN;
        fd = open_beneath(root, path, RESOLVE_CACHED);
        if (fd < 0 && (errno == EAGAIN || errno == EINTR))
            return PX_AGAIN;
    } else {
        fd = open_patiently(root, path);
    }
    if (fd < 0)
        return find_category(errno);
    if (fstat(fd, &stat) != 0) {
        px_err err = find_category(errno);

        close(fd);
        return err;
    }
    if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode)) {
        close(fd);
        return PX_ERR_NOT_FOUND;
    }
    file_info_fill(out_info, &stat);
    *out_fd = fd;
    return PX_OK;
}

bool root_unchanged(int fd, const struct file_info *info)
{
    struct file_info now;
    struct stat stat;

    if (fstat(fd, &stat) != 0)
        return false;
    file_info_fill(&now, &stat);
    return file_info_equal(&now, info);
}

void root_warm(int fd, uint64_t bytes)
{
    char scrap[WARM_BYTES];
    ssize_t count = 1;

    for (uint64_t at = 0; at < bytes && count > 0; at += (uint64_t)count)
        count = pread(fd, scrap, sizeof(scrap), (off_t)at);
}
