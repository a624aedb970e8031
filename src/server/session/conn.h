/*
 * A connection: a stream, a deadline, and whatever protocol speaks on it.
 *
 *   open --conn_close()--> closing (or lingering) --last operation reported--> dead --end of
 * tick--> pool
 *
 * conn_close may be called by anyone, from any callback, any number of times; it never frees.  Only
 * conn.c frees connections, in on_closed of their stream.
 */
#ifndef PX_SERVER_CONN_H
#define PX_SERVER_CONN_H

#include "conduit/conduit.h"
#include "server/server.h"

enum conn_state { CONN_OPEN, CONN_LINGERING, CONN_CLOSING };

/* What the deadline of a connection is about. */
enum conn_wait {
    WAIT_IDLE,      /* for a request: moved on by each one */
    WAIT_HEAD,      /* for the end of a head, absolute */
    WAIT_WORK,      /* for content, a handler, or the peer to read: a minimum rate, a total */
    WAIT_LINGER,    /* for the peer to close */
    WAIT_HANDSHAKE, /* for the end of a TLS handshake, absolute */
    WAIT_REFUSAL,   /* for the first bytes of one who is turned away */
    WAIT_REFUSED,   /* for him to see the answer */
    WAIT_NONE
};

/* Which way bytes have to move at a minimum rate now. */
enum conn_rate { RATE_NONE, RATE_RECEIVING, RATE_SENDING };

/* The peer's address, as small as it can be. */
struct conn_peer {
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint16_t port;  /* as in a sockaddr */
    uint8_t address[16];
};

struct conn {
    struct pool_item item;
    px_stream stream;
    struct conduit conduit; /* what the protocol speaks through: the stream, or what is on it */
    struct deadline deadline;
    struct loop_task wake;  /* runs the protocol's driver from the loop */
    px_server *server;      /* borrowed: outlives the connection */
    uint64_t active_ms;     /* when it last began to wait */
    uint64_t mark_sent;     /* sent_bytes at the start of the rate window, and counted so far */
    uint64_t mark_acked;    /* acknowledged bytes when they were last looked at, or UINT64_MAX */
    uint64_t rate_since_ms; /* since when bytes have had to move, while they have to */
    uint32_t rate_ms;       /* for how long they had to before, in this window */
    uint32_t received;      /* bytes since the start of the rate window */
    uint32_t kept;          /* bytes that were at hand, counted and not used: they come again */
    uint8_t state;          /* enum conn_state */
    uint8_t wait;           /* enum conn_wait */
    uint8_t end;            /* px_end of the exchanges that its close cuts short */
    uint8_t rate;           /* enum conn_rate: what has to move now */
    uint8_t rate_window;    /* enum conn_rate: what the rate window is about */
    uint8_t protocol;       /* enum conn_protocol_id: who drives it */
    uint8_t first_protocol; /* enum conn_protocol_id: who does at first, once it is let in */
    uint16_t secure;        /* whose TLS it speaks: an index of tls_service's, from 1; 0: none */
    uint16_t redirect;      /* its requests are sent to https: an index, from 1; 0: served */
    bool proxied;           /* a PROXY header comes before that */
    bool proxied_tls;       /* the proxy says that its client spoke TLS */
    bool plain_on_tls;      /* it speaks plain HTTP to a port that speaks TLS: HTTP/1 refuses */
    bool reset;             /* the peer must see that something is missing */
    struct conn_peer peer;
};

/* What a protocol does for the connection that it drives.  It holds the connection's slot: its own
 * struct begins with struct conn and fits the slot of the pool. */
struct conn_protocol {
    /* Begins to speak: attaches itself to the conduit and starts receiving. */
    void (*open)(struct conn *conn);

    /* Waits for a request, and nothing of one is there. */
    bool (*is_idle)(const struct conn *conn);

    /* The connection is closing: every exchange and block is let go, once no send uses them. */
    void (*abandon)(struct conn *conn, px_end end);

    /* A deadline passed for real: answers 408 where there is somebody to read it, else closes. */
    void (*timeout)(struct conn *conn);

    /* What is asked of the peer now. */
    enum conn_rate (*rate)(const struct conn *conn);

    /* An answer has begun and is not out: closing now must not look like its end. */
    bool (*cut_short)(const struct conn *conn);

    /* The answers to requests that are in progress are the last ones. */
    void (*drain)(struct conn *conn);

    /* When the exchange in progress must be over, or UINT64_MAX. */
    uint64_t (*total_due)(const struct conn *conn);

    /* total_due is over: whether that ends the connection.  NULL: it does. */
    bool (*overdue)(struct conn *conn);
};

enum conn_protocol_id {
    CONN_H1,
    CONN_H2,
    CONN_PROXIED,
    CONN_REFUSAL,
    CONN_TLS,
    CONN_PROTOCOL_COUNT
};

static inline const struct conn_protocol *conn_protocol(const struct conn *conn)
{
    return conn->server->protocols[conn->protocol];
}

/* The port of https that its requests are sent to, or 0: they are served. */
static inline uint16_t conn_redirect_port(const struct conn *conn)
{
    return conn->redirect == 0 ? 0 : conn->server->redirect_ports[conn->redirect - 1];
}

/* The connection is driven by another protocol from now on, which opens at once. */
static inline void conn_speak(struct conn *conn, enum conn_protocol_id protocol)
{
    /* What the one before had still to do is not to be done by this one. */
    list_remove(&conn->wake.node);
    conn->protocol = (uint8_t)protocol;
    conn_protocol(conn)->open(conn);
    if (conn->server->phase == SERVER_DRAINING)
        conn_protocol(conn)->drain(conn);
}

/* --- conn.c ----------------------------------------------------------------------------------- */

/* The wheel's callback, and what the stream's on_closed ends in. */
void conn_deadline_due(struct deadline *deadline, struct deadline_wheel *wheel);
void conn_freed(struct conn *conn);

/* A connection on a descriptor that was accepted; its peer, and what it begins with, are not set.
 */
void conn_init(struct conn *conn, px_server *server, int fd, bool eager);

/* Opens what a connection begins with, once it is let in. */
void conn_begin(struct conn *conn);

/* Who is at the other end, from now on. */
void conn_peer_keep(struct conn *conn, const struct net_address *address);

/* Ends a connection; `end` says why, for exchanges that are cut short. */
void conn_close(struct conn *conn, px_end end);

/* Ends our side, then reads and drops what the peer still sends, bounded in time and bytes, so that
 * an answer it has not read yet is not lost to a reset. */
void conn_linger(struct conn *conn);

/* Says what the connection waits for from now on. */
void conn_wait(struct conn *conn, enum conn_wait wait);

/* The same for WAIT_HANDSHAKE, whose time is its own. */
void conn_wait_for(struct conn *conn, enum conn_wait wait, uint32_t duration_ms);

/* Tells each connection that its next answer is its last. */
void conn_drain_all(px_server *server);

/* Closes what a drain ends: idle connections, or all. */
void conn_close_all(px_server *server, bool idle_only, px_end end);

/* The peer's address, as it was kept. */
void conn_peer_address(const struct conn *conn, struct net_address *out_address);

/* "192.0.2.1" or "192.0.2.1:80". */
size_t conn_peer_text(const struct conn *conn, bool with_port, char *out_text, size_t room);

#endif
