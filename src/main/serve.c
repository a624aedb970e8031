/*
 * From options to a running program.
 *
 * The happy path: open every listener, then serve in this process (-w 0), or be a master and let
 * workers serve.  It can fail by an address, a file or a resource; each has its exit code.
 */
#include "main/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/file_watch.h"
#include "main/listen/inherited.h"
#include "main/listen/listen.h"
#include "main/log/log_file.h"
#include "main/log/log_keep.h"
#include "main/observe/deaths.h"
#include "main/processes.h"
#include "main/root_watch.h"
#include "main/run/run_swap.h"
#include "main/secure.h"
#include "main/worker/beats.h"
#include "main/worker/confinement.h"
#include "main/worker/worker.h"
#include "process/descriptors.h"
#include "process/master.h"
#include "process/pidfile.h"
#include "process/signals.h"

enum {
    /* Peers that wait longer than what they are answered is worth have left. */
    BACKLOG_DEFAULT = 1024,
    LOOK_MS = 1000, /* at files that have changed, and whether all is well */
};

struct program {
    const struct options *options; /* borrowed */
    struct listeners listeners;
    struct legacy legacy;
    struct board board;
    struct counts counts;
    struct sandbox sandbox;
    struct notify notify;
    px_tls *tls;             /* owned; NULL: none */
    struct file_watch watch; /* of what `tls` was read from */
    struct secure_dates dates;
    struct deaths deaths;
    struct log_keep log;    /* for workers */
    struct root_watch root; /* of `pollux files` with workers */
    struct run_swap swap;   /* of a configuration that a reload replaces */
    uint32_t worker_count;  /* 0: this process serves */
    uint32_t slot_count;
    struct master_plan plan;
    pid_t predecessor; /* whose pid file may be taken over; 0: of no process */
    bool owns_pid_file;
    bool has_served; /* the user was told where it listens */
};

/* What holds once it is known how many workers there are. */
static void program_check(const struct program *program)
{
    CHECK(program->options && program->slot_count > 0);
    CHECK(program->worker_count <= program->slot_count);
    CHECK(program->root.fd < 0 || program->worker_count > 0);
    CHECK(!program->swap.file || program->options->run.config);
}

/* --- The pid file ----------------------------------------------------------------------------- */

static px_err program_write_pid(struct program *program, px_error *out_error)
{
    const char *path = program->options->process.pid_file;

    if (!path)
        return PX_OK;
    px_err err = pidfile_write(path, getpid(), program->predecessor, out_error);

    program->owns_pid_file = err == PX_OK;
    return err;
}

