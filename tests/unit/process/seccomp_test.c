/*
 * The filter in children that try what they may not, each by a bare system call.
 *
 * Some tests want a build with libseccomp; CMake leaves this file out of one without.
 */
#include "process/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "pollux/syscalls.h"
#include "process/calls.h"
#include "process/traps.h"
#include "unit/process/child.h"

struct attempt {
    struct seccomp_rules rules;
    struct traps *traps; /* borrowed; NULL: none */
    long call;
    long arguments[6];
    int expect_errno; /* of a call that is refused; 0: it works */
};

static int enter(const struct attempt *attempt)
{
    px_error error;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        traps_catch(attempt->traps, &error) != PX_OK ||
        seccomp_enter(&attempt->rules, &error) != PX_OK)
        return CHILD_NOT_ENTERED;
    return 0;
}

static int try_call(void *context)
{
    const struct attempt *attempt = context;
    const long *arguments = attempt->arguments;

    if (enter(attempt) != 0)
        return CHILD_NOT_ENTERED;
    errno = 0;
    long result = syscall(attempt->call, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
    if (attempt->expect_errno == 0)
        return result < 0 ? CHILD_BAD : CHILD_GOOD;
    return result == -1 && errno == attempt->expect_errno ? CHILD_GOOD : CHILD_BAD + 1;
}

static long address(const void *at)
{
    return (long)(intptr_t)at;
}

/* What an intruder would want, and what ends a worker that tries. */
static void seccomp_traps_what_nobody_needs(void **state)
{
    static const char *const no_words[] = {NULL};
    const struct attempt attempts[] = {
        {.call = SYS_execve, .arguments = {address("/bin/true"), address(no_words), 0}},
        {.call = SYS_execveat, .arguments = {AT_FDCWD, address("/bin/true"), address(no_words)}},
        {.call = SYS_socket, .arguments = {AF_INET, SOCK_RAW, 1}},
        {.call = SYS_socket, .arguments = {AF_PACKET, SOCK_RAW, 0}},
        {.call = SYS_socket, .arguments = {AF_INET, SOCK_STREAM, 0}},
        {.call = SYS_connect, .arguments = {0, 0, 0}},
        {.call = SYS_bind, .arguments = {0, 0, 0}},
        {.call = SYS_clone, .arguments = {SIGCHLD, 0, 0}}, /* fork */
        {.call = SYS_kill, .arguments = {getppid(), 0}},
        {.call = SYS_tgkill, .arguments = {getppid(), getppid(), 0}},
        {.call = SYS_ptrace, .arguments = {0, 0, 0, 0}},
        {.call = SYS_process_vm_readv, .arguments = {getppid(), 0, 0, 0, 0}},
        {.call = SYS_mmap,
         .arguments = {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1}},
        {.call = SYS_mprotect, .arguments = {0, 4096, PROT_READ | PROT_EXEC}},
        {.call = SYS_openat, .arguments = {AT_FDCWD, address("/tmp"), O_WRONLY}},
        {.call = SYS_openat, .arguments = {AT_FDCWD, address("/tmp/x"), O_RDONLY | O_CREAT}},
        {.call = SYS_prlimit64, .arguments = {0, 7, address(no_words), 0}},
        {.call = SYS_ioctl, .arguments = {0, 0x5412 /* TIOCSTI */, 0}},
        {.call = SYS_sendto, .arguments = {-1, 0, 0, MSG_FASTOPEN, 0, 0}},
        {.call = SYS_sendto, .arguments = {-1, 0, 0, MSG_NOSIGNAL | MSG_FASTOPEN, 0, 0}},
        {.call = SYS_sendto, .arguments = {-1, 0, 0, 0, address(no_words), 16}},
        {.call = SYS_sendto, .arguments = {-1, 0, 0, 0, 1L << 32, 16}},
        {.call = SYS_sendmsg, .arguments = {-1, 0, MSG_FASTOPEN | MSG_DONTWAIT}},
        {.call = SYS_shutdown, .arguments = {-1, SHUT_RD}},
        {.call = SYS_shutdown, .arguments = {-1, SHUT_RDWR}},
        {.call = SYS_setsockopt, .arguments = {-1, SOL_SOCKET, SO_ATTACH_FILTER, 0, 0}},
        {.call = SYS_setsockopt, .arguments = {-1, SOL_SOCKET, SO_LOCK_FILTER, 0, 0}},
        {.call = SYS_setsockopt, .arguments = {-1, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, 0, 0}},
        {.call = SYS_setsockopt, .arguments = {-1, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, 0, 0}},
        {.call = SYS_setsockopt, .arguments = {-1, IPPROTO_TCP, SO_LINGER, 0, 0}},
        {.call = SYS_setsockopt, .arguments = {-1, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, 0}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETFL, O_NONBLOCK}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETOWN, 1}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETOWN_EX, 0}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETSIG, SIGKILL}},
        {.call = SYS_fcntl, .arguments = {-1, F_NOTIFY, 1}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETLEASE, 0}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETLKW, 0}},
        {.call = SYS_pwrite64, .arguments = {-1, 0, 0, 0}},
        {.call = SYS_pwritev2, .arguments = {-1, 0, 0, 0, 0, 0}},
        {.call = SYS_ftruncate, .arguments = {-1, 0}},
        {.call = SYS_unshare, .arguments = {0}},
        {.call = SYS_setns, .arguments = {-1, 0}},
        {.call = SYS_mount, .arguments = {0, 0, 0, 0, 0}},
        {.call = SYS_chroot, .arguments = {address("/")}},
        {.call = SYS_setresuid, .arguments = {0, 0, 0}},
        {.call = SYS_capset, .arguments = {0, 0}},
        {.call = SYS_bpf, .arguments = {0, 0, 0}},
        {.call = SYS_io_uring_setup, .arguments = {1, 0}},
        {.call = SYS_userfaultfd, .arguments = {0}},
        {.call = SYS_keyctl, .arguments = {0, 0, 0, 0, 0}},
        {.call = SYS_memfd_create, .arguments = {address("x"), 0}},
        {.call = SYS_rename, .arguments = {address("/tmp/x"), address("/tmp/y")}},
        {.call = SYS_unlink, .arguments = {address("/tmp/x")}},
        {.call = SYS_chmod, .arguments = {address("/tmp/x"), 0777}},
        {.call = SYS_symlink, .arguments = {address("/tmp/x"), address("/tmp/y")}},
    };
    struct traps *traps = traps_create();

    (void)state;
    assert_non_null(traps);
    assert_int_equal(ARRAY_COUNT(attempts), 56);
    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) {
        struct attempt attempt = attempts[i];
        pid_t pid;
        int call = -1;

        attempt.traps = traps;
        assert_int_equal(child_run(try_call, &attempt, &pid), -SIGSYS);
        assert_true(traps_take(traps, pid, &call));
        assert_int_equal(call, attempt.call);
        assert_false(traps_take(traps, pid, &call));
    }
    traps_destroy(traps);
}

