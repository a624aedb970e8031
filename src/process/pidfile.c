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
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"

enum {
    PID_TEXT_BYTES = 24,
    NAME_BYTES = 32, /* of a program, as the kernel keeps it: 15 and LF */
};

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

/* The number in a pid file; 0 where it is empty or cannot be read, -1 where it holds something
 * else, and so is no pid file.  @param out_failure 0, or the errno of what cannot be read. */
static pid_t read_pid(const char *path, int *out_failure)
{
    char text[PID_TEXT_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    *out_failure = bytes < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    bytes = bytes > 0 ? bytes : 0;
    text[bytes] = '\0';
    size_t digits = strspn(text, "0123456789"), blanks = strspn(text + digits, " \n");
    long number = strtol(text, NULL, 10);

    if (digits + blanks != (size_t)bytes || bytes == (ssize_t)sizeof(text) - 1)
        return -1;
    return number > 0 && number <= INT_MAX ? (pid_t)number : 0;
}

static void read_name(pid_t pid, char *out_name, size_t room)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, out_name, room - 1);

    if (fd >= 0)
        close(fd);
    out_name[bytes > 0 ? bytes : 0] = '\0';
}

/* Numbers are used again, after a crash and even more after a boot: one that belongs to a program
 * of another name is a leftover. */
static bool is_alive(pid_t pid)
{
    char its[NAME_BYTES];
    char ours[NAME_BYTES];

    if (kill(pid, 0) != 0 && errno != EPERM)
        return false;
    read_name(pid, its, sizeof(its));
    read_name(getpid(), ours, sizeof(ours));
    return strcmp(its, ours) == 0;
}

px_err pidfile_check(const char *path, pid_t predecessor, px_error *out_error)
{
    struct stat there;

    if (lstat(path, &there) != 0)
        return error_clear(out_error);
    /* Renaming over a device or a folder must not happen, whichever user runs us. */
    if (!S_ISREG(there.st_mode))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "cannot write the pid file %s: it is not a regular file", path);
    int failure; /* what it is does not matter: writing says so */
    pid_t pid = read_pid(path, &failure);

    if (pid < 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "cannot write the pid file %s: it holds something else than a process id; "
                         "name another file, or remove this one",
                         path);
    if (pid != 0 && pid != predecessor && pid != getpid() && is_alive(pid))
        return error_set(out_error, PX_ERR_CONFLICT, 0,
                         "cannot write the pid file %s: it is that of process %ld, which runs",
                         path, (long)pid);
    return error_clear(out_error);
}

px_err pidfile_write(const char *path, pid_t pid, pid_t predecessor, px_error *out_error)
{
    char next[PATH_MAX];
    char text[PID_TEXT_BYTES];
    int text_len = snprintf(text, sizeof(text), "%ld\n", (long)pid);
    int path_len = snprintf(next, sizeof(next), "%s.%ld", path, (long)pid);

    CHECK(pid > 0 && (size_t)text_len < sizeof(text));
    if (path_len < 0 || (size_t)path_len >= sizeof(next))
        return pidfile_fail(path, ENAMETOOLONG, out_error);
    px_err err = pidfile_check(path, predecessor, out_error);

    if (err != PX_OK)
        return err;

    unlink(next); /* left over from a process of the same number that was killed right here */
    int failure = write_new(next, text, (size_t)text_len);
    if (failure == 0 && rename(next, path) != 0) {
        failure = errno;
        unlink(next);
    }
    return failure == 0 ? error_clear(out_error) : pidfile_fail(path, failure, out_error);
}

pid_t pidfile_read(const char *path, px_error *out_error)
{
    int failure;
    pid_t pid = read_pid(path, &failure);

    if (failure == ENOENT) {
        error_set(out_error, PX_ERR_NOT_FOUND, failure,
                  "%s is not there: does a pollux run, and with this pid file? (see --pid-file)",
                  path);
        return 0;
    }
    if (failure != 0) {
        error_set(out_error, error_category(failure), failure, "cannot read the pid file %s: %s",
                  path, strerror(failure));
        return 0;
    }
    if (pid < 0 || (pid > 0 && !is_alive(pid) && kill(pid, 0) == 0)) {
        error_set(out_error, PX_ERR_INVALID, 0, "%s is not the pid file of a pollux", path);
        return 0;
    }
    if (pid == 0 || !is_alive(pid)) {
        error_set(out_error, PX_ERR_NOT_FOUND, 0, "%s names no process that runs", path);
        return 0;
    }
    error_clear(out_error);
    return pid;
}

void pidfile_remove(const char *path, pid_t pid)
{
    char mine[PID_TEXT_BYTES];
    char found[PID_TEXT_BYTES];
    int len = snprintf(mine, sizeof(mine), "%ld\n", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    CHECK((size_t)len < sizeof(mine));
    if (fd < 0)
        return;
    ssize_t bytes = read(fd, found, sizeof(found));
    close(fd);
    if (bytes == len && memcmp(found, mine, (size_t)len) == 0)
        unlink(path);
}
