/*
 * The files of unix sockets.
 *
 * Happy path: bind makes the file, its mode is as it was asked for.  What can go wrong: a file is
 * there already, left by a process that crashed or used by one that lives, and other users may
 * write the folder, so that what a path names can change between two calls.
 */
#include "net/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

bool unix_path_is_socket(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

void unix_file_note(struct unix_file *file, const char *path)
{
    struct stat status;

    CHECK(strlen(path) < sizeof(file->path));
    *file = (struct unix_file){.device = 0};
    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    snprintf(file->path, sizeof(file->path), "%s", path);
    file->device = status.st_dev;
    file->inode = status.st_ino;
}

void unix_file_remove(const struct unix_file *file)
{
    struct stat status;

    if (file->path[0] && lstat(file->path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        status.st_dev == file->device && status.st_ino == file->inode)
        unlink(file->path);
}

bool unix_path_is_stale(const struct net_address *address, struct unix_file *out_file)
{
    CHECK(address->socket.any.sa_family == AF_UNIX);
    unix_file_note(out_file, address->socket.local.sun_path);
    if (!out_file->path[0])
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    bool refused = connect(fd, &address->socket.any, address->bytes) != 0 && errno == ECONNREFUSED;

    close(fd);
    return refused;
}

int unix_path_mode(const char *path, mode_t mode)
{
    char held[sizeof("/proc/self/fd/") + 12];
    struct stat status;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int result = -1;

    CHECK((mode & ~(mode_t)07777) == 0);
    if (fd < 0)
        return -1;
    snprintf(held, sizeof(held), "/proc/self/fd/%d", fd);
    if (fstat(fd, &status) != 0)
        result = -1;
    else if (!S_ISSOCK(status.st_mode))
        errno = EADDRINUSE; /* by what was put there */
    else if ((status.st_mode & 07777) == mode)
        result = 0;
    else if (chmod(held, mode) == 0 || (errno == ENOENT && chmod(path, mode) == 0))
        result = 0;
    int sys_errno = errno;

    close(fd);
    errno = sys_errno;
    return result;
}