/* What a worker makes of the calls that have conditions: each gets as far as its descriptor. */
static void seccomp_lets_pass_what_is_needed(void **state)
{
    const struct attempt attempts[] = {
        {.call = SYS_sendto, .arguments = {-1, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE, 0, 0}},
        {.call = SYS_sendmsg, .arguments = {-1, 0, MSG_NOSIGNAL | MSG_DONTWAIT}},
        {.call = SYS_shutdown, .arguments = {-1, SHUT_WR}},
        {.call = SYS_setsockopt, .arguments = {-1, SOL_SOCKET, SO_LINGER, 0, 0}},
        {.call = SYS_fcntl, .arguments = {-1, F_GETFL}},
        {.call = SYS_fcntl, .arguments = {-1, F_GETFD}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETFD, FD_CLOEXEC}},
        {.call = SYS_fcntl, .arguments = {-1, F_DUPFD_CLOEXEC, 0}},
        {.call = SYS_fcntl, .arguments = {-1, F_SETLK, 0}},
        {.call = SYS_ioctl, .arguments = {-1, TIOCOUTQ, 0}},
    };

    (void)state;
    assert_int_equal(ARRAY_COUNT(attempts), 10);
    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) {
        struct attempt attempt = attempts[i];

        attempt.expect_errno = EBADF;
        assert_int_equal(child_run(try_call, &attempt, NULL), CHILD_GOOD);
    }
}

/* libc tries these and goes on without. */
static void seccomp_refuses_what_can_be_done_without(void **state)
{
    const struct attempt attempts[] = {
        {.call = SYS_clone3, .expect_errno = ENOSYS},
        {.call = SYS_prctl, .arguments = {PR_SET_NAME, 0}, .expect_errno = ENOSYS},
        {.call = SYS_faccessat2, .expect_errno = ENOSYS},
        {.call = 500, .expect_errno = ENOSYS}, /* nobody has it yet */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) {
        struct attempt attempt = attempts[i];

        assert_int_equal(child_run(try_call, &attempt, NULL), CHILD_GOOD);
    }
}

static void seccomp_opens_as_it_was_told(void **state)
{
    struct attempt reading = {.call = SYS_openat,
                              .arguments = {AT_FDCWD, address("/dev/null"), O_RDONLY | O_CLOEXEC}};
    struct attempt writing = {.call = SYS_openat,
                              .rules = {.may_write = true},
                              .arguments = {AT_FDCWD, address("/dev/null"), O_WRONLY | O_APPEND}};
    struct attempt removing = {.call = SYS_unlink,
                               .rules = {.may_write = true},
                               .arguments = {address("/no/such/file")},
                               .expect_errno = ENOENT};
    struct attempt dialling = {.call = SYS_socket,
                               .rules = {.may_dial = true},
                               .arguments = {AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC}};
    struct attempt option = {.call = SYS_setsockopt,
                             .rules = {.may_dial = true},
                             .arguments = {-1, IPPROTO_TCP, TCP_NODELAY, 0, 0},
                             .expect_errno = EBADF};
    struct attempt raw = {
        .call = SYS_socket, .rules = {.may_dial = true}, .arguments = {AF_INET, SOCK_RAW, 1}};

    (void)state;
    assert_int_equal(child_run(try_call, &reading, NULL), CHILD_GOOD);
    assert_int_equal(child_run(try_call, &writing, NULL), CHILD_GOOD);
    assert_int_equal(child_run(try_call, &removing, NULL), CHILD_GOOD);
    assert_int_equal(child_run(try_call, &dialling, NULL), CHILD_GOOD);
    assert_int_equal(child_run(try_call, &option, NULL), CHILD_GOOD);
    option.rules.may_dial = false;
    assert_int_equal(child_run(try_call, &option, NULL), -SIGSYS);
    assert_int_equal(child_run(try_call, &raw, NULL), -SIGSYS);
}

