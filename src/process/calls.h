/*
 * The system calls that the program makes in a worker, beside those of the library
 * (pollux/syscalls.h), and what libc may try and can do without.
 *
 * The release tests run with the filter on, so a call that is missing here ends a worker there.
 */
#ifndef PX_PROCESS_CALLS_H
#define PX_PROCESS_CALLS_H

/* clang-format off */

/* The log, the control channel, the orphans that process 1 inherits, the end. */
#define CALLS_OF_PROGRAM(X) \
    X(openat) X(fstat) X(newfstatat) X(statx) X(poll) X(ppoll) \
    X(recvmsg) X(writev) X(nanosleep) X(clock_nanosleep) \
    X(rt_sigaction) X(rt_sigreturn) X(restart_syscall) X(exit_group) X(sched_yield) \
    X(prlimit64) X(sigaltstack) X(wait4) X(waitid) X(dup3)

/* As in pollux/syscalls.h: the lock of the log, and stderr when its file is opened anew. */
#define CALLS_OF_PROGRAM_WHEN(X) \
    X(fcntl, 1, PX_SYSCALLS_INT, F_SETLK, 0, 0, 0) \
    X(dup3, 1, PX_SYSCALLS_INT, STDERR_FILENO, 0, 0, 0)

/* The pid file and unix sockets of a process that has no master. */
#define CALLS_OF_WRITING(X) X(unlink) X(unlinkat) X(rename) X(renameat) X(renameat2)

/* They tell a process about itself and change nothing. */
#define CALLS_THAT_ONLY_TELL(X) \
    X(getppid) X(getuid) X(geteuid) X(getgid) X(getegid) X(uname) X(sysinfo) X(getrusage) \
    X(times) X(clock_getres) X(gettimeofday) X(time) X(getcpu)

/* Sockets of its own, where a worker may dial. */
#define CALLS_OF_DIALLING(X) X(socket) X(connect) X(sendmmsg)

/* Refused with ENOSYS, as by a kernel that does not have them: the caller goes another way. */
#define CALLS_DONE_WITHOUT(X) \
    X(clone3) X(prctl) X(arch_prctl) X(set_tid_address) X(access) X(faccessat) X(faccessat2) \
    X(readlink) X(readlinkat) X(getdents64) X(getcwd) X(stat) X(lstat) X(statfs) X(fstatfs) X(openat2) X(close_range) \
    X(membarrier) X(mlock) X(munlock) X(mlock2) X(mincore) X(fadvise64) X(readahead) \
    X(sched_setaffinity) X(sched_getparam) X(sched_getscheduler) X(getpriority) X(get_robust_list) \
    X(epoll_pwait2) X(copy_file_range) X(splice) X(futex_waitv) X(getgroups) X(getresuid) \
    X(getresgid) X(getpgrp) X(getsid) X(capget) X(get_mempolicy) X(umask) X(getrlimit) \
    X(dup) X(pipe2) X(clock_adjtime) X(ustat) X(sysfs)

/* clang-format on */

#endif
