/*
 * A master with real children that serve nothing: starting, signals, deaths, reloads, the end.
 *
 * Each test runs a master in a child of its own, since a master blocks signals and waits for all of
 * its children, and talks to it by signals and through shared memory.
 */
#include "process/master.h"

#include <errno.h>
#include <poll.h>
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
    PLACES = WORKER_COUNT * PLACES_PER_WORKER,
    WAIT_MS = 10 * 1000,
    HUNG_MS = 2000,
};

/* What master and workers write and the test reads. */
struct notes {
    _Atomic int started;
    _Atomic int ready;
    _Atomic int closed;
    _Atomic int mended;
    _Atomic int deaths;
    _Atomic int said;
    _Atomic int reports;
    _Atomic int heard[CONTROL_KIND_LAST + 1]; /* by message, of all workers */
    _Atomic int served;                       /* sockets that workers were sent */
    _Atomic int pids[PLACES];                 /* by place */
    _Atomic int behave;                       /* what a worker does: below */
    _Atomic int workers;                      /* of the next generation */
    _Atomic int logs;                         /* beside the one of the process */
};

enum {
    BEHAVE,         /* serve until told to stop */
    FAIL_AT_START,  /* who starts exits with 77 before it is ready */
    CRASH_AT_START, /* who starts kills itself before it is ready */
    IGNORE_DRAIN,   /* serve on until told to stop at once */
    IGNORE_ALL,     /* serve on until killed */
    REFUSE_READY,   /* the master's on_ready fails with 73 */
    FAIL_AT_END,    /* exit with 71 after a drain */
    IGNORED_BEFORE, /* serve; the master's parent ignored its signals */
    HANG,           /* become ready, then show no sign of life */
    DAWDLE,         /* become ready, then read nothing until this is another */
    FLOOD,          /* become ready, then answer what was not asked */
};

