/*
 * Pushing a send's parts into a socket.
 *
 * Happy path: one send for one piece of memory, one sendmsg for several.  Files go by sendfile in
 * turns: more at once grows the socket's buffer until it falls out of the cache.  Turns grow for a
 * peer that takes them whole.  It can fail when the peer is gone, or when a file is shorter than
 * its length said (ENODATA).
 */
#include "io/push.h"

#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

/* Counts what the kernel took and drops the parts that are done. */
static void push_advance(px_stream *stream, uint64_t bytes)
{
    stream->sent_bytes += bytes;
    stream->handle.loop->bytes_sent += bytes;
    stream->part_offset += bytes;
    while (stream->part_count > 0) {
        const px_part *part = stream->parts;
        uint64_t length = part->bytes.ptr ? part->bytes.len : part->length;

        if (stream->part_offset < length)
            return;
        stream->part_offset -= length;
        stream->parts++;
        stream->part_count--;
    }
}

/* What a part may have of the budget. */
static size_t part_take(size_t bytes, uint64_t *budget)
{
    size_t taken = bytes < *budget ? bytes : (size_t)*budget;

    *budget -= taken;
    return taken;
}

/* At most `budget` bytes: a large buffer of the kernel would take megabytes at once. */
static ssize_t push_memory(px_stream *stream, uint64_t budget)
{
    const px_part *first = stream->parts;
    struct iovec iov[SEND_PARTS_MAX];
    uint32_t count = 1;

    iov[0].iov_base = (void *)(uintptr_t)(first->bytes.ptr + stream->part_offset);
    iov[0].iov_len = part_take(first->bytes.len - stream->part_offset, &budget);
    while (count < stream->part_count && count < SEND_PARTS_MAX && budget > 0 &&
           stream->parts[count].bytes.ptr) {
        iov[count].iov_base = (void *)(uintptr_t)stream->parts[count].bytes.ptr;
        iov[count].iov_len = part_take(stream->parts[count].bytes.len, &budget);
        count++;
    }
    /* What follows (a file range) is part of the same answer: let it share the packet. */
    int flags = MSG_NOSIGNAL | (count < stream->part_count ? MSG_MORE : 0);

    if (count == 1)
        return send(stream->handle.fd, iov[0].iov_base, iov[0].iov_len, flags);
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};

    return sendmsg(stream->handle.fd, &message, flags);
}

/* A sendfile to a peer that is gone raises SIGPIPE, which is blocked while the loop runs. */
void sigpipe_drain(void)
{
    sigset_t set;
    struct timespec none = {0, 0};

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    while (sigtimedwait(&set, NULL, &none) < 0 && errno == EINTR)
        continue;
}

/* A turn begins with one piece and grows by one for so many that were taken whole: a peer that is
 * faster than its turns come need not wait for those of all others, and a file of a MiB, which is
 * sent by then, keeps to pieces that do not queue up. */
static uint64_t file_turn(const px_stream *stream)
{
    return (1 + stream->file_whole / FILE_TURN_GROW_COUNT) * (uint64_t)FILE_TURN_BYTES;
}

static void file_turn_learn(px_stream *stream, uint64_t asked, ssize_t taken)
{
    if (taken < 0 || (uint64_t)taken < asked)
        stream->file_whole = 0;
    else if (asked == FILE_TURN_BYTES &&
             stream->file_whole < (FILE_TURN_COUNT_MAX - 1) * FILE_TURN_GROW_COUNT)
        stream->file_whole++;
}

static ssize_t push_file(px_stream *stream, uint64_t budget)
{
    const px_part *part = stream->parts;
    uint64_t left = part->length - stream->part_offset;
    off_t offset = (off_t)(part->offset + stream->part_offset);

    left = left < budget ? left : budget;
    left = left < FILE_TURN_BYTES ? left : FILE_TURN_BYTES;
    ssize_t count = sendfile(stream->handle.fd, part->fd, &offset, left);

    file_turn_learn(stream, left, count);
    if (count < 0 && errno == EPIPE) {
        sigpipe_drain();
        errno = EPIPE;
    }
    if (count == 0)
        errno = ENODATA; /* the file is shorter than its length said */
    return count == 0 ? -1 : count;
}

enum push_result stream_push(px_stream *stream)
{
    uint64_t memory = SEND_TURN_BYTES, file;

    push_advance(stream, 0); /* empty parts */
    if (stream->part_count > 0 && stream->parts->bytes.ptr)
        stream->file_whole = 0; /* another answer */
    file = file_turn(stream);
    while (stream->part_count > 0) {
        bool is_file = stream->parts->bytes.ptr == NULL;

        /* Between two ticks SIGPIPE is not blocked: a file waits for the next one. */
        if (is_file ? file == 0 || !stream->handle.loop->ticking : memory == 0)
            return PUSH_BUDGET;
        ssize_t count = is_file ? push_file(stream, file) : push_memory(stream, memory);

        if (count >= 0) {
            uint64_t *budget = is_file ? &file : &memory;

            *budget -= (uint64_t)count < *budget ? (uint64_t)count : *budget;
            push_advance(stream, (uint64_t)count);
        } else if (errno == EAGAIN) {
            return PUSH_FULL;
        } else if (errno != EINTR) {
            stream->send_errno = (uint16_t)errno;
            return PUSH_FAILED;
        }
    }
    return PUSH_DONE;
}

uint64_t stream_acked_bytes(const px_stream *stream)
{
    int queued = 0;

    if (ioctl(stream->handle.fd, SIOCOUTQ, &queued) != 0 || queued < 0)
        return stream->sent_bytes;
    return stream->sent_bytes - (uint64_t)queued;
}

size_t stream_offer(px_stream *stream, px_str bytes)
{
    if (stream->handle.flags & (STREAM_SENDING | STREAM_SHUT | STREAM_CLOSING))
        return 0;
    ssize_t count = send(stream->handle.fd, bytes.ptr,
                         bytes.len < SEND_TURN_BYTES ? bytes.len : SEND_TURN_BYTES, MSG_NOSIGNAL);

    /* What is wrong with it the next send, or receiving, finds out, too. */
    if (count <= 0)
        return 0;
    stream->sent_bytes += (uint64_t)count;
    stream->handle.loop->bytes_sent += (uint64_t)count;
    return (size_t)count;
}
