/*
 * Wrapped calls that are not about sockets: epoll, small descriptors, files, clocks, random bytes,
 * signals and limits.
 */
#include <linux/openat2.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "sim_epoll.h"
#include "sim_file.h"
#include "sim_small.h"
#include "sim_wrap.h"

int __wrap_epoll_create1(int flags);
int __real_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms);
int __real_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms);
int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int count,
                        const struct timespec *timeout, const sigset_t *mask);
int __real_epoll_pwait2(int fd, struct epoll_event *events, int count,
                        const struct timespec *timeout, const sigset_t *mask);
int __wrap_eventfd(unsigned count, int flags);
int __real_eventfd(unsigned count, int flags);
int __wrap_signalfd(int fd, const sigset_t *mask, int flags);
int __real_signalfd(int fd, const sigset_t *mask, int flags);
int __wrap_close(int fd);
int __real_close(int fd);
ssize_t __wrap_read(int fd, void *out, size_t bytes);
ssize_t __real_read(int fd, void *out, size_t bytes);
ssize_t __wrap_write(int fd, const void *in, size_t bytes);
ssize_t __real_write(int fd, const void *in, size_t bytes);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __real_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *out, size_t bytes, off_t offset);
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_fstat(int fd, struct stat *out_stat);
int __real_fstat(int fd, struct stat *out_stat);
int __wrap_fstatat(int folder, const char *path, struct stat *out_stat, int flags);
int __real_fstatat(int folder, const char *path, struct stat *out_stat, int flags);
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);
int __wrap_stat(const char *path, struct stat *out_stat);
int __real_stat(const char *path, struct stat *out_stat);
int __wrap_lstat(const char *path, struct stat *out_stat);
int __real_lstat(const char *path, struct stat *out_stat);
int __wrap_unlink(const char *path);
int __real_unlink(const char *path);
int __wrap_chmod(const char *path, mode_t mode);
int __real_chmod(const char *path, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
ssize_t __wrap_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t __real_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
int __wrap_fcntl(int fd, int command, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_dup(int fd);
int __real_dup(int fd);
int __wrap_clock_gettime(clockid_t id, struct timespec *out_time);
int __real_clock_gettime(clockid_t id, struct timespec *out_time);
time_t __wrap_time(time_t *out_time);
time_t __real_time(time_t *out_time);
ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned flags);
ssize_t __real_getrandom(void *out, size_t bytes, unsigned flags);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *out_info, const struct timespec *timeout);
int __real_sigtimedwait(const sigset_t *set, siginfo_t *out_info, const struct timespec *timeout);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *out_old);
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *out_old);
int __wrap_getrlimit(int resource, struct rlimit *out_limit);
int __real_getrlimit(int resource, struct rlimit *out_limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit);
int __real_setrlimit(int resource, const struct rlimit *limit);

int __wrap_epoll_create1(int flags)
{
    if (!sim_world)
        return __real_epoll_create1(flags);
    if (wrap_fails("epoll_create1"))
        return -1;
    return (int)wrap_result("epoll_create1", 0, sim_epoll_create((flags & EPOLL_CLOEXEC) != 0));
}

static struct sim_epoll *epoll_of(int fd)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    return desc && desc->kind == SIM_KIND_EPOLL ? (struct sim_epoll *)desc : NULL;
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    if (!sim_fd_ours(epoll_fd))
        return __real_epoll_ctl(epoll_fd, op, fd, event);
    if (wrap_fails("epoll_ctl"))
        return -1;
    struct sim_epoll *epoll = epoll_of(epoll_fd);

    return (int)wrap_result("epoll_ctl", fd, epoll ? sim_epoll_ctl(epoll, op, fd, event) : -EBADF);
}

static int wait_call(int fd, struct epoll_event *events, int count, int64_t timeout_ns)
{
    if (wrap_fails("epoll_wait"))
        return -1;
    struct sim_epoll *epoll = epoll_of(fd);

    return (int)wrap_result("epoll_wait", fd,
                            epoll ? sim_epoll_wait(epoll, events, count, timeout_ns) : -EBADF);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    if (!sim_fd_ours(fd))
        return __real_epoll_wait(fd, events, count, timeout_ms);
    return wait_call(fd, events, count,
                     timeout_ms < 0 ? -1 : (int64_t)timeout_ms * (int64_t)SIM_NS_PER_MS);
}