/* Whose notes the worker of this process writes. */
struct scene {
    struct notes *notes;
    struct board board;
    int listener_fd;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int work(uint32_t place, const struct control_ends *ends, void *context)
{
    struct scene *scene = context;
    struct notes *notes = scene->notes;
    struct control_message message;
    struct pollfd wait = {.fd = ends->word_fd, .events = POLLIN};
    int behave = notes->behave;
    int fd;
    int result;

    notes->pids[place] = getpid();
    atomic_fetch_add(&notes->started, 1);
    if (behave == FAIL_AT_START)
        return 77;
    if (behave == CRASH_AT_START)
        raise(SIGKILL);
    if (control_answer(ends->answer_fd, CONTROL_READY, 0) != 0)
        return 98;
    /* The first alone, once all are ready. */
    bool is_flood = behave == FLOOD && atomic_exchange(&notes->behave, BEHAVE) == FLOOD;

    while (is_flood)
        if (notes->ready > 0)
            (void)control_answer(ends->answer_fd, CONTROL_REPORTED, 0);
    for (;;) {
        if (poll(&wait, 1, 10) < 0)
            return 99;
        while (notes->behave == DAWDLE)
            poll(NULL, 0, 1);
        if (behave != HANG)
            atomic_store(&scene->board.blocks[place]->alive_ms, now_ms());
        while ((result = control_receive(ends->word_fd, &message, &fd)) > 0) {
            atomic_fetch_add(&notes->heard[message.kind], 1);
            if (fd >= 0) {
                atomic_fetch_add(&notes->served, 1);
                close(fd);
            }
            if (message.kind == CONTROL_SERVED || message.kind == CONTROL_REPORT) {
                /* If it fails the master is gone, which is heard below. */
                (void)control_answer(ends->answer_fd,
                                     message.kind == CONTROL_SERVED ? CONTROL_SERVING
                                                                    : CONTROL_REPORTED,
                                     message.slot);
            }
            if (message.kind == CONTROL_STOP && behave != IGNORE_ALL)
                return 0;
            if (message.kind == CONTROL_DRAIN && behave == FAIL_AT_END)
                return 71;
            if ((message.kind == CONTROL_DRAIN || message.kind == CONTROL_RETIRE) &&
                behave != IGNORE_DRAIN && behave != IGNORE_ALL)
                return 0;
        }
        if (result < 0) { /* the master is gone */
            atomic_fetch_add(&notes->heard[CONTROL_DRAIN], 1);
            return 0;
        }
    }
}

static int ready(void *context)
{
    struct notes *notes = ((struct scene *)context)->notes;

    atomic_fetch_add(&notes->ready, 1);
    return notes->behave == REFUSE_READY ? 73 : 0;
}

static void reloaded(bool is_good, void *context)
{
    (void)is_good;
    (void)context;
}

static void settled(void *context)
{
    (void)context;
}

static uint32_t reload(void *context)
{
    return (uint32_t)((struct scene *)context)->notes->workers;
}

static bool mend(void *context)
{
    atomic_fetch_add(&((struct scene *)context)->notes->mended, 1);
    return false;
}

static void closed(void *context)
{
    atomic_fetch_add(&((struct scene *)context)->notes->closed, 1);
}

static void own(bool is_ours, void *context)
{
    (void)is_ours;
    (void)context;
}

static int log_open(bool is_anew, void *context)
{
    (void)is_anew;
    (void)context;
    return -1;
}

static int other_log(uint32_t after, uint32_t *out_number, void *context)
{
    const struct scene *scene = context;

    *out_number = after + 1;
    return (int)after < scene->notes->logs ? scene->listener_fd : -1;
}

static void report(void *context)
{
    atomic_fetch_add(&((struct scene *)context)->notes->reports, 1);
}

static void refuse(bool is_refused, void *context)
{
    (void)is_refused;
    (void)context;
}

static void say(enum master_level level, const char *text, void *context)
{
    (void)level;
    (void)text;
    atomic_fetch_add(&((struct scene *)context)->notes->said, 1);
}

static void death(uint32_t place, pid_t pid, int status, void *context)
{
    struct notes *notes = ((struct scene *)context)->notes;

    (void)status;
    assert_int_equal(notes->pids[place], pid);
    atomic_fetch_add(&notes->deaths, 1);
}

static struct notes *notes_make(int behave)
{
    struct notes *notes =
        mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(notes != MAP_FAILED);
    notes->behave = behave;
    notes->workers = WORKER_COUNT;
    return notes;
}

static void notes_free(struct notes *notes)
{
    /* Nobody may be left, whatever the test was about. */
    for (int i = 0; i < PLACES; i++)
        if (notes->pids[i] != 0)
            assert_int_equal(kill(notes->pids[i], 0), -1);
    munmap(notes, sizeof(*notes));
}

static int master_work(struct notes *notes)
{
    struct scene scene = {.notes = notes, .listener_fd = STDIN_FILENO};
    struct legacy legacy = {.fd = -1};
    struct notify notify = {.fd = -1};
    struct master_socket sockets[WORKER_COUNT];
    const char *const addresses[] = {"nowhere"};
    struct master_plan plan = {
        .supervisor = {.worker_count = WORKER_COUNT,
                       .slot_count = WORKER_COUNT,
                       .start_timeout_ms = 10 * 1000,
                       .hung_timeout_ms = notes->behave == HANG ? HUNG_MS : 0,
                       .drain_timeout_ms = 10 * 1000},
        .program = {.addresses = addresses,
                    .sockets = sockets,
                    .socket_count = WORKER_COUNT,
                    .slot_count = WORKER_COUNT},
        .board = &scene.board,
        .legacy = &legacy,
        .notify = &notify,
        .on_work = work,
        .on_ready = ready,
        .on_reload = reload,
        .on_reloaded = reloaded,
        .on_settled = settled,
        .on_mend = mend,
        .on_close = closed,
        .on_own = own,
        .on_log = log_open,
        .on_other_log = other_log,
        .on_report = report,
        .on_say = say,
        .on_refuse = refuse,
        .on_death = death,
        .context = &scene};
    int code = 98;
    px_error error;

    for (uint32_t i = 0; i < WORKER_COUNT; i++)
        sockets[i] = (struct master_socket){.fd = scene.listener_fd, .slot = i};
    px_metrics *metrics = px_metrics_create(NULL, &error);

    if (!metrics ||
        board_init(&scene.board, master_place_count(WORKER_COUNT), metrics, NULL, 0) != PX_OK)
        return 96;
    if (notes->behave == IGNORED_BEFORE) {
        signal(SIGCHLD, SIG_IGN);
        signal(SIGINT, SIG_IGN);
    }
    signals_block();
    if (master_run(&plan, &code, &error) != PX_OK)
        code = 97;
    board_deinit(&scene.board);
    px_metrics_destroy(metrics);
    return code;
}

static pid_t master_start(struct notes *notes)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(master_work(notes));
    return pid;
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
        struct notes *notes = notes_make(BEHAVE);
        pid_t pid = master_start(notes);

        wait_for(&notes->ready, 1);
        assert_int_equal(notes->started, WORKER_COUNT);
        kill(pid, numbers[i]);
        assert_int_equal(master_end(pid), 0);
        assert_int_equal(notes->heard[CONTROL_DRAIN], WORKER_COUNT);
        assert_int_equal(notes->heard[CONTROL_STOP], 0);
        assert_int_equal(notes->closed, 1);
        assert_int_equal(notes->deaths, 0);
        notes_free(notes);
    }
}

