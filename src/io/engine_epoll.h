/*
 * The engine on epoll, as its files see it: engine_epoll.c, engine_epoll_accept.c and
 * engine_epoll_fork.c.
 */
#ifndef PX_IO_ENGINE_EPOLL_H
#define PX_IO_ENGINE_EPOLL_H

#include <sys/epoll.h>

#include "io/engine.h"

struct engine_slot {
    struct io_handle *handle; /* borrowed; NULL when free */
    uint32_t generation;
    uint32_t next_free;
};

struct engine {
    int fd; /* owned */
    uint32_t slot_count;
    uint32_t first_free;
    struct engine_slot *slots;    /* owned */
    struct io_acceptor *acceptor; /* borrowed: the one that runs; NULL once it is stopped or gone */
    px_stream *accepted;          /* borrowed: to be run when on_socket has returned, or NULL */
    struct epoll_event events[EVENTS_PER_WAIT];
};

/* What a handle of this kind is registered for.  Streams once, for everything.  Acceptors
 * level-triggered: what the budget leaves is reported again.  EXCLUSIVE: of the processes that
 * share the socket, one is woken. */
uint32_t engine_handle_events(const struct io_handle *handle);

/* Adds it to the epoll set: PX_OK, or an error with errno. */
PX_MUST_CHECK px_err engine_handle_register(struct io_handle *handle);

/* Does what a stream is ready for. */
void engine_stream_run(px_stream *stream);

#endif
