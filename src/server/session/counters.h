/*
 * What a server counts, and where it shows that.
 */
#ifndef PX_SERVER_COUNTERS_H
#define PX_SERVER_COUNTERS_H

#include "server/session/session.h"

/* Takes up the counting where the memory left it: PX_OK or PX_ERR_INVALID. */
PX_MUST_CHECK px_err counters_init(px_server *server, px_error *out_error);

/* At the end of a tick: writes the counters where the embedder wants them. */
void counters_publish(px_server *server);

#endif
