/*
 * The log, as a master keeps it for workers that may not open it.
 *
 * The happy path: it is opened with the permissions that the master has kept, and opened anew when
 * it may have been moved away.  It can fail by its folder; what was opened before stays then.
 */
#include "main/log_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/diagnostics.h"
#include "main/log_file.h"
#include "main/log_sink.h"
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
enum exit_code log_keep_open(const struct options *options, bool is_successor, int *out_fd,
                             int *out_lock_fd)
{
    int legacy_fd = legacy_log_take();

    if (!has_log(options))
        return CODE_OK;
    *out_fd = log_descriptor_open(options->log_file);
    if (*out_fd < 0 && !is_successor) {
        diagnostics_say("cannot open the log file %s: %s", log_name(options), strerror(errno));
        return CODE_CANNOT_CREATE;
    }
    if (*out_fd < 0) {
        int failure = errno;

        /* To be replaced must not fail by it. */
        *out_fd = legacy_fd >= 0 ? legacy_fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
        diagnostics_say("cannot open the log file %s: %s (%s)", log_name(options),
                        strerror(failure),
                        legacy_fd >= 0 ? "the old one goes on" : "there is no log");
    } else if (legacy_fd >= 0) {
        close(legacy_fd);
    }
    *out_lock_fd = log_lock_create();
    if (*out_lock_fd < 0)
        diagnostics_tell(LEVEL_WARNING, "lines of the log may mix: %s", strerror(errno));
    return CODE_OK;
}

/* What was opened stays when its name cannot be opened again. */
int log_keep_renew(const struct options *options, bool is_anew, int *fd_at)
{
    const char *path = options->log_file;

    if (!path || !has_log(options))
        return -1;
    int fd = is_anew ? log_descriptor_open(path) : -1;

    if (fd >= 0) {
        close(*fd_at);
        *fd_at = fd;
    } else if (is_anew) {
        diagnostics_say("cannot reopen the log file %s: %s (the old one goes on)", path,
                        strerror(errno));
    }
    return *fd_at;
}

bool log_watch_look(struct log_watch *watch, const struct options *options)
{
    const char *path = options->log_file;
    struct stat status;
    struct log_sink sink;
    px_error error;

    if (!path || !has_log(options) || !log_sink_is(path) ||
        log_sink_read(path, &sink, &error) != PX_OK || !sink.is_unix ||
        stat(sink.place, &status) != 0)
        return false;
    const struct log_watch now = {.device = status.st_dev,
                                  .inode = status.st_ino,
                                  .changed_s = status.st_ctim.tv_sec,
                                  .changed_ns = status.st_ctim.tv_nsec};
    bool is_another = watch->inode != 0 && memcmp(watch, &now, sizeof(now)) != 0;

    *watch = now;
    return is_another;
}
