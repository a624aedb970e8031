/*
 * A master with real children that serve nothing: starting, signals, deaths, the end.
 *
 * Each test runs a master in a child of its own, since a master blocks signals and waits for all of
 * its children, and talks to it by signals and through shared memory.
 */
#include "process/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/test.h"
#include "process/signals.h"

enum {
    WORKER_COUNT = 3,
    WAIT_MS = 10 * 1000,
};

/* What master and workers write and the test reads. */
struct board {
    _Atomic int started;
    _Atomic int ready;
    _Atomic int stopped;
    _Atomic int deaths;
    _Atomic int signals[65]; /* by number, of all workers */
    _Atomic int pids[WORKER_COUNT];
    _Atomic int behave; /* what a worker does: below */
};

enum {
    BEHAVE,         /* serve until told to stop */
    FAIL_AT_START,  /* the last worker exits with 77 before it is ready */
    CRASH_AT_START, /* the last worker kills itself before it is ready */
    IGNORE_DRAIN,   /* serve on until told to stop at once */
    IGNORE_ALL,     /* serve on until killed */
    REFUSE_READY,   /* the master's on_ready fails with 73 */
    FAIL_AT_END,    /* exit with 71 after a drain */
    DIE_AT_ONCE,    /* whoever is started again exits with 1 */
    IGNORED_BEFORE, /* serve; the master's parent ignored its signals */
};

static int work(uint32_t index, int ready_fd, void *context)
{
    struct board *board = context;
    int behave = board->behave;
    sigset_t set;
    int number;

    atomic_fetch_add(&board->started, 1);
    board->pids[index] = getpid();
    if (behave == FAIL_AT_START && index == WORKER_COUNT - 1)
        return 77;
    if (behave == CRASH_AT_START && index == WORKER_COUNT - 1)
        raise(SIGKILL);
    if (behave == DIE_AT_ONCE && board->ready)
        return 1;
    workers_tell_ready(ready_fd);
    signals_fill(&set);
    for (;;) {
        if (sigwait(&set, &number) != 0)
            return 99;
        atomic_fetch_add(&board->signals[number], 1);
        if (number == WORKER_STOP && behave != IGNORE_ALL)
            return 0;
        if (number == WORKER_DRAIN && behave == FAIL_AT_END)
            return 71;
        if (number == WORKER_DRAIN && behave != IGNORE_DRAIN && behave != IGNORE_ALL)
            return 0;
    }
}

static int ready(void *context)
{
    struct board *board = context;

    atomic_fetch_add(&board->ready, 1);
    return board->behave == REFUSE_READY ? 73 : 0;
}

static void stopped(void *context)
{
    atomic_fetch_add(&((struct board *)context)->stopped, 1);
}

static void death(uint32_t index, int status, void *context)
{
    (void)index;
    (void)status;
    atomic_fetch_add(&((struct board *)context)->deaths, 1);
}

static struct board *board_make(int behave)
{
    struct board *board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(board != MAP_FAILED);
    board->behave = behave;
    return board;
}

static void board_free(struct board *board)
{
    /* Nobody may be left, whatever the test was about. */
    for (int i = 0; i < WORKER_COUNT; i++)
        if (board->pids[i] != 0)
            assert_int_equal(kill(board->pids[i], 0), -1);
    munmap(board, sizeof(*board));
}

static pid_t master_start(struct board *board)
{
    struct workers workers = {.count = WORKER_COUNT,
                              .on_work = work,
                              .on_ready = ready,
                              .on_stop = stopped,
                              .on_death = death,
                              .context = board};
    pid_t pid = fork();
    int code = 98;
    px_error error;

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (board->behave == IGNORED_BEFORE) {
        signal(SIGCHLD, SIG_IGN);
        signal(SIGINT, SIG_IGN);
    }
    signals_block();
    if (workers_run(&workers, &code, &error) != PX_OK)
        code = 97;
    _exit(code);
}

static void wait_for(const _Atomic int *value, int wanted)
{
    const struct timespec turn = {.tv_nsec = 1000000};

    for (int i = 0; *value < wanted; i++) {
        assert_true(i < WAIT_MS);
        nanosleep(&turn, NULL);
    }
}

static int master_end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void sleep_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static void one_signal_drains(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct board *board = board_make(BEHAVE);
        pid_t pid = master_start(board);

        wait_for(&board->ready, 1);
        assert_int_equal(board->started, WORKER_COUNT);
        kill(pid, numbers[i]);
        assert_int_equal(master_end(pid), 0);
        assert_int_equal(board->signals[WORKER_DRAIN], WORKER_COUNT);
        assert_int_equal(board->signals[WORKER_STOP], 0);
        assert_int_equal(board->stopped, 1);
        assert_int_equal(board->deaths, 0);
        board_free(board);
    }
}

