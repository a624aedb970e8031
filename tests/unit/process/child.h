/*
 * Running a piece of a test in a process of its own, since what it does to that process is for
 * good.
 */
#ifndef PX_TESTS_UNIT_PROCESS_CHILD_H
#define PX_TESTS_UNIT_PROCESS_CHILD_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

enum {
    CHILD_GOOD = 0,
    CHILD_NOT_ENTERED = 100, /* the sandbox could not be entered */
    CHILD_BAD = 101,         /* what should have failed did not, or otherwise */
};

/* What `call` returned in a child; or minus the signal that ended it.  `out_pid` may be NULL. */
static inline int child_run(int (*call)(void *context), void *context, pid_t *out_pid)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(call(context));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (out_pid)
        *out_pid = pid;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
