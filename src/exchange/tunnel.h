/*
 * A tunnel that outlives its exchange.
 *
 * What few bytes pass through, and for hours, need not hold a request: its owner embeds a struct
 * tunnel and says so with the answer (exchange_part).  A transport that can go on without the
 * exchange takes the tunnel when the head of the answer is rendered (exchange_part_take), ends the
 * exchange, and speaks with the tunnel alone from then on; another one never does, and the exchange
 * lasts.  The owner looks at tunnel_has_parted.
 */
#ifndef PX_EXCHANGE_TUNNEL_H
#define PX_EXCHANGE_TUNNEL_H

#include <stdbool.h>

#include "pollux/response.h"

struct tunnel;

/* What a transport tells, from the loop and never from inside of a call below. */
struct tunnel_events {
    /* Bytes came: how many were used.  After fewer than all it is paused, and they come again. */
    size_t (*receive)(struct tunnel *tunnel, px_str bytes);
    /* The peer has ended its side. */
    void (*receive_end)(struct tunnel *tunnel);
    /* As on_pull of px_tunnel_callbacks. */
    px_pull (*pull)(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes);
    /* As on_server_drain of px_exchange_callbacks. */
    void (*server_drain)(struct tunnel *tunnel, uint32_t in_ms);
    /* It is over: the transport's last use of it. */
    void (*end)(struct tunnel *tunnel);
};

/* What a transport does for it.  None calls back. */
struct tunnel_transport {
    void (*wake)(struct tunnel *tunnel);  /* more can be pulled, or bytes are wanted again */
    void (*reset)(struct tunnel *tunnel); /* give it up: end it visibly broken */
    /* Whether nothing of what it has pulled is on its way: what can be pulled is, in this tick. */
    bool (*is_idle)(const struct tunnel *tunnel);
};

struct tunnel {
    const struct tunnel_events *events;       /* borrowed: static */
    const struct tunnel_transport *transport; /* borrowed: static; NULL: it has not parted */
    void *carrier;                            /* the transport's own */
    bool is_paused;
    bool is_later; /* pull has said PX_PULL_LATER */
};

/* Has a tunnel that was answered go on without its exchange, where the transport can do that. */
void exchange_part(px_exchange *exchange, struct tunnel *tunnel);

/* Whether it is to part; its bytes wait for that. */
bool exchange_parts(const px_exchange *exchange);

/* Takes the tunnel away: its callbacks hear nothing more of the exchange, which is to be finished.
 */
struct tunnel *exchange_part_take(px_exchange *exchange, const struct tunnel_transport *transport,
                                  void *carrier);

/* Since when what the peer sends has been read, by the loop's clock: it was told that it may send,
 * and nothing of what came was left for later.  UINT64_MAX: that is not so now. */
uint64_t exchange_open_since(const px_exchange *exchange);

/* The peer has ended its side of the tunnel without its protocol's good-bye: it has left, however
 * orderly our side ends after it. */
void exchange_tunnel_left(px_exchange *exchange);

static inline bool tunnel_has_parted(const struct tunnel *tunnel)
{
    return tunnel->transport != NULL;
}

/* Of one that has not, nothing is known. */
static inline bool tunnel_is_idle(const struct tunnel *tunnel)
{
    return tunnel->transport && tunnel->transport->is_idle(tunnel);
}

/* As px_resume, px_request_pause, px_request_resume and px_exchange_abort, of one that has parted.
 */
void tunnel_wake(struct tunnel *tunnel);
void tunnel_pause(struct tunnel *tunnel);
void tunnel_resume(struct tunnel *tunnel);
void tunnel_abort(struct tunnel *tunnel);

/* For transports: receive, and pull, with what they say of pausing and waiting. */
size_t tunnel_feed(struct tunnel *tunnel, px_str bytes);
px_pull tunnel_ask(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes);

#endif
