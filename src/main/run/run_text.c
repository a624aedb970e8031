/*
 * Writing texts out: to stderr, to stdout, or in place of a file.
 *
 * It can fail by a reader that has gone, a disk that is full and a folder that may not be written;
 * a file that was to be replaced is then as it was.
 */
#include "main/run/run_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "main/diagnostics.h"
#include "process/spoken.h"

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, text, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        text += done;
        len -= (size_t)done;
    }
    return true;
}

/* In the form of the log's other lines. */
static px_err report_log(const struct config_report *report)
{
    struct buf line;
    px_err err = PX_OK;

    buf_init(&line, &alloc_libc, RUN_TEXT_BYTES_MAX);
    for (uint32_t i = 0; i <= report->entry_count && err == PX_OK; i++) {
        bool is_error = false;

        line.len = 0;
        err = report_write_line(report, i, &line, &is_error);
        if (err == PX_OK && line.len > 0)
            diagnostics_tell(is_error ? LEVEL_ERROR : LEVEL_WARNING, "%.*s", (int)line.len,
                             line.ptr);
    }
    buf_deinit(&line);
    return err;
}

void run_text_report(const struct config_report *report, struct buf *out_text)
{
    struct buf text;

    buf_init(&text, &alloc_libc, RUN_TEXT_BYTES_MAX);
    bool is_log = spoken_as().is_log;

    if (report_write(report, &text) != PX_OK || (is_log && report_log(report) != PX_OK))
        diagnostics_say("out of memory");
    else if (!is_log && text.len > 0 && !write_all(STDERR_FILENO, text.ptr, text.len))
        errno = 0; /* nothing reads it */
    if (out_text && buf_append(out_text, buf_str(&text)) != PX_OK)
        diagnostics_say("out of memory");
    buf_deinit(&text);
}

enum exit_code run_text_print(const struct buf *text)
{
    if (write_all(STDOUT_FILENO, text->ptr, text->len))
        return CODE_OK;
    diagnostics_say("cannot write: %s", strerror(errno));
    return CODE_SYSTEM;
}

/* Fills a file beside the one that it takes the place of. */
static bool file_fill(int fd, const char *path, const struct buf *text)
{
    struct stat status;

    if (stat(path, &status) != 0 || fchmod(fd, status.st_mode & 07777) != 0)
        return false;
    /* Where it is of another owner, only root can keep that. */
    if (fchown(fd, status.st_uid, status.st_gid) != 0 && errno != EPERM)
        return false;
    return write_all(fd, text->ptr, text->len) && fsync(fd) == 0;
}

enum exit_code run_text_store(const char *path, const struct buf *text)
{
    char real[PATH_MAX], beside[PATH_MAX + 16];

    /* A link stays one: what it leads to is replaced. */
    if (!realpath(path, real)) {
        diagnostics_say("cannot write %s: %s", path, strerror(errno));
        return CODE_CANNOT_CREATE;
    }
    snprintf(beside, sizeof(beside), "%s.XXXXXX", real);
    int fd = mkostemp(beside, O_CLOEXEC);
    bool is_good = fd >= 0 && file_fill(fd, real, text) && rename(beside, real) == 0;
    int failure = errno;

    if (fd >= 0)
        close(fd);
    if (is_good)
        return CODE_OK;
    if (fd >= 0)
        unlink(beside);
    diagnostics_say("cannot write %s: %s", path, strerror(failure));
    return CODE_CANNOT_CREATE;
}
