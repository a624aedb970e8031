/*
 * Writing and removing the pid file.
 *
 * The happy path: a file of another name is written and renamed over `path`.  It can fail by a
 * folder that is missing or not ours, and by a full disk; then nothing is left behind.
 */
#include "process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { PID_TEXT_BYTES = 24 };

static px_err pidfile_fail(const char *path, int sys_errno, px_error *out_error)
{
    return error_set(out_error, error_category(sys_errno), sys_errno,
                     "cannot write the pid file %s: %s", path, strerror(sys_errno));
}

/* The text of a new file; 0 or an errno. */
static int write_new(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    int result = 0;

    if (fd < 0)
        return errno;
    ssize_t written = write(fd, text, len);
    if (written < 0)
        result = errno;
    else if ((size_t)written != len)
        result = ENOSPC;
    if (close(fd) != 0 && result == 0)
        result = errno;
    if (result != 0)
        unlink(path);
    return result;
}

px_err pidfile_write(const char *path, pid_t pid, px_error *out_error)
{
    char next[PATH_MAX];
    char text[PID_TEXT_BYTES];
    struct stat there;
    int text_len = snprintf(text, sizeof(text), "%ld\n", (long)pid);
    int path_len = snprintf(next, sizeof(next), "%s.%ld", path, (long)pid);

    if (path_len < 0 || (size_t)path_len >= sizeof(next))
        return pidfile_fail(path, ENAMETOOLONG, out_error);
    /* Renaming over a device or a folder must not happen, whoever runs us. */
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "cannot write the pid file %s: it is not a regular file", path);

    unlink(next); /* left over from a process of the same number that was killed right here */
    int failure = write_new(next, text, (size_t)text_len);
    if (failure == 0 && rename(next, path) != 0) {
        failure = errno;
        unlink(next);
    }
    return failure == 0 ? error_clear(out_error) : pidfile_fail(path, failure, out_error);
}

void pidfile_remove(const char *path, pid_t pid)
{
    char mine[PID_TEXT_BYTES];
    char found[PID_TEXT_BYTES];
    int len = snprintf(mine, sizeof(mine), "%ld\n", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return;
    ssize_t bytes = read(fd, found, sizeof(found));
    close(fd);
    if (bytes == len && memcmp(found, mine, (size_t)len) == 0)
        unlink(path);
}
