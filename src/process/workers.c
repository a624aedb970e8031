/*
 * The master's loop: poll a descriptor for signals and a pipe for workers that are ready.
 *
 * The happy path: fork all, wait until each has said that it serves, then sleep until TERM, tell
 * the workers, reap them.  It can fail by a fork that the system refuses and by workers that die:
 * on the way up that ends everything, later the dead one is replaced, at most five a second.
 */
#include "process/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "process/signals.h"

enum {
    RESTART_WINDOW_MS = 1000,
    EXIT_CRASHED = 70, /* EX_SOFTWARE */
};

enum phase {
    PHASE_STARTING, /* some worker has not said yet that it serves */
    PHASE_SERVING,
    PHASE_STOPPING
};

struct master {
    const struct workers *plan; /* borrowed */
    pid_t *pids;                /* owned: 0 where no worker runs */
    uint32_t alive;
    uint32_t ready;
    int signal_fd;
    int ready_read_fd;  /* -1 once all are ready */
    int ready_write_fd; /* likewise */
    enum phase phase;
    uint32_t stop_requests;
    uint32_t restarts; /* in the window that began at window_ms */
    uint64_t window_ms;
    int exit_code;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void workers_tell_ready(int ready_fd)
{
    if (ready_fd < 0)
        return;
    while (write(ready_fd, "", 1) < 0 && errno == EINTR)
        continue;
    close(ready_fd);
}

/* Does not return. */
static void master_become_worker(struct master *master, uint32_t index, pid_t master_pid)
{
    int ready_fd = master->ready_write_fd;

    /* A worker without its master would hold the port, and nobody would find it.  The signal is
     * lost when the master died before this line, hence the second look. */
    prctl(PR_SET_PDEATHSIG, WORKER_DRAIN);
    if (getppid() != master_pid)
        exit(0);
    close_fd(&master->signal_fd);
    close_fd(&master->ready_read_fd);
    exit(master->plan->on_work(index, ready_fd, master->plan->context));
}

/* 0, or an errno. */
static int master_fork(struct master *master, uint32_t index)
{
    pid_t master_pid = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return errno;
    if (pid == 0)
        master_become_worker(master, index, master_pid);
    master->pids[index] = pid;
    master->alive++;
    return 0;
}

static void master_tell(const struct master *master, int signal_number)
{
    for (uint32_t i = 0; i < master->plan->count; i++)
        if (master->pids[i] > 0)
            kill(master->pids[i], signal_number);
}

static void master_stop(struct master *master, int exit_code)
{
    if (master->phase != PHASE_STOPPING) {
        master->phase = PHASE_STOPPING;
        master->exit_code = exit_code;
        if (master->plan->on_stop)
            master->plan->on_stop(master->plan->context);
    }
    master_tell(master, WORKER_DRAIN);
}

/* First a drain, then at once, then without asking. */
static void master_stop_requested(struct master *master)
{
    master->stop_requests++;
    if (master->stop_requests == 1)
        master_stop(master, 0);
    else
        master_tell(master, master->stop_requests == 2 ? WORKER_STOP : SIGKILL);
}

static int exit_code_of(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return EXIT_CRASHED;
}

static void master_lost(struct master *master, uint32_t index, int status)
{
    int code = exit_code_of(status);

    master->pids[index] = 0;
    master->alive--;
    switch (master->phase) {
    case PHASE_STARTING:
        /* It has said itself why; a second attempt would say the same. */
        if (!WIFEXITED(status))
            master->plan->on_death(index, status, master->plan->context);
        master_stop(master, code != 0 ? code : EXIT_CRASHED);
        break;
    case PHASE_SERVING:
        master->plan->on_death(index, status, master->plan->context);
        break;
    case PHASE_STOPPING:
        if (code != 0 && master->exit_code == 0 && master->stop_requests < 3)
            master->exit_code = code;
        break;
    }
}

static void master_reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (uint32_t i = 0; i < master->plan->count; i++)
            if (master->pids[i] == pid)
                master_lost(master, i, status);
}

