/*
 * `pollux reload`: tells a running pollux to read its configuration anew, and waits for what comes
 * of it.
 *
 * The happy path: the number in the pid file gets HUP, and the file beside it says in a moment that
 * it was reloaded.  It can fail by a configuration with errors, which are said as they were there,
 * by a process that is not there, and by one that says nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config.h"
#include "main/diagnostics.h"
#include "main/run/run.h"
#include "main/run/run_outcome.h"
#include "main/run/run_reader.h"
#include "main/run/run_text.h"
#include "process/pidfile.h"

enum {
    PATIENCE_S = 90, /* a new worker has 60 s to be ready */
    LOOK_NS = 20 * 1000 * 1000,
};

/* What the configuration says, with its errors left to the process that reads it anew.  Where it
 * says nothing, or cannot be understood so far, that is said. */
static char *pid_file_of(const char *path, enum exit_code *out_code)
{
    struct config_load load;
    char *pid_file = NULL;

    *out_code = CODE_USAGE;

    config_load_init(&load, &run_reader, &alloc_libc);
    if (config_load_read(&load, path) == PX_OK || load.statements) {
        const struct config_node *node = node_find(config_check(&load), "pid_file");

        if (node && node->value_count > 0)
            pid_file = strdup(node->values[0].text.ptr);
    }
    if (!pid_file && report_has_errors(&load.report)) {
        run_text_report(&load.report, NULL);
        *out_code = CODE_CONFIG;
    } else if (!pid_file) {
        diagnostics_say("%s names no pid_file: which process is it? (see --pid-file)", path);
    }
    config_load_deinit(&load);
    return pid_file;
}

static enum exit_code outcome_say(enum exit_code code, const struct buf *text)
{
    FILE *stream = code == CODE_OK ? stdout : stderr;

    if (fwrite(text->ptr, 1, text->len, stream) != text->len || fflush(stream) != 0)
        return CODE_SYSTEM;
    return code;
}

static enum exit_code outcome_wait(pid_t pid, const char *path, uint64_t since_ns)
{
    const struct timespec pause = {0, LOOK_NS};
    uint64_t until_ns = since_ns + (uint64_t)PATIENCE_S * 1000000000U;
    enum exit_code code = CODE_SYSTEM;
    struct buf text;

    buf_init(&text, &alloc_libc, 2 * RUN_OUTCOME_BYTES_MAX);
    for (;;) {
        bool is_alive = kill(pid, 0) == 0 || errno == EPERM;

        if (run_outcome_read(path, since_ns, &code, &text)) {
            code = outcome_say(code, &text);
            break;
        }
        if (!is_alive) {
            diagnostics_say("process %ld has ended", (long)pid);
            code = CODE_UNAVAILABLE;
            break;
        }
        if (run_outcome_now_ns() > until_ns) {
            diagnostics_say("process %ld has not said what came of it for %d s", (long)pid,
                            PATIENCE_S);
            break;
        }
        nanosleep(&pause, NULL);
    }
    buf_deinit(&text);
    return code;
}

/* A process reads the file that it was started with and no other: false, and that was said, where
 * that is another one than `config` (NULL: none was meant). */
static bool reads_config(pid_t pid, const char *path, const char *config)
{
    char *read = config ? run_outcome_config(path) : NULL;
    struct stat theirs, ours;
    bool is_other = read && stat(read, &theirs) == 0 && stat(config, &ours) == 0 &&
                    (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);

    if (is_other)
        diagnostics_say("process %ld reads %s, not %s: nothing was reloaded", (long)pid, read,
                        config);
    free(read);
    return !is_other;
}

/* config: the file that is thought to be read; NULL: whichever it is. */
static enum exit_code reload(const char *pid_file, const char *config)
{
    px_error error;
    pid_t pid = pidfile_read(pid_file, &error);
    char *path = pid > 0 ? run_outcome_path(pid_file) : NULL;
    enum exit_code code = CODE_SYSTEM;

    if (pid <= 0) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    uint64_t since_ns = run_outcome_now_ns();

    if (!path) {
        diagnostics_say("out of memory");
    } else if (access(path, F_OK) != 0) {
        diagnostics_say("%s is not there: process %ld was not started by pollux run", path,
                        (long)pid);
        code = CODE_NO_INPUT;
    } else if (!reads_config(pid, path, config)) {
        code = CODE_USAGE;
    } else if (kill(pid, SIGHUP) != 0) {
        diagnostics_say("cannot tell process %ld: %s", (long)pid, strerror(errno));
        code = errno == EPERM ? CODE_PERMISSION : CODE_UNAVAILABLE;
    } else {
        code = outcome_wait(pid, path, since_ns);
    }
    free(path);
    return code;
}

enum exit_code run_reload(const struct options *options)
{
    enum exit_code code = CODE_OK;
    const char *config = options->run.pid_file ? options->run.file : run_file_find(options);
    char *own = options->run.pid_file ? NULL : pid_file_of(config, &code);
    const char *pid_file = options->run.pid_file ? options->run.pid_file : own;

    if (pid_file)
        code = reload(pid_file, config);
    free(own);
    return code;
}
