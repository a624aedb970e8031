/*
 * From options to a running program.
 *
 * The happy path: open the log and every listener, then serve in this process, or fork workers and
 * look after them.  It can fail by an address, a file or a resource; each has its exit code.
 */
#include "main/serve.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main/diagnostics.h"
#include "main/listen.h"
#include "main/log.h"
#include "main/secure.h"
#include "main/worker.h"
#include "process/cpus.h"
#include "process/descriptors.h"
#include "process/pidfile.h"
#include "process/signals.h"
#include "process/workers.h"

struct program {
    const struct options *options; /* borrowed */
    struct listeners listeners;
    struct log *log; /* owned; NULL: none */
    px_tls *tls;     /* owned; NULL: none */
};

static int ready_fd_tell(void *context)
{
    const int *ready_fd = context;

    workers_tell_ready(*ready_fd);
    return 0;
}

/* Everybody serves: the world may know. */
static int program_ready(void *context)
{
    struct program *program = context;
    const char *pid_file = program->options->process.pid_file;
    px_error error;

    if (pid_file && pidfile_write(pid_file, getpid(), &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return CODE_CANNOT_CREATE;
    }
    if (!program->options->quiet)
        listeners_announce(&program->listeners);
    return CODE_OK;
}

static int program_work(uint32_t index, int ready_fd, void *context)
{
    struct program *program = context;
    struct worker worker = {.options = program->options,
                            .listeners = &program->listeners,
                            .log = program->log,
                            .index = index,
                            .has_master = true,
                            .on_ready = ready_fd_tell,
                            .context = &ready_fd};

    return (int)worker_run(&worker);
}

/* The sockets go with the workers: what the master kept open would take connections that nobody
 * answers. */
static void program_stop(void *context)
{
    struct program *program = context;

    listeners_close(&program->listeners);
}

static void program_death(uint32_t index, int status, void *context)
{
    (void)context;
    if (WIFSIGNALED(status))
        diagnostics_say("worker %u was ended by signal %d (%s)", index, WTERMSIG(status),
                        strsignal(WTERMSIG(status)));
    else
        diagnostics_say("worker %u ended with exit code %d", index, WEXITSTATUS(status));
}

static enum exit_code program_fork(struct program *program, uint32_t count)
{
    struct workers workers = {.count = count,
                              .on_work = program_work,
                              .on_ready = program_ready,
                              .on_stop = program_stop,
                              .on_death = program_death,
                              .context = program};
    int code = CODE_OK;
    px_error error;

    if (workers_run(&workers, &code, &error) == PX_OK)
        return (enum exit_code)code;
    diagnostics_say("%s", error.text);
    return exit_code_of(error.code);
}

static enum exit_code program_alone(struct program *program)
{
    struct worker worker = {.options = program->options,
                            .listeners = &program->listeners,
                            .log = program->log,
                            .on_ready = program_ready,
                            .context = program};

    return worker_run(&worker);
}

static enum exit_code program_open(struct program *program, uint32_t workers)
{
    const struct options *options = program->options;
    px_error error;

    if (options->server.log_format != PX_LOG_OFF &&
        log_open(options->log_file, workers > 1, &program->log, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return CODE_CANNOT_CREATE;
    }
    if (listeners_open(&program->listeners, options->listen, options->listen_count, workers,
                       &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    program->listeners.tls = program->tls;
    return CODE_OK;
}

enum exit_code serve(const struct options *options)
{
    struct program program = {.options = options};
    uint32_t workers = options->process.workers;
    pid_t pid = getpid();

    signals_block();
    descriptors_raise_limit();
    if (!options->process.workers_given)
        workers = cpus_usable();
    if (workers == 0)
        workers = 1;
    enum exit_code code = secure_open(options, &program.tls);
    if (code == CODE_OK)
        code = program_open(&program, workers);
    if (code == CODE_OK)
        code = workers > 1 ? program_fork(&program, workers) : program_alone(&program);
    if (options->process.pid_file)
        pidfile_remove(options->process.pid_file, pid);
    listeners_deinit(&program.listeners);
    log_close(program.log);
    px_tls_destroy(program.tls);
    return code;
}
