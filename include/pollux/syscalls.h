/*
 * The system calls that the library makes, by their kernel names, so that a program can build a
 * seccomp policy from what is really used: `#define X(name) ...`, then PX_SYSCALLS_SERVING(X).
 *
 * Beside the calls of the library itself they hold what libc makes on its behalf: memory, threads,
 * locks, and clocks where the vDSO cannot serve them.  A name that an architecture does not have
 * (epoll_wait on arm64) is simply one that no process calls there.  Macros only: any thread.
 */
#ifndef PX_SYSCALLS_H
#define PX_SYSCALLS_H

/* clang-format off */

/* Conditions on arguments: `X(name, at, mask, value, at, mask, value)` says that both (argument
 * number `at` & mask) == value; a mask of 0 is no condition.  A call with lines of several macros,
 * or several in one, may be made where any line holds; a call without a line may be made freely.
 * Values are expressions: <fcntl.h>, <netinet/in.h>, <netinet/tcp.h>, <sched.h>, <sys/ioctl.h>, <sys/mman.h>,
 * <sys/socket.h> and <unistd.h> come first, with _GNU_SOURCE.  The kernel looks at the low half of
 * an int, so masks of ints are no wider. */
#define PX_SYSCALLS_INT 0xffffffffU
#define PX_SYSCALLS_POINTER (~0ULL)

/** Once there are listeners, a loop and a server: every tick, every connection, every exchange. */
#define PX_SYSCALLS_SERVING(X) \
    X(epoll_wait) X(epoll_pwait) X(epoll_ctl) X(accept4) X(recvfrom) X(sendto) X(sendmsg) \
    X(sendfile) X(shutdown) X(close) X(getsockopt) X(setsockopt) X(getsockname) X(getpeername) \
    X(read) X(write) X(pread64) X(preadv2) X(rt_sigprocmask) X(rt_sigtimedwait) X(clock_gettime) \
    X(futex) X(ioctl) X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(brk) X(getrandom) \
    X(fcntl) X(lseek) X(gettid) X(getpid) X(tgkill)

/** With these arguments alone:
 *  - nothing is connected by sending (MSG_FASTOPEN does it without connect, and no security module
 *    hears of it), and nothing is sent to an address;
 *  - only the writing side is shut down, which a listening socket does not feel;
 *  - a listener keeps its filters, its owner and its flags: of options SO_LINGER alone, of fcntl no
 *    F_SETFL (px_listener_adopt sets O_NONBLOCK where it is missing: do so before), no F_SETOWN;
 *  - no memory becomes executable, no thread becomes a process, signals go to this process. */
#define PX_SYSCALLS_SERVING_WHEN(X) PX_SYSCALLS_SOCKETS_WHEN(X) PX_SYSCALLS_MEMORY_WHEN(X)

#define PX_SYSCALLS_SOCKETS_WHEN(X) \
    X(sendto, 4, PX_SYSCALLS_POINTER, 0, 3, MSG_FASTOPEN, 0) \
    X(sendmsg, 2, MSG_FASTOPEN, 0, 0, 0, 0) \
    X(shutdown, 1, PX_SYSCALLS_INT, SHUT_WR, 0, 0, 0) \
    X(setsockopt, 1, PX_SYSCALLS_INT, SOL_SOCKET, 2, PX_SYSCALLS_INT, SO_LINGER) \
    X(fcntl, 1, PX_SYSCALLS_INT, F_GETFL, 0, 0, 0) \
    X(fcntl, 1, PX_SYSCALLS_INT, F_GETFD, 0, 0, 0) \
    X(fcntl, 1, PX_SYSCALLS_INT, F_SETFD, 0, 0, 0) \
    X(fcntl, 1, PX_SYSCALLS_INT, F_DUPFD_CLOEXEC, 0, 0, 0) \
    X(ioctl, 1, PX_SYSCALLS_INT, TIOCOUTQ, 0, 0, 0)

