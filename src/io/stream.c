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
    list_init(&stream->handle.work);
    stream->handle.loop = loop;
    stream->handle.fd = fd;
    stream->handle.slot = SLOT_NONE;
    stream->handle.kind = HANDLE_STREAM;
    stream->handle.flags = eager ? STREAM_EAGER : 0;
    stream->inbox_max = STREAM_INBOX_BYTES_DEFAULT;
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
    stream->inbox_max = bytes_max;
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

static void inbox_free(px_stream *stream)
{
    if (!stream->inbox)
        return;
    px_loop *loop = stream->handle.loop;

    loop->inbox_bytes -= stream->inbox_cap;
    alloc_put(&loop->allocator, stream->inbox);
    stream->inbox = NULL;
    stream->inbox_at = 0;
    stream->inbox_len = 0;
    stream->inbox_cap = 0;
}

/* Room for `bytes` more at the inbox's end: moves what is there to the front, or grows. */
static px_err inbox_reserve(px_stream *stream, size_t bytes)
{
    px_loop *loop = stream->handle.loop;
    size_t need = stream->inbox_len + bytes;

    if (stream->inbox_at + need <= stream->inbox_cap)
        return PX_OK;
    if (stream->inbox_at > 0 && need <= stream->inbox_cap) {
        memmove(stream->inbox, stream->inbox + stream->inbox_at, stream->inbox_len);
        stream->inbox_at = 0;
        return PX_OK;
    }
    if (need > stream->inbox_max)
        return PX_ERR_LIMIT;
    size_t cap = stream->inbox_cap ? stream->inbox_cap : INBOX_BYTES_FIRST;

    while (cap < need)
        cap *= 2;
    if (cap > stream->inbox_max)
        cap = stream->inbox_max;
    if (loop->inbox_bytes + cap - stream->inbox_cap > loop->inbox_bytes_max)
        return PX_ERR_LIMIT;
    char *inbox = alloc_take(&loop->allocator, cap);

    if (!inbox)
        return PX_ERR_MEMORY;
    if (stream->inbox_len > 0)
        memcpy(inbox, stream->inbox + stream->inbox_at, stream->inbox_len);
    uint32_t len = stream->inbox_len;

    inbox_free(stream);
    stream->inbox = inbox;
    stream->inbox_len = len;
    stream->inbox_cap = (uint32_t)cap;
    loop->inbox_bytes += cap;
    return PX_OK;
}

size_t stream_recv_room(px_stream *stream, char **out_ptr)
{
    if (stream->inbox_len == 0) {
        *out_ptr = stream->handle.loop->chunk;
        return RECV_CHUNK_BYTES;
    }
    size_t end = stream->inbox_at + stream->inbox_len;

    if (end == stream->inbox_cap) {
        size_t left = stream->inbox_max - stream->inbox_len;
        size_t want = left < stream->inbox_len ? left : stream->inbox_len;

        if (want == 0 || inbox_reserve(stream, want) != PX_OK)
            return 0;
        end = stream->inbox_at + stream->inbox_len;
    }
    *out_ptr = stream->inbox + end;
    return stream->inbox_cap - end;
}

/* Shows the inbox to the receiver and drops what it used. */
static void inbox_show(px_stream *stream)
{
    px_str bytes = px_str_make(stream->inbox + stream->inbox_at, stream->inbox_len);

    /* The receiver has them: who asks in its callback what is unread is not told of them again. */
    stream->inbox_len = 0;
    size_t used = stream->events->on_recv(stream, bytes, stream->context);

    CHECK(used <= bytes.len);
    if (stream->handle.flags & STREAM_DETACHED)
        return;
    stream->inbox_at += (uint32_t)used;
    stream->inbox_len = (uint32_t)(bytes.len - used);
    if (stream->inbox_len == 0)
        inbox_free(stream);
}

void stream_present(px_stream *stream)
{
    stream->handle.flags &= (uint16_t)~STREAM_PRESENT;
    if (stream->inbox_len > 0)
        inbox_show(stream);
}

void stream_deliver(px_stream *stream, char *bytes, size_t count)
{
    px_loop *loop = stream->handle.loop;

    loop->bytes_received += count;
    stream->handle.flags &= (uint16_t)~STREAM_PRESENT;
    if (stream->inbox_len > 0) {
        stream->inbox_len += (uint32_t)count;
        inbox_show(stream);
        return;
    }
    size_t used = stream->events->on_recv(stream, px_str_make(bytes, count), stream->context);

    CHECK(used <= count);
    if (PX_LIKELY(used == count) || (stream->handle.flags & (STREAM_CLOSING | STREAM_DETACHED)))
        return;
    px_err err = inbox_reserve(stream, count - used);

    if (err != PX_OK) {
        stream_report_end(stream, err);
        return;
    }
    memcpy(stream->inbox, bytes + used, count - used);
    stream->inbox_len = (uint32_t)(count - used);
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

void stream_reopen(px_stream *stream)
{
    if (!(stream->handle.flags & STREAM_FULL))
        return;
    stream->handle.flags &= (uint16_t) ~(STREAM_FULL | STREAM_ENDED);
    inbox_free(stream);
    stream->inbox_len = 0;
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
    *out_unread =
        px_str_make(stream->inbox ? stream->inbox + stream->inbox_at : "", stream->inbox_len);
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
    inbox_free(stream);
    loop->handle_count--;
    if (stream->events && stream->events->on_closed && !(stream->handle.flags & STREAM_DETACHED))
        stream->events->on_closed(stream, stream->context);
    if (owned) {
        struct owned_stream *memory = CONTAINER_OF(stream, struct owned_stream, stream);

        list_remove(&memory->node);
        alloc_put(&loop->allocator, memory);
    }
}
