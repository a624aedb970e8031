/*
 * The master's loop: signals, channels and time become events of the supervisor.
 *
 * The happy path: a poll over one descriptor for signals and one for each worker; after each wait
 * everything that is there becomes an event, and the actions are carried out (master_act.c).  What
 * can go wrong with a worker is an event too; what can go wrong here is poll alone.
 */
#include "process/master.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "process/signals.h"

enum { WAIT_SIGNAL, WAIT_SUCCESSOR, WAIT_LEGACY, WAIT_CHILDREN };

uint64_t master_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say(const struct master *master, enum master_level level, const char *format,
                va_list arguments) PX_PRINTF(3, 0);

static void say(const struct master *master, enum master_level level, const char *format,
                va_list arguments)
{
    char text[MASTER_TEXT_BYTES];

    vsnprintf(text, sizeof(text), format, arguments);
    master->plan->on_say(level, text, master->plan->context);
}

void master_tell(const struct master *master, enum master_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(master, level, format, arguments);
    va_end(arguments);
}

void master_say(const struct master *master, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(master, MASTER_WARNING, format, arguments);
    va_end(arguments);
}

void master_event(struct master *master, enum supervisor_event_kind kind, uint32_t worker, int code)
{
    const struct supervisor_event event = {
        .kind = kind, .worker = worker, .slot = SUPERVISOR_NOBODY, .code = code};

    supervisor_event(&master->supervisor, &event, master_now_ms());
}

void master_hang_up(struct master_child *child)
{
    if (child->ends.word_fd >= 0)
        close(child->ends.word_fd);
    if (child->ends.answer_fd >= 0)
        close(child->ends.answer_fd);
    child->ends = (struct control_ends){-1, -1};
}

/* --- Signals ---------------------------------------------------------------------------------- */

static uint32_t child_find(const struct master *master, pid_t pid)
{
    for (uint32_t i = 0; i < master->supervisor.place_count; i++)
        if (master->children[i].pid == pid)
            return i;
    return SUPERVISOR_NOBODY;
}

/* The actions say which it was, and may fork another one into the same place. */
static void child_ended(struct master *master, uint32_t place, int status)
{
    struct master_child *child = &master->children[place];
    pid_t pid = child->pid;

    CHECK(place < master->supervisor.place_count && pid > 0);
    master_hang_up(child);
    child->status = status;
    board_retire(master->plan->board, place);
    bool is_replaced = master->plan->on_mend(master->plan->context);

    const struct supervisor_event event = {
        .kind = EVENT_DIED,
        .worker = place,
        .slot = SUPERVISOR_NOBODY,
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : SUPERVISOR_CRASHED,
        .is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL};

    supervisor_event(&master->supervisor, &event, master_now_ms());
    master_act(master);
    if (is_replaced)
        master_event(master, EVENT_RELOAD, SUPERVISOR_NOBODY, (int)master->supervisor.worker_count);
    if (child->pid == pid)
        child->pid = 0;
}

/* As process 1 of a container we inherit orphans that are not ours; they are let go. */
static void reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        uint32_t place = child_find(master, pid);

        if (pid == master->successor.pid) {
            master->successor_status = status;
            master->has_status = true;
            master->successor_errno = successor_failure(&master->successor);
            successor_end(&master->successor, false);
            master_event(master, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0);
        } else if (place != SUPERVISOR_NOBODY) {
            child_ended(master, place, status);
        }
        master_act(master);
    }
}

/* What a signal asks for is not done while all ends. */
static bool is_ending(const struct master *master, const char *signal_name)
{
    enum supervisor_phase phase = master->supervisor.phase;

    if (phase == PHASE_SERVING)
        return false;
    master_say(master, "%s is ignored: %s", signal_name,
               phase == PHASE_GIVEN ? "this program was replaced, and finishes what it has"
                                    : "this program was told to end");
    return true;
}

static void replace(struct master *master)
{
    if (is_ending(master, "USR2"))
        return;
    if (getpid() == 1)
        master_say(master, "cannot be replaced by USR2 as process 1: its end would end the "
                           "container; start another one");
    else
        master_event(master, EVENT_REPLACE, SUPERVISOR_NOBODY, 0);
}

