/*
 * The log, as a master keeps it for workers that may not open it.
 *
 * The happy path: it is opened with the permissions that the master has kept, and opened anew when
 * it may have been moved away.  It can fail by its folder; what was opened before stays then.
 */
#include "main/log/log_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/log/log_file.h"
#include "main/log/log_sink.h"
#include "main/run/run_text.h"
#include "process/spoken.h"
#include "process/successor.h"

static bool has_log(const struct options *options)
{
    return options->server.log_format != PX_LOG_OFF;
}

static const char *log_name(const struct options *options)
{
    return options->log_file ? options->log_file : "on stdout";
}

/* The master opens it, with the permissions that it has kept, and workers are given it: a folder
 * that has gone never keeps one from starting. */
static enum exit_code own_open(struct log_keep *keep, const struct options *options,
                               bool is_successor)
{
    int legacy_fd = legacy_log_take();

    CHECK(keep->fd < 0);
    if (!has_log(options))
        return CODE_OK;
    keep->fd = log_descriptor_open(options->log_file);
    if (keep->fd < 0 && !is_successor) {
        diagnostics_say("cannot open the log file %s: %s", log_name(options), strerror(errno));
        return CODE_CANNOT_CREATE;
    }
    if (keep->fd < 0) {
        int failure = errno;

        /* To be replaced must not fail by it. */
        keep->fd = legacy_fd >= 0 ? legacy_fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
        diagnostics_say("cannot open the log file %s: %s (%s)", log_name(options),
                        strerror(failure),
                        legacy_fd >= 0 ? "the old one goes on" : "there is no log");
    } else if (legacy_fd >= 0) {
        close(legacy_fd);
    }
    return CODE_OK;
}

enum exit_code log_keep_open(struct log_keep *keep, const struct options *options, bool is_alone,
                             bool is_successor)
{
    struct config *config = options->run.config;
    enum exit_code code = is_alone ? CODE_OK : own_open(keep, options, is_successor);

    keep->others.is_alone = is_alone;
    if (code != CODE_OK)
        return code;
    if (config && !log_set_add(&keep->others, config)) {
        run_text_report(&config->load.report, NULL);
        return CODE_CANNOT_CREATE;
    }
    if (!is_alone && (keep->fd >= 0 || keep->others.count > 0)) {
        CHECK(keep->lock_fd < 0);
        keep->lock_fd = log_lock_create();
        if (keep->lock_fd < 0)
            diagnostics_tell(LEVEL_WARNING, "lines of the log may mix: %s", strerror(errno));
    }
    /* A receiver that is not there yet stops nothing. */
    if (!is_alone)
        log_keep_look(keep, options, NULL);
    return CODE_OK;
}

void log_keep_close(struct log_keep *keep)
{
    log_set_close(&keep->others);
    if (keep->fd >= 0)
        close(keep->fd);
    if (keep->lock_fd >= 0)
        close(keep->lock_fd);
    if (keep->error_fd >= 0)
        close(keep->error_fd);
}

static void errors_to(int fd)
{
    /* Not dup2, which is another call on each machine: the sandbox knows one. */
    if (dup3(fd, STDERR_FILENO, 0) < 0)
        diagnostics_say("the error log cannot be written to: %s", strerror(errno));
}

enum exit_code log_keep_errors(struct log_keep *keep, const struct options *options)
{
    const struct error_log_options *errors = &options->error_log;

    CHECK(keep->error_fd < 0);
    if (errors->path) {
        keep->error_fd = log_descriptor_open(errors->path);
        if (keep->error_fd < 0) {
            diagnostics_say("cannot open the error log %s: %s", errors->path, strerror(errno));
            return CODE_CANNOT_CREATE;
        }
        errors_to(keep->error_fd);
    }
    spoken_settle((struct spoken){.level_max = errors->level ? (int)errors->level : LEVEL_DEBUG,
                                  .is_log = errors->path != NULL});
    return CODE_OK;
}

static void errors_renew(struct log_keep *keep, const struct options *options)
{
    int fd = keep->error_fd >= 0 ? log_descriptor_open(options->error_log.path) : -1;

    if (fd < 0) {
        if (keep->error_fd >= 0)
            diagnostics_say("cannot reopen the error log %s: %s (the old one goes on)",
                            options->error_log.path, strerror(errno));
        return;
    }
    close(keep->error_fd);
    keep->error_fd = fd;
    errors_to(fd);
}

/* What was opened stays when its name cannot be opened again. */
int log_keep_renew(struct log_keep *keep, const struct options *options, bool is_anew)
{
    const char *path = options->log_file;

    if (is_anew) {
        log_set_renew(&keep->others);
        errors_renew(keep, options);
    }
    if (!path || !has_log(options))
        return -1;
    int fd = is_anew ? log_descriptor_open(path) : -1;

    if (fd >= 0) {
        close(keep->fd);
        keep->fd = fd;
    } else if (is_anew) {
        diagnostics_say("cannot reopen the log file %s: %s (the old one goes on)", path,
                        strerror(errno));
    }
    return keep->fd;
}

int log_keep_other(const struct log_keep *keep, uint32_t after, uint32_t *out_number)
{
    *out_number = LOG_NUMBER_ERRORS;
    if (after < LOG_NUMBER_ERRORS && keep->error_fd >= 0)
        return keep->error_fd;
    const struct log_entry *entry = log_set_behind(&keep->others, after);

    if (!entry)
        return -1;
    *out_number = entry->id;
    return entry->fd;
}

void log_keep_look(struct log_keep *keep, const struct options *options, struct log *own)
{
    struct log_join join = {0};

    if (own)
        log_join(own, &join, &keep->is_gone);
    else
        log_join_look(&join, options->log_file, keep->fd, &keep->is_gone);
    log_set_join(&keep->others, &join);
    log_join_tell(&join);
}

void log_keep_reopen(struct log_keep *keep, const struct options *options, struct log *own)
{
    if (own)
        log_reopen(own);
    log_set_reopen(&keep->others);
    log_keep_look(keep, options, own);
    errors_renew(keep, options);
}

void log_keep_take(struct log_set *others, uint32_t number, int fd)
{
    CHECK(fd >= 0);
    if (number != LOG_NUMBER_ERRORS) {
        log_set_take(others, number, fd);
        return;
    }
    errors_to(fd);
    close(fd);
}
