/*
 * The half of a stream that every engine shares: its inbox, its reports, its end.
 *
 * Happy path: the engine receives into the loop's chunk, the receiver uses all of it, nothing is
 * kept.  What is not used is copied into the inbox, which grows up to a maximum and is given back
 * when it is empty.  It can fail when the inbox finds no room: the stream then ends with
 * PX_ERR_LIMIT.
 */
#include <string.h>

#include "io/engine.h"

void stream_init(px_stream *stream, px_loop *loop, int fd, bool eager)
{
    memset(stream, 0, sizeof(*stream));
    handle_init(&stream->handle, loop, fd, HANDLE_STREAM);
    stream->handle.flags = eager ? STREAM_EAGER : 0;
    stream->inbox.max = STREAM_INBOX_BYTES_DEFAULT;
    loop->handle_count++;
}

/* A stream of a public caller.  The loop knows them all, so that it can close them. */
struct owned_stream {
    struct list node; /* in the loop's list */
    px_stream stream;
};

px_stream *stream_create(px_loop *loop, int fd, bool eager)
{
    struct owned_stream *owned = alloc_take(&loop->allocator, sizeof(*owned));

    if (!owned)
        return NULL;
    list_append(&loop->streams, &owned->node);
    stream_init(&owned->stream, loop, fd, eager);
    owned->stream.handle.flags |= STREAM_OWNED;
    return &owned->stream;
}

void px_stream_attach(px_stream *stream, const px_stream_events *events, void *context)
{
    stream->events = events;
    stream->context = context;
    /* A reset is heard of even before the first recv_start. */
    engine_recv(stream);
}

void px_stream_set_inbox(px_stream *stream, uint32_t bytes_max)
{
    stream->inbox.max = bytes_max;
}

px_loop *px_stream_loop(const px_stream *stream)
{
    return stream->handle.loop;
}

uint64_t px_stream_sent_bytes(const px_stream *stream)
{
    return stream->sent_bytes;
}

/* --- Receiving ------------------------------------------------------------------------------ */

void px_stream_recv_start(px_stream *stream)
{
    uint16_t flags = stream->handle.flags;

    if (flags & (STREAM_CLOSING | STREAM_ENDED | STREAM_RECV))
        return;
    CHECK(stream->events && stream->events->on_recv);
    /* Inside of on_recv the rest is not in the inbox yet, so what is kept is looked at later. */
    stream->handle.flags |= STREAM_RECV | STREAM_PRESENT;
    engine_recv(stream);
}

void px_stream_recv_stop(px_stream *stream)
{
    stream->handle.flags &= (uint16_t) ~(STREAM_RECV | STREAM_PRESENT);
}

size_t stream_recv_room(px_stream *stream, char **out_ptr)
{
    if (stream->inbox.len > 0)
        return inbox_room(&stream->inbox, stream->handle.loop, out_ptr);
    *out_ptr = stream->handle.loop->chunk;
    if ((stream->handle.flags & STREAM_FRUGAL) &&
        budget_is_short(&stream->handle.loop->memory, BUDGET_INBOX))
        return BUDGET_FIRST_BYTES;
    return RECV_CHUNK_BYTES;
}

/* Shows the inbox to the receiver and drops what it used. */
static void inbox_show(px_stream *stream)
{
    px_str bytes = inbox_lend(&stream->inbox);
    size_t used = stream->events->on_recv(stream, bytes, stream->context);

    CHECK(used <= bytes.len);
    if (!(stream->handle.flags & STREAM_DETACHED))
        inbox_put_back(&stream->inbox, stream->handle.loop, bytes, used);
}

void stream_present(px_stream *stream)
{
    stream->handle.flags &= (uint16_t)~STREAM_PRESENT;
    if (stream->inbox.len > 0)
        inbox_show(stream);
}

void stream_deliver(px_stream *stream, char *bytes, size_t count)
{
    px_loop *loop = stream->handle.loop;

    loop->bytes_received += count;
    stream->handle.flags &= (uint16_t)~STREAM_PRESENT;
    if (stream->inbox.len > 0) {
        stream->inbox.len += (uint32_t)count;
        inbox_show(stream);
        return;
    }
    size_t used = stream->events->on_recv(stream, px_str_make(bytes, count), stream->context);

    CHECK(used <= count);
    if (PX_LIKELY(used == count) || (stream->handle.flags & (STREAM_CLOSING | STREAM_DETACHED)))
        return;
    px_err err = inbox_keep(&stream->inbox, loop, bytes + used, count - used,
                            stream->handle.flags & (STREAM_RECV | STREAM_FRUGAL));

    if (err != PX_OK)
        stream_report_end(stream, err);
}

void stream_report_end(px_stream *stream, px_err reason)
{
    if (stream->handle.flags & (STREAM_CLOSING | STREAM_ENDED))
        return;
    stream->handle.flags |= STREAM_ENDED;
    if (reason == PX_ERR_LIMIT || reason == PX_ERR_MEMORY)
        stream->handle.flags |= STREAM_FULL;
    stream->handle.flags &= (uint16_t) ~(STREAM_RECV | STREAM_PRESENT);
    if (stream->events && stream->events->on_recv_end)
        stream->events->on_recv_end(stream, reason, stream->context);
}

