/*
 * A worker's end of the conversation with its master: which sockets it serves, how it ends.
 */
#ifndef PX_MAIN_CHANNEL_H
#define PX_MAIN_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/server.h"
#include "process/board.h"
#include "process/control.h"

/* What the master wants of the worker beside sockets. */
struct channel_events {
    /* How to serve a socket of an address (by its index on the command line). */
    px_err (*on_serve)(px_listener *listener, uint32_t address, void *context, px_error *out_error);
    /* A drain is coming: readiness fails from now on, and in so many ms answers begin to say close.
     */
    void (*on_delay)(uint32_t close_ms, void *context);
    void (*on_drain)(void *context);  /* also when the master has died */
    void (*on_retire)(void *context); /* others serve from now on */
    void (*on_stop)(void *context);
    void (*on_broken)(void *context);      /* a socket could not be served: all ends, as failed */
    void (*on_log)(int fd, void *context); /* the log, opened anew; it is the callee's */
    void (*on_other_log)(uint32_t number, int fd, void *context); /* likewise */
};

struct channel_socket {
    uint32_t slot;
    px_listener *listener; /* borrowed: the server's */
};

struct channel {
    struct control_ends ends; /* the process's; -1: there is no master */
    px_loop *loop;
    px_server *server;
    px_watch *watch; /* owned */
    px_timer *beat;  /* owned */
    uint32_t beat_ms;
    struct board_block *block;           /* borrowed */
    const struct channel_events *events; /* borrowed: static */
    void *context;
    struct channel_socket *sockets; /* owned */
    uint32_t socket_count;
    uint32_t socket_room;
    bool is_ending; /* the server is not looked at any more */
};

/* Listens to the master from now on.  PX_OK or what the loop refused. */
PX_MUST_CHECK px_err channel_open(struct channel *channel, px_error *out_error);

/* All is open: sockets may come.  `can_read`: the folder that is served, if there is one. */
void channel_ready(const struct channel *channel, bool can_read);

/* The server is about to go: of what the master says only "at once" is heard from now on. */
void channel_end(struct channel *channel);

/* Takes no more messages.  The descriptors stay open until the process ends: to the master its
 * closing means that. */
void channel_close(struct channel *channel);

#endif
