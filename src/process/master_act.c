/*
 * The supervisor's actions, carried out.
 *
 * The happy path of each is a system call or a message on a channel.  A channel that takes no more
 * is a worker that does not read: it is killed, and its death is an event like any other.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/master.h"

#include "base/check.h"

/* --- Workers ---------------------------------------------------------------------------------- */

/* Does not return.  What is closed here belongs to the master or to other workers: a channel that
 * stayed open would hide the master's death from them. */
static void become_worker(struct master *master, uint32_t place, const struct control_ends *ends)
{
    for (uint32_t i = 0; i < master->supervisor.place_count; i++)
        master_hang_up(&master->children[i]);
    close(master->signal_fd);
    successor_end(&master->successor, false);
    if (master->plan->legacy->fd >= 0)
        close(master->plan->legacy->fd);
    exit(master->plan->on_work(place, ends, master->plan->context));
}

static void act_fork(struct master *master, uint32_t place)
{
    struct master_child child = {.ends = {-1, -1}, .owed = 1}; /* that it is ready */
    struct master_child worker = {.ends = {-1, -1}};
    int failure = control_open(&child.ends, &worker.ends);

    CHECK(place < master->supervisor.place_count && master->children[place].ends.word_fd < 0);
    child.pid = failure == 0 ? fork() : -1;
    if (child.pid == 0) {
        master_hang_up(&child);
        become_worker(master, place, &worker.ends);
    }
    if (failure == 0 && child.pid < 0)
        failure = errno;
    master_hang_up(&worker);
    if (failure == 0) {
        master->children[place] = child;
        master_event(master, EVENT_FORKED, place, 0);
        return;
    }
    master_hang_up(&child);
    master_say(master, "cannot start a worker: %s", strerror(failure));
    master_event(master, EVENT_FORK_FAILED, place, 0);
}

static void tell(struct master *master, uint32_t place, const struct control_message *message,
                 int passed_fd)
{
    struct master_child *child = &master->children[place];

    CHECK(place < master->supervisor.place_count);
    if (child->ends.word_fd < 0)
        return;
    int failure = control_send_patiently(child->ends.word_fd, message, passed_fd, SEND_PATIENCE_MS);

    if (failure == 0 && message->kind == CONTROL_SERVED)
        child->owed++;
    if (failure == 0 || failure == EPIPE || failure == ECONNRESET)
        return; /* one that has ended is reported by SIGCHLD */
    master_say(master, "worker %ld does not listen (%s) and is killed", (long)child->pid,
               strerror(failure));
    kill(child->pid, SIGKILL);
}

static void tell_kind(struct master *master, uint32_t place, enum control_kind kind, uint32_t slot)
{
    const struct control_message message = control_make(kind, slot, 0);

    tell(master, place, &message, -1);
}

/* Ready to be written means that three quarters of a channel are free, so that logs, of which there
 * may be many, leave them to words that cannot wait; and while descriptors are under way to more
 * workers than a user may send them to (ETOOMANYREFS), they wait too. */
static bool log_give(struct master_child *child, uint32_t number, int fd)
{
    struct pollfd wait = {.fd = child->ends.word_fd, .events = POLLOUT};
    const struct control_message message = control_make(CONTROL_LOG, number, 0);

    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) != 0 &&
           control_send(child->ends.word_fd, &message, fd) == 0;
}

/* Whether all have been sent that are to be. */
static bool logs_give(const struct master *master, struct master_child *child)
{
    const struct master_plan *plan = master->plan;
    uint32_t number = 0;
    int fd;

    while (child->ends.word_fd >= 0 && child->is_given_logs) {
        fd = plan->on_other_log(child->given_log, &number, plan->context);
        CHECK(fd < 0 || number > child->given_log);
        if (fd >= 0 && !log_give(child, number, fd))
            return false;
        child->given_log = number;
        child->is_given_logs = fd >= 0;
    }
    child->is_given_logs = false;
    return true;
}

void master_give_logs(struct master *master, uint32_t place)
{
    struct master_child *child = &master->children[place];

    CHECK(place < master->supervisor.place_count);
    if (!master->plan->on_other_log)
        return;
    child->is_given_logs = true;
    child->given_log = 0;
    if (!logs_give(master, child))
        master->logs_due_ms = master_now_ms() + LOGS_MS;
}

void master_give_more_logs(struct master *master)
{
    master->logs_due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < master->supervisor.place_count; i++)
        if (!logs_give(master, &master->children[i]))
            master->logs_due_ms = master_now_ms() + LOGS_MS;
}

static void act_retire(struct master *master, uint32_t place)
{
    const struct control_message message = control_make(CONTROL_RETIRE, 0, 0);
    int log_fd = master->plan->on_log(false, master->plan->context);

    master_give_logs(master, place);
    tell(master, place, &message, log_fd);
}

