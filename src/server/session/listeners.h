/*
 * The listeners that a server accepts on.
 */
#ifndef PX_SERVER_LISTENERS_H
#define PX_SERVER_LISTENERS_H

#include "server/server.h"

/* Accepts on every listener, or on none. */
void server_listeners_accept(px_server *server, bool on);

void server_listeners_close(px_server *server);

#endif
