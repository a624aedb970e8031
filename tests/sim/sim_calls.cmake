# Every call to the kernel that the library makes must be known to the fake one: looks for the names
# below among what the objects leave undefined, and fails for one that is not wrapped.
cmake_minimum_required(VERSION 3.25)
set(kernel_calls
    accept accept4 bind chmod clock_gettime clock_nanosleep close close_range connect copy_file_range
    dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
    fchmod fcntl fcntl64 fdatasync fstat fstat64 fstatat fsync ftruncate getpeername getrandom
    getaddrinfo getrlimit getsockname getsockopt gettimeofday ioctl kill link listen lseek lstat lstat64 mkdir
    nanosleep open open64 openat openat64 pipe pipe2 poll ppoll pread pread64 preadv preadv2
    pselect pthread_kill pthread_sigmask pwrite pwrite64 pwritev raise read readlink readv recv
    recvfrom recvmmsg recvmsg rename select send sendfile sendfile64 sendmmsg sendmsg sendto
    setrlimit setsockopt shutdown signalfd sigprocmask sigtimedwait sigwaitinfo sleep socket
    socketpair splice stat stat64 statx syscall tee time timerfd_create timerfd_settime unlink
    unlinkat usleep utimensat vmsplice write writev
    __open_2 __open64_2 __pread_chk __pread64_chk __read_chk __recv_chk __recvfrom_chk __poll_chk)

execute_process(COMMAND ${NM} -u ${OBJECTS} OUTPUT_VARIABLE undefined RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "nm failed")
endif()
string(REGEX MATCHALL "U [A-Za-z0-9_]+" names "${undefined}")
list(REMOVE_DUPLICATES names)
set(missing "")
set(count 0)
foreach(name IN LISTS names)
    string(SUBSTRING "${name}" 2 -1 name)
    if(NOT name IN_LIST kernel_calls)
        continue()
    endif()
    math(EXPR count "${count} + 1")
    if(NOT name IN_LIST WRAPS)
        list(APPEND missing ${name})
    endif()
endforeach()
if(missing)
    message(FATAL_ERROR "calls that the simulation does not know: ${missing}")
endif()
if(count LESS 20)
    message(FATAL_ERROR "only ${count} calls were found")
endif()
message(STATUS "${count} calls, all of them simulated")
