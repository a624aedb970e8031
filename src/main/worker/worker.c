/*
 * The life of a worker.
 *
 * The happy path: open what the command line names, make a loop and a server, give up what is not
 * needed any more, serve the sockets that the master sends (or all, alone), run until a drain has
 * ended, write what is left of the log.  It can fail while all this is made; then nothing stays
 * open.
 */
#include "main/worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "config/config.h"
#include "config/status_page.h"
#include "main/answers/files.h"
#include "main/answers/gateway.h"
#include "main/answers/respond.h"
#include "main/diagnostics.h"
#include "main/health/health_path.h"
#include "main/log/log_keep.h"
#include "main/log/log_set.h"
#include "main/observe/observe.h"
#include "main/observe/report.h"
#include "main/observe/tracer.h"
#include "main/processes.h"
#include "main/root_watch.h"
#include "main/run/run_attach.h"
#include "main/secure.h"
#include "main/worker/channel.h"
#include "main/worker/watchdog.h"

enum {
    LOG_PATIENCE_MS = 5 * 1000, /* a reader that sleeps holds up the end no longer */
    LAST_WORDS_MS = 1000,
    LAST_SPANS_MS = 2 * 1000, /* as long for a collector */
    LAST_SPANS_NOW_MS = 200,
    COUNT_MS = 1000,                /* between two looks at the process itself */
    LOG_PATIENCE_NOW_MS = 1 * 1000, /* when it was to end at once */
    /* How long idle connections live on at the end: a request that is on its way arrives yet. */
    IDLE_GRACE_MS = 500,
};

struct life {
    const struct worker *worker; /* borrowed */
    px_loop *loop;               /* owned */
    px_server *server;           /* owned */
    struct log *log;             /* owned; NULL: none */
    struct tracer *tracer;       /* owned; NULL: none */
    struct channel channel;
    struct health_path health;
    struct observe observe;
    struct gateway gateway; /* of `pollux proxy` */
    px_timer *watchdog;     /* owned: when the service manager is told that it lives, or NULL */
    px_timer *look;         /* owned: when files are looked at, or NULL */
    px_timer *counting;     /* owned: when this process is looked at */
    bool is_draining;
    bool is_hurried;
    bool has_failed; /* a socket could not be served */
};

_Static_assert(LOG_PATIENCE_NOW_MS <= LOG_PATIENCE_MS && LAST_SPANS_NOW_MS <= LAST_SPANS_MS,
               "an end in a hurry is never the slower one");

/* What holds of a life whose server runs. */
static void life_check(const struct life *life)
{
    const struct worker *worker = life->worker;

    CHECK(life->loop && life->server && life->counting);
    CHECK(!life->has_failed || life->is_hurried);
    CHECK(!life->tracer || worker->options->trace.url);
    CHECK(!life->log || worker->options->server.log_format != PX_LOG_OFF);
    if (worker_is_alone(worker))
        CHECK(!life->channel.watch && !life->channel.sockets);
    else
        CHECK(!life->watchdog && !life->look && life->channel.server == life->server);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void life_stop(struct life *life)
{
    life->is_hurried = true;
    px_server_stop(life->server);
}

/* The loop is ours, so the server does not stop it. */
static void on_drained(px_server *server, void *context)
{
    (void)context;
    px_server_stop(server);
}

static void life_drain_with(struct life *life, const px_drain_options *options)
{
    px_err err = px_server_drain_with(life->server, options);

    CHECK(err == PX_OK); /* the options are of our own making */
}

static void life_drain(struct life *life, uint32_t delay_ms)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    life_check(life);
    options.delay_ms = delay_ms;
    options.deadline_ms = life->worker->options->process.drain_timeout_ms;
    options.spread_ms = life->worker->options->process.drain_spread_ms;
    options.idle_ms = IDLE_GRACE_MS;
    life->is_draining = true;
    life_drain_with(life, &options);
}

/* --- Signals, alone --------------------------------------------------------------------------- */

