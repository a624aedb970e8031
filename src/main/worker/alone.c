/*
 * The one process that there is with -w 0.
 *
 * The happy path: a signal to end, and a drain.  What can go wrong: a signal comes when the server
 * is gone and the last lines are waited for; then only one to end has a meaning.
 */
#include "main/worker/alone.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/log/log_keep.h"
#include "main/observe/report.h"
#include "main/secure.h"
#include "main/worker/watchdog.h"

/* Signals are taken to the very end, while a reader of the log or a collector is waited for and
 * there is no server any more: then one to end shortens the wait, and the others do nothing. */
static bool is_too_late(const struct life *life, const char *signal_name)
{
    CHECK(worker_is_alone(life->worker));
    if (life->is_ending)
        diagnostics_tell(LEVEL_WARNING, "%s is ignored: this program was told to end", signal_name);
    return life->is_ending;
}

/* The first drains, the second ends at once. */
static void on_end_signal(int signal_number, void *context)
{
    struct life *life = context;

    (void)signal_number;
    CHECK(worker_is_alone(life->worker)); /* a worker's signals are its master's business */
    if (life->is_draining || life->is_ending) {
        life_stop(life);
        return;
    }
    notify_send(life->worker->notify, "STOPPING=1\nSTATUS=draining\n");
    life_drain(life, life->worker->options->process.drain_delay_ms);
}

static void life_reopen(const struct life *life)
{
    log_keep_reopen(life->worker->log, life->worker->options, life->log);
}

static void on_reload_signal(int signal_number, void *context)
{
    struct life *life = context;
    px_tls *tls = life->worker->listeners->tls;
    struct counts *counts = life->worker->counts;
    bool is_done;

    (void)signal_number;
    if (is_too_late(life, "HUP"))
        return;
    life_check(life);
    notify_reloading(life->worker->notify);
    life_reopen(life);
    if (life->worker->watch)
        file_watch_take(life->worker->watch);
    if (life->worker->swap)
        is_done = run_swap_alone(life->worker->swap, life->server, &life->gateway, tls,
                                 life->worker->dates);
    else
        is_done = secure_reload(life->worker->options, tls, life->worker->dates) == PX_OK;
    if (is_done && !life->worker->swap && !life->worker->options->quiet)
        diagnostics_tell(LEVEL_NOTICE, "reloaded: log and certificates");
    counts_reload(counts, is_done, px_loop_unix_time(life->loop));
    counts_certificates(counts, tls);
    notify_send(life->worker->notify, is_done
                                          ? "READY=1\nSTATUS=serving\n"
                                          : "READY=1\nSTATUS=serving; the last reload failed\n");
}

static void on_look(px_timer *timer, void *context)
{
    struct life *life = context;

    CHECK(timer == life->look && life->worker->watch);
    px_timer_start(timer, FILE_WATCH_LOOK_MS);
    secure_look(life->worker->listeners->tls, life->worker->dates);
    if (file_watch_look(life->worker->watch))
        on_reload_signal(0, life);
}

/* Files that TLS is made of, where there is no master to look after them. */
static px_err life_watch(struct life *life, px_error *out_error)
{
    if (!life->worker->watch || life->worker->watch->count == 0)
        return PX_OK;
    life->look = px_timer_create(life->loop, on_look, life);
    if (!life->look)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    px_timer_start(life->look, FILE_WATCH_LOOK_MS);
    return PX_OK;
}

static void life_report(const struct life *life)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(life->server, &counters);
    report_counters(&counters);
}

static void on_report_signal(int signal_number, void *context)
{
    (void)signal_number;
    if (is_too_late(context, "USR1"))
        return;
    life_reopen(context);
    life_report(context);
}

static void on_replace_signal(int signal_number, void *context)
{
    (void)signal_number;
    (void)context;
    diagnostics_say("cannot be replaced by USR2 with -w 0, which has no master; start another one");
}

/* As process 1 of a container we inherit orphans that are not ours. */
static void on_child_signal(int signal_number, void *context)
{
    (void)signal_number;
    (void)context;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

static px_err life_take_signals(struct life *life, px_error *out_error)
{
    static const struct {
        int number;
        void (*call)(int signal_number, void *context);
    } signals[] = {
        {SIGTERM, on_end_signal},   {SIGINT, on_end_signal},     {SIGQUIT, on_end_signal},
        {SIGHUP, on_reload_signal}, {SIGUSR1, on_report_signal}, {SIGUSR2, on_replace_signal},
        {SIGCHLD, on_child_signal},
    };
    px_err err = PX_OK;

    for (size_t i = 0; i < ARRAY_COUNT(signals) && err == PX_OK; i++)
        err = px_loop_signal(life->loop, signals[i].number, signals[i].call, life, out_error);
    return err;
}

px_err alone_listen(struct life *life, px_error *out_error)
{
    px_err err = life_watch(life, out_error);

    CHECK(worker_is_alone(life->worker));
    if (err == PX_OK)
        err = watchdog_start(life->loop, life->worker->notify, &life->watchdog, out_error);
    return err == PX_OK ? life_take_signals(life, out_error) : err;
}
