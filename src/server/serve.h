/*
 * How listeners, and connections that the program brings, are served.
 */
#ifndef PX_SERVER_SERVE_H
#define PX_SERVER_SERVE_H

#include "server/server.h"

/* Takes the options over into `out_from`, TLS and redirects made ready; as px_server_serve_with. */
PX_MUST_CHECK px_err serve_options_settle(px_server *server, const px_serve_options *given,
                                          struct server_listener *out_from, px_error *out_error);

#endif
