/*
 * The system calls that the library makes, by their kernel names, so that a program can build a
 * seccomp policy from what is really used: `#define X(name) ...`, then PX_SYSCALLS_SERVING(X).
 *
 * Beside the calls of the library itself they hold what libc makes on its behalf: memory, threads,
 * locks, and clocks where the vDSO cannot serve them.  A name that an architecture does not have
 * (epoll_wait on arm64) is simply one that nobody calls there.  Macros only: any thread.
 */
#ifndef PX_SYSCALLS_H
#define PX_SYSCALLS_H

/* clang-format off */

/** Once there are listeners, a loop and a server: every tick, every connection, every exchange. */
#define PX_SYSCALLS_SERVING(X) \
    X(epoll_wait) X(epoll_pwait) X(epoll_ctl) X(accept4) X(recvfrom) X(sendto) X(sendmsg) \
    X(sendfile) X(shutdown) X(close) X(getsockopt) X(setsockopt) X(getsockname) X(getpeername) \
    X(read) X(write) X(pread64) X(preadv2) X(rt_sigprocmask) X(rt_sigtimedwait) X(clock_gettime) \
    X(futex) X(ioctl) X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(brk) X(getrandom) \
    X(fcntl) X(lseek) X(gettid) X(getpid) X(tgkill)

/** Serving files (pollux/files.h): opening them beneath their folder, and looking at them. */
#define PX_SYSCALLS_FILES(X) \
    X(openat2) X(openat) X(fstat) X(newfstatat) X(getdents64) X(readahead) X(prlimit64)

/** The threads that px_loop_work and file content start when they are first needed. */
#define PX_SYSCALLS_HELPERS(X) \
    X(clone) X(clone3) X(set_robust_list) X(rseq) X(exit) X(sched_getaffinity)

/** Making loops, servers, listeners and signals, and closing them. */
#define PX_SYSCALLS_STARTING(X) \
    X(epoll_create1) X(eventfd2) X(signalfd4) X(socket) X(bind) X(listen) X(fchmod) X(fchmodat) \
    X(newfstatat) X(unlink) X(prlimit64) X(rt_sigaction)

/** Dialling, and looking names up (which reads files of /etc and speaks to name servers). */
#define PX_SYSCALLS_DIALLING(X) \
    X(socket) X(connect) X(openat) X(newfstatat) X(fstat) X(poll) X(ppoll) X(recvmsg) \
    X(sendmmsg) X(uname)

/* clang-format on */

#endif
