/*
 * Listeners, seen from inside: accepted descriptors are handed out as they are, so that a server
 * can embed the stream in its own connection.
 */
#ifndef PX_NET_LISTENER_H
#define PX_NET_LISTENER_H

#include "io/io.h"
#include "net/address.h"

enum { LISTENER_SOCKETS_MAX = ADDRESS_COUNT_MAX };

/* What a listener tells its owner. */
struct listener_events {
    /* The descriptor is the callee's; `eager`: its first bytes are there. */
    void (*on_socket)(px_listener *listener, int fd, const struct net_address *peer, bool eager,
                      void *context);
    void (*on_error)(px_listener *listener, int sys_errno, void *context);
    /* As that of struct io_acceptor: may be NULL. */
    bool (*on_late)(px_listener *listener, void *context);
};

/* As px_listener_start.  `events` borrowed: static. */
PX_MUST_CHECK px_err listener_start(px_listener *listener, px_loop *loop,
                                    const struct listener_events *events, void *context,
                                    px_error *out_error);

/* Stops accepting for a while, and goes on; what the kernel refuses is tried again by itself. */
void listener_pause(px_listener *listener);
void listener_resume(px_listener *listener);

/* Accepts what waits, as much as one tick allows; whether nothing waits any more. */
bool listener_take(px_listener *listener);

#endif