int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int count,
                        const struct timespec *timeout, const sigset_t *mask)
{
    if (!sim_fd_ours(fd))
        return __real_epoll_pwait2(fd, events, count, timeout, mask);
    return wait_call(fd, events, count,
                     timeout ? timeout->tv_sec * (int64_t)SIM_NS_PER_S + timeout->tv_nsec : -1);
}

int __wrap_eventfd(unsigned count, int flags)
{
    if (!sim_world)
        return __real_eventfd(count, flags);
    if (wrap_fails("eventfd"))
        return -1;
    return (int)wrap_result("eventfd", 0, sim_eventfd_create(count, flags));
}

int __wrap_signalfd(int fd, const sigset_t *mask, int flags)
{
    if (!sim_world)
        return __real_signalfd(fd, mask, flags);
    if (wrap_fails("signalfd"))
        return -1;
    return (int)wrap_result("signalfd", fd, sim_signalfd_create(fd, mask, flags));
}

int __wrap_close(int fd)
{
    if (!sim_fd_ours(fd))
        return __real_close(fd);
    sim_call("close");
    sim_progress();
    return (int)wrap_result("close", fd, sim_fd_close(fd));
}

ssize_t __wrap_read(int fd, void *out, size_t bytes)
{
    if (!sim_fd_ours(fd))
        return __real_read(fd, out, bytes);
    if (wrap_fails("read"))
        return -1;
    struct sim_desc *desc = sim_fd_desc(fd);
    int64_t result = -EBADF;

    if (!desc)
        return (ssize_t)wrap_result("read", fd, result);
    switch (desc->kind) {
    case SIM_KIND_EPOLL:
        result = -EINVAL;
        break;
    case SIM_KIND_SOCK:
        result = sim_sock_recv((struct sim_sock *)desc, out, bytes, 0);
        break;
    case SIM_KIND_EVENTFD:
        result = sim_eventfd_read((struct sim_eventfd *)desc, out, bytes);
        break;
    case SIM_KIND_SIGNALFD:
        result = sim_signalfd_read((struct sim_signalfd *)desc, out, bytes);
        break;
    case SIM_KIND_FILE:
        result = sim_file_read((struct sim_file *)desc, out, bytes);
        break;
    }
    return (ssize_t)wrap_result("read", fd, wrap_no_sleep("read", desc, 0, result));
}

ssize_t __wrap_write(int fd, const void *in, size_t bytes)
{
    if (!sim_fd_ours(fd))
        return __real_write(fd, in, bytes);
    if (wrap_fails("write"))
        return -1;
    struct sim_desc *desc = sim_fd_desc(fd);
    int64_t result = -EBADF;

    if (!desc)
        return (ssize_t)wrap_result("write", fd, result);
    switch (desc->kind) {
    case SIM_KIND_EPOLL:
    case SIM_KIND_SIGNALFD:
        result = -EINVAL;
        break;
    case SIM_KIND_SOCK:
        result = sim_sock_send((struct sim_sock *)desc, in, bytes, 0);
        break;
    case SIM_KIND_EVENTFD:
        result = sim_eventfd_write((struct sim_eventfd *)desc, in, bytes);
        break;
    case SIM_KIND_FILE:
        result = sim_file_write((struct sim_file *)desc, in, bytes);
        break;
    }
    return (ssize_t)wrap_result("write", fd, wrap_no_sleep("write", desc, 0, result));
}

static struct sim_file *file_of(int fd)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    return desc && desc->kind == SIM_KIND_FILE ? (struct sim_file *)desc : NULL;
}

ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    if (!sim_fd_ours(fd))
        return __real_pread(fd, out, bytes, offset);
    if (wrap_fails("pread"))
        return -1;
    struct sim_file *file = file_of(fd);
    int64_t result = file ? sim_file_read_at(file, out, bytes, (uint64_t)offset) : -EBADF;

    return (ssize_t)wrap_result("pread", fd, result);
}

ssize_t __wrap_pread64(int fd, void *out, size_t bytes, off_t offset)
{
    return __wrap_pread(fd, out, bytes, offset);
}

ssize_t __wrap_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    if (!sim_fd_ours(fd))
        return __real_preadv2(fd, parts, count, offset, flags);
    if (wrap_fails("preadv2"))
        return -1;
    struct sim_file *file = file_of(fd);
    int64_t result = -EBADF;

    if (file && (flags & RWF_NOWAIT) && sim_fault_strikes(&sim_world->faults, SIM_FILE_COLD))
        result = -EAGAIN;
    else if (file && count > 0)
        result = sim_file_read_at(file, parts[0].iov_base, parts[0].iov_len, (uint64_t)offset);
    return (ssize_t)wrap_result("preadv2", fd, result);
}

