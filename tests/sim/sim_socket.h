/*
 * Fake stream sockets, TCP and unix, as net/ipv4/tcp.c and net/unix/af_unix.c have them.
 *
 * A TCP connection is two sockets.  What one sends goes to its outbox (the send buffer) and is
 * delivered in order, in pieces, after delays, to the other's inbox (the receive buffer), as far as
 * there is room.  A FIN follows the last byte.  A reset throws away what had not been delivered.
 * Unix sockets deliver at once.
 *
 * sim_socket.c is what a program does with a connected socket, sim_wire.c what happens between two,
 * sim_listen.c how they come about.  Simulated peers use the same functions without a descriptor.
 */
#ifndef SIM_SOCKET_H
#define SIM_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>

#include "sim_kernel.h"
#include "sim_queue.h"

enum sim_sock_state {
    SIM_SOCK_FRESH,
    SIM_SOCK_LISTENING,
    SIM_SOCK_CONNECTING,
    SIM_SOCK_CONNECTED,
    SIM_SOCK_DEAD /* reset, refused or given up */
};

struct sim_address {
    union {
        struct sockaddr any;
        struct sockaddr_storage storage; /* room for all of them */
    };
    socklen_t bytes;
};

struct sim_sock {
    struct sim_desc desc; /* first */
    struct list link;     /* in sim_world->socks */
    struct list in_queue; /* in its listener's queue, until accepted */
    enum sim_sock_state state;
    int family;
    int error;                 /* sk_err: reported once */
    struct sim_sock *other;    /* the other end; NULL when it is gone for good */
    struct sim_sock *listener; /* while it waits to be accepted */
    struct sim_queue inbox;
    struct sim_queue outbox;
    size_t inbox_seen; /* bytes of the inbox that have arrived as far as the program can tell */
    size_t inbox_max;
    size_t outbox_max;
    size_t urgent_at;     /* of the inbox, while has_urgent */
    size_t urgent_out_at; /* of the outbox, while has_urgent_out */
    uint64_t received;    /* bytes taken by the owner */
    uint64_t sent;        /* bytes given by the owner */
    bool of_peer;         /* belongs to a simulated peer: no faults strike its calls */
    bool recv_shut;
    bool send_shut;
    bool fin_sent;
    bool got_fin;
    bool orphan;   /* its owner has closed it; it lives until everything is delivered */
    bool no_space; /* a send found too little room: the next room is worth an event */
    bool squeezed; /* by a fault: no room for a while */
    bool has_urgent;
    bool has_urgent_out;
    bool urgent_inline;
    bool linger_reset;
    bool no_delay;
    bool reuse_addr;
    bool reuse_port;
    bool shares_port; /* it had SO_REUSEPORT when it began to listen */
    bool v6_only;
    bool waits_for_data; /* deferred accept */
    mode_t mode;         /* of its name, for a unix socket */
    uint32_t backlog;
    uint32_t queue_count;
    uint32_t defer_s;
    struct list queue;        /* a listener's, of sockets */
    struct sim_event deliver; /* the next piece from the outbox */
    struct sim_event arrive;  /* hidden bytes of the inbox show */
    struct sim_event unsqueeze;
    struct sim_event reset;     /* a reset is on its way to us */
    struct sim_event handshake; /* our SYN arrives, or deferred accept gives up waiting */
    struct sim_address local;
    struct sim_address remote;
    struct sim_node *node; /* shared: the name of a bound unix socket */
    void (*on_wake)(struct sim_sock *sock, uint32_t key, void *context);
    void *wake_context;
};

/* --- making and ending (sim_socket.c) ----------------------------------------------------- */

/* A fresh socket, or NULL when the family is none of ours.  Its one reference is the caller's. */
struct sim_sock *sim_sock_create(int family);
/* The last reference is gone. */
void sim_sock_close(struct sim_sock *sock);
void sim_sock_free(struct sim_sock *sock);
/* Frees every socket of the world, whatever it is doing. */
void sim_socks_end(void);
void sim_sock_wake(struct sim_sock *sock, uint32_t key);

/* --- what a program does with one (sim_socket.c) ------------------------------------------ */

uint32_t sim_sock_poll(struct sim_sock *sock);
int64_t sim_sock_recv(struct sim_sock *sock, void *out, size_t bytes, int flags);
int64_t sim_sock_send(struct sim_sock *sock, const void *in, size_t bytes, int flags);
int sim_sock_shutdown(struct sim_sock *sock, int how);
int sim_sock_option_set(struct sim_sock *sock, int level, int name, const void *value,
                        socklen_t bytes);
int sim_sock_option_get(struct sim_sock *sock, int level, int name, void *value, socklen_t *bytes);

/* --- between two (sim_wire.c) ------------------------------------------------------------- */

/* Has the outbox delivered as far as it goes. */
void sim_wire_kick(struct sim_sock *sock);
/* Our end is gone without an orderly end: the other one is reset. */
void sim_wire_reset(struct sim_sock *sock);
/* A reset has arrived at this end. */
void sim_wire_take_reset(struct sim_sock *sock);
/* Room that a send would find. */
size_t sim_wire_room(const struct sim_sock *sock);
void sim_wire_unlink(struct sim_sock *sock);
uint64_t sim_wire_delay(void);

/* --- how they come about (sim_listen.c) --------------------------------------------------- */

int sim_sock_bind(struct sim_sock *sock, const struct sockaddr *address, socklen_t bytes);
int sim_sock_listen(struct sim_sock *sock, int backlog);
/* 0, -EINPROGRESS or an error. */
int sim_sock_connect(struct sim_sock *sock, const struct sockaddr *address, socklen_t bytes);
/* The next connection, whose reference is the caller's, or NULL and *out_err. */
struct sim_sock *sim_sock_accept(struct sim_sock *listener, int *out_err);
/* Data or an end has come for a connection whose accept was deferred. */
void sim_listen_promote(struct sim_sock *sock);
void sim_listen_close(struct sim_sock *listener);

#endif
