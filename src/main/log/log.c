/*
 * Writing the access log.
 *
 * The happy path: log_write appends to `filling`; when no write is under way the two buffers change
 * places and a helper thread writes the full one.  Where there is no room for it the loop waits for
 * some, so that readers that sleep, however many, hold no helper thread.  It can fail by such a
 * reader (`filling` reaches its maximum), by one that is gone and by a full disk: lines are
 * dropped, counted, and spoken of on stderr, at most once in REPORT_PAUSE_MS.
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
    /* Until what cannot be watched is asked for room again; doubled while there is none. */
    AGAIN_FIRST_MS = 2,
    AGAIN_MOST_MS = 64,
};

struct log {
    px_loop *loop;        /* borrowed: outlives log_finish */
    struct log_file file; /* while busy: the helper thread's */
    struct buf filling;
    struct buf writing; /* while busy: the helper thread's */
    size_t done;        /* of `writing`: bytes that were written; constant while busy */
    bool is_busy;
    bool is_waiting; /* for room, and not busy */
    px_watch *room;  /* owned: while it waits, where that can be watched; else NULL */
    px_timer *again; /* owned: else; NULL: there is no loop */
    uint32_t again_ms;
    const struct patience *patience; /* borrowed: at the end; NULL: room is waited for for ever */
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
    uint32_t dropped_set; /* its labels: this log's name */
    struct log_sink_face
        face;       /* of a unix sink without a master: what had its name at the last look */
    int sink_errno; /* why it took no line since; 0: it did, or none was sent */
    const char *drop_reason; /* static, or of strerror */
    uint64_t reported_at_ms; /* 0: never */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *name_of(const struct log *log)
{
    return log->file.path ? log->file.path : "stdout";
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

static void wait_end(struct log *log)
{
    px_watch_destroy(log->room);
    log->room = NULL;
    if (log->again)
        px_timer_stop(log->again);
    log->is_waiting = false;
}

/* Leaves the loop. */
static void log_leave(struct log *log)
{
    wait_end(log);
    px_timer_destroy(log->again);
    log->again = NULL;
    log->loop = NULL;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    CHECK(!log->loop || !log->is_busy); /* a helper thread would report to it */
    if (log->loop)
        log_leave(log);
    log_file_close(&log->file);
    if (log->next_fd >= 0)
        close(log->next_fd);
    buf_deinit(&log->filling);
    buf_deinit(&log->writing);
    free(log);
}

void log_count_in(struct log *log, px_metrics *metrics, px_metric dropped)
{
    const px_str name = px_str_of(name_of(log));

    log->metrics = metrics;
    log->dropped_metric = dropped;
    log->dropped_set = px_metric_labels(metrics, dropped, &name);
}

static void log_report(struct log *log, bool is_last)
{
    uint64_t now = now_ms();

    CHECK(log->dropped == 0 || log->drop_reason);
    CHECK(log->dropped_counted <= log->dropped);
    if (log->dropped == 0)
        return;
    if (log->metrics)
        px_metric_add(log->metrics, log->dropped_metric, log->dropped_set,
                      log->dropped - log->dropped_counted);
    log->dropped_counted = log->dropped;
    if (!is_last && log->reported_at_ms != 0 && now - log->reported_at_ms < REPORT_PAUSE_MS)
        return;
    diagnostics_tell(LEVEL_WARNING, "%llu line%s of the log %s dropped: %s",
                     (unsigned long long)log->dropped, log->dropped == 1 ? "" : "s", name_of(log),
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
    log->write_errno = log_file_write(
        &log->file, px_str_make(log->writing.ptr + log->done, log->writing.len - log->done),
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

/* Whether there will be room for what is left, and it may be waited for. */
static bool is_worth_waiting(const struct log *log)
{
    return (log->write_errno == EAGAIN || log->write_errno == EBUSY) &&
           log->done < log->writing.len && (!log->patience || patience_left_ms(log->patience) > 0);
}

static void on_room(px_watch *watch, unsigned events, void *context)
{
    struct log *log = context;

    (void)events;
    CHECK(log->room == watch && log->is_waiting);
    wait_end(log);
    log_submit(log);
}

static void on_again(px_timer *timer, void *context)
{
    struct log *log = context;

    CHECK(log->again == timer && log->is_waiting);
    wait_end(log);
    log_submit(log);
}

static void wait_begin(struct log *log)
{
    int fd = log->write_errno == EAGAIN ? log_file_watchable(&log->file) : -1;

    CHECK(!log->is_busy && !log->is_waiting && !log->room);
    log->is_waiting = true;
    if (log->written_bytes > 0)
        log->again_ms = 0;
    if (fd >= 0)
        log->room = px_watch_create(log->loop, fd, PX_WATCH_WRITE, on_room, log, NULL);
    if (log->room)
        return;
    log->again_ms = log->again_ms == 0 ? AGAIN_FIRST_MS : 2 * log->again_ms;
    if (log->again_ms > AGAIN_MOST_MS)
        log->again_ms = AGAIN_MOST_MS;
    px_timer_start(log->again, log->again_ms);
}

static const char *drop_reason(const struct log *log)
{
    if (log->write_errno == EAGAIN || log->write_errno == EBUSY)
        return "the log is not read";
    return log->write_errno != 0 ? strerror(log->write_errno) : "no thread could be had for them";
}

/* Gives up what is left of `writing`, if anything is. */
static void batch_end(struct log *log)
{
    size_t left = log->writing.len - log->done;

    CHECK(log->done <= log->writing.len && !log->is_busy);
    if (left > 0) {
        log_file_drop(&log->file);
        log_drop(log, count_lines(log->writing.ptr + log->done, left), drop_reason(log));
    }
    buf_empty(&log->writing);
    log->done = 0;
    log->again_ms = 0;
}

static void log_done(px_err status, void *context)
{
    struct log *log = context;

    CHECK(log->is_busy && log->written_bytes <= log->writing.len - log->done);
    log->is_busy = false;
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
    if (status == PX_OK)
        log->done += log->written_bytes;
    if (status == PX_OK && is_worth_waiting(log))
        wait_begin(log);
    else
        batch_end(log);
    log_report(log, false);
    log_submit(log);
}

/* Hands what is left, or was collected, to a helper thread, unless one writes already or there is
 * no room.  A file that is to be opened anew may have some. */
static void log_submit(struct log *log)
{
    if (log->is_busy || (log->is_waiting && !log->is_reopen_wanted))
        return;
    wait_end(log);
    if (log->writing.len == 0) {
        struct buf empty = log->writing;

        if (log->filling.len == 0 && !log->is_reopen_wanted)
            return;
        log->writing = log->filling;
        log->filling = empty;
        log->write_errno = 0;
        CHECK(log->filling.len == 0 && log->done == 0);
    }
    CHECK(log->taking_fd < 0);
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
}

px_err log_start(struct log *log, px_loop *loop, px_error *out_error)
{
    CHECK(loop && !log->loop && !log->is_busy);
    log->again = px_timer_create(loop, on_again, log);
    if (!log->again)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot open the log: out of memory");
    log->loop = loop;
    return error_clear(out_error);
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
    log->patience = patience;
    log_submit(log);
}

void log_finish(struct log *log, const struct patience *patience)
{
    px_err err = PX_OK;
    px_error error;

    if (!log || !log->loop)
        return;
    log_hasten(log, patience);
    while (err == PX_OK && (log->is_busy || log->is_waiting)) {
        int left_ms = patience_left_ms(patience);

        if (!log->is_busy && left_ms == 0) {
            wait_end(log);
            batch_end(log);
            log_submit(log); /* what has been collected since; it is tried once */
            continue;
        }
        /* A helper thread waits for a disk at most. */
        err = px_loop_wait(log->loop, log->is_busy ? -1 : left_ms, &error);
    }
    if (!log->is_busy)
        batch_end(log);
    if (log->filling.len > 0)
        log_drop(log, count_lines(log->filling.ptr, log->filling.len), drop_reason(log));
    log_report(log, true);
    log_leave(log);
}