ssize_t __wrap_preadv64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return __wrap_preadv2(fd, parts, count, offset, flags);
}

static int open_ours(const char *path, int flags, mode_t mode)
{
    if (wrap_fails("open"))
        return -1;
    return (int)wrap_result("open", 0, sim_file_open(path, flags, mode));
}

static mode_t mode_argument(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);

    va_end(arguments);
    return wrap_path_ours(path) ? open_ours(path, flags, mode) : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);

    va_end(arguments);
    return __wrap_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);

    va_end(arguments);
    return wrap_path_ours(path) ? open_ours(path, flags, mode)
                                : __real_openat(folder, path, flags, mode);
}

int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);

    va_end(arguments);
    return __wrap_openat(folder, path, flags, mode);
}

/* A call without a function in libc: openat2 is the one that is known. */
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    long words[6];

    va_start(arguments, number);
    for (int index = 0; index < 6; index++)
        words[index] = va_arg(arguments, long);
    va_end(arguments);
    if (number != SYS_openat2 || !sim_fd_ours((int)words[0]))
        return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
    if (wrap_fails("openat2"))
        return -1;
    struct sim_file *folder = file_of((int)words[0]);
    const struct open_how *how =
        (const struct open_how *)words[2];     // NOLINT(performance-no-int-to-ptr)
    const char *path = (const char *)words[1]; // NOLINT(performance-no-int-to-ptr)
    int64_t result = -EBADF;

    if (folder)
        result = sim_file_open_beneath(folder, path, (int)how->flags,
                                       (how->resolve & RESOLVE_CACHED) != 0);
    return (long)wrap_result("openat2", (int)words[0], result);
}

int __wrap_fstat(int fd, struct stat *out_stat)
{
    if (!sim_fd_ours(fd))
        return __real_fstat(fd, out_stat);
    if (wrap_fails("fstat"))
        return -1;
    struct sim_file *file = file_of(fd);

    if (file)
        return (int)wrap_result("fstat", fd, sim_node_stat(file->node, out_stat));
    memset(out_stat, 0, sizeof(*out_stat));
    out_stat->st_mode = S_IFSOCK;
    return (int)wrap_result("fstat", fd, sim_fd_desc(fd) ? 0 : -EBADF);
}

/* Asked while a folder is read, which no scenario does: simulated folders have no list. */
int __wrap_fstatat(int folder, const char *path, struct stat *out_stat, int flags)
{
    if (!sim_fd_ours(folder))
        return __real_fstatat(folder, path, out_stat, flags);
    return (int)wrap_result("fstatat", folder, -ENOENT);
}

static int stat_ours(const char *path, struct stat *out_stat)
{
    if (wrap_fails("stat"))
        return -1;
    struct sim_node *node = sim_node_find(path);

    return (int)wrap_result("stat", 0, node ? sim_node_stat(node, out_stat) : -ENOENT);
}

int __wrap_stat(const char *path, struct stat *out_stat)
{
    return wrap_path_ours(path) ? stat_ours(path, out_stat) : __real_stat(path, out_stat);
}

int __wrap_lstat(const char *path, struct stat *out_stat)
{
    return wrap_path_ours(path) ? stat_ours(path, out_stat) : __real_lstat(path, out_stat);
}

int __wrap_unlink(const char *path)
{
    if (!wrap_path_ours(path))
        return __real_unlink(path);
    if (wrap_fails("unlink"))
        return -1;
    return (int)wrap_result("unlink", 0, sim_node_unlink(path));
}

int __wrap_chmod(const char *path, mode_t mode)
{
    if (!wrap_path_ours(path))
        return __real_chmod(path, mode);
    if (wrap_fails("chmod"))
        return -1;
    struct sim_node *node = sim_node_find(path);

    if (node)
        node->mode = mode & 07777;
    return (int)wrap_result("chmod", (int)mode, node ? 0 : -ENOENT);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    if (!sim_fd_ours(fd))
        return __real_fchmod(fd, mode);
    if (wrap_fails("fchmod"))
        return -1;
    struct sim_desc *desc = sim_fd_desc(fd);
    struct sim_file *file = file_of(fd);

    /* Of a socket that is bound later it is the mode of its name (unix_bind_bsd). */
    if (desc && desc->kind == SIM_KIND_SOCK)
        ((struct sim_sock *)desc)->mode = mode & 07777;
    else if (file)
        file->node->mode = mode & 07777;
    return (int)wrap_result("fchmod", (int)mode, desc ? 0 : -EBADF);
}

