/*
 * The descriptor of the log.
 *
 * The happy path is one write.  A pipe, a terminal or a socket may have no room: then that is said,
 * and the rest is written later, so that a reader that sleeps holds no helper thread. stdout is
 * shared with other programs, so its flags are left alone: where it can be, it is opened once more
 * with O_NONBLOCK, and where it cannot, only what is sure to fit is written.
 *
 * Lines of several processes are kept apart twice.  A file takes a write to its end whole, and a
 * pipe takes whole lines of up to PIPE_BUF bytes whole; the lock is for lines that are longer, and
 * for what is neither.  So a process that keeps the lock cannot keep others' lines from the log.
 */
#include "main/log/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum {
    LOCK_PATIENCE_MS = 1000, /* a batch is written in much less, unless its reader sleeps */
    LOG_MODE = 0640,
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether a link there is root's alone: a user that may write its folder could put one there that
 * leads to a file of root's. */
static bool is_folder_of_root(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat status;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return stat(folder, &status) == 0 && status.st_uid == 0 &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A FIFO without a reader refuses to be opened for writing alone. */
static int open_path(const char *path)
{
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

    if (geteuid() == 0 && !is_folder_of_root(path))
        flags |= O_NOFOLLOW;
    int fd = open(path, O_WRONLY | flags, LOG_MODE);

    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | flags, LOG_MODE);
    return fd;
}

static int open_stdout(void)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDOUT_FILENO, &status) != 0)
        return -1;
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
        fd = open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static int open_sink(const char *path)
{
    struct log_sink sink;
    px_error error;

    if (log_sink_read(path, &sink, &error) == PX_OK)
        return log_sink_open(&sink);
    errno = EINVAL;
    return -1;
}

int log_descriptor_open(const char *path)
{
    if (path && log_sink_is(path))
        return open_sink(path);
    int fd = path ? open_path(path) : open_stdout();

    if (fd >= 0)
        log_append_only(fd);
    return fd;
}

void log_append_only(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_APPEND) && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        fcntl(fd, F_SETFL, flags | O_APPEND);
}

static void look_at(struct log_file *file)
{
    struct stat status = {0};

    if (fstat(file->fd, &status) != 0)
        return;
    file->is_socket = S_ISSOCK(status.st_mode);
    file->is_stream = file->is_socket || S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
    file->is_torn = file->is_torn && file->is_within;
}

int log_lock_create(void)
{
    int fd = memfd_create("pollux log", MFD_CLOEXEC);

    /* Any file without a name will do. */
    if (fd < 0)
        fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    return fd;
}

int log_file_open(struct log_file *out_file, const char *path, int fd, int lock_fd)
{
    struct log_file file = {.path = path, .fd = fd, .lock_fd = lock_fd, .is_alone = fd < 0};
    px_error error;

    file.is_sink = path && log_sink_is(path);
    if (file.is_sink && log_sink_read(path, &file.sink, &error) != PX_OK)
        return EINVAL;
    if (fd < 0)
        file.fd = log_descriptor_open(path);
    if (file.fd < 0)
        return errno;
    look_at(&file);
    *out_file = file;
    return 0;
}

static void lock_put(struct log_file *file)
{
    struct flock lock = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = file->lock_at, .l_len = 1};

    if (file->is_locked)
        (void)fcntl(file->lock_fd, F_SETLK, &lock);
    file->is_locked = false;
}

void log_file_close(struct log_file *file)
{
    lock_put(file);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

int log_file_reopen(struct log_file *file)
{
    /* A process that may dial nothing keeps what it has. */
    if (file->is_sink)
        return 0;
    int fd = log_descriptor_open(file->path);

    if (fd < 0)
        return errno;
    log_file_take(file, fd);
    return 0;
}

void log_file_take(struct log_file *file, int fd)
{
    CHECK(fd >= 0 && file->fd >= 0 && fd != file->fd);
    close(file->fd);
    file->fd = fd;
    look_at(file);
}

/* A lock between processes that goes away with the one that holds it: 0, also where it is not to be
 * had, or EBUSY: it is asked for again.  While it stays taken after that, it is only asked for. */
static int lock_take(struct log_file *file)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = file->lock_at, .l_len = 1};

    if (file->lock_fd < 0 || file->is_locked)
        return 0;
    if (fcntl(file->lock_fd, F_SETLK, &lock) == 0) {
        file->is_locked = true;
        file->is_lock_kept = false;
        file->lock_asked_ms = 0;
        return 0;
    }
    if (file->is_lock_kept)
        return 0;
    if (file->lock_asked_ms == 0)
        file->lock_asked_ms = now_ms();
    file->is_lock_kept = now_ms() - file->lock_asked_ms >= LOCK_PATIENCE_MS;
    return file->is_lock_kept ? 0 : EBUSY;
}

/* How much goes in one write: all into a file; of a stream as many whole lines as it takes whole,
 * which is also what a ready one whose flags are not ours may be given. */
static size_t piece_bytes(const struct log_file *file, const char *ptr, size_t len)
{
    if (!file->is_stream || len <= PIPE_BUF)
        return len;
    const char *last = memrchr(ptr, '\n', PIPE_BUF);

    return last ? (size_t)(last - ptr) + 1 : PIPE_BUF;
}

static ssize_t write_some(const struct log_file *file, const char *ptr, size_t len)
{
    size_t whole = len;

    len = piece_bytes(file, ptr, len);
    CHECK(len > 0 && len <= whole);
    if (file->is_socket)
        return send(file->fd, ptr, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(file->fd, ptr, len);
}

static bool has_room(const struct log_file *file)
{
    struct pollfd room = {.fd = file->fd, .events = POLLOUT};

    return !file->is_stream || poll(&room, 1, 0) > 0;
}

static int write_whole(const struct log_file *file, px_str lines, size_t *out_bytes)
{
    size_t done = 0;
    int failure = 0;

    while (done < lines.len && failure == 0) {
        if (!has_room(file)) {
            failure = EAGAIN;
            break;
        }
        ssize_t bytes = write_some(file, lines.ptr + done, lines.len - done);

        if (bytes >= 0)
            done += (size_t)bytes;
        else if (errno != EINTR)
            failure = errno;
    }
    CHECK(done <= lines.len && (done == lines.len || failure != 0));
    *out_bytes = done;
    return failure;
}

int log_file_watchable(const struct log_file *file)
{
    bool is_watchable = file->is_stream && !(file->is_sink && atomic_load(&file->is_named));

    return is_watchable ? file->fd : -1;
}

int log_file_write(struct log_file *file, px_str lines, size_t *out_bytes)
{
    *out_bytes = 0;
    if (file->is_sink)
        return log_sink_write(&file->sink, file->fd, lines,
                              file->is_alone && file->sink.is_unix ? &file->is_named : NULL,
                              out_bytes);
    size_t bytes = 0;
    int failure = lock_take(file);

    if (failure != 0)
        return failure;
    /* A line that was cut by a full disk is ended first, so that it does not swallow the next. */
    if (file->is_torn && !file->is_within && lines.len > 0) {
        failure = write_whole(file, px_str_make("\n", 1), &bytes);
        file->is_torn = failure != 0;
    }
    if (failure == 0) {
        failure = write_whole(file, lines, out_bytes);
        if (*out_bytes > 0)
            file->is_torn = lines.ptr[*out_bytes - 1] != '\n';
        /* Other processes write nothing into the midst of it. */
        file->is_within = file->is_torn && failure == EAGAIN;
    }
    if (!file->is_within)
        lock_put(file);
    return failure;
}

void log_file_drop(struct log_file *file)
{
    file->is_within = false;
    lock_put(file);
}
