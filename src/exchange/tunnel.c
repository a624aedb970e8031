/*
 * Tunnels that part from their exchange: how they leave it, and what holds for them afterwards.
 */
#include "exchange/tunnel.h"

#include "base/check.h"
#include "exchange/exchange_private.h"

void exchange_part(px_exchange *exchange, struct tunnel *tunnel)
{
    struct output_more *output = exchange->output.more;

    if (!exchange_alive(exchange) || exchange->output.kind != CONTENT_TUNNEL)
        return;
    CHECK(!tunnel->transport);
    output->parts = tunnel;
}

bool exchange_parts(const px_exchange *exchange)
{
    return exchange->output.kind == CONTENT_TUNNEL && exchange->output.more->parts != NULL &&
           exchange_alive(exchange);
}

void exchange_tunnel_left(px_exchange *exchange)
{
    exchange->left = true;
}

uint64_t exchange_open_since(const px_exchange *exchange)
{
    const struct exchange_transport *transport = exchange->transport;

    return transport && transport->open_since ? transport->open_since(exchange) : 0;
}

struct tunnel *exchange_part_take(px_exchange *exchange, const struct tunnel_transport *transport,
                                  void *carrier)
{
    struct output_more *output = exchange->output.more;
    struct tunnel *tunnel = output->parts;

    CHECK(tunnel && exchange->answer.state == ANSWER_TAKEN);
    CHECK(transport);
    tunnel->transport = transport;
    tunnel->carrier = carrier;
    tunnel->is_paused = exchange->input.paused;
    tunnel->is_later = false;
    output->parts = NULL;
    output->tunnel = NULL;
    exchange->handling.callbacks = NULL;
    return tunnel;
}

void tunnel_wake(struct tunnel *tunnel)
{
    if (!tunnel->is_later)
        return;
    tunnel->is_later = false;
    tunnel->transport->wake(tunnel);
}

void tunnel_pause(struct tunnel *tunnel)
{
    tunnel->is_paused = true;
}

void tunnel_resume(struct tunnel *tunnel)
{
    if (!tunnel->is_paused)
        return;
    tunnel->is_paused = false;
    tunnel->transport->wake(tunnel);
}

void tunnel_abort(struct tunnel *tunnel)
{
    tunnel->transport->reset(tunnel);
}

size_t tunnel_feed(struct tunnel *tunnel, px_str bytes)
{
    size_t used = tunnel->events->receive(tunnel, bytes);

    CHECK(used <= bytes.len);
    if (used < bytes.len)
        tunnel->is_paused = true;
    return used;
}

px_pull tunnel_ask(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes)
{
    ASSERT(room > 0);
    *out_bytes = 0;
    if (tunnel->is_later)
        return PX_PULL_LATER;
    tunnel->is_later = true;
    px_pull pull = tunnel->events->pull(tunnel, out, room, out_bytes);

    /* What it waits for may have come before it returned: tunnel_wake was called inside. */
    tunnel->is_later = pull == PX_PULL_LATER && tunnel->is_later;
    return pull;
}
