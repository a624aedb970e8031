/*
 * Facts of a connection, for its exchanges.
 *
 * Happy path: a handler asks for the peer or for what TLS has settled, and is given text.  What can
 * go wrong: the fact is not there (no TLS, no name, no certificate): absent.
 */
#include "server/session/facts.h"

#include <string.h>

#include "conduit/tls_conduit.h"

struct conn *conn_of_exchange(const px_exchange *exchange)
{
    if (!exchange->transport)
        return NULL;
    return CONTAINER_OF(exchange->transport, const struct conn_transport, exchange)->conn(exchange);
}

void conn_tell_peer(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    *out_len = conn_peer_text(conn_of_exchange(exchange), true, out_text, room);
}

void conn_tell_local(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    *out_len = px_stream_local(&conn_of_exchange(exchange)->stream, out_text, room);
}

bool conn_is_secure(const struct conn *conn)
{
    return conduit_is_tls(&conn->conduit);
}

static const struct tls_session *session_of(const struct conn *conn)
{
    return &tls_conduit_of(&conn->conduit)->session;
}

static size_t text_copy(const char *text, char *out_text, size_t room)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= room)
        return 0;
    memcpy(out_text, text ? text : "", len + 1);
    return len;
}

size_t conn_tell_secure(px_exchange *exchange, enum exchange_fact fact, char *out_text, size_t room)
{
    const struct conn *conn = conn_of_exchange(exchange);

    if (!conn_is_secure(conn))
        return 0;
    switch (fact) {
    case FACT_SERVER_NAME:
        return text_copy(session_of(conn)->name, out_text, room);
    case FACT_CLIENT_SUBJECT:
        return tls_session_subject(session_of(conn), out_text, room);
    case FACT_TLS_VERSION:
        return text_copy(tls_session_version(session_of(conn)), out_text, room);
    case FACT_TLS_CIPHER:
        return text_copy(tls_session_cipher(session_of(conn)), out_text, room);
    }
    return 0;
}

bool conn_tell_serves(px_exchange *exchange, px_str host)
{
    const struct conn *conn = conn_of_exchange(exchange);

    return !conn_is_secure(conn) || tls_session_serves(session_of(conn), host);
}
