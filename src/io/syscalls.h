/*
 * The system calls that the library makes, by their kernel names, so that a program can build a
 * seccomp policy from what is really used: X(name) for each.
 *
 * Beside the calls of src/io and src/net they hold what libc makes on their behalf: memory,
 * threads, locks, clocks where the vDSO cannot serve them, and name look-ups.
 */
#ifndef PX_IO_SYSCALLS_H
#define PX_IO_SYSCALLS_H

/* clang-format off */
/* Every tick and every connection. */
#define PX_SYSCALLS_SERVING(X) \
    X(epoll_wait) X(epoll_pwait) X(epoll_ctl) X(accept4) X(recvfrom) X(sendto) X(sendmsg) \
    X(sendfile) X(shutdown) X(close) X(getsockopt) X(setsockopt) X(getsockname) X(getpeername) \
    X(read) X(write) X(pread64) X(preadv2) X(rt_sigprocmask) X(rt_sigtimedwait) X(clock_gettime) \
    X(futex) X(ioctl) X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(brk) X(getrandom)

/* Starting: loops, listeners, signals, helper threads. */
#define PX_SYSCALLS_STARTING(X) \
    X(epoll_create1) X(eventfd2) X(signalfd4) X(socket) X(bind) X(listen) X(fcntl) X(fchmod) \
    X(fchmodat) X(newfstatat) X(unlink) X(prlimit64) X(clone) X(clone3) X(set_robust_list) \
    X(rseq) X(exit) X(rt_sigaction) X(gettid) X(getpid) X(sched_getaffinity)

/* Dialling, and looking names up. */
#define PX_SYSCALLS_DIALLING(X) \
    X(connect) X(openat) X(fstat) X(lseek) X(poll) X(ppoll) X(recvmsg) X(sendmmsg) \
    X(uname)

/* clang-format on */

#endif
