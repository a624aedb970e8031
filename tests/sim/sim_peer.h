/*
 * A simulated peer: a client on the fake network that sends what it is given in pieces at seeded
 * times, reads at a seeded rate, and leaves as its manners say.  It uses sockets without
 * descriptors, inside of events, so it runs while the program waits or makes a call.
 */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include "sim_socket.h"

struct sim_peer;

struct sim_peer_events {
    /* Connected, or not: errno. */
    void (*on_connect)(struct sim_peer *peer, int error);
    /* Bytes were added to peer->received. */
    void (*on_recv)(struct sim_peer *peer);
    /* The end of what it receives: 0, or the errno of a reset.  Once. */
    void (*on_end)(struct sim_peer *peer, int error);
};

/* What may lie between a peer's words and its socket. */
struct sim_veil {
    void (*begin)(struct sim_peer *peer); /* it is connected */
    /* Words to be sent: they go out by sim_peer_put, now or later. */
    void (*seal)(struct sim_peer *peer, const void *bytes, size_t count);
    /* Bytes came: words are added to peer->received.  Whether there were any. */
    bool (*open)(struct sim_peer *peer, const void *bytes, size_t count);
    /* Its side is to end: whether all is said. */
    bool (*may_shut)(struct sim_peer *peer);
    /* How an end with this errno (0: orderly) is to be understood. */
    int (*end_of)(struct sim_peer *peer, int error);
    void (*free)(struct sim_peer *peer);
};

/* UINT64_MAX means never. */
struct sim_manners {
    uint64_t piece_bytes_max; /* sent at once */
    uint64_t piece_pause_ns_max;
    uint64_t first_pause_ns; /* between connecting and the first byte */
    uint64_t read_bytes_max; /* read at once */
    uint64_t read_pause_ns_max;
    uint64_t reset_at_sent;      /* resets when it has sent that many bytes */
    uint64_t reset_at_received;  /* resets when it has received that many */
    uint64_t silent_at_sent;     /* from then on it neither sends, reads nor leaves */
    uint64_t silent_at_received; /* likewise, when it has received that many */
    uint64_t urgent_at;          /* that byte is sent as urgent data */
    uint64_t patience_ns;        /* gives up when nothing has come or gone for so long */
    bool half_close;             /* ends its side as soon as all is sent */
    bool discards_on_reset;      /* a reset throws away what it had not read, as other systems do */
};

struct sim_peer {
    struct list link;
    const struct sim_peer_events *events; /* borrowed: static */
    struct sim_sock *sock;                /* owned; NULL after it left */
    struct sim_event step;
    struct sim_event patience;
    struct sim_manners manners;
    struct sim_queue to_send;
    struct sim_queue received;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t send_at_ns; /* not before */
    uint64_t read_at_ns;
    int error; /* of its connection */
    bool connected;
    bool ended;     /* on_end was called */
    bool shut;      /* its side has ended */
    bool has_reset; /* it reset the connection itself */
    bool is_silent;
    const struct sim_veil *veil; /* borrowed: static; NULL: none */
    void *veil_state;            /* the veil's */
    void *context;
};

/* Manners of a patient peer on a good line. */
struct sim_manners sim_manners_kind(void);
/* Seeded: pieces and pauses of every size, but it behaves. */
struct sim_manners sim_manners_any(void);

/* Makes a peer and sends it off to connect.  The address is copied. */
void sim_peer_start(struct sim_peer *peer, const struct sim_peer_events *events,
                    const struct sim_manners *manners, const struct sockaddr *address,
                    socklen_t bytes, void *context);
/* Puts bytes behind what its socket is to be given; for veils. */
void sim_peer_put(struct sim_peer *peer, const void *bytes, size_t count);
/* Gives it more to send. */
void sim_peer_send(struct sim_peer *peer, const void *bytes, size_t count);
/* Ends its side once all is sent. */
void sim_peer_half_close(struct sim_peer *peer);
/* Leaves; an unread rest makes that a reset, as for any program. */
void sim_peer_close(struct sim_peer *peer);
void sim_peer_reset(struct sim_peer *peer);
/* Leaves and frees what it holds; the struct is its owner's. */
void sim_peer_end(struct sim_peer *peer);

#endif
