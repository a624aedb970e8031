/*
 * What a server counts, and where it shows that.
 */
#ifndef PX_SERVER_COUNTERS_H
#define PX_SERVER_COUNTERS_H

#include "server/session/session.h"

/* Where it counts from now on, and takes it up where counters_memory left it: PX_OK or
 * PX_ERR_INVALID. */
PX_MUST_CHECK px_err counters_init(px_server *server, px_error *out_error);

/* At the end of a tick: writes what is there now, and the counters where the embedder wants them.
 */
void counters_publish(px_server *server);

/* The server ends: what it holds is held no longer. */
void counters_end(px_server *server);

#endif