#define PX_SYSCALLS_MEMORY_WHEN(X) \
    X(mmap, 2, PROT_EXEC, 0, 0, 0, 0) \
    X(mprotect, 2, PROT_EXEC, 0, 0, 0, 0) \
    X(tgkill, 0, PX_SYSCALLS_INT, (unsigned)getpid(), 0, 0, 0)

/** Serving files (pollux/files.h): opening them beneath their folder, and looking at them. */
#define PX_SYSCALLS_FILES(X) \
    X(openat2) X(openat) X(readlinkat) X(fstat) X(newfstatat) X(getdents64) X(readahead) X(prlimit64)

/** For reading, and limits are read and not set. */
#define PX_SYSCALLS_FILES_WHEN(X) \
    X(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY, 0, 0, 0) \
    X(prlimit64, 2, PX_SYSCALLS_POINTER, 0, 0, 0, 0)

/** The threads that px_loop_work and file content start when they are first needed. */
#define PX_SYSCALLS_HELPERS(X) \
    X(clone) X(clone3) X(set_robust_list) X(rseq) X(exit) X(sched_getaffinity)

/** Threads, no processes.  The arguments of clone3 are in memory, so a filter that wants this
 * refuses it with ENOSYS: libc falls back to clone. */
#define PX_SYSCALLS_HELPERS_WHEN(X) \
    X(clone, 0, CLONE_THREAD, CLONE_THREAD, 0, 0, 0)

/** Making loops, servers, listeners and signals, and closing them.  A process that makes them under a
 * filter leaves setsockopt, fcntl and prlimit64 without their conditions. */
#define PX_SYSCALLS_STARTING(X) \
    X(epoll_create1) X(eventfd2) X(signalfd4) X(socket) X(bind) X(listen) X(fchmod) X(fchmodat) \
    X(openat) X(newfstatat) X(unlink) X(prlimit64) X(rt_sigaction)

/** Dialling, and looking names up (which reads files of /etc and speaks to name servers). */
#define PX_SYSCALLS_DIALLING(X) \
    X(socket) X(connect) X(openat) X(newfstatat) X(fstat) X(poll) X(ppoll) X(recvmsg) \
    X(sendmmsg) X(uname) X(writev)

/** Streams and datagrams of the inet families and unix ones. */
#define PX_SYSCALLS_DIALLING_WHEN(X) \
    X(socket, 0, PX_SYSCALLS_INT, AF_INET, 1, 0xf, SOCK_STREAM) \
    X(socket, 0, PX_SYSCALLS_INT, AF_INET, 1, 0xf, SOCK_DGRAM) \
    X(socket, 0, PX_SYSCALLS_INT, AF_INET6, 1, 0xf, SOCK_STREAM) \
    X(socket, 0, PX_SYSCALLS_INT, AF_INET6, 1, 0xf, SOCK_DGRAM) \
    X(socket, 0, PX_SYSCALLS_INT, AF_UNIX, 1, 0xf, SOCK_STREAM) \
    X(socket, 0, PX_SYSCALLS_INT, AF_UNIX, 1, 0xf, SOCK_DGRAM) \
    X(sendmmsg, 3, MSG_FASTOPEN, 0, 0, 0, 0) \
    X(setsockopt, 1, PX_SYSCALLS_INT, IPPROTO_TCP, 2, PX_SYSCALLS_INT, TCP_NODELAY) \
    X(setsockopt, 1, PX_SYSCALLS_INT, SOL_SOCKET, 2, PX_SYSCALLS_INT, SO_OOBINLINE) \
    X(setsockopt, 1, PX_SYSCALLS_INT, IPPROTO_IP, 2, PX_SYSCALLS_INT, IP_RECVERR) \
    X(setsockopt, 1, PX_SYSCALLS_INT, IPPROTO_IPV6, 2, PX_SYSCALLS_INT, IPV6_RECVERR) \
    X(ioctl, 1, PX_SYSCALLS_INT, FIONREAD, 0, 0, 0)

/* clang-format on */

#endif