/* The first drains, the second ends at once. */
static void on_end_signal(int signal_number, void *context)
{
    struct life *life = context;

    (void)signal_number;
    CHECK(worker_is_alone(life->worker)); /* a worker's signals are its master's business */
    if (life->is_draining) {
        life_stop(life);
        return;
    }
    notify_send(life->worker->notify, "STOPPING=1\nSTATUS=draining\n");
    life_drain(life, life->worker->options->process.drain_delay_ms);
}

static void on_reopen_signal(int signal_number, void *context)
{
    struct life *life = context;

    (void)signal_number;
    log_keep_reopen(life->worker->log, life->worker->options, life->log);
}

static void on_reload_signal(int signal_number, void *context)
{
    struct life *life = context;
    px_tls *tls = life->worker->listeners->tls;
    struct counts *counts = life->worker->counts;
    bool is_done;

    CHECK(worker_is_alone(life->worker));
    life_check(life);
    notify_reloading(life->worker->notify);
    on_reopen_signal(signal_number, context);
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

/* What is counted of the process itself; alone, what was counted in all is noted too. */
static void on_count(px_timer *timer, void *context)
{
    const struct life *life = context;
    struct counts *counts = life->worker->counts;
    int64_t now = px_loop_unix_time(life->loop);

    CHECK(timer == life->counting);
    counts_look(counts, now);
    if (worker_is_alone(life->worker)) {
        px_metrics_sample(counts->metrics, now);
        log_keep_look(life->worker->log, life->worker->options, life->log);
    }
    px_timer_start(timer, COUNT_MS);
}

static px_err life_count(struct life *life, px_error *out_error)
{
    counts_open(life->worker->counts);
    life->counting = px_timer_create(life->loop, on_count, life);
    if (!life->counting)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    px_timer_start(life->counting, 0);
    return PX_OK;
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
    on_reopen_signal(signal_number, context);
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

/* --- The master's words ----------------------------------------------------------------------- */

static px_err on_serve(px_listener *listener, uint32_t address, void *context, px_error *out_error)
{
    struct life *life = context;

    const struct listen_servers servers = {life->server, life->observe.server};

    return listen_serve(life->worker->listeners, &servers, listener, address, out_error);
}

static void on_broken(void *context)
{
    struct life *life = context;

    life->has_failed = true;
    life_stop(life);
}

static void on_delay(uint32_t close_ms, void *context)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.delay_ms = PX_UNLIMITED;
    options.close_ms = close_ms;
    life_drain_with(context, &options);
}

static void on_drain(void *context)
{
    life_drain(context, 0);
}

/* Idle connections stay: closing them would race with the next request (RFC 9112 section 9.5). */
static void on_retire(void *context)
{
    struct life *life = context;
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.deadline_ms = PX_UNLIMITED;
    options.idle_ms = PX_UNLIMITED;
    options.leave_queue = 1;
    life_drain_with(life, &options);
}

static void on_stop(void *context)
{
    life_stop(context);
}

static void on_log(int fd, void *context)
{
    struct life *life = context;

    if (life->log)
        log_take(life->log, fd);
    else
        close(fd);
}

static void on_other_log(uint32_t number, int fd, void *context)
{
    const struct life *life = context;

    log_keep_take(life->worker->logs, number, fd);
}

static const struct channel_events channel_events = {
    .on_serve = on_serve,
    .on_delay = on_delay,
    .on_drain = on_drain,
    .on_retire = on_retire,
    .on_stop = on_stop,
    .on_broken = on_broken,
    .on_log = on_log,
    .on_other_log = on_other_log,
};

/* --- The beginning ---------------------------------------------------------------------------- */

/* What a worker opens at its start, and so anew at every reload: all that the command line names
 * and a sandbox would forbid later.  An error here ends the worker, and with it the reload. */
static px_err life_open(struct life *life, px_error *out_error)
{
    const struct options *options = life->worker->options;

    CHECK(!life->log);
    if (options->server.log_format == PX_LOG_OFF)
        return PX_OK;
    return log_open(options->log_file, life->worker->log_fd, life->worker->log_lock_fd, &life->log,
                    out_error);
}

/* Gives up what is not needed any more, before the first byte of a peer and before the first helper
 * thread. */
static px_err life_confine(struct life *life, px_error *out_error)
{
    return sandbox_enter(life->worker->sandbox, out_error);
}

static bool is_draining(const void *server)
{
    return px_server_is_draining(server) != 0;
}

static px_err life_set_site(struct life *life, struct config *config, px_error *out_error)
{
    CHECK(config->site && !config->is_draining); /* it is good, and served for the first time */
    config->is_draining = is_draining;
    config->drain_context = life->server;
    config->metrics = life->worker->counts->metrics;
    config->on_debug = gateway_on_debug;
    config->on_denied = gateway_on_denied;
    config->denied_context = &life->gateway;
    life->gateway.logs = life->worker->logs;
    life->gateway.logs->own = life->log;
    px_err err = run_attach(config, life->loop, life->worker->options, &life->gateway, out_error);

    return err == PX_OK ? px_server_set_site(life->server, config->site, out_error) : err;
}

static px_err life_make(struct life *life, px_error *out_error)
{
    const struct worker *worker = life->worker;
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_server_options server_options = worker->options->server;

    loop_options.inbox_bytes_max = worker->options->inbox_bytes_max;
    life->loop = px_loop_create(&loop_options, out_error);
    if (!life->loop)
        return out_error->code;
    if (run_resolve(life->loop, &worker->options->resolver, out_error) != PX_OK)
        return out_error->code;
    server_options.loop = life->loop;
    server_options.memory_bytes_max = processes_memory(worker->options, worker->worker_count);
    server_options.metrics = worker->counts->metrics;
    if (life->log) {
        log_start(life->log, life->loop);
        log_count_in(life->log, worker->counts->metrics, worker->counts->at[COUNT_LOG_DROPPED]);
        server_options.on_log = log_write;
        server_options.log_context = life->log;
    }
    if (tracer_open(life->loop, &worker->options->trace, worker->counts, &server_options,
                    &life->tracer, out_error) != PX_OK)
        return out_error->code;
    if (log_set_start(worker->logs, life->loop, worker->log_lock_fd, worker->counts->metrics,
                      worker->counts->at[COUNT_LOG_DROPPED], out_error) != PX_OK)
        return out_error->code;
    if (worker->options->command == COMMAND_FILES)
        server_options.on_error_page = status_page_answer;
    life->server = px_server_create(&server_options, out_error);
    if (!life->server)
        return out_error->code;
    px_server_on_drained(life->server, on_drained, NULL);
    if (worker->options->metrics &&
        observe_open(&life->observe, life->loop, life->server, worker->counts, out_error) != PX_OK)
        return out_error->code;
    life->health = (struct health_path){life->server, worker->options->health};
    if (health_path_register(&life->health, out_error) != PX_OK ||
        secure_register(life->server, worker->options, out_error) != PX_OK)
        return out_error->code;
    if (worker->options->run.config)
        return life_set_site(life, worker->options->run.config, out_error);
    life->gateway.metrics = worker->counts->metrics;
    if (worker->options->command == COMMAND_PROXY)
        return gateway_register(&life->gateway, life->server, worker->options, out_error);
    return worker->options->command == COMMAND_FILES
               ? files_register(life->server, worker->options, worker->root_fd,
                                server_options.memory_bytes_max, &life->gateway, out_error)
               : respond_register(life->server, worker->options, out_error);
}

/* What it listens to: its master, or signals. */
static px_err life_listen(struct life *life, px_error *out_error)
{
    const struct worker *worker = life->worker;

    if (worker_is_alone(worker)) {
        px_err err = life_watch(life, out_error);

        if (err == PX_OK)
            err = watchdog_start(life->loop, worker->notify, &life->watchdog, out_error);
        return err == PX_OK ? life_take_signals(life, out_error) : err;
    }
    life->channel = (struct channel){.ends = worker->ends,
                                     .loop = life->loop,
                                     .server = life->server,
                                     .beat_ms = worker->beat_ms,
                                     .block = worker->block,
                                     .events = &channel_events,
                                     .context = life};
    return channel_open(&life->channel, out_error);
}

/* Sockets come from the master when it has heard that we are ready. */
static enum exit_code life_serve(struct life *life, px_error *out_error)
{
    const struct worker *worker = life->worker;
    const struct listen_servers servers = {life->server, life->observe.server};
    int refused = 0;

    life_check(life);
    if (!worker_is_alone(worker)) {
        channel_ready(&life->channel,
                      worker->root_fd < 0 || root_watch_is_readable(worker->root_fd));
    } else {
        if (listeners_serve(worker->listeners, &servers, out_error) != PX_OK)
            return exit_code_of(out_error->code);
        refused = worker->on_ready(worker->context);
        if (refused == 0)
            notify_send(worker->notify, "READY=1\nSTATUS=serving\n");
    }
    if (refused != 0)
        return (enum exit_code)refused;
    if (px_server_run(life->server, out_error) != PX_OK)
        return exit_code_of(out_error->code);
    return life->has_failed ? CODE_SYSTEM : CODE_OK;
}

/* Runs the loop until nothing lives on it, for a moment at most. */
static void loop_empty(px_loop *loop)
{
    px_error error;
    px_err err = px_loop_wait(loop, 0, &error); /* the clock of the last tick may be old */
    uint64_t end_ms = px_loop_now_ms(loop) + LAST_WORDS_MS;

    while (err == PX_OK && px_loop_handle_count(loop) > 0 && px_loop_now_ms(loop) < end_ms)
        err = px_loop_wait(loop, (int)(end_ms - px_loop_now_ms(loop)), &error);
}

/* Destroying a server leaves to the loop what its connections have still to send. */
static void life_end(struct life *life)
{
    channel_close(&life->channel);
    px_timer_destroy(life->watchdog);
    px_timer_destroy(life->look);
    px_timer_destroy(life->counting);
    if (!life->is_hurried)
        observe_drain(&life->observe, life->loop);
    observe_close(&life->observe);
    px_server_destroy(life->server);
    run_detach(life->worker->options);
    tracer_close(life->tracer, life->is_hurried ? LAST_SPANS_NOW_MS : LAST_SPANS_MS);
    if (worker_is_alone(life->worker) && life->is_draining) {
        counts_report_cut(life->worker->counts);
        if (!life->worker->options->quiet)
            counts_report(life->worker->counts);
    }
    if (life->log)
        log_finish(life->log, life->is_hurried ? LOG_PATIENCE_NOW_MS : LOG_PATIENCE_MS);
    log_set_finish(life->worker->logs, LOG_PATIENCE_NOW_MS);
    if (life->loop)
        loop_empty(life->loop);
    px_loop_destroy(life->loop);
    log_close(life->log);
    log_set_close(life->worker->logs);
}

enum exit_code worker_run(const struct worker *worker)
{
    struct life life = {.worker = worker, .channel = {.ends = {-1, -1}}};
    px_error error = {0};
    enum exit_code code = CODE_CANNOT_CREATE;

    worker_check(worker);
    if (life_open(&life, &error) == PX_OK) {
        px_err err = life_make(&life, &error);

        if (err == PX_OK)
            err = life_count(&life, &error);
        if (err == PX_OK)
            err = life_listen(&life, &error);
        if (err == PX_OK)
            err = life_confine(&life, &error);
        code = err == PX_OK ? life_serve(&life, &error) : exit_code_of(err);
    }
    if (error.code != PX_OK)
        diagnostics_say("%s", error.text);
    life_end(&life);
    return code;
}
