/*
 * The life of a worker.
 *
 * The happy path: make a loop and a server, serve the listeners, run until a drain has ended, write
 * what is left of the log.  It can fail while all this is made; then nothing stays open.
 */
#include "main/worker.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/files.h"
#include "main/respond.h"
#include "process/signals.h"

enum {
    LOG_PATIENCE_MS = 5 * 1000, /* a reader that sleeps holds up the end no longer */
    LAST_STEPS_MAX = 100,
    LAST_STEP_MS = 10,
    LOG_PATIENCE_NOW_MS = 1 * 1000, /* when it was to end at once */
};

struct life {
    const struct worker *worker; /* borrowed */
    px_loop *loop;               /* owned */
    px_server *server;           /* owned */
    bool is_draining;
    bool is_hurried;
};

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

static void life_drain(struct life *life)
{
    if (life->is_draining)
        return;
    life->is_draining = true;
    px_server_drain(life->server, 0, life->worker->options->process.drain_timeout_ms);
}

/* A person's signals: the first drains, the second ends at once. */
static void on_end_signal(int signal_number, void *context)
{
    struct life *life = context;

    (void)signal_number;
    if (life->is_draining)
        life_stop(life);
    else
        life_drain(life);
}

static void on_drain_signal(int signal_number, void *context)
{
    (void)signal_number;
    life_drain(context);
}

static void on_stop_signal(int signal_number, void *context)
{
    (void)signal_number;
    life_stop(context);
}

static void on_reopen_signal(int signal_number, void *context)
{
    struct life *life = context;

    (void)signal_number;
    if (life->worker->log)
        log_reopen(life->worker->log);
}

static void on_report_signal(int signal_number, void *context)
{
    struct life *life = context;
    px_server_counters is = {.struct_size = sizeof(is)};
    char name[32] = "counters";

    on_reopen_signal(signal_number, context);
    px_server_read_counters(life->server, &is);
    if (life->worker->has_master)
        snprintf(name, sizeof(name), "counters of worker %u", life->worker->index);
    diagnostics_say("%s: accepted %" PRIu64 ", open %" PRIu64 ", requests %" PRIu64 ", 1xx %" PRIu64
                    ", 2xx %" PRIu64 ", 3xx %" PRIu64 ", 4xx %" PRIu64 ", 5xx %" PRIu64
                    ", refused %" PRIu64 ", shed %" PRIu64 ", timed out %" PRIu64
                    ", aborted %" PRIu64 ", accept errors %" PRIu64 ", bytes received %" PRIu64
                    ", bytes sent %" PRIu64,
                    name, is.accepted, is.open, is.requests, is.responses[1], is.responses[2],
                    is.responses[3], is.responses[4], is.responses[5], is.refused, is.shed,
                    is.timed_out, is.aborted, is.accept_errors, is.bytes_received, is.bytes_sent);
}

static px_err life_take_signals(struct life *life, px_error *out_error)
{
    static const struct {
        int number;
        void (*alone)(int signal_number, void *context);       /* NULL: not taken */
        void (*with_master)(int signal_number, void *context); /* NULL: not taken */
    } signals[] = {
        {SIGTERM, on_end_signal, NULL},          {SIGINT, on_end_signal, NULL},
        {SIGQUIT, on_end_signal, NULL},          {SIGHUP, on_reopen_signal, NULL},
        {SIGUSR1, on_report_signal, NULL},       {WORKER_DRAIN, NULL, on_drain_signal},
        {WORKER_STOP, NULL, on_stop_signal},     {WORKER_REOPEN, NULL, on_reopen_signal},
        {WORKER_REPORT, NULL, on_report_signal},
    };

    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        void (*call)(int signal_number, void *context) =
            life->worker->has_master ? signals[i].with_master : signals[i].alone;

        if (!call)
            continue;
        px_err err = px_loop_signal(life->loop, signals[i].number, call, life, out_error);
        if (err != PX_OK)
            return err;
    }
    return PX_OK;
}

static px_err life_begin(struct life *life, px_error *out_error)
{
    const struct worker *worker = life->worker;
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_server_options server_options = worker->options->server;

    loop_options.inbox_bytes_max = worker->options->inbox_bytes_max;
    life->loop = px_loop_create(&loop_options, out_error);
    if (!life->loop)
        return out_error->code;
    server_options.loop = life->loop;
    if (worker->log) {
        log_start(worker->log, life->loop);
        server_options.on_log = log_write;
        server_options.log_context = worker->log;
    }
    life->server = px_server_create(&server_options, out_error);
    if (!life->server)
        return out_error->code;
    px_server_on_drained(life->server, on_drained, NULL);
    px_err err = worker->options->command == COMMAND_FILES
                     ? files_register(life->server, worker->options, out_error)
                     : respond_register(life->server, worker->options, out_error);
    if (err == PX_OK)
        err = life_take_signals(life, out_error);
    if (err == PX_OK)
        err = listeners_serve(worker->listeners, worker->index, life->server, out_error);
    return err;
}

/* Destroying a server leaves the last words of its connections to the loop. */
static void life_end(struct life *life)
{
    px_error error;

    px_server_destroy(life->server);
    if (life->worker->log)
        log_finish(life->worker->log, life->is_hurried ? LOG_PATIENCE_NOW_MS : LOG_PATIENCE_MS);
    for (int step = 0; life->loop && step < LAST_STEPS_MAX; step++) {
        struct pollfd wait = {.fd = px_loop_fd(life->loop), .events = POLLIN};

        if (px_loop_handle_count(life->loop) == 0)
            break;
        if (px_loop_step(life->loop, &error) != PX_OK || poll(&wait, 1, LAST_STEP_MS) < 0)
            break;
    }
    px_loop_destroy(life->loop);
}

enum exit_code worker_run(const struct worker *worker)
{
    struct life life = {.worker = worker};
    px_error error = {0};
    enum exit_code code = CODE_OK;

    if (life_begin(&life, &error) == PX_OK) {
        int refused = worker->on_ready(worker->context);

        if (refused != 0)
            code = (enum exit_code)refused;
        else if (px_server_run(life.server, &error) != PX_OK)
            code = exit_code_of(error.code);
    } else {
        code = exit_code_of(error.code);
    }
    if (error.code != PX_OK)
        diagnostics_say("%s", error.text);
    life_end(&life);
    return code;
}
