/*
 * Opening files beneath a folder.  The kernel keeps the path inside (RESOLVE_BENEATH), so there is
 * no gap between looking and opening that a rename could use.
 */
#include "io/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"

enum {
    OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    LINKS_MAX = 40, /* as the kernel */
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

/* --- Without openat2 -------------------------------------------------------------------------- */

/* A path that is resolved a segment at a time, so that no link is followed but by us. */
struct walk {
    const struct root *root;
    int fd;         /* the folder that `done` leads to; the root's own, or owned */
    uint32_t links; /* followed so far */
    size_t done_len;
    size_t left_at;
    char done[FILE_PATH_BYTES_MAX + 1];     /* resolved: neither links nor dots, no slash behind */
    char left[2 * FILE_PATH_BYTES_MAX + 2]; /* from `left_at` on: to be resolved */
};

static void walk_move(struct walk *walk, int fd)
{
    if (walk->fd != walk->root->fd)
        close(walk->fd);
    walk->fd = fd;
}

/* The next segment of `*path` in `out_name`; moves behind it and its slashes.  `out_slash`: there
 * was one.  0, or an error number. */
static int segment_take(const char **path, char out_name[NAME_MAX + 1], bool *out_slash)
{
    const char *end = strchrnul(*path, '/');
    size_t bytes = (size_t)(end - *path);

    if (bytes > NAME_MAX)
        return ENAMETOOLONG;
    memcpy(out_name, *path, bytes);
    out_name[bytes] = '\0';
    *out_slash = *end == '/';
    while (*end == '/')
        end++;
    *path = end;
    return 0;
}

/* "..": the folder above, looked for from the root again, since the kernel's own may be another by
 * now.  A segment that has become a link meanwhile is not followed.  0, or an error number. */
static int walk_up(struct walk *walk)
{
    const char *path = walk->done;
    char *slash = strrchr(walk->done, '/');
    char name[NAME_MAX + 1];
    bool more;

    if (walk->done_len == 0)
        return EXDEV; /* it leads out */
    walk->done_len = slash ? (size_t)(slash - walk->done) : 0;
    walk->done[walk->done_len] = '\0';
    walk_move(walk, walk->root->fd);
    while (*path) {
        int error = segment_take(&path, name, &more);
        int fd = error ? -1 : openat(walk->fd, name, OPEN_FLAGS | O_DIRECTORY | O_NOFOLLOW);

        if (fd < 0)
            return error ? error : errno;
        walk_move(walk, fd);
    }
    return 0;
}

/* Puts where the link `name` leads in front of what is left.  `sys_errno` is why it could not be
 * opened, which stands when it is no link.  0, or an error number. */
static int walk_link(struct walk *walk, const char *name, bool slash, int sys_errno)
{
    char target[FILE_PATH_BYTES_MAX + 1];
    ssize_t count = readlinkat(walk->fd, name, target, sizeof(target) - 1);
    size_t rest = strlen(walk->left + walk->left_at);

    if (count < 0)
        return sys_errno;
    if (count == 0 || target[0] == '/')
        return EXDEV; /* as RESOLVE_BENEATH has it: an absolute one leads out */
    if (++walk->links > LINKS_MAX)
        return ELOOP;
    if ((size_t)count + 1 + rest >= sizeof(walk->left) || (size_t)count == sizeof(target) - 1)
        return ENAMETOOLONG;
    memmove(walk->left + count + slash, walk->left + walk->left_at, rest + 1);
    memcpy(walk->left, target, (size_t)count);
    if (slash)
        walk->left[count] = '/';
    walk->left_at = 0;
    return 0;
}

/* Goes on by one segment: 0, or an error number.  `out_fd` is the file once all is resolved. */
static int walk_step(struct walk *walk, int *out_fd)
{
    const char *path = walk->left + walk->left_at;
    char name[NAME_MAX + 1];
    bool slash;
    int error = segment_take(&path, name, &slash);

    if (error)
        return error;
    walk->left_at = (size_t)(path - walk->left);
    bool last = *path == '\0';

    if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0 || *name == '\0') {
        error = strcmp(name, "..") == 0 ? walk_up(walk) : *name == '\0' ? ENOENT : 0;
        if (!error && last)
            *out_fd = openat(walk->fd, ".", OPEN_FLAGS | O_DIRECTORY);
        return error ? error : last && *out_fd < 0 ? errno : 0;
    }
    int flags = last && !slash ? OPEN_FLAGS : OPEN_FLAGS | O_DIRECTORY;
    int fd = openat(walk->fd, name, flags | O_NOFOLLOW);

    if (fd < 0) /* ENOTDIR: a link where a folder was wanted says that, too */
        return errno == ELOOP || errno == ENOTDIR ? walk_link(walk, name, slash, errno) : errno;
    if (last) {
        *out_fd = fd;
        return 0;
    }
    size_t len = strlen(name);

    walk_move(walk, fd);
    if (walk->done_len + 1 + len >= sizeof(walk->done))
        return ENAMETOOLONG;
    if (walk->done_len > 0)
        walk->done[walk->done_len++] = '/';
    memcpy(walk->done + walk->done_len, name, len + 1);
    walk->done_len += len;
    return 0;
}

/* What openat2 does with RESOLVE_BENEATH: links are read and followed, and none leads out. */
static int open_walk(const struct root *root, const char *path)
{
    struct walk walk = {.root = root, .fd = root->fd};
    size_t bytes = strlen(path);
    int fd = -1, error = bytes > FILE_PATH_BYTES_MAX ? ENAMETOOLONG : 0;

    if (!error)
        memcpy(walk.left, path, bytes + 1);
    while (!error && fd < 0)
        error = walk_step(&walk, &fd);
    walk_move(&walk, root->fd);
    errno = error;
    return fd;
}

/* --- Finding ---------------------------------------------------------------------------------- */

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

px_err root_look(int fd, struct file_info *out_info)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0)
        return PX_ERR_SYSTEM;
    file_info_fill(out_info, &stat);
    return PX_OK;
}

bool root_unchanged(int fd, const struct file_info *info)
{
    struct file_info now;

    return root_look(fd, &now) == PX_OK && file_info_equal(&now, info);
}

void root_warm(int fd, uint64_t bytes)
{
    char scrap[WARM_BYTES];
    ssize_t count = 1;

    for (uint64_t at = 0; at < bytes && count > 0; at += (uint64_t)count)
        count = pread(fd, scrap, sizeof(scrap), (off_t)at);
}

ssize_t root_read(int fd, void *out, size_t room, uint64_t offset)
{
    ssize_t count;

    do
        count = pread(fd, out, room, (off_t)offset);
    while (count < 0 && errno == EINTR);
    return count;
}