/* Whatever the length and the family of the address: what is in memory cannot be looked into, and
 * sockets of any kind are there. */
static void seccomp_connects_nothing(void **state)
{
    static const struct sockaddr_un place = {.sun_family = AF_UNIX, .sun_path = "/no/such/place"};
    static const size_t lengths[] = {
        0, 2, 3, 15, sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6), sizeof(place), 128};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct attempt connecting = {.call = SYS_connect,
                                     .rules = {.may_read = true, .may_write = true},
                                     .arguments = {-1, address(&place), lengths[i]}};

        assert_int_equal(child_run(try_call, &connecting, NULL), -SIGSYS);
    }
}

static void *thread_main(void *context)
{
    char *memory = malloc(1 << 20);

    if (memory)
        memset(memory, 1, 1 << 20);
    free(memory);
    return context;
}

static int try_thread(void *context)
{
    int value = 0;
    pthread_t thread;
    void *result = NULL;

    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    if (pthread_create(&thread, NULL, thread_main, &value) != 0 ||
        pthread_join(thread, &result) != 0)
        return CHILD_BAD;
    return result == &value ? CHILD_GOOD : CHILD_BAD + 1;
}

static void seccomp_lets_threads_start(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    assert_int_equal(child_run(try_thread, &attempt, NULL), CHILD_GOOD);
}

static void *thread_trap(void *context)
{
    (void)context;
    syscall(SYS_unshare, 0);
    return NULL;
}

static int try_thread_trap(void *context)
{
    pthread_t thread;

    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    if (pthread_create(&thread, NULL, thread_trap, NULL) == 0)
        pthread_join(thread, NULL);
    return CHILD_BAD;
}

static void seccomp_ends_all_threads(void **state)
{
    struct attempt attempt = {.traps = traps_create()};
    pid_t pid;
    int call = -1;

    (void)state;
    assert_int_equal(child_run(try_thread_trap, &attempt, &pid), -SIGSYS);
    assert_true(traps_take(attempt.traps, pid, &call));
    assert_int_equal(call, SYS_unshare);
    traps_destroy(attempt.traps);
}

static int try_abort(void *context)
{
    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void seccomp_lets_assertions_abort(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    assert_int_equal(child_run(try_abort, &attempt, NULL), -SIGABRT);
}

static void seccomp_names_calls(void **state)
{
    char name[SECCOMP_NAME_BYTES];

    (void)state;
    seccomp_name(SYS_execve, name);
    assert_non_null(strstr(name, "execve"));
    seccomp_name(-5, name);
    assert_string_equal(name, "system call -5");
    seccomp_name(999, name);
    assert_string_equal(name, "system call 999");
    assert_null(seccomp_lacks());
}

/* A slip of the pen would be a call that is not allowed, found by the first worker that makes it.
 */
static void seccomp_lists_hold_names(void **state)
{
#define NAME_OF(name) #name,
    static const char *const names[] = {
        PX_SYSCALLS_SERVING(NAME_OF) PX_SYSCALLS_FILES(NAME_OF) PX_SYSCALLS_HELPERS(NAME_OF)
            PX_SYSCALLS_STARTING(NAME_OF) PX_SYSCALLS_DIALLING(NAME_OF) CALLS_OF_PROGRAM(NAME_OF)
                CALLS_THAT_ONLY_TELL(NAME_OF) CALLS_OF_WRITING(NAME_OF) CALLS_OF_DIALLING(NAME_OF)
                    CALLS_DONE_WITHOUT(NAME_OF)};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (seccomp_syscall_resolve_name(names[i]) == __NR_SCMP_ERROR)
            fail_msg("%s is no system call", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seccomp_traps_what_nobody_needs),
        cmocka_unit_test(seccomp_lets_pass_what_is_needed),
        cmocka_unit_test(seccomp_refuses_what_can_be_done_without),
        cmocka_unit_test(seccomp_opens_as_it_was_told),
        cmocka_unit_test(seccomp_connects_nothing),
        cmocka_unit_test(seccomp_lets_threads_start),
        cmocka_unit_test(seccomp_ends_all_threads),
        cmocka_unit_test(seccomp_lets_assertions_abort),
        cmocka_unit_test(seccomp_names_calls),
        cmocka_unit_test(seccomp_lists_hold_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