static void the_second_is_at_once_and_the_third_kills(void **state)
{
    (void)state;
    for (int behave = IGNORE_DRAIN; behave <= IGNORE_ALL; behave++) {
        struct notes *notes = notes_make(behave);
        pid_t pid = master_start(notes);

        wait_for(&notes->ready, 1);
        kill(pid, SIGTERM);
        wait_for(&notes->heard[CONTROL_DRAIN], WORKER_COUNT);
        assert_int_equal(notes->heard[CONTROL_STOP], 0);
        kill(pid, SIGINT);
        wait_for(&notes->heard[CONTROL_STOP], WORKER_COUNT);
        if (behave == IGNORE_ALL)
            kill(pid, SIGQUIT);
        assert_int_equal(master_end(pid), 0);
        assert_int_equal(notes->closed, 1);
        notes_free(notes);
    }
}

/* The first in the table. */
static int some_worker(const struct notes *notes)
{
    for (int i = 0; i < PLACES; i++)
        if (notes->pids[i] != 0 && kill(notes->pids[i], 0) == 0)
            return notes->pids[i];
    fail_msg("nobody works");
    return 0;
}

/* One more answer than it owes is its end, and TERM is heard all the same. */
static void a_worker_that_floods_is_killed(void **state)
{
    struct notes *notes = notes_make(FLOOD);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->deaths, 1);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

static void usr1_reopens_and_reports(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->ready, 1);
    kill(pid, SIGUSR1);
    wait_for(&notes->heard[CONTROL_REPORT], WORKER_COUNT);
    wait_for(&notes->reports, 1);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

/* More than a channel takes, to workers that do not read for a while, and asked for again
 * meanwhile: each gets each log, and all live on. */
