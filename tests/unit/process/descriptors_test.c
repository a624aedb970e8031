/*
 * Standard descriptors that are closed, and the limit of open ones.
 */
#include "process/descriptors.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

/* In a child, since this process needs its own: 0 when all is as it should be. */
static int fill_in_child(unsigned closed)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        for (int fd = 0; fd < 3; fd++)
            if (closed & (1U << fd))
                close(fd);
        if (descriptors_fill_standard() != 0)
            _exit(1);
        for (int fd = 0; fd < 3; fd++) {
            int flags = fcntl(fd, F_GETFL);

            if (flags < 0)
                _exit(2);
            if ((closed & (1U << fd)) &&
                (flags & O_ACCMODE) != (fd == STDIN_FILENO ? O_RDONLY : O_WRONLY))
                _exit(3);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void closed_ones_are_filled(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++)
        assert_int_equal(fill_in_child(closed), 0);
}

static void the_soft_limit_is_raised(void **state)
{
    struct rlimit before;
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    descriptors_raise_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_ones_are_filled),
        cmocka_unit_test(the_soft_limit_is_raised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
