/*
 * Acceptors: a listening socket on a loop, whatever it is bound to.
 *
 * Happy path: acceptor_init for a socket that listens, acceptor_start, and every connection is
 * told. What the kernel refuses for a while (descriptors, memory) is tried again by itself.
 */
#ifndef PX_IO_ACCEPTOR_H
#define PX_IO_ACCEPTOR_H

#include "io/io.h"

/* What an acceptor tells; members as those of struct io_acceptor.  `on_late` may be NULL. */
struct acceptor_events {
    void (*on_socket)(struct io_acceptor *acceptor, int fd, const void *address, uint32_t bytes);
    void (*on_error)(struct io_acceptor *acceptor, int sys_errno);
    bool (*on_late)(struct io_acceptor *acceptor);
};

/* For a socket that listens, which stays the caller's; no loop is needed yet. */
void acceptor_init(struct io_acceptor *acceptor, int fd);

/* Accepts on a loop, or goes on with other events.  `events` borrowed: static.  PX_OK,
 * PX_ERR_MEMORY, or what the system says; then nothing has started. */
PX_MUST_CHECK px_err acceptor_start(struct io_acceptor *acceptor, px_loop *loop, bool eager,
                                    const struct acceptor_events *events, void *context,
                                    px_error *out_error);

/* Off the loop; one that is on none is fine. */
void acceptor_stop(struct io_acceptor *acceptor);

/* Stops accepting for a while, and goes on. */
void acceptor_pause(struct io_acceptor *acceptor);
void acceptor_resume(struct io_acceptor *acceptor);

/* Accepts what waits, as much as one tick allows; whether nothing waits any more. */
bool acceptor_take(struct io_acceptor *acceptor);

#endif