static void give_sockets(struct master *master, uint32_t place, uint32_t slot)
{
    const struct successor_program *program = &master->plan->program;

    for (uint32_t i = 0; i < program->socket_count; i++) {
        const struct master_socket *socket = &program->sockets[i];
        const struct control_message message =
            control_make(CONTROL_SERVE, socket->slot, socket->address);

        if (socket->slot == slot)
            tell(master, place, &message, socket->fd);
    }
}

static void act_assign(struct master *master, uint32_t place, uint32_t slot)
{
    CHECK(slot < master->supervisor.plan.slot_count);
    if (!master->children[place].has_shared)
        give_sockets(master, place, SUPERVISOR_NOBODY);
    master->children[place].has_shared = true;
    give_sockets(master, place, slot);
    tell_kind(master, place, CONTROL_SERVED, slot);
}

static void act_kill(const struct master *master, uint32_t place)
{
    CHECK(place < master->supervisor.place_count);
    if (master->children[place].pid > 0)
        kill(master->children[place].pid, SIGKILL);
}

static void say_died(const struct master *master, uint32_t place)
{
    const struct master_child *child = &master->children[place];

    master->plan->on_death(place, child->pid, child->status, master->plan->context);
}

/* --- The whole program ------------------------------------------------------------------------ */

static void own(struct master *master)
{
    int code = master->plan->on_ready(master->plan->context);

    CHECK(!master->is_awaiting);
    if (code != 0)
        master_event(master, EVENT_REFUSED, SUPERVISOR_NOBODY, code);
    else
        notify_send(master->plan->notify, "READY=1\nMAINPID=%ld\nSTATUS=serving with %u workers\n",
                    (long)getpid(), master->supervisor.worker_count);
}

/* All workers serve.  A successor asks first whether all is its own now. */
static void act_announce(struct master *master)
{
    const struct control_message message = control_make(CONTROL_SUCCESSOR_READY, 0, 0);

    if (!master->is_awaiting)
        own(master);
    else if (master->plan->legacy->fd < 0)
        master_take_over(master);
    else
        (void)control_send_patiently(master->plan->legacy->fd, &message, -1, SEND_PATIENCE_MS);
}

void master_take_over(struct master *master)
{
    const struct control_message message = control_make(CONTROL_TOOK, 0, 0);

    if (!master->is_awaiting || master->supervisor.generation == 0)
        return; /* its predecessor died early: it goes on by itself */
    master->is_awaiting = false;
    own(master);
    if (master->plan->legacy->fd >= 0)
        (void)control_send_patiently(master->plan->legacy->fd, &message, -1, SEND_PATIENCE_MS);
}

/* How a successor ended that was not ready yet. */
static void say_successor(const struct master *master)
{
    static const char goes_on[] = "the old one goes on";
    int status = master->successor_status;

    if (!master->has_status)
        master_say(master, "not replaced: the new program is gone; %s", goes_on);
    else if (master->successor_errno != 0)
        master_say(master, "not replaced: cannot execute %s: %s; %s",
                   master->plan->program.path ? master->plan->program.path : "this program",
                   strerror(master->successor_errno), goes_on);
    else if (WIFSIGNALED(status))
        master_say(master, "not replaced: the new program was ended by signal %d (%s); %s",
                   WTERMSIG(status), strsignal(WTERMSIG(status)), goes_on);
    else
        master_say(master, "not replaced: the new program ended with exit code %d; %s",
                   WEXITSTATUS(status), goes_on);
}

static void tell_reloaded(const struct master *master, bool is_done)
{
    if (master->plan->on_reloaded)
        master->plan->on_reloaded(is_done, master->plan->context);
}

static void say_unchanged(const struct master *master, enum supervisor_reason reason)
{
    /* A successor was given sockets that listen; they are ours again. */
    if (master->supervisor.is_refusing)
        master->plan->on_refuse(true, master->plan->context);
    switch (reason) {
    case REASON_FORK:
        master_say(master, "not reloaded: a worker could not be started; the old ones go on");
        break;
    case REASON_WORKER:
        master_say(master, "not reloaded: a new worker could not start; the old ones go on");
        break;
    case REASON_SUCCESSOR:
        say_successor(master);
        break;
    case REASON_LATE:
        master_say(master, "nothing changed: what is new was not ready in time; the old goes on");
        break;
    case REASON_BUSY:
        master_say(master, "not replaced: that is already under way");
        break;
    }
    notify_send(master->plan->notify,
                "READY=1\nSTATUS=serving with %u workers; the last change failed\n",
                master->supervisor.worker_count);
}

static void act_execute(struct master *master)
{
    const struct successor_program *program = &master->plan->program;

    master->has_status = false;
    /* It takes sockets that listen alone. */
    master->plan->on_refuse(false, master->plan->context);
    const struct board_given given = board_give(master->plan->board);
    int failure = successor_start(&master->successor, program,
                                  master->plan->on_log(false, master->plan->context), &given);

    if (failure == 0)
        return;
    master->successor_errno = failure;
    master->has_status = true;
    master_event(master, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0);
}