/* Has all workers go on with a new log, and write what was counted to the board. */
static void report(struct master *master)
{
    const struct control_message message = control_make(CONTROL_REPORT, 0, 0);
    int log_fd = master->plan->on_log(true, master->plan->context);

    for (uint32_t i = 0; i < master->supervisor.place_count; i++) {
        struct master_child *child = &master->children[i];

        /* One that was not ready yet has opened its log just now, or will. */
        if (child->ends.word_fd < 0 || master->supervisor.workers[i].state < WORKER_READY)
            continue;
        master_give_logs(master, i);
        child->owes_report = control_send(child->ends.word_fd, &message, log_fd) == 0;
        child->owed += child->owes_report;
    }
    master->report_due_ms = master_now_ms() + REPORT_PATIENCE_MS;
}

static void reload(struct master *master)
{
    (void)master->plan->on_mend(master->plan->context);
    uint32_t count = master->plan->on_reload(master->plan->context);

    if (count == MASTER_RELOAD_LATER)
        return;
    if (count > 0) {
        master_event(master, EVENT_RELOAD, SUPERVISOR_NOBODY, (int)count);
        return;
    }
    /* A service manager waits for both words (Type=notify-reload), whatever came of it. */
    notify_reloading(master->plan->notify);
    notify_send(master->plan->notify, "READY=1\nSTATUS=serving; the last reload failed\n");
}

static void read_signals(struct master *master)
{
    struct signalfd_siginfo info;

    while (read(master->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            reap(master);
            break;
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            /* Numbers decide which signal is read first; a death that came before is no failure of
             * the end. */
            reap(master);
            master_event(master, EVENT_END, SUPERVISOR_NOBODY, 0);
            break;
        case SIGHUP:
            if (!is_ending(master, "HUP"))
                reload(master);
            break;
        case SIGUSR1:
            report(master);
            break;
        case SIGUSR2:
            replace(master);
            break;
        }
        master_act(master);
    }
}

/* --- Channels --------------------------------------------------------------------------------- */

static void answer_take(struct master *master, uint32_t place, const struct control_answer *answer)
{
    CHECK(answer->kind >= CONTROL_READY && answer->kind <= CONTROL_REPORTED);
    if (answer->kind == CONTROL_READY) {
        if (answer->slot == CONTROL_READY_BUT)
            master->plan->on_warned(master->plan->context);
        master_event(master, EVENT_READY, place, 0);
    } else if (answer->kind == CONTROL_SERVING) {
        const struct supervisor_event event = {
            .kind = EVENT_SERVING, .worker = place, .slot = answer->slot};

        supervisor_event(&master->supervisor, &event, master_now_ms());
    } else {
        master->children[place].owes_report = false;
    }
    master_act(master);
}

/* What it owes bounds what is read of it, in one turn and in all. */
static void read_child(struct master *master, uint32_t place)
{
    struct master_child *child = &master->children[place];
    enum control_heard heard = HEARD_NOTHING;
    struct control_answer answer;

    while (child->ends.answer_fd >= 0 &&
           (heard = control_hear(child->ends.answer_fd, &answer)) == HEARD_ANSWER) {
        if (child->owed == 0) {
            heard = HEARD_NONSENSE;
            break;
        }
        child->owed--;
        answer_take(master, place, &answer);
    }
    if (child->ends.answer_fd < 0 || heard == HEARD_NOTHING)
        return;
    /* It has closed its end, so it is ending, or it speaks nonsense, so it must.  Its death is
     * reported by SIGCHLD. */
    if (heard == HEARD_NONSENSE)
        master_say(master,
                   "worker %ld answered what it was not asked and is killed; it may have been "
                   "taken over",
                   (long)child->pid);
    kill(child->pid, SIGKILL);
    master_hang_up(child);
}

static void read_successor(struct master *master)
{
    struct control_message message;
    int passed_fd;
    int result = 1;

    while (master->successor.fd >= 0 &&
           (result = control_receive(master->successor.fd, &message, &passed_fd)) > 0) {
        if (passed_fd >= 0)
            close(passed_fd);
        if (message.kind == CONTROL_SUCCESSOR_READY)
            master_event(master, EVENT_SUCCESSOR_READY, SUPERVISOR_NOBODY, 0);
        else if (message.kind == CONTROL_TOOK)
            master_event(master, EVENT_SUCCESSOR_TOOK, SUPERVISOR_NOBODY, 0);
        master_act(master);
    }
    /* How it ended is known when it is reaped, a moment after its end was closed. */
    if (result < 0)
        successor_hang_up(&master->successor);
}

