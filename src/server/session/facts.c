/*
 * Facts of a session, for its exchanges.
 *
 * Happy path: a handler asks for the peer or for what TLS has settled, and is given text.  What can
 * go wrong: the fact is not there (no TLS, no name, no certificate): absent.
 */
#include "server/session/facts.h"

struct session *session_of_exchange(const px_exchange *exchange)
{
    const struct exchange_transport *transport = exchange_transport_of(exchange);

    if (!transport)
        return NULL;
    return CONTAINER_OF(transport, const struct session_transport, exchange)->session(exchange);
}

void session_tell_peer(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    *out_len = session_peer_text(session_of_exchange(exchange), true, out_text, room);
}

void session_tell_local(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    const struct session *session = session_of_exchange(exchange);

    *out_len = session_carrier(session)->local(session, out_text, room);
}

size_t session_tell_secure(px_exchange *exchange, enum exchange_fact fact, char *out_text,
                           size_t room)
{
    const struct session *session = session_of_exchange(exchange);

    return session_carrier(session)->secure(session, fact, out_text, room);
}

bool session_tell_serves(px_exchange *exchange, px_str host)
{
    const struct session *session = session_of_exchange(exchange);

    return session_carrier(session)->serves(session, host);
}

struct exchange_places *session_tell_places(px_exchange *exchange)
{
    return &session_of_exchange(exchange)->places;
}

uint64_t session_tell_acked(px_exchange *exchange)
{
    const struct session *session = session_of_exchange(exchange);

    return session_carrier(session)->acked_bytes(session);
}
