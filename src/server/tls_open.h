/*
 * TLS on a server's connections: the listeners' settings, the protocol that speaks until the
 * handshake is done, and what is known of the peer.
 */
#ifndef PX_SERVER_TLS_OPEN_H
#define PX_SERVER_TLS_OPEN_H

#include "conduit/tls_conduit.h"
#include "server/session/conn.h"

extern const struct conn_protocol tls_protocol;

/* Whether a connection speaks TLS. */
static inline bool conn_is_tls(const struct conn *conn)
{
    return conduit_is_tls(&conn->conduit);
}

/* A listener is to be served with it: makes the server's service where there is none, and gives its
 * index there, from 1.  PX_OK, PX_ERR_INVALID (no certificate), PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_serve(px_server *server, px_tls *tls, uint16_t *out_index,
                               px_error *out_error);
void tls_service_free(px_server *server);

/* How long a handshake may take. */
uint32_t tls_handshake_timeout_ms(const struct conn *conn);

/* A fact for exchange_transport's `secure`: its length, 0 when there is none. */
size_t conn_secure(const struct conn *conn, enum exchange_fact fact, char *out_text, size_t room);

/* RFC 9110 section 7.4: whether a host may be asked for on this connection. */
bool conn_serves(const struct conn *conn, px_str host);

#endif