/* As a successor: our predecessor gives us all, or has died, or has changed its mind. */
static void read_legacy(struct master *master)
{
    struct control_message message;
    int passed_fd;
    int result = control_receive(master->plan->legacy->fd, &message, &passed_fd);

    CHECK(master->plan->legacy->fd >= 0);
    if (result == 0)
        return;
    if (result > 0 && passed_fd >= 0)
        close(passed_fd);
    if (result > 0 && message.kind != CONTROL_GIVE)
        return;
    if (result > 0 || getppid() != master->plan->legacy->pid)
        master_take_over(master);
    else if (master->is_awaiting)
        master_event(master, EVENT_END, SUPERVISOR_NOBODY, 0);
    legacy_deinit(master->plan->legacy);
    master_act(master);
}

/* --- Time ------------------------------------------------------------------------------------- */

/* `is_late`: we were stopped ourselves, and so most likely were they; they get time to move. */
static void look_at_beats(struct master *master, uint64_t now_ms, bool is_late)
{
    CHECK(master->plan->board->count >= master->supervisor.place_count);
    for (uint32_t i = 0; i < master->supervisor.place_count; i++) {
        uint64_t at_ms = atomic_load(&master->plan->board->blocks[i]->alive_ms);
        const struct supervisor_event event = {
            .kind = EVENT_ALIVE, .worker = i, .at_ms = is_late || at_ms > now_ms ? now_ms : at_ms};

        if (master->children[i].pid > 0)
            supervisor_event(&master->supervisor, &event, now_ms);
    }
}

static void look_at_report(struct master *master, uint64_t now_ms)
{
    bool is_waiting = false;

    for (uint32_t i = 0; i < master->supervisor.place_count; i++)
        is_waiting = is_waiting || (master->children[i].pid > 0 && master->children[i].owes_report);
    if (is_waiting && now_ms < master->report_due_ms)
        return;
    master->report_due_ms = UINT64_MAX;
    master->plan->on_report(master->plan->context);
}

/* Whether a worker that holds a slot has moved of late; at the start and at the end others look. */
static bool is_somebody_well(const struct master *master, uint64_t now_ms)
{
    const struct supervisor *supervisor = &master->supervisor;

    if (supervisor->generation == 0 || supervisor->phase > PHASE_DELAYING)
        return true;
    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];
        uint64_t moved_ms = atomic_load(&master->plan->board->blocks[i]->alive_ms);

        if (moved_ms < worker->since_ms)
            moved_ms = worker->since_ms;
        if (worker->state == WORKER_READY && worker->load > 0 && now_ms - moved_ms < STILL_MS)
            return true;
    }
    return false;
}

static void look_at_time(struct master *master)
{
    uint64_t now_ms = master_now_ms();

    if (master->report_due_ms != UINT64_MAX)
        look_at_report(master, now_ms);
    if (master->logs_due_ms <= now_ms)
        master_give_more_logs(master);
    if (master->watchdog_due_ms <= now_ms) {
        if (is_somebody_well(master, now_ms))
            notify_send(master->plan->notify, "WATCHDOG=1\n");
        master->watchdog_due_ms = now_ms + master->plan->notify->watchdog_ms;
    }
    if (master->plan->board->sum && master->renew_due_ms <= now_ms) {
        board_renew(master->plan->board);
        master->renew_due_ms = now_ms + RENEW_MS;
    }
    if (master->look_due_ms <= now_ms) {
        master->look_due_ms = now_ms + master->plan->look_ms;
        if (master->plan->on_look(master->plan->context) &&
            master->supervisor.phase == PHASE_SERVING) {
            reload(master);
            master_act(master);
        }
    }
    uint64_t due_ms = supervisor_due_ms(&master->supervisor);

    if (due_ms <= now_ms) {
        look_at_beats(master, now_ms, now_ms - due_ms > LATE_MS);
        master_event(master, EVENT_TIME, SUPERVISOR_NOBODY, 0);
        master_act(master);
    }
}

static int timeout_ms(const struct master *master)
{
    uint64_t due_ms = supervisor_due_ms(&master->supervisor);
    uint64_t now_ms = master_now_ms();

    if (master->watchdog_due_ms < due_ms)
        due_ms = master->watchdog_due_ms;
    if (master->look_due_ms < due_ms)
        due_ms = master->look_due_ms;
    if (master->report_due_ms < due_ms)
        due_ms = master->report_due_ms;
    if (master->logs_due_ms < due_ms)
        due_ms = master->logs_due_ms;
    if (master->plan->board->sum && master->renew_due_ms < due_ms)
        due_ms = master->renew_due_ms;
    if (due_ms == UINT64_MAX)
        return -1;
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms > INT_MAX / 2 ? INT_MAX / 2 : (int)(due_ms - now_ms);
}