static int fd_duplicate(struct sim_desc *desc, bool close_on_exec)
{
    int fd = sim_fd_open(desc, close_on_exec);

    if (fd >= 0)
        desc->refs++;
    return fd;
}

static int fcntl_ours(int fd, int command, long argument)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    if (!desc)
        return -EBADF;
    switch (command) {
    case F_GETFL:
        return desc->status_flags;
    case F_SETFL:
        desc->status_flags = (desc->status_flags & O_ACCMODE) | ((int)argument & ~O_ACCMODE);
        return 0;
    case F_GETFD:
        return sim_world->fds[fd - SIM_FD_BASE].close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
        sim_world->fds[fd - SIM_FD_BASE].close_on_exec = (argument & FD_CLOEXEC) != 0;
        return 0;
    case F_DUPFD:
        return fd_duplicate(desc, false);
    case F_DUPFD_CLOEXEC:
        return fd_duplicate(desc, true);
    }
    return -EINVAL;
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);

    va_end(arguments);
    if (!sim_fd_ours(fd))
        return __real_fcntl(fd, command, argument);
    if (wrap_fails("fcntl"))
        return -1;
    return (int)wrap_result("fcntl", fd, fcntl_ours(fd, command, argument));
}

int __wrap_fcntl64(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);

    va_end(arguments);
    return __wrap_fcntl(fd, command, argument);
}

int __wrap_dup(int fd)
{
    if (!sim_fd_ours(fd))
        return __real_dup(fd);
    return __wrap_fcntl(fd, F_DUPFD, 0L);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *out_time)
{
    if (!sim_world)
        return __real_clock_gettime(id, out_time);
    sim_call("clock_gettime");
    bool real = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    uint64_t now = real ? sim_clock_real_ns(&sim_world->clock) : sim_world->clock.now_ns;

    if (id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
        now -= now % (4 * SIM_NS_PER_MS);
    out_time->tv_sec = (time_t)(now / SIM_NS_PER_S);
    out_time->tv_nsec = (long)(now % SIM_NS_PER_S);
    return 0;
}

time_t __wrap_time(time_t *out_time)
{
    if (!sim_world)
        return __real_time(out_time);
    time_t now = (time_t)(sim_clock_real_ns(&sim_world->clock) / SIM_NS_PER_S);

    if (out_time)
        *out_time = now;
    return now;
}

ssize_t __wrap_getrandom(void *out, size_t bytes, unsigned flags)
{
    if (!sim_world)
        return __real_getrandom(out, bytes, flags);
    if (wrap_fails("getrandom"))
        return -1;
    sim_random_fill(&sim_world->random, out, bytes);
    return (ssize_t)bytes;
}

int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *out_info, const struct timespec *timeout)
{
    if (!sim_world)
        return __real_sigtimedwait(set, out_info, timeout);
    if (wrap_fails("sigtimedwait"))
        return -1;
    int result = sim_signal_take(set, out_info);

    if (result < 0 && (!timeout || timeout->tv_sec > 0 || timeout->tv_nsec > 0))
        sim_fail("sigtimedwait would block");
    return (int)wrap_result("sigtimedwait", 0, result);
}

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *out_old)
{
    if (!sim_world)
        return __real_pthread_sigmask(how, set, out_old);
    sim_call("pthread_sigmask");
    return sim_signal_mask(how, set, out_old);
}

int __wrap_getrlimit(int resource, struct rlimit *out_limit)
{
    if (!sim_world || resource != RLIMIT_NOFILE)
        return __real_getrlimit(resource, out_limit);
    out_limit->rlim_cur = sim_world->fd_limit;
    out_limit->rlim_max = SIM_FD_ROOM;
    return 0;
}

int __wrap_setrlimit(int resource, const struct rlimit *limit)
{
    if (!sim_world || resource != RLIMIT_NOFILE)
        return __real_setrlimit(resource, limit);
    if (limit->rlim_cur > SIM_FD_ROOM) {
        errno = EPERM;
        return -1;
    }
    sim_world->fd_limit = (uint32_t)limit->rlim_cur;
    return 0;
}
