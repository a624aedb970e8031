/*
 * Peers that the server believes in what they say of others: proxies in front of it, by address.
 */
#ifndef PX_SERVER_TRUST_H
#define PX_SERVER_TRUST_H

#include "http/message/glimpse.h"
#include "server/session/session.h"

/* Takes the set from the options: PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err trust_init(px_server *server, px_error *out_error);
void trust_deinit(px_server *server);

bool trust_has(const px_server *server, const struct net_address *address);

/* Finds out from Forwarded or X-Forwarded-For of trusted proxies which the client is, and how it
 * came to them. */
void trust_settle(px_exchange *exchange);

/* The client of a request that is refused, likewise, as text: its length, or 0 when no other than
 * the peer is known. */
size_t trust_glimpse(const struct session *session, const struct http_glimpse *glimpse,
                     char *out_text, size_t room);

#endif