static void act_give(struct master *master)
{
    const struct control_message message = control_make(CONTROL_GIVE, 0, 0);

    master->plan->on_own(false, master->plan->context);
    (void)control_send_patiently(master->successor.fd, &message, -1, SEND_PATIENCE_MS);
}

/* Only the main process may name the next one. */
static void act_given(struct master *master)
{
    notify_send(master->plan->notify, "MAINPID=%ld\n", (long)master->successor.pid);
    master_tell(master, MASTER_NOTICE,
                "replaced: process %ld serves, this one finishes what it has",
                (long)master->successor.pid);
    successor_end(&master->successor, false);
}

static void say_serving(const struct master *master)
{
    notify_send(master->plan->notify, "READY=1\nSTATUS=serving with %u workers\n",
                master->supervisor.worker_count);
}

static void act_reloaded(struct master *master)
{
    tell_reloaded(master, true);
    master->is_settling = true;
    uint32_t count = master->supervisor.worker_count;

    master_tell(master, MASTER_NOTICE, "reloaded: %u new worker%s", count,
                count == 1 ? " serves" : "s serve");
    say_serving(master);
}

static void act_refuse(struct master *master)
{
    master->plan->on_refuse(true, master->plan->context);
    master_tell(master, MASTER_CRITICAL,
                "no worker serves: connections are refused until one does");
    notify_send(master->plan->notify, "STATUS=no worker serves, connections are refused\n");
}

static void act_admit(struct master *master)
{
    master->plan->on_refuse(false, master->plan->context);
    master_tell(master, MASTER_NOTICE, "a worker serves again");
    say_serving(master);
}

static void act(struct master *master, const struct supervisor_action *action)
{
    const struct master_plan *plan = master->plan;

    switch (action->kind) {
    case ACTION_FORK:
        act_fork(master, action->worker);
        break;
    case ACTION_ASSIGN:
        act_assign(master, action->worker, action->slot);
        break;
    case ACTION_RELEASE:
        tell_kind(master, action->worker, CONTROL_RELEASE, action->slot);
        break;
    case ACTION_DELAY:
        tell_kind(master, action->worker, CONTROL_DELAY,
                  master->plan->supervisor.drain_delay_ms / 2);
        break;
    case ACTION_DRAIN:
        tell_kind(master, action->worker, CONTROL_DRAIN, 0);
        break;
    case ACTION_RETIRE:
        act_retire(master, action->worker);
        break;
    case ACTION_STOP:
        tell_kind(master, action->worker, CONTROL_STOP, 0);
        break;
    case ACTION_KILL:
        act_kill(master, action->worker);
        break;
    case ACTION_ANNOUNCE:
        act_announce(master);
        break;
    case ACTION_RELOADING:
        notify_reloading(master->plan->notify);
        break;
    case ACTION_RELOADED:
        act_reloaded(master);
        break;
    case ACTION_REFUSE:
        act_refuse(master);
        break;
    case ACTION_ADMIT:
        act_admit(master);
        break;
    case ACTION_UNCHANGED:
        if (action->code != REASON_SUCCESSOR && action->code != REASON_BUSY)
            tell_reloaded(master, false);
        say_unchanged(master, (enum supervisor_reason)action->code);
        break;
    case ACTION_STOPPING:
        notify_send(master->plan->notify, "STOPPING=1\nSTATUS=draining\n");
        break;
    case ACTION_CLOSE:
        plan->on_close(plan->context);
        break;
    case ACTION_EXECUTE:
        act_execute(master);
        break;
    case ACTION_GIVE:
        act_give(master);
        break;
    case ACTION_ABANDON:
        successor_end(&master->successor, true);
        break;
    case ACTION_RECLAIM:
        plan->on_own(true, plan->context);
        break;
    case ACTION_GIVEN:
        act_given(master);
        break;
    case ACTION_SAY_DIED:
        say_died(master, action->worker);
        break;
    case ACTION_SAY_HUNG:
        master_say(master, "worker %ld does not move and is killed; others take its sockets",
                   (long)master->children[action->worker].pid);
        break;
    case ACTION_SAY_LATE:
        master_say(master, "worker %ld is not ready in time and is killed",
                   (long)master->children[action->worker].pid);
        break;
    case ACTION_EXIT:
        master->has_ended = true;
        master->exit_code = action->code;
        break;
    }
}

void master_act(struct master *master)
{
    struct supervisor_action action;

    while (supervisor_take(&master->supervisor, &action))
        act(master, &action);
    if (master->is_settling && supervisor_is_settled(&master->supervisor)) {
        master->is_settling = false;
        master->plan->on_settled(master->plan->context);
    }
}