/* --- The loop --------------------------------------------------------------------------------- */

static px_err master_init(struct master *master, const struct master_plan *plan,
                          px_error *out_error)
{
    sigset_t set;

    CHECK(plan->board->count == master_place_count(plan->supervisor.slot_count));
    CHECK(plan->on_work && plan->on_ready && plan->on_reload && plan->on_mend);
    *master = (struct master){.plan = plan,
                              .signal_fd = -1,
                              .successor = {.fd = -1, .failure_fd = -1},
                              .watchdog_due_ms = UINT64_MAX,
                              .look_due_ms = UINT64_MAX,
                              .report_due_ms = UINT64_MAX,
                              .logs_due_ms = UINT64_MAX,
                              .is_awaiting = plan->legacy->fd >= 0};
    if (plan->look_ms > 0)
        master->look_due_ms = master_now_ms() + plan->look_ms;
    if (master->plan->notify->watchdog_ms > 0)
        master->watchdog_due_ms = master_now_ms();
    px_err err = supervisor_init(&master->supervisor, &plan->supervisor);
    uint32_t places = master->supervisor.place_count;

    if (err == PX_OK) {
        master->children = calloc(places, sizeof(master->children[0]));
        master->waits = calloc((size_t)places + WAIT_CHILDREN, sizeof(master->waits[0]));
        err = master->children && master->waits ? PX_OK : PX_ERR_MEMORY;
    }
    if (err != PX_OK)
        return error_set(out_error, err, 0, "cannot start workers: %s", px_err_name(err));
    for (uint32_t i = 0; i < places; i++)
        master->children[i].ends = (struct control_ends){-1, -1};
    signals_fill(&set);
    master->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (master->signal_fd >= 0)
        return error_clear(out_error);
    return error_set(out_error, error_category(errno), errno, "cannot start workers: %s",
                     strerror(errno));
}

static void master_deinit(struct master *master)
{
    if (master->signal_fd >= 0)
        close(master->signal_fd);
    successor_end(&master->successor, false);
    supervisor_deinit(&master->supervisor);
    free(master->children);
    free(master->waits);
}

/* A negative descriptor is skipped by poll. */
static void wait_for_something(struct master *master)
{
    uint32_t places = master->supervisor.place_count;

    master->waits[WAIT_SIGNAL] = (struct pollfd){.fd = master->signal_fd, .events = POLLIN};
    master->waits[WAIT_SUCCESSOR] = (struct pollfd){.fd = master->successor.fd, .events = POLLIN};
    master->waits[WAIT_LEGACY] = (struct pollfd){.fd = master->plan->legacy->fd, .events = POLLIN};
    for (uint32_t i = 0; i < places; i++)
        master->waits[WAIT_CHILDREN + i] =
            (struct pollfd){.fd = master->children[i].ends.answer_fd, .events = POLLIN};
    if (poll(master->waits, WAIT_CHILDREN + places, timeout_ms(master)) < 0)
        for (uint32_t i = 0; i < WAIT_CHILDREN + places; i++)
            master->waits[i].revents = 0;
}

static void loop(struct master *master)
{
    master_event(master, EVENT_START, SUPERVISOR_NOBODY, 0);
    master_act(master);
    while (!master->has_ended) {
        wait_for_something(master);
        /* What a worker said before it died comes before its death. */
        for (uint32_t i = 0; i < master->supervisor.place_count; i++)
            if (master->waits[WAIT_CHILDREN + i].revents != 0 &&
                master->waits[WAIT_CHILDREN + i].fd == master->children[i].ends.answer_fd)
                read_child(master, i);
        if (master->waits[WAIT_SUCCESSOR].revents != 0)
            read_successor(master);
        if (master->waits[WAIT_LEGACY].revents != 0 && master->plan->legacy->fd >= 0)
            read_legacy(master);
        if (master->waits[WAIT_SIGNAL].revents != 0)
            read_signals(master);
        look_at_time(master);
    }
}

px_err master_run(const struct master_plan *plan, int *out_exit_code, px_error *out_error)
{
    struct master master;
    px_err err = master_init(&master, plan, out_error);

    if (err == PX_OK) {
        loop(&master);
        *out_exit_code = master.exit_code;
    }
    master_deinit(&master);
    return err;
}
