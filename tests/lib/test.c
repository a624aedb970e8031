/*
 * Comparing slices and watching a child die.
 */
#include "lib/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_str(const char *what, px_str str)
{
    if (!str.ptr) {
        print_error("%s: absent\n", what);
        return;
    }
    print_error("%s: %zu bytes \"", what, str.len);
    for (size_t index = 0; index < str.len; index++) {
        unsigned char byte = (unsigned char)str.ptr[index];

        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
            print_error("\\x%02x", byte);
        else
            print_error("%c", byte);
    }
    print_error("\"\n");
}

void test_assert_str_equal(px_str actual, px_str expected, const char *file, int line)
{
    if (!actual.ptr == !expected.ptr && px_str_equal(actual, expected))
        return;
    print_str("actual  ", actual);
    print_str("expected", expected);
    _fail(file, line);
}

int test_signal_of(void (*call)(void), char *output, size_t output_bytes)
{
    const struct rlimit no_core = {0, 0};
    int pipe_fds[2];
    size_t len = 0;
    int status = 0;

    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        /* cmocka turns these into a failed test by longjmp; here they must end the process. */
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        call();
        _exit(0);
    }
    close(pipe_fds[1]);
    for (ssize_t got; len < output_bytes - 1; len += (size_t)got) {
        got = read(pipe_fds[0], output + len, output_bytes - 1 - len);
        if (got <= 0)
            break;
    }
    output[len] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