/* Replaces dead workers as far as this second allows. */
static void master_restart(struct master *master)
{
    uint64_t now = now_ms();

    if (now - master->window_ms >= RESTART_WINDOW_MS) {
        master->window_ms = now;
        master->restarts = 0;
    }
    for (uint32_t i = 0; i < master->plan->count; i++) {
        if (master->pids[i] != 0)
            continue;
        if (master->restarts >= RESTARTS_PER_SECOND)
            return;
        master->restarts++;
        if (master_fork(master, i) != 0)
            master->restarts = RESTARTS_PER_SECOND; /* out of processes: try again next second */
    }
}

/* Until when to sleep: for ever, unless a dead worker waits for its turn. */
static int master_timeout_ms(const struct master *master)
{
    if (master->phase != PHASE_SERVING || master->alive == master->plan->count)
        return -1;
    uint64_t passed = now_ms() - master->window_ms;
    return passed >= RESTART_WINDOW_MS ? 0 : (int)(RESTART_WINDOW_MS - passed);
}

static void master_read_signals(struct master *master)
{
    struct signalfd_siginfo info;

    while (read(master->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            master_reap(master);
            break;
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            master_stop_requested(master);
            break;
        case SIGHUP:
            master_tell(master, WORKER_REOPEN);
            break;
        case SIGUSR1:
            master_tell(master, WORKER_REPORT);
            break;
        }
    }
}

static void master_read_ready(struct master *master)
{
    char bytes[64];
    ssize_t count = read(master->ready_read_fd, bytes, sizeof(bytes));

    if (count > 0)
        master->ready += (uint32_t)count;
    if (master->ready < master->plan->count || master->phase != PHASE_STARTING)
        return;
    close_fd(&master->ready_read_fd);
    close_fd(&master->ready_write_fd);
    master->phase = PHASE_SERVING;
    int code = master->plan->on_ready(master->plan->context);
    if (code != 0)
        master_stop(master, code);
}

static px_err master_init(struct master *master, const struct workers *plan, px_error *out_error)
{
    int ready[2] = {-1, -1};
    sigset_t set;

    *master =
        (struct master){.plan = plan, .signal_fd = -1, .ready_read_fd = -1, .ready_write_fd = -1};
    signals_fill(&set);
    master->pids = calloc(plan->count, sizeof(master->pids[0]));
    if (!master->pids)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot start workers: out of memory");
    master->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (master->signal_fd >= 0 && pipe2(ready, O_CLOEXEC) == 0) {
        master->ready_read_fd = ready[0];
        master->ready_write_fd = ready[1];
        return PX_OK;
    }
    return error_set(out_error, error_category(errno), errno, "cannot start workers: %s",
                     strerror(errno));
}

static void master_deinit(struct master *master)
{
    close_fd(&master->signal_fd);
    close_fd(&master->ready_read_fd);
    close_fd(&master->ready_write_fd);
    free(master->pids);
}

/* Forks all; when one cannot be, those that run are told to stop. */
static px_err master_start(struct master *master, px_error *out_error)
{
    for (uint32_t i = 0; i < master->plan->count; i++) {
        int failure = master_fork(master, i);

        if (failure != 0) {
            master_stop(master, EXIT_CRASHED);
            return error_set(out_error, error_category(failure), failure,
                             "cannot start worker %u: %s", i, strerror(failure));
        }
    }
    return error_clear(out_error);
}

static void master_loop(struct master *master)
{
    while (master->alive > 0 || master->phase == PHASE_SERVING) {
        struct pollfd waits[] = {
            {.fd = master->signal_fd, .events = POLLIN},
            {.fd = master->ready_read_fd, .events = POLLIN},
        };

        /* A negative descriptor is skipped by poll. */
        if (poll(waits, 2, master_timeout_ms(master)) < 0 && errno != EINTR)
            master_stop(master, EXIT_CRASHED);
        if (waits[1].revents != 0)
            master_read_ready(master);
        if (waits[0].revents != 0)
            master_read_signals(master);
        if (master->phase == PHASE_SERVING)
            master_restart(master);
    }
}

px_err workers_run(const struct workers *workers, int *out_exit_code, px_error *out_error)
{
    struct master master;
    px_err err = master_init(&master, workers, out_error);

    if (err == PX_OK) {
        err = master_start(&master, out_error);
        master_loop(&master);
        *out_exit_code = master.exit_code;
    }
    master_deinit(&master);
    return err;
}
