/*
 * The life of a worker.
 *
 * The happy path: open what the command line names, make a loop and a server, give up what is not
 * needed any more, serve the sockets that the master sends (or all, alone), run until a drain has
 * ended, write what is left of the log.  It can fail while all this is made; then nothing stays
 * open.
 */
#include "main/worker/worker.h"

#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "config/config.h"
#include "config/status_page.h"
#include "main/answers/files.h"
#include "main/answers/respond.h"
#include "main/diagnostics.h"
#include "main/log/log_keep.h"
#include "main/log/log_set.h"
#include "main/processes.h"
#include "main/root_watch.h"
#include "main/run/run_attach.h"
#include "main/secure.h"
#include "main/worker/alone.h"
#include "main/worker/life.h"

enum {
    LOG_PATIENCE_MS = 5 * 1000, /* readers that sleep hold up the end no longer, all together */
    LAST_WORDS_MS = 1000,
    LAST_SPANS_MS = 2 * 1000, /* as long for a collector */
    LAST_SPANS_NOW_MS = 200,
    COUNT_MS = 1000, /* between two looks at the process itself */
};

/* The loop is ours, so the server does not stop it. */
static void on_drained(px_server *server, void *context)
{
    (void)context;
    px_server_stop(server);
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
        if (log_start(life->log, life->loop, out_error) != PX_OK)
            return out_error->code;
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

    if (worker_is_alone(worker))
        return alone_listen(life, out_error);
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
static void loop_empty(px_loop *loop, const struct patience *patience)
{
    px_error error;
    px_err err = px_loop_wait(loop, 0, &error);
    int left_ms;

    while (err == PX_OK && px_loop_handle_count(loop) > 0 &&
           (left_ms = patience_left_ms(patience)) > 0)
        err = px_loop_wait(loop, left_ms, &error);
}

/* Destroying a server leaves to the loop what its connections have still to send.  Signals and the
 * master's words come in all the while. */
static void life_end(struct life *life)
{
    struct patience *patience = &life->patience;

    life->is_ending = true;
    channel_end(&life->channel);
    px_timer_destroy(life->watchdog);
    px_timer_destroy(life->look);
    px_timer_destroy(life->counting);
    if (!patience_is_hurried(patience))
        observe_drain(&life->observe, life->loop);
    observe_close(&life->observe);
    px_server_destroy(life->server);
    run_detach(life->worker->options);
    patience_begin(patience, LAST_SPANS_MS, LAST_SPANS_NOW_MS);
    tracer_close(life->tracer, patience);
    if (worker_is_alone(life->worker) && life->is_draining) {
        counts_report_cut(life->worker->counts);
        if (!life->worker->options->quiet)
            counts_report(life->worker->counts);
    }
    patience_begin(patience, LOG_PATIENCE_MS, PATIENCE_HURRIED_MS);
    log_set_finish(life->worker->logs, life->log, patience);
    channel_close(&life->channel);
    patience_begin(patience, LAST_WORDS_MS, LAST_WORDS_MS);
    if (life->loop)
        loop_empty(life->loop, patience);
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