static void the_second_is_at_once_and_the_third_kills(void **state)
{
    (void)state;
    for (int behave = IGNORE_DRAIN; behave <= IGNORE_ALL; behave++) {
        struct board *board = board_make(behave);
        pid_t pid = master_start(board);

        wait_for(&board->ready, 1);
        kill(pid, SIGTERM);
        wait_for(&board->signals[WORKER_DRAIN], WORKER_COUNT);
        assert_int_equal(board->signals[WORKER_STOP], 0);
        kill(pid, SIGINT);
        wait_for(&board->signals[WORKER_STOP], WORKER_COUNT);
        if (behave == IGNORE_ALL)
            kill(pid, SIGQUIT);
        assert_int_equal(master_end(pid), 0);
        assert_int_equal(board->stopped, 1);
        board_free(board);
    }
}

static void signals_are_passed_on(void **state)
{
    struct board *board = board_make(BEHAVE);
    pid_t pid = master_start(board);

    (void)state;
    wait_for(&board->ready, 1);
    kill(pid, SIGHUP);
    wait_for(&board->signals[WORKER_REOPEN], WORKER_COUNT);
    kill(pid, SIGUSR1);
    wait_for(&board->signals[WORKER_REPORT], WORKER_COUNT);
    kill(pid, SIGUSR2); /* means nothing to a master, and must not end it */
    sleep_ms(20);
    assert_int_equal(board->signals[SIGUSR2], 0);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    board_free(board);
}

static void a_dead_worker_is_replaced(void **state)
{
    struct board *board = board_make(BEHAVE);
    pid_t pid = master_start(board);

    (void)state;
    wait_for(&board->ready, 1);
    for (int round = 1; round <= 3; round++) {
        int victim = board->pids[1];

        kill(victim, SIGKILL);
        wait_for(&board->started, WORKER_COUNT + round);
        wait_for(&board->deaths, round);
        assert_int_not_equal(board->pids[1], victim);
    }
    /* One that leaves in order without being told is missed as well. */
    kill(board->pids[0], WORKER_DRAIN);
    wait_for(&board->started, WORKER_COUNT + 4);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    assert_int_equal(board->ready, 1);
    board_free(board);
}

/* As in the background of a script. */
static void what_the_parent_ignored_arrives(void **state)
{
    struct board *board = board_make(IGNORED_BEFORE);
    pid_t pid = master_start(board);

    (void)state;
    wait_for(&board->ready, 1);
    kill(board->pids[2], SIGKILL);
    wait_for(&board->started, WORKER_COUNT + 1);
    assert_int_equal(board->deaths, 1);
    kill(pid, SIGINT);
    assert_int_equal(master_end(pid), 0);
    board_free(board);
}

static void restarts_are_limited(void **state)
{
    struct board *board = board_make(DIE_AT_ONCE);
    pid_t pid = master_start(board);

    (void)state;
    wait_for(&board->ready, 1);
    kill(board->pids[0], SIGKILL);
    sleep_ms(1500);
    /* Two windows of a second may have been touched. */
    int restarts = board->started - WORKER_COUNT;
    assert_in_range(restarts, RESTARTS_PER_SECOND, 2 * RESTARTS_PER_SECOND);
    board->behave = BEHAVE;
    wait_for(&board->deaths, restarts);
    sleep_ms(1200);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    board_free(board);
}

static void a_failure_at_the_start_ends_all(void **state)
{
    struct board *board = board_make(FAIL_AT_START);

    (void)state;
    assert_int_equal(master_end(master_start(board)), 77);
    assert_int_equal(board->ready, 0);
    assert_int_equal(board->started, WORKER_COUNT);
    board_free(board);

    board = board_make(CRASH_AT_START);
    assert_int_equal(master_end(master_start(board)), 70);
    assert_int_equal(board->ready, 0);
    assert_int_equal(board->deaths, 1);
    board_free(board);

    board = board_make(REFUSE_READY);
    assert_int_equal(master_end(master_start(board)), 73);
    assert_int_equal(board->ready, 1);
    assert_int_equal(board->stopped, 1);
    board_free(board);
}

static void a_bad_end_is_told(void **state)
{
    struct board *board = board_make(FAIL_AT_END);
    pid_t pid = master_start(board);

    (void)state;
    wait_for(&board->ready, 1);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 71);
    board_free(board);
}

static void workers_do_not_outlive_their_master(void **state)
{
    struct board *board = board_make(BEHAVE);
    pid_t pid = master_start(board);
    int status;

    (void)state;
    wait_for(&board->ready, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    wait_for(&board->signals[WORKER_DRAIN], WORKER_COUNT);
    for (int i = 0; i < WORKER_COUNT; i++)
        for (int turn = 0; kill(board->pids[i], 0) == 0; turn++) {
            assert_true(turn < WAIT_MS);
            sleep_ms(1);
        }
    board_free(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_signal_drains),
        cmocka_unit_test(the_second_is_at_once_and_the_third_kills),
        cmocka_unit_test(signals_are_passed_on),
        cmocka_unit_test(a_dead_worker_is_replaced),
        cmocka_unit_test(what_the_parent_ignored_arrives),
        cmocka_unit_test(restarts_are_limited),
        cmocka_unit_test(a_failure_at_the_start_ends_all),
        cmocka_unit_test(a_bad_end_is_told),
        cmocka_unit_test(workers_do_not_outlive_their_master),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
