/*
 * Sending over TLS: content is sealed into the session's queue, and the queue goes to the stream.
 *
 * Happy path: a small answer is one record and one send.  Large ones are sealed three records at a
 * time, straight from where they lie; small parts, and files, are gathered first, files without
 * waiting for a disk, or by a helper thread.  What can go wrong: a file that is shorter than was
 * said, the peer is gone, memory.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conduit/tls_conduit.h"

/* --- The queue -------------------------------------------------------------------------------- */

bool tls_flush(struct tls_conduit *tls)
{
    px_stream *stream = tls->stream;
    struct tls_queue *queue = &tls->session.out;

    if (tls->flushing > 0)
        return false;
    if (tls->stage == TLS_CLOSING || (stream->handle.flags & STREAM_SHUT)) {
        tls_queue_deinit(queue); /* the peer will not read it */
        return true;
    }
    while (queue->bytes > 0) {
        uint32_t bytes;
        size_t count = tls_queue_parts(queue, tls->flushed, &bytes);

        if (px_stream_send(stream, tls->flushed, count) == PX_SENT_PENDING) {
            tls->flushing = bytes;
            return false;
        }
        tls_queue_drop(queue, bytes);
    }
    return true;
}

/* --- Files that are not in memory ------------------------------------------------------------- */

static void read_free(struct tls_read *read)
{
    if (read->fd >= 0)
        close(read->fd);
    alloc_put(&read->loop->allocator, read);
}

void tls_read_forget(struct tls_conduit *tls)
{
    if (!tls->read)
        return;
    if (tls->read->len > 0)
        read_free(tls->read);
    else
        tls->read->tls = NULL; /* a thread is at it: read_done frees it */
    tls->read = NULL;
}

/* What a read that is over means for the send. */
static px_err read_result(const struct tls_read *read)
{
    if (read->read.count > 0)
        return PX_OK;
    return read->read.count == 0 ? PX_ERR_MALFORMED : PX_ERR_SYSTEM;
}

static void read_done(struct file_read *file_read, px_err status)
{
    struct tls_read *read = CONTAINER_OF(file_read, struct tls_read, read);
    struct tls_conduit *tls = read->tls;

    if (!tls) {
        read_free(read);
        return;
    }
    px_err err = status == PX_OK ? read_result(read) : status;

    if (err == PX_OK) {
        read->len = (uint32_t)read->read.count;
    } else {
        tls->read = NULL;
        tls->send_error = (uint8_t)err;
        read_free(read);
    }
    tls_send_resume(tls);
}

/* No descriptor is left for a thread: waiting for the disk here is better than an answer that is
 * cut short. */
static px_err read_here(struct tls_read *read, int fd)
{
    read->read.fd = fd;
    file_read_waiting(&read->read);
    px_err err = read_result(read);

    if (err == PX_OK)
        read->len = (uint32_t)read->read.count;
    return err;
}

/* PX_AGAIN when a thread reads, PX_OK when it was read here. */
static px_err read_begin(struct tls_conduit *tls, int fd, uint64_t offset, uint64_t left)
{
    px_loop *loop = tls->shared->loop;
    struct tls_read *read = alloc_take(&loop->allocator, sizeof(*read));

    if (!read)
        return PX_ERR_MEMORY;
    memset(read, 0, offsetof(struct tls_read, bytes));
    read->tls = tls;
    read->loop = loop;
    read->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    read->read.fd = read->fd;
    read->read.offset = offset;
    read->read.room = left < sizeof(read->bytes) ? (size_t)left : sizeof(read->bytes);
    read->read.out = read->bytes;
    read->read.done = read_done;
    px_err err = read->fd < 0 ? read_here(read, fd) : file_read_later(loop, &read->read);

    if (err != PX_OK) {
        read_free(read);
        return err;
    }
    tls->read = read;
    return read->len > 0 ? PX_OK : PX_AGAIN;
}

/* --- Sealing ---------------------------------------------------------------------------------- */

