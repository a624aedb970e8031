/*
 * Writing the access log.
 *
 * The happy path: log_write appends to `filling`; when no write is under way the two buffers change
 * places and a helper thread writes the full one.  It can fail by a reader that sleeps (`filling`
 * reaches its maximum), by a reader that is gone and by a full disk: lines are dropped, counted,
 * and spoken of on stderr, at most once in REPORT_PAUSE_MS.
 */
#include "main/log/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/log/log_file.h"

enum {
    LOG_BYTES_MAX = 4 * 1024 * 1024, /* lines that wait; twice that is the most memory taken */
    LOG_BYTES_KEPT = 64 * 1024,      /* a buffer that grew larger is given back when it is empty */
    REPORT_PAUSE_MS = 10 * 1000,
};

struct log {
    px_loop *loop;        /* borrowed: outlives log_finish */
    struct log_file file; /* while busy: the helper thread's */
    struct buf filling;
    struct buf writing; /* while busy: the helper thread's */
    bool is_busy;
    bool is_reopen_wanted;
    int next_fd;       /* owned: what reopening gives; -1: the path is opened */
    bool is_reopening; /* what the helper thread was asked to do; constant while busy */
    int taking_fd;     /* likewise: next_fd of then */
    int reopen_errno;  /* what the helper thread reports, read when it has done */
    int write_errno;
    size_t written_bytes;
    uint64_t dropped;         /* lines, since the last report */
    uint64_t dropped_counted; /* of those, in `metrics` */
    px_metrics *metrics;      /* borrowed; NULL: they are counted nowhere else */
    px_metric dropped_metric;
    struct log_sink_face
        face;       /* of a unix sink without a master: what had its name at the last look */
    int sink_errno; /* why it took no line since; 0: it did, or none was sent */
    const char *drop_reason; /* static, or of strerror */
    uint64_t reported_at_ms; /* 0: never */
    _Atomic uint64_t
        give_up_at_ms; /* shared with the helper thread: until when to wait; 0: for ever */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t count_lines(const char *ptr, size_t len)
{
    const char *end = ptr + len;
    uint64_t lines = 0;

    while (ptr < end && (ptr = memchr(ptr, '\n', (size_t)(end - ptr))) != NULL) {
        lines++;
        ptr++;
    }
    return lines;
}

px_err log_open(const char *path, int fd, int lock_fd, struct log **out_log, px_error *out_error)
{
    return log_open_at(path, fd, lock_fd, 0, out_log, out_error);
}

px_err log_open_at(const char *path, int fd, int lock_fd, uint32_t number, struct log **out_log,
                   px_error *out_error)
{
    struct log *log = calloc(1, sizeof(*log));

    if (!log)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot open the log: out of memory");
    int failure = log_file_open(&log->file, path, fd, lock_fd);
    if (failure != 0) {
        free(log);
        return error_set(out_error, error_category(failure), failure,
                         "cannot open the log file %s: %s", path ? path : "on stdout",
                         strerror(failure));
    }
    log->file.lock_at = number;
    log->next_fd = -1;
    log->taking_fd = -1;
    buf_init(&log->filling, &alloc_libc, LOG_BYTES_MAX);
    buf_init(&log->writing, &alloc_libc, LOG_BYTES_MAX);
    *out_log = log;
    return error_clear(out_error);
}

void log_close(struct log *log)
{
    if (!log)
        return;
    log_file_close(&log->file);
    if (log->next_fd >= 0)
        close(log->next_fd);
    buf_deinit(&log->filling);
    buf_deinit(&log->writing);
    free(log);
}

void log_start(struct log *log, px_loop *loop)
{
    CHECK(loop && !log->is_busy); /* a helper thread of the loop before would report there */
    log->loop = loop;
}

void log_count_in(struct log *log, px_metrics *metrics, px_metric dropped)
{
    log->metrics = metrics;
    log->dropped_metric = dropped;
}

static void log_report(struct log *log, bool is_last)
{
    uint64_t now = now_ms();

    CHECK(log->dropped == 0 || log->drop_reason);
    CHECK(log->dropped_counted <= log->dropped);
    if (log->dropped == 0)
        return;
    if (log->metrics)
        px_metric_add(log->metrics, log->dropped_metric, 0, log->dropped - log->dropped_counted);
    log->dropped_counted = log->dropped;
    if (!is_last && log->reported_at_ms != 0 && now - log->reported_at_ms < REPORT_PAUSE_MS)
        return;
    diagnostics_tell(LEVEL_WARNING, "%llu log lines dropped: %s", (unsigned long long)log->dropped,
                     log->drop_reason);
    log->dropped = 0;
    log->dropped_counted = 0;
    log->reported_at_ms = now;
}

static void log_drop(struct log *log, uint64_t lines, const char *reason)
{
    log->dropped += lines;
    log->drop_reason = reason;
    log_report(log, false);
}

/* On a helper thread. */
static void log_work(void *context)
{
    struct log *log = context;

    CHECK(log->is_busy);
    log->reopen_errno = 0;
    if (log->taking_fd >= 0)
        log_file_take(&log->file, log->taking_fd);
    else if (log->is_reopening)
        log->reopen_errno = log_file_reopen(&log->file);
    log->written_bytes = 0;
    log->write_errno = log_file_write(&log->file, buf_str(&log->writing), &log->give_up_at_ms,
                                      &log->written_bytes);
}

static void buf_empty(struct buf *buf)
{
    if (buf->cap > LOG_BYTES_KEPT)
        buf_deinit(buf);
    else
        buf->len = 0;
}

static void log_submit(struct log *log);

/* Whether it says that there is no receiver, or none that may be written to. */
static bool is_of_receiver(int failure)
{
    return failure == ECONNREFUSED || failure == ECONNRESET || failure == ENOENT ||
           failure == ENOTDIR || failure == EACCES || failure == EPERM;
}

static void log_done(px_err status, void *context)
{
    struct log *log = context;
    size_t written = status == PX_OK ? log->written_bytes : 0;

    CHECK(log->is_busy && log->written_bytes <= log->writing.len);
    log->is_busy = false;
    if (written < log->writing.len)
        log_drop(log, count_lines(log->writing.ptr + written, log->writing.len - written),
                 log->write_errno == EAGAIN ? "the log is not read" : strerror(log->write_errno));
    if (status == PX_OK && log->writing.len > 0)
        log->sink_errno = is_of_receiver(log->write_errno) ? log->write_errno : 0;
    if (status == PX_OK && log->is_reopening && log->reopen_errno != 0)
        diagnostics_say("cannot reopen the log file %s: %s (the old one goes on)", log->file.path,
                        strerror(log->reopen_errno));
    log->is_reopening = false;
    /* Work that was cancelled has not taken it. */
    if (status != PX_OK && log->taking_fd >= 0)
        close(log->taking_fd);
    log->taking_fd = -1;
    buf_empty(&log->writing);
    log_report(log, false);
    log_submit(log);
}

/* Hands what was collected to a helper thread, unless one writes already. */
static void log_submit(struct log *log)
{
    if (log->is_busy || (log->filling.len == 0 && !log->is_reopen_wanted))
        return;
    struct buf empty = log->writing;

    log->writing = log->filling;
    log->filling = empty;
    CHECK(log->filling.len == 0 && log->taking_fd < 0);
    log->is_reopening = log->is_reopen_wanted;
    log->taking_fd = log->next_fd;
    log->is_reopen_wanted = false;
    log->next_fd = -1;
    log->is_busy = true;
    if (px_loop_work(log->loop, log_work, log_done, log) == PX_OK)
        return;

    /* No thread could be had.  The lines stay, and the next ones try again. */
    log->is_busy = false;
    log->is_reopen_wanted = log->is_reopening;
    log->next_fd = log->taking_fd;
    log->taking_fd = -1;
    empty = log->filling;
    log->filling = log->writing;
    log->writing = empty;
}

void log_write(px_str lines, void *context)
{
    struct log *log = context;

    CHECK(log->loop);
    if (buf_append(&log->filling, lines) != PX_OK)
        log_drop(log, count_lines(lines.ptr, lines.len), "the log is not taken fast enough");
    log_submit(log);
}

/* Here and not on the helper thread, which may be waiting for room: what a sink is does not change
 * without a master.  Another socket under its name is believed in until a line is refused there;
 * one that was there all the time is what writing to it has found. */
void log_join(struct log *log, struct log_join *join, bool *is_gone)
{
    struct log_sink_face face;

    CHECK(log->file.is_alone && log->next_fd < 0 && log->taking_fd < 0);
    if (!log->file.is_sink || !log->file.sink.is_unix)
        return;
    int failure = log_sink_look(&log->file.sink, &face);

    if (failure == 0 && memcmp(&face, &log->face, sizeof(face)) != 0) {
        /* The first one is what it was connected to. */
        if (log->face.number != 0)
            atomic_store(&log->file.is_named, true);
        log->face = face;
        log->sink_errno = 0;
    }
    log_join_note(join, log->file.path, failure != 0 ? failure : log->sink_errno, is_gone);
}

void log_reopen(struct log *log)
{
    log->is_reopen_wanted = log->file.path != NULL;
    log_submit(log);
}

void log_take(struct log *log, int fd)
{
    CHECK(fd >= 0);
    if (log->next_fd >= 0)
        close(log->next_fd);
    log->next_fd = fd;
    log_reopen(log);
}

void log_hasten(struct log *log, const struct patience *patience)
{
    if (!log || !log->loop)
        return;
    atomic_store(&log->give_up_at_ms, patience->until_ms);
    log_submit(log);
}

void log_finish(struct log *log, const struct patience *patience)
{
    px_error error;

    if (!log || !log->loop)
        return;
    log_hasten(log, patience);
    /* A job under way ends by itself, at the latest when its patience does; and that may be shorter
     * after any step. */
    while (log->is_busy && px_loop_wait(log->loop, -1, &error) == PX_OK)
        atomic_store(&log->give_up_at_ms, patience->until_ms);
    log->dropped += count_lines(log->filling.ptr, log->filling.len);
    log_report(log, true);
    log->loop = NULL;
}
