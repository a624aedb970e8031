/*
 * From a request to its handler: the host, middleware, the route.
 */
#ifndef PX_SERVER_DISPATCH_H
#define PX_SERVER_DISPATCH_H

#include "server/server.h"

/* Finds the host of a request that has come by the listener with this tag: its rules hold. */
void server_dispatch_host(px_exchange *exchange, uint16_t listener);

/* Begins with an exchange whose host was looked for.  `redirect_port` is that of https, where
 * everything is to be sent there; else 0. */
void server_dispatch_begin(px_exchange *exchange, uint16_t redirect_port);

/* Runs middleware and route for an exchange, from where it stopped. */
void server_dispatch(px_exchange *exchange);

/* The handler has answered an extended CONNECT with a 2xx that opens no tunnel: puts 405 with Allow
 * in place of that answer.  The transport renders its content as that of a refusal. */
void server_dispatch_no_tunnel(px_exchange *exchange);

#endif
