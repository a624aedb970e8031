/*
 * The protocol of a connection whose tunnel goes on without its exchange (exchange/tunnel.h): bytes
 * as they are, both ways.
 */
#ifndef PX_SERVER_TUNNELLED_H
#define PX_SERVER_TUNNELLED_H

#include "server/session/conn.h"

extern const struct session_protocol tunnelled_protocol;

/* Takes the tunnel of an exchange that parts, ends the exchange, and speaks for it from now on. */
void tunnelled_begin(struct conn *conn, px_exchange *exchange);

#endif
