/*
 * The site that a server serves: its first one, another in its place, and their ends.
 */
#ifndef PX_SERVER_SERVED_H
#define PX_SERVER_SERVED_H

#include "server/server.h"

/* The site that a server is made with.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err served_init(px_server *server, px_error *out_error);

/* At the end of a tick: ends sites that nothing holds any more. */
void served_reap(px_server *server);

/* The server has no exchange any more, and serves nothing. */
void served_end(px_server *server);

#endif