static void many_logs_wait_for_those_that_do_not_read(void **state)
{
    enum { LOGS = 600, STILL_FOR_MS = 400 };
    struct notes *notes = notes_make(DAWDLE);
    pid_t pid = master_start(notes);

    (void)state;
    notes->logs = LOGS;
    wait_for(&notes->ready, 1);
    for (int i = 1; i <= 3; i++) {
        kill(pid, SIGUSR1);
        wait_for(&notes->reports, i); /* without their numbers */
    }
    sleep_ms(STILL_FOR_MS);
    notes->behave = BEHAVE;
    wait_for(&notes->heard[CONTROL_LOG], WORKER_COUNT * LOGS);
    wait_for(&notes->heard[CONTROL_REPORT], WORKER_COUNT * 3);
    /* What was asked for meanwhile began anew, and did not pile up. */
    assert_in_range(notes->heard[CONTROL_LOG], WORKER_COUNT * LOGS, 2 * WORKER_COUNT * LOGS);
    assert_int_equal(notes->deaths, 0);
    assert_int_equal(notes->said, 0);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

static void hup_replaces_a_generation(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    for (int round = 1; round <= 3; round++) {
        kill(pid, SIGHUP);
        wait_for(&notes->heard[CONTROL_RETIRE], WORKER_COUNT * round);
        assert_int_equal(notes->started, WORKER_COUNT * (round + 1));
        assert_int_equal(notes->served, WORKER_COUNT * (round + 1));
    }
    assert_int_equal(notes->ready, 1);
    assert_int_equal(notes->deaths, 0);
    /* Fewer of them serve all slots. */
    notes->workers = 1;
    kill(pid, SIGHUP);
    wait_for(&notes->heard[CONTROL_RETIRE], WORKER_COUNT * 4);
    assert_int_equal(notes->started, WORKER_COUNT * 4 + 1);
    assert_int_equal(notes->served, WORKER_COUNT * 5);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    notes->behave = FAIL_AT_START;
    kill(pid, SIGHUP);
    wait_for(&notes->said, 1);
    sleep_ms(100);
    assert_int_equal(notes->served, WORKER_COUNT);
    assert_int_equal(notes->heard[CONTROL_RETIRE], 0);
    assert_int_equal(notes->heard[CONTROL_RELEASE], 0);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    assert_int_equal(notes->deaths, 0);
    notes_free(notes);
}

/* There is no program to execute here. */
static void a_replacement_that_fails_changes_nothing(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    kill(pid, SIGUSR2);
    wait_for(&notes->said, 1);
    assert_int_equal(notes->closed, 0);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    assert_int_equal(notes->heard[CONTROL_DRAIN], WORKER_COUNT);
    notes_free(notes);
}

static void a_dead_worker_is_replaced(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    for (int round = 1; round <= 3; round++) {
        kill(some_worker(notes), SIGKILL);
        wait_for(&notes->started, WORKER_COUNT + round);
        wait_for(&notes->deaths, round);
        /* A sibling takes its socket, and gives it to the new one. */
        wait_for(&notes->served, WORKER_COUNT + 2 * round);
        wait_for(&notes->heard[CONTROL_RELEASE], round);
    }
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    assert_int_equal(notes->ready, 1);
    notes_free(notes);
}

static void a_hung_worker_is_replaced(void **state)
{
    struct notes *notes = notes_make(HANG);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    notes->behave = BEHAVE;
    wait_for(&notes->said, WORKER_COUNT);
    wait_for(&notes->started, 2 * WORKER_COUNT);
    wait_for(&notes->served, 2 * WORKER_COUNT);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

/* As in the background of a script. */
static void what_the_parent_ignored_arrives(void **state)
{
    struct notes *notes = notes_make(IGNORED_BEFORE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    kill(some_worker(notes), SIGKILL);
    wait_for(&notes->started, WORKER_COUNT + 1);
    assert_int_equal(notes->deaths, 1);
    kill(pid, SIGINT);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

/* Only those that die before they are ready are made to wait. */
static void starts_that_fail_are_limited(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->served, WORKER_COUNT);
    notes->behave = FAIL_AT_START;
    uint64_t began_ms = now_ms();
    kill(some_worker(notes), SIGKILL);
    wait_for(&notes->started, WORKER_COUNT + 3);
    sleep_ms(500);
    int starts = notes->started - WORKER_COUNT;
    uint64_t passed_ms = now_ms() - began_ms;

    /* At once, and after 100, 200, 400, 800 ms, and so on. */
    for (uint64_t pause_ms = 100; passed_ms >= pause_ms && starts > 1; pause_ms *= 2) {
        passed_ms -= pause_ms;
        starts--;
    }
    assert_int_equal(starts, 1);
    notes->behave = BEHAVE;
    wait_for(&notes->heard[CONTROL_RELEASE], 1);
    assert_int_equal(notes->deaths, 1);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 0);
    notes_free(notes);
}

static void a_failure_at_the_start_ends_all(void **state)
{
    struct notes *notes = notes_make(FAIL_AT_START);

    (void)state;
    assert_int_equal(master_end(master_start(notes)), 77);
    assert_int_equal(notes->ready, 0);
    assert_int_equal(notes->started, 1); /* which said why: the others would say the same */
    notes_free(notes);

    notes = notes_make(CRASH_AT_START);
    assert_int_equal(master_end(master_start(notes)), 70);
    assert_int_equal(notes->ready, 0);
    assert_int_equal(notes->deaths, 1);
    notes_free(notes);

    notes = notes_make(REFUSE_READY);
    assert_int_equal(master_end(master_start(notes)), 73);
    assert_int_equal(notes->ready, 1);
    assert_int_equal(notes->closed, 1);
    notes_free(notes);
}

static void a_bad_end_is_told(void **state)
{
    struct notes *notes = notes_make(FAIL_AT_END);
    pid_t pid = master_start(notes);

    (void)state;
    wait_for(&notes->ready, 1);
    kill(pid, SIGTERM);
    assert_int_equal(master_end(pid), 71);
    notes_free(notes);
}

static void workers_do_not_outlive_their_master(void **state)
{
    struct notes *notes = notes_make(BEHAVE);
    pid_t pid = master_start(notes);
    int status;

    (void)state;
    wait_for(&notes->ready, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    wait_for(&notes->heard[CONTROL_DRAIN], WORKER_COUNT);
    for (int i = 0; i < PLACES; i++)
        for (int turn = 0; notes->pids[i] != 0 && kill(notes->pids[i], 0) == 0; turn++) {
            assert_true(turn < WAIT_MS);
            sleep_ms(1);
        }
    notes_free(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_signal_drains),
        cmocka_unit_test(the_second_is_at_once_and_the_third_kills),
        cmocka_unit_test(a_worker_that_floods_is_killed),
        cmocka_unit_test(usr1_reopens_and_reports),
        cmocka_unit_test(hup_replaces_a_generation),
        cmocka_unit_test(a_reload_that_fails_changes_nothing),
        cmocka_unit_test(a_replacement_that_fails_changes_nothing),
        cmocka_unit_test(a_dead_worker_is_replaced),
        cmocka_unit_test(a_hung_worker_is_replaced),
        cmocka_unit_test(what_the_parent_ignored_arrives),
        cmocka_unit_test(starts_that_fail_are_limited),
        cmocka_unit_test(a_failure_at_the_start_ends_all),
        cmocka_unit_test(a_bad_end_is_told),
        cmocka_unit_test(many_logs_wait_for_those_that_do_not_read),
        cmocka_unit_test(workers_do_not_outlive_their_master),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