static void parts_advance(struct tls_conduit *tls, uint64_t bytes)
{
    tls->part_offset += bytes;
    while (tls->part_count > 0) {
        uint64_t length = tls->parts->bytes.ptr ? tls->parts->bytes.len : tls->parts->length;

        if (tls->part_offset < length)
            return;
        tls->part_offset -= length;
        tls->parts++;
        tls->part_count--;
    }
}

/* Seals all of `bytes`, for which there is room. */
static px_err seal(struct tls_conduit *tls, px_str bytes)
{
    while (bytes.len > 0) {
        size_t used;
        px_err err = tls_session_write(&tls->session, bytes, &used);

        if (err != PX_OK)
            return err == PX_AGAIN ? PX_ERR_LIMIT : err;
        bytes = px_str_make(bytes.ptr + used, bytes.len - used);
    }
    return PX_OK;
}

/* Takes from the first part, which is a range of a file, into `out`. */
static px_err gather_file(struct tls_conduit *tls, char *out, size_t room, size_t *out_bytes)
{
    const px_part *part = tls->parts;
    uint64_t left = part->length - tls->part_offset;
    size_t want = left < room ? (size_t)left : room;
    px_err err = file_read_now(part->fd, out, want, part->offset + tls->part_offset, out_bytes);

    if (err == PX_OK && *out_bytes == 0)
        return PX_ERR_MALFORMED; /* shorter than its length said */
    return err;
}

/* Collects small parts and files, up to `room` bytes, and seals them.  PX_AGAIN: a thread reads. */
static px_err seal_gathered(struct tls_conduit *tls, size_t room)
{
    char *gathered = tls->shared->gathered;
    size_t count = 0;
    px_err err = PX_OK;

    while (err == PX_OK && count < room && tls->part_count > 0) {
        const px_part *part = tls->parts;
        size_t bytes = 0;

        if (part->bytes.ptr) {
            size_t left = part->bytes.len - (size_t)tls->part_offset;

            bytes = left < room - count ? left : room - count;
            memcpy(gathered + count, part->bytes.ptr + tls->part_offset, bytes);
        } else {
            err = gather_file(tls, gathered + count, room - count, &bytes);
        }
        count += bytes;
        parts_advance(tls, bytes);
    }
    if (count > 0 && (err == PX_OK || err == PX_AGAIN))
        return seal(tls, px_str_make(gathered, count));
    if (err != PX_AGAIN)
        return err;
    return read_begin(tls, tls->parts->fd, tls->parts->offset + tls->part_offset,
                      tls->parts->length - tls->part_offset);
}

/* Seals what a thread has read. */
static px_err seal_read(struct tls_conduit *tls)
{
    struct tls_read *read = tls->read;

    if (read->len == 0)
        return PX_AGAIN;
    px_err err = seal(tls, px_str_make(read->bytes, read->len));

    parts_advance(tls, read->len);
    tls->read = NULL;
    read_free(read);
    return err;
}

/* Fills the queue, once: PX_OK when something was sealed, PX_AGAIN when a thread must read first.
 */
static px_err fill(struct tls_conduit *tls)
{
    size_t room = TLS_FILL_BYTES;
    const px_part *part = tls->parts;

    if (tls->read)
        return seal_read(tls);
    if (part->bytes.ptr) {
        size_t left = part->bytes.len - (size_t)tls->part_offset;

        /* The last part, or a large one, is sealed where it lies. */
        if (tls->part_count == 1 || left >= TLS_RECORD_BYTES) {
            px_str bytes = {part->bytes.ptr + tls->part_offset, left < room ? left : room};
            px_err err = seal(tls, bytes);

            parts_advance(tls, bytes.len);
            return err;
        }
    }
    return seal_gathered(tls, room);
}

/* Whether what is sealed may wait: the end of on_recv sends it, with the tickets before it and the
 * answers and the close_notify behind it.  A queue that is filled again would not hold more. */
