/*
 * A conduit: what a protocol speaks through.
 *
 * A plain stream is one (conduit_plain), TLS over a stream another (tls_conduit.h); a
 * protocol driver holds a conduit and never a descriptor, so it does not know which.  Events arrive
 * by px_stream_events in both cases, and the ten rules of io.h hold for both.
 */
#ifndef PX_CONDUIT_CONDUIT_H
#define PX_CONDUIT_CONDUIT_H

#include <stdbool.h>

#include "io/io.h"

struct conduit;

struct conduit_ops {
    void (*attach)(struct conduit *conduit, const px_stream_events *events, void *context);
    void (*recv_start)(struct conduit *conduit);
    void (*recv_stop)(struct conduit *conduit);
    px_sent (*send)(struct conduit *conduit, const px_part *parts, size_t count);
    /* Sends what the system takes at once of bytes that are not kept: how many; 0 also where that
     * cannot be said, or a send is in flight. */
    size_t (*offer)(struct conduit *conduit, px_str bytes);
    void (*shutdown)(struct conduit *conduit);
    void (*close)(struct conduit *conduit);
    void (*reset)(struct conduit *conduit);
    /* What was received and not used, as far as it is kept: borrowed until the next callback. */
    px_str (*kept)(const struct conduit *conduit);
    /* No unread bytes are known of: a close will not cut an answer short. */
    bool (*is_drained)(const struct conduit *conduit);
    /* Bytes that the system has taken, framing of the conduit included. */
    uint64_t (*sent_bytes)(const struct conduit *conduit);
    /* Of those, the bytes that the peer's system has acknowledged. */
    uint64_t (*acked_bytes)(const struct conduit *conduit);
};

struct conduit {
    const struct conduit_ops *ops; /* borrowed: static */
    void *below;                   /* borrowed: the stream, or what stands on it; `ops` knows */
};

/* Makes a conduit that is the stream itself. */
void conduit_plain_init(struct conduit *conduit, px_stream *stream);

static inline void conduit_attach(struct conduit *conduit, const px_stream_events *events,
                                  void *context)
{
    conduit->ops->attach(conduit, events, context);
}

static inline void conduit_recv_start(struct conduit *conduit)
{
    conduit->ops->recv_start(conduit);
}

static inline void conduit_recv_stop(struct conduit *conduit)
{
    conduit->ops->recv_stop(conduit);
}

static inline px_sent conduit_send(struct conduit *conduit, const px_part *parts, size_t count)
{
    return conduit->ops->send(conduit, parts, count);
}

static inline size_t conduit_offer(struct conduit *conduit, px_str bytes)
{
    return conduit->ops->offer(conduit, bytes);
}

static inline void conduit_shutdown(struct conduit *conduit)
{
    conduit->ops->shutdown(conduit);
}

static inline void conduit_close(struct conduit *conduit)
{
    conduit->ops->close(conduit);
}

static inline void conduit_reset(struct conduit *conduit)
{
    conduit->ops->reset(conduit);
}

static inline px_str conduit_kept(const struct conduit *conduit)
{
    return conduit->ops->kept(conduit);
}

static inline bool conduit_is_drained(const struct conduit *conduit)
{
    return conduit->ops->is_drained(conduit);
}

static inline uint64_t conduit_sent_bytes(const struct conduit *conduit)
{
    return conduit->ops->sent_bytes(conduit);
}

static inline uint64_t conduit_acked_bytes(const struct conduit *conduit)
{
    return conduit->ops->acked_bytes(conduit);
}

#endif
