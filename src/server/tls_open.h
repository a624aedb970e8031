/*
 * TLS on a server's connections: the listeners' settings, and the protocol that speaks until the
 * handshake is done.
 */
#ifndef PX_SERVER_TLS_OPEN_H
#define PX_SERVER_TLS_OPEN_H

#include "server/session/conn.h"

extern const struct session_protocol tls_protocol;

/* A listener is to be served with it: makes the server's service where there is none, and gives its
 * index there, from 1.  PX_OK, PX_ERR_INVALID (no certificate), PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_serve(px_server *server, px_tls *tls, uint16_t *out_index,
                               px_error *out_error);
void tls_service_free(px_server *server);

#endif