static bool may_wait(const struct tls_conduit *tls)
{
    return tls->corked && tls->flushing == 0 && tls->stage == TLS_OPEN &&
           tls->session.out.bytes < TLS_QUEUE_BYTES - TLS_FILL_BYTES - TLS_RECORD_FIRST_BYTES;
}

/* PX_OK when everything was taken, by the system or by the queue; PX_AGAIN when an event, or the
 * loop, will go on. */
static px_err push(struct tls_conduit *tls)
{
    uint64_t now_ms = tls->shared->loop->now_ms;

    if (now_ms - tls->written_ms > TLS_BURST_PAUSE_MS)
        tls_session_pause(&tls->session);
    tls->written_ms = now_ms;
    /* Turns are as short as those of files: what is sealed and sent stays in the cache. */
    for (uint32_t budget = FILE_TURN_BYTES / TLS_FILL_BYTES; may_wait(tls) || tls_flush(tls);
         budget--) {
        if (tls->send_error != PX_OK)
            return (px_err)tls->send_error;
        if (tls->part_count == 0)
            return PX_OK;
        if (budget == 0) {
            loop_task_add(tls->shared->loop, &tls->wake);
            return PX_AGAIN;
        }
        px_err err = fill(tls);

        if (err == PX_AGAIN && tls_flush(tls))
            return PX_AGAIN;
        if (err != PX_OK && err != PX_AGAIN) {
            tls->send_error = (uint8_t)err;
            return err;
        }
    }
    return PX_AGAIN;
}

px_sent tls_send(struct conduit *conduit, const px_part *parts, size_t count)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    CHECK(tls->sending == TLS_SEND_NONE);
    tls->sending = TLS_SEND_CONTENT;
    tls->parts = parts;
    tls->part_count = (uint32_t)count;
    tls->part_offset = 0;
    if (tls->stage == TLS_CLOSING) {
        px_stream_send(tls->stream, NULL, 0); /* reported as cancelled */
        return PX_SENT_PENDING;
    }
    parts_advance(tls, 0); /* empty parts */
    px_err err = push(tls);

    if (err == PX_OK) {
        tls->sending = TLS_SEND_NONE;
        return PX_SENT_DONE;
    }
    if (err != PX_AGAIN)
        loop_task_add(tls->shared->loop, &tls->wake); /* errors come from the loop */
    return PX_SENT_PENDING;
}

static void sent_report(struct tls_conduit *tls, px_err result)
{
    tls->sending = TLS_SEND_NONE;
    tls->parts = NULL;
    tls->part_count = 0;
    if (tls->events->on_sent)
        tls->events->on_sent(tls->stream, result, tls->context);
}

void tls_send_resume(struct tls_conduit *tls)
{
    if (tls->stage == TLS_CLOSING || tls->sending != TLS_SEND_CONTENT)
        return;
    px_err err = push(tls);

    if (err != PX_AGAIN)
        sent_report(tls, err);
}

void tls_on_sent(px_stream *stream, px_err result, void *context)
{
    struct tls_conduit *tls = context;

    tls_queue_drop(&tls->session.out, tls->flushing);
    tls->flushing = 0;
    if (result != PX_OK && tls->stage == TLS_PARTING)
        tls_part(tls);
    if (result != PX_OK || tls->stage == TLS_CLOSING) {
        if (tls->sending == TLS_SEND_CONTENT)
            sent_report(tls, result == PX_OK ? PX_ERR_CANCELLED : result);
        return;
    }
    if (tls->stage == TLS_PARTING && tls_flush(tls)) {
        tls_part(tls);
        return;
    }
    if (tls->sending == TLS_SEND_CONTENT)
        tls_send_resume(tls);
    if (tls->stage != TLS_CLOSING && tls_flush(tls) && tls->sending == TLS_SEND_SHUT)
        px_stream_shutdown(stream);
    if (tls->stage != TLS_CLOSING)
        tls_recv_again(tls);
}
