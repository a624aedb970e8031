/*
 * What is told of a server that was asked.  In the exchange's arena, made on demand.
 */
#include "exchange/upstream.h"

#include "exchange/exchange_private.h"

void exchange_upstream_ask(px_exchange *exchange, px_str server)
{
    struct exchange_upstream *upstream = exchange->handling.upstream;

    if (!upstream) {
        upstream = arena_take(&exchange->arena, sizeof(*upstream));
        if (!upstream)
            return;
        *upstream = (struct exchange_upstream){.asked_ms = exchange->service->loop->now_ms};
        exchange->handling.upstream = upstream;
    }
    upstream->server = server;
    upstream->answered_ms = 0;
    upstream->status = 0;
    if (upstream->tries < UINT16_MAX)
        upstream->tries++;
}

void exchange_upstream_answer(px_exchange *exchange, unsigned status)
{
    struct exchange_upstream *upstream = exchange->handling.upstream;

    if (!upstream)
        return;
    upstream->answered_ms = exchange->service->loop->now_ms;
    upstream->status = (uint16_t)status;
}

void exchange_upstream_break(px_exchange *exchange)
{
    if (exchange->handling.upstream)
        exchange->handling.upstream->broke = true;
}

const struct exchange_upstream *exchange_upstream_of(const px_exchange *exchange)
{
    return exchange->handling.upstream;
}

bool exchange_upstream_broke(const px_exchange *exchange)
{
    return exchange->handling.upstream && exchange->handling.upstream->broke;
}

struct exchange_places *exchange_places(px_exchange *exchange)
{
    const struct exchange_transport *transport = exchange->transport;

    return transport && transport->places ? transport->places(exchange) : NULL;
}

uint64_t exchange_acked_bytes(px_exchange *exchange)
{
    const struct exchange_transport *transport = exchange->transport;

    return transport && transport->acked ? transport->acked(exchange) : UINT64_MAX;
}
