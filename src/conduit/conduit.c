/*
 * The plain conduit: a stream, as it is.
 */
#include "conduit/conduit.h"

#include "io/push.h"

static void plain_attach(struct conduit *conduit, const px_stream_events *events, void *context)
{
    px_stream_attach(conduit->below, events, context);
}

static void plain_recv_start(struct conduit *conduit)
{
    px_stream_recv_start(conduit->below);
}

static void plain_recv_stop(struct conduit *conduit)
{
    px_stream_recv_stop(conduit->below);
}

static px_sent plain_send(struct conduit *conduit, const px_part *parts, size_t count)
{
    return px_stream_send(conduit->below, parts, count);
}

static size_t plain_offer(struct conduit *conduit, px_str bytes)
{
    return stream_offer(conduit->below, bytes);
}

static void plain_shutdown(struct conduit *conduit)
{
    px_stream_shutdown(conduit->below);
}

static void plain_close(struct conduit *conduit)
{
    px_stream_close(conduit->below);
}

static void plain_reset(struct conduit *conduit)
{
    px_stream_reset(conduit->below);
}

static px_str plain_kept(const struct conduit *conduit)
{
    return inbox_look(&((const px_stream *)conduit->below)->inbox);
}

static bool plain_is_drained(const struct conduit *conduit)
{
    return stream_is_drained(conduit->below);
}

static uint64_t plain_sent_bytes(const struct conduit *conduit)
{
    return ((const px_stream *)conduit->below)->sent_bytes;
}

static uint64_t plain_acked_bytes(const struct conduit *conduit)
{
    return stream_acked_bytes(conduit->below);
}

static const struct conduit_ops plain_ops = {
    .attach = plain_attach,
    .recv_start = plain_recv_start,
    .recv_stop = plain_recv_stop,
    .send = plain_send,
    .offer = plain_offer,
    .shutdown = plain_shutdown,
    .close = plain_close,
    .reset = plain_reset,
    .kept = plain_kept,
    .is_drained = plain_is_drained,
    .sent_bytes = plain_sent_bytes,
    .acked_bytes = plain_acked_bytes,
};

void conduit_plain_init(struct conduit *conduit, px_stream *stream)
{
    conduit->ops = &plain_ops;
    conduit->below = stream;
}