/* All workers serve: the world may know. */
static int program_ready(void *context)
{
    struct program *program = context;
    uint32_t workers = program->worker_count == 0 ? 1 : program->worker_count;
    px_error error;

    program_check(program);
    if (!program->owns_pid_file && program_write_pid(program, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return CODE_CANNOT_CREATE;
    }
    listeners_own(&program->listeners, true);
    program->has_served = true;
    if (!program->options->quiet)
        listeners_announce(&program->listeners, workers);
    confinement_announce(&program->sandbox, program->options);
    return CODE_OK;
}

/* A successor has what there is only one of, or did not take it after all. */
static void program_own(bool is_ours, void *context)
{
    struct program *program = context;
    px_error error;

    listeners_own(&program->listeners, is_ours);
    program->owns_pid_file = false;
    if (is_ours && program_write_pid(program, &error) != PX_OK)
        diagnostics_say("%s", error.text);
}

/* --- With workers ----------------------------------------------------------------------------- */

static int program_work(uint32_t place, const struct control_ends *ends, void *context)
{
    struct program *program = context;

    program_check(program);
    CHECK(place < master_place_count(program->slot_count));
    struct worker worker = {.options = program->options,
                            .worker_count = program->worker_count,
                            .sandbox = &program->sandbox,
                            .root_fd = program->root.fd,
                            .log_fd = program->log.fd,
                            .log_lock_fd = program->log.lock_fd,
                            .logs = &program->log.others,
                            .ends = *ends,
                            .beat_ms = beats_beat_ms(program->options),
                            .block = program->board.blocks[place],
                            .counts = &program->counts,
                            .listeners = &program->listeners};

    board_keep(&program->board, place);
    notify_deinit(&program->notify);
    run_swap_leave(&program->swap);
    /* What it serves comes over the channel. */
    listeners_close(&program->listeners);
    return (int)worker_run(&worker);
}

static int program_log(bool is_anew, void *context)
{
    struct program *program = context;

    return log_keep_renew(&program->log, program->options, is_anew);
}

static int program_other_log(uint32_t after, uint32_t *out_number, void *context)
{
    const struct program *program = context;

    return log_keep_other(&program->log, after, out_number);
}

static struct run_parts program_parts(struct program *program)
{
    return (struct run_parts){.options = &program->options,
                              .tls = &program->tls,
                              .dates = &program->dates,
                              .listeners = &program->listeners,
                              .sandbox = &program->sandbox,
                              .log_fd = &program->log.fd,
                              .logs = &program->log.others};
}

/* What workers are given follows the listeners. */
static void program_sockets(struct program *program)
{
    listeners_check(&program->listeners);
    program->plan.program.addresses = (const char *const *)program->listeners.texts;
    program->plan.program.sockets = program->listeners.sockets;
    program->plan.program.socket_count = program->listeners.socket_count;
}

static bool program_read(struct program *program)
{
    const struct run_parts parts = program_parts(program);

    if (!run_swap_try(&program->swap, &parts, program->slot_count))
        return false;
    program_sockets(program);
    file_watch_init(&program->watch, &program->options->secure);
    return true;
}

static void program_reloaded(bool is_good, void *context)
{
    struct program *program = context;
    const struct run_parts parts = program_parts(program);

    run_swap_end(&program->swap, &parts, is_good);
    program_sockets(program);
    if (!is_good) {
        (void)processes_slots(program->options, program->slot_count, &program->worker_count);
        file_watch_init(&program->watch, &program->options->secure);
    }
    program_check(program);
    counts_reload(&program->counts, is_good, (int64_t)time(NULL));
    counts_set(&program->counts, COUNT_WORKERS, program->worker_count);
    counts_certificates(&program->counts, program->tls);
}

static void program_settled(void *context)
{
    const struct program *program = context;

    run_swap_say(&program->swap, program->worker_count);
}

/* Prepares another generation: how many workers it has; 0: why not was said. */
static uint32_t program_renew(struct program *program)
{
    px_error error;

    if (program->swap.next) {
        program->swap.is_again = true;
        return MASTER_RELOAD_LATER;
    }
    if (program->swap.file && !program_read(program))
        return 0;
    uint32_t count = processes_count(program->options);

    (void)program_log(true, program);
    if (program->root.fd >= 0 && root_watch_renew(&program->root, &error) != PX_OK) {
        diagnostics_say("not reloaded: %s", error.text);
        return 0;
    }
    file_watch_take(&program->watch);
    /* Here, not in the workers: they share what seals session tickets, and may not read keys. */
    if (!program->swap.file &&
        secure_reload(program->options, program->tls, &program->dates) != PX_OK)
        return 0;
    if (count > program->slot_count) {
        diagnostics_say("%u workers are too many for %u sockets; see %s", count,
                        program->slot_count, program->swap.file ? "max_workers" : "--max-workers");
        count = program->slot_count;
    }
    program->worker_count = count;
    return count;
}

static uint32_t program_reload(void *context)
{
    struct program *program = context;
    uint32_t count = program_renew(program);

    program_check(program);
    if (count == 0)
        counts_reload(&program->counts, false, (int64_t)time(NULL));
    return count;
}

static bool program_look(void *context)
{
    struct program *program = context;

    deaths_look(&program->deaths, master_now_ms());
    counts_look(&program->counts, (int64_t)time(NULL));
    px_metrics_sample(program->counts.metrics, (int64_t)time(NULL));
    listeners_turn_away(&program->listeners);
    secure_look(program->tls, &program->dates);
    log_keep_look(&program->log, program->options, NULL);
    if (run_swap_look(&program->swap))
        return true;
    if (root_watch_has_changed(&program->root)) {
        diagnostics_tell(LEVEL_NOTICE, "%s is another folder now: new workers serve it",
                         program->root.path);
        return true;
    }
    if (program->watch.count == 0 || !file_watch_look(&program->watch))
        return false;
    diagnostics_tell(LEVEL_NOTICE, "files of TLS have changed and are read anew");
    return true;
}

static bool program_mend(void *context)
{
    struct program *program = context;

    bool is_remade = listeners_mend(&program->listeners);

    program_sockets(program);
    return is_remade;
}

static void program_close(void *context)
{
    struct program *program = context;

    listeners_close(&program->listeners);
}

static void program_report(void *context)
{
    counts_report(&((struct program *)context)->counts);
}

static void program_say(enum master_level level, const char *text, void *context)
{
    const struct program *program = context;

    if (level < MASTER_NOTICE || !program->options->quiet)
        diagnostics_tell((enum diagnostics_level)level, "%s", text);
}

static void program_warned(void *context)
{
    struct program *program = context;

    root_watch_warn(&program->root, program->sandbox.privileges.name);
}

static void program_refuse(bool is_refused, void *context)
{
    struct program *program = context;

    listeners_refuse(&program->listeners, is_refused);
}

static void program_death(uint32_t place, pid_t pid, int status, void *context)
{
    struct program *program = context;

    CHECK(place < master_place_count(program->slot_count));
    counts_death(&program->counts, status);
    deaths_tell(&program->deaths, &program->sandbox, pid, status, master_now_ms());
}

static enum exit_code program_supervise(struct program *program)
{
    /* What a reload replaces is not kept here. */
    const struct options *started =
        program->options->run.command_line ? program->options->run.command_line : program->options;
    const struct process_options *process = &started->process;

    program->plan = (struct master_plan){
        .supervisor = processes_plan(program->options, program->worker_count, program->slot_count),
        .program = {.path = process->program.path[0] ? process->program.path : NULL,
                    .argv = process->program.argv,
                    .slot_count = program->slot_count},
        .board = &program->board,
        .legacy = &program->legacy,
        .notify = &program->notify,
        .on_work = program_work,
        .on_ready = program_ready,
        .on_reload = program_reload,
        .on_reloaded = program_reloaded,
        .on_settled = program_settled,
        .on_log = program_log,
        .on_other_log = program_other_log,
        .on_look = program_look,
        .look_ms = LOOK_MS,
        .on_mend = program_mend,
        .on_close = program_close,
        .on_own = program_own,
        .on_report = program_report,
        .on_say = program_say,
        .on_refuse = program_refuse,
        .on_warned = program_warned,
        .on_death = program_death,
        .context = program};
    int code = CODE_OK, past_fds[BOARD_PAST_MAX];
    px_error error;

    program_sockets(program);
    deaths_init(&program->deaths);
    uint32_t past_count = legacy_counts_take(past_fds, BOARD_PAST_MAX);

    if (board_init(&program->board, master_place_count(program->slot_count),
                   program->counts.metrics, past_fds, past_count) != PX_OK) {
        diagnostics_say("cannot start workers: out of memory");
        return CODE_SYSTEM;
    }
    counts_begin(&program->counts, program->worker_count);
    counts_certificates(&program->counts, program->tls);
    counts_open(&program->counts);
    if (master_run(&program->plan, &code, &error) == PX_OK) {
        deaths_look(&program->deaths, UINT64_MAX);
        counts_report_cut(&program->counts);
        if (!started->quiet && program->has_served)
            program_report(program);
        return (enum exit_code)code;
    }
    diagnostics_say("%s", error.text);
    return exit_code_of(error.code);
}

/* --- Alone ------------------------------------------------------------------------------------ */

static enum exit_code program_alone(struct program *program)
{
    struct worker worker = {.options = program->options,
                            .worker_count = program->worker_count,
                            .sandbox = &program->sandbox,
                            .root_fd = -1,
                            .log_fd = -1,
                            .log_lock_fd = -1,
                            .log = &program->log,
                            .logs = &program->log.others,
                            .ends = {-1, -1},
                            .listeners = &program->listeners,
                            .watch = &program->watch,
                            .dates = &program->dates,
                            .counts = &program->counts,
                            .swap = program->swap.file ? &program->swap : NULL,
                            .notify = &program->notify,
                            .on_ready = program_ready,
                            .context = program};
    px_error error;

    counts_begin(&program->counts, 1);
    counts_certificates(&program->counts, program->tls);
    /* It listens; and the user that it becomes may not write the folder. */
    if (program_write_pid(program, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return CODE_CANNOT_CREATE;
    }
    return worker_run(&worker);
}

/* --- Both ------------------------------------------------------------------------------------- */

static enum exit_code program_open(struct program *program)
{
    const struct options *options = program->options;
    struct listen_plan plan = {.addresses = options->listen,
                               .options = options->listen_options,
                               .address_count = options->listen_count,
                               .metrics = options->metrics,
                               .slot_count = program->slot_count,
                               .backlog = options->backlog ? options->backlog : BACKLOG_DEFAULT,
                               .is_shared = options->process.accept_shared,
                               .legacy = &program->legacy};
    px_error error;

    if ((program->worker_count > 0 && options->command == COMMAND_FILES &&
         root_watch_open(&program->root, options->files.root, &error) != PX_OK) ||
        confinement_init(&program->sandbox, options, program->root.fd, program->worker_count == 0,
                         &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    if (options->process.pid_file &&
        pidfile_check(options->process.pid_file, program->predecessor, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return CODE_CANNOT_CREATE;
    }
    if (program->swap.file)
        run_outcome_open(&program->swap.outcome, options->process.pid_file,
                         program->swap.file->path);
    enum exit_code code = log_keep_open(&program->log, options, program->worker_count == 0,
                                        program->predecessor != 0);

    if (code != CODE_OK)
        return code;
    if (listeners_open(&program->listeners, &plan, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    program->listeners.tls = program->tls;
    program->listeners.redirect = options->secure.redirect;
    if (listeners_redirect(&program->listeners, options) != PX_OK)
        return CODE_USAGE;
    program->listeners.proxy_protocol = options->proxy.protocol;
    return CODE_OK;
}

/* As many slots as the predecessor had: their sockets exist. */
static void program_count(struct program *program)
{
    const struct legacy *legacy = &program->legacy;

    program->slot_count =
        processes_slots(program->options, legacy->slot_count, &program->worker_count);
    if (legacy->slot_count > 0)
        program->predecessor = legacy->pid;
}

enum exit_code serve(const struct options *options)
{
    struct program program = {.options = options,
                              .root = {.fd = -1},
                              .log = {.fd = -1, .lock_fd = -1, .error_fd = -1},
                              .notify = {.fd = -1}};
    pid_t pid = getpid();
    px_error error;

    run_swap_init(&program.swap, options->run.opened);
    inherited_close_unnamed(options->listen, options->listen_count);
    signals_block();
    descriptors_raise_limit();
    log_append_only(STDERR_FILENO); /* workers write there too, and take nothing back */
    if (counts_init(&program.counts, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    if (legacy_take(&program.legacy, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        run_swap_deinit(&program.swap, false);
        return exit_code_of(error.code);
    }
    notify_init(&program.notify);
    processes_warn(options);
    program_count(&program);
    if (options_are_secure(options))
        file_watch_init(&program.watch, &options->secure);
    program_check(&program);
    enum exit_code code = log_keep_errors(&program.log, options);
    if (code == CODE_OK)
        code = secure_open(options, &program.dates, NULL, &program.tls);
    if (code == CODE_OK)
        code = program_open(&program);
    if (code == CODE_OK)
        code = program.worker_count > 0 ? program_supervise(&program) : program_alone(&program);
    if (program.owns_pid_file)
        pidfile_remove(program.options->process.pid_file, pid);
    listeners_deinit(&program.listeners);
    legacy_deinit(&program.legacy);
    board_deinit(&program.board);
    counts_deinit(&program.counts);
    root_watch_close(&program.root);
    notify_deinit(&program.notify);
    sandbox_deinit(&program.sandbox);
    px_tls_destroy(program.tls);
    log_keep_close(&program.log);
    run_swap_deinit(&program.swap, program.owns_pid_file);
    return code;
}