void stream_report_left(px_stream *stream)
{
    uint16_t flags = stream->handle.flags;

    if (!(flags & STREAM_TELLS_LEFT) ||
        (flags & (STREAM_RECV | STREAM_CLOSING | STREAM_ENDED | STREAM_LEFT)))
        return;
    stream->handle.flags |= STREAM_LEFT;
    stream->handle.loop->on_left(stream);
}

void stream_reopen(px_stream *stream)
{
    if (!(stream->handle.flags & STREAM_FULL))
        return;
    stream->handle.flags &= (uint16_t) ~(STREAM_FULL | STREAM_ENDED);
    inbox_free(&stream->inbox, stream->handle.loop);
}

/* --- Sending -------------------------------------------------------------------------------- */

px_sent px_stream_send(px_stream *stream, const px_part *parts, size_t count)
{
    CHECK(!(stream->handle.flags & (STREAM_SENDING | STREAM_SHUT)));
    stream->parts = parts;
    stream->part_count = (uint32_t)count;
    stream->part_offset = 0;
    stream->handle.flags |= STREAM_SENDING;
    if (stream->handle.flags & STREAM_CLOSING)
        return PX_SENT_PENDING; /* reported as cancelled when it is reaped */
    if (!engine_send(stream))
        return PX_SENT_PENDING;
    stream->handle.flags &= (uint16_t)~STREAM_SENDING;
    return PX_SENT_DONE;
}

void stream_report_sent(px_stream *stream, px_err result)
{
    stream->handle.flags &= (uint16_t)~STREAM_SENDING;
    stream->parts = NULL;
    stream->part_count = 0;
    if (stream->events && stream->events->on_sent)
        stream->events->on_sent(stream, result, stream->context);
}

/* --- The end -------------------------------------------------------------------------------- */

void px_stream_shutdown(px_stream *stream)
{
    CHECK(!(stream->handle.flags & STREAM_SENDING));
    if (stream->handle.flags & (STREAM_SHUT | STREAM_CLOSING))
        return;
    stream->handle.flags |= STREAM_SHUT;
    engine_shutdown(stream);
}

void px_stream_close(px_stream *stream)
{
    if (stream->handle.flags & STREAM_CLOSING)
        return;
    stream->handle.flags |= STREAM_CLOSING;
    stream->handle.flags &= (uint16_t) ~(STREAM_RECV | STREAM_PRESENT);
    loop_close(&stream->handle);
    /* What the peer has not taken is freed with the socket: megabytes, where it read slowly. */
    if (stream->handle.flags & (STREAM_SENDING | STREAM_RESET))
        work_count(
            &stream->handle.loop->work,
            (uint32_t)((stream->sent_bytes - stream_acked_bytes(stream)) / WORK_PURGE_BYTES));
    /* The descriptor goes at once, while it is warm; a send in flight still has a use for it. */
    if (!(stream->handle.flags & STREAM_SENDING))
        engine_close(stream);
}

void streams_close(px_loop *loop)
{
    for (struct list *node = loop->streams.next; node != &loop->streams; node = node->next)
        px_stream_close(&LIST_ENTRY(node, struct owned_stream, node)->stream);
}

void px_stream_reset(px_stream *stream)
{
    stream->handle.flags |= STREAM_RESET;
    px_stream_close(stream);
}

int px_stream_release(px_stream *stream, px_str *out_unread)
{
    int fd = stream->handle.fd;

    CHECK(!(stream->handle.flags & (STREAM_CLOSING | STREAM_SENDING)));
    *out_unread = px_str_make(stream->inbox.ptr ? stream->inbox.ptr + stream->inbox.at : "",
                              stream->inbox.len);
    engine_detach(&stream->handle);
    stream->handle.fd = -1;
    stream->handle.flags |= STREAM_DETACHED;
    px_stream_close(stream);
    return fd;
}

void stream_cancel(px_stream *stream)
{
    if (stream->handle.flags & STREAM_SENDING)
        stream_report_sent(stream, PX_ERR_CANCELLED);
}

void stream_reap(px_stream *stream)
{
    px_loop *loop = stream->handle.loop;
    bool owned = stream->handle.flags & STREAM_OWNED;

    stream_cancel(stream); /* a send made while the others were told */
    engine_close(stream);
    inbox_free(&stream->inbox, loop);
    loop->handle_count--;
    if (stream->events && stream->events->on_closed && !(stream->handle.flags & STREAM_DETACHED))
        stream->events->on_closed(stream, stream->context);
    if (owned) {
        struct owned_stream *memory = CONTAINER_OF(stream, struct owned_stream, stream);

        list_remove(&memory->node);
        alloc_put(&loop->allocator, memory);
    }
}
