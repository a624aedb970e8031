/*
 * What an exchange can be told of the connection that carries it, the same over every protocol.
 */
#ifndef PX_SERVER_FACTS_H
#define PX_SERVER_FACTS_H

#include "server/session/conn.h"

/* A transport over connections: its exchanges' table, and the way back to the connection. */
struct conn_transport {
    struct exchange_transport exchange;
    struct conn *(*conn)(const px_exchange *exchange);
};

/* The members of struct exchange_transport that tell facts. */
#define CONN_TRANSPORT_FACTS                                                      \
    .peer = conn_tell_peer, .local = conn_tell_local, .secure = conn_tell_secure, \
    .serves = conn_tell_serves

/* The connection that carries an exchange, or NULL once it has let go. */
struct conn *conn_of_exchange(const px_exchange *exchange);

void conn_tell_peer(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
void conn_tell_local(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
size_t conn_tell_secure(px_exchange *exchange, enum exchange_fact fact, char *out_text,
                        size_t room);

/* RFC 9110 section 7.4: whether a host may be asked for on this connection. */
bool conn_tell_serves(px_exchange *exchange, px_str host);

/* Whether a connection speaks TLS with this server. */
bool conn_is_secure(const struct conn *conn);

#endif
