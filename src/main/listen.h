/*
 * The program's listeners: every address, once for each worker.
 *
 * They are opened before the workers are forked, so that a port that is taken is found while there
 * is still somebody to tell, and a worker that replaces a dead one finds its sockets again.
 */
#ifndef PX_MAIN_LISTEN_H
#define PX_MAIN_LISTEN_H

#include <stdint.h>

#include "base/buf.h"
#include "pollux/server.h"
#include "pollux/stream.h"

struct listeners {
    const char *const *texts; /* borrowed: the addresses as they were given */
    px_tls *tls;              /* borrowed: for those that begin with https:// */
    px_listener **at; /* owned: worker by worker, an address each; NULL where handed on or closed */
    uint32_t address_count;
    uint32_t worker_count;
    struct buf addresses; /* as text, with the ports that were picked */
};

/* Opens all, or none: PX_OK, or the error of px_listener_open. */
PX_MUST_CHECK px_err listeners_open(struct listeners *out_listeners, const char *const *addresses,
                                    uint32_t address_count, uint32_t worker_count,
                                    px_error *out_error);

/* Hands a worker's listeners to its server and closes all others. */
PX_MUST_CHECK px_err listeners_serve(struct listeners *listeners, uint32_t worker_index,
                                     px_server *server, px_error *out_error);

/* Says on stderr where it listens, in one line. */
void listeners_announce(const struct listeners *listeners);

/* Closes what was not handed on; they can still be announced.  May be called twice. */
void listeners_close(struct listeners *listeners);

/* Closes, and frees the rest; one that is all zeros is fine. */
void listeners_deinit(struct listeners *listeners);

#endif
