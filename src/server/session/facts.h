/*
 * What an exchange can be told of the session that carries it, the same over every protocol.
 */
#ifndef PX_SERVER_FACTS_H
#define PX_SERVER_FACTS_H

#include "exchange/transport.h"
#include "server/session/session.h"

/* A transport of sessions: its exchanges' table, and the way back to the session. */
struct session_transport {
    struct exchange_transport exchange;
    struct session *(*session)(const px_exchange *exchange);
};

/* The members of struct exchange_transport that tell facts. */
#define SESSION_TRANSPORT_FACTS                                                            \
    .peer = session_tell_peer, .local = session_tell_local, .secure = session_tell_secure, \
    .serves = session_tell_serves, .places = session_tell_places

/* The session that carries an exchange, or NULL once it has let go. */
struct session *session_of_exchange(const px_exchange *exchange);

void session_tell_peer(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
void session_tell_local(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
size_t session_tell_secure(px_exchange *exchange, enum exchange_fact fact, char *out_text,
                           size_t room);
bool session_tell_serves(px_exchange *exchange, px_str host);
struct exchange_places *session_tell_places(px_exchange *exchange);

/* For `acked`, where nothing but the connection holds an answer up. */
uint64_t session_tell_acked(px_exchange *exchange);

#endif
