/*
 * A session: a peer of the server, whatever carries its bytes, and the protocol that it speaks.
 *
 *   open --session_close()--> closing (or lingering) --carrier gone--> dead --end of tick--> pool
 *
 * session_close may be called by anyone, from any callback, any number of times; it never frees.
 * Only session.c frees sessions, when their carrier has gone.  What carries the bytes is below: a
 * stream (conn.h), one day datagrams.  Overload, drain and deadlines know sessions alone.
 */
#ifndef PX_SERVER_SESSION_H
#define PX_SERVER_SESSION_H

#include "exchange/upstream.h"
#include "server/server.h"

enum session_state { SESSION_OPEN, SESSION_LINGERING, SESSION_CLOSING };

/* What the deadline of a session is about. */
enum session_wait {
    WAIT_IDLE,      /* for a request: moved on by each one */
    WAIT_HEAD,      /* for the end of a head, absolute */
    WAIT_WORK,      /* for content, a handler, or the peer to read: a minimum rate, a total */
    WAIT_LINGER,    /* for the peer to close */
    WAIT_HANDSHAKE, /* for the end of a TLS handshake, absolute */
    WAIT_REFUSAL,   /* over the connection limit: for the first bytes */
    WAIT_REFUSED,   /* ... and after the 503: for the peer to close */
    WAIT_NONE
};

/* Which way bytes have to move at a minimum rate now. */
enum session_rate { RATE_NONE, RATE_RECEIVING, RATE_SENDING };

/* The peer's address, as small as it can be. */
struct session_peer {
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint16_t port;  /* as in a sockaddr */
    uint8_t address[16];
};

struct session {
    struct pool_item item;
    struct deadline deadline;
    struct loop_task wake; /* runs the protocol's driver from the loop */
    px_server *server;     /* borrowed: outlives it */
    uint64_t active_ms;    /* when it last began to wait */
    uint64_t mark_sent;    /* sent_bytes at the start of the rate window; counted up to there */
    uint64_t mark_acked;   /* acknowledged bytes when they were last looked at, or UINT64_MAX */
    uint32_t
        rate_since_ms; /* since when bytes have had to move, while they have to; the low half */
    uint32_t rate_ms;  /* for how long they had to before, in this window */
    uint32_t received; /* bytes since the start of the rate window */
    uint32_t counted_ahead;        /* bytes behind mark_sent that were counted when it was asked */
    uint8_t state : 4;             /* enum session_state */
    uint8_t wait : 4;              /* enum session_wait */
    uint8_t end;                   /* px_end of the exchanges that its close cuts short */
    uint8_t rate : 4;              /* enum session_rate: what has to move now */
    uint8_t rate_window : 4;       /* enum session_rate: what the rate window is about */
    uint8_t protocol;              /* enum session_protocol_id: what it speaks */
    bool proxied_tls : 1;          /* a trusted proxy says that its client spoke TLS */
    bool reset : 1;                /* the peer must see that something is missing */
    bool driving : 1;              /* inside of its protocol's driver: only that may close it */
    struct exchange_places places; /* that its requests have of other servers */
    uint16_t redirect;             /* its requests are sent to https: an index, from 1; 0: served */
    uint16_t listener;             /* the tag of the listener that it came by */
    struct session_peer peer;
};

/* What carries the bytes of a session. */
struct session_carrier {
    /* Ends it: in order, or so that the peer sees that something is missing.  Called again, it
     * only hastens.  session_freed follows, in a later callback. */
    void (*close)(struct session *session);
    void (*reset)(struct session *session);

    /* Bytes that the system has taken; and of those, what the peer's has acknowledged. */
    uint64_t (*sent_bytes)(const struct session *session);
    uint64_t (*acked_bytes)(const struct session *session);

    /* Facts for exchanges: the address that was connected to; whether TLS is spoken with this
     * server; a fact of it; whether a host may be asked for (RFC 9110 section 7.4). */
    size_t (*local)(const struct session *session, char *out_text, size_t room);
    bool (*is_secure)(const struct session *session);
    size_t (*secure)(const struct session *session, enum exchange_fact fact, char *out_text,
                     size_t room);
    bool (*serves)(const struct session *session, px_str host);
};

/* What a protocol does for the session that speaks it.  It holds the session's slot: its own struct
 * begins with that of the carrier and fits the slot of the pool.  A member that is NULL does what
 * its comment says last. */
struct session_protocol {
    const struct session_carrier *carrier;

    /* Begins to speak: attaches itself to the carrier and starts receiving. */
    void (*open)(struct session *session);

    /* Goes on from the loop, while the session is open.  NULL: there is nothing to go on with. */
    void (*wake)(struct session *session);

    /* Waits for a request, and nothing of one is there.  NULL: never. */
    bool (*is_idle)(const struct session *session);

    /* The session is closing: every exchange and block is let go, once no send uses them.  NULL:
     * there are none. */
    void (*abandon)(struct session *session, px_end end);

    /* A deadline passed for real: answers 408 where the peer may read it, else closes.  NULL:
     * closes. */
    void (*timeout)(struct session *session);

    /* The exchange whose rules hold for what the peer is asked now, or NULL.  NULL: there is none.
     */
    const px_exchange *(*exchange)(const struct session *session);

    /* How fast the peer must read what is sent without an exchange.  NULL: as the site says. */
    uint32_t (*send_rate_min)(const struct session *session);

    /* What is asked of the peer now.  NULL: nothing. */
    enum session_rate (*rate)(const struct session *session);

    /* Where rate() asks for nothing: the peer is waited for alone, and what it should have done for
     * a second did not move at a minimum rate.  NULL: it is not waited for. */
    bool (*stalled)(const struct session *session);

    /* The peer has ended its side, though bytes of it may be unread.  NULL: that is told with them.
     */
    void (*peer_left)(struct session *session);

    /* An answer has begun and is not out: closing now must not look like its end.  NULL: never. */
    bool (*cut_short)(const struct session *session);

    /* The answers to requests that are in progress are the last ones.  NULL: another protocol will
     * hear of that. */
    void (*drain)(struct session *session);

    /* When the exchange in progress must be over, or UINT64_MAX.  NULL: there is none. */
    uint64_t (*total_due)(const struct session *session);

    /* total_due is over: whether that ends the session, as one that took too long.  NULL: it does.
     */
    bool (*overdue)(struct session *session);

    /* States what must hold between ticks; for tests.  NULL: nothing of its own. */
    void (*check)(const struct session *session);
};

enum session_protocol_id {
    PROTOCOL_H1,
    PROTOCOL_H2,
    PROTOCOL_PROXIED,
    PROTOCOL_REFUSAL,
    PROTOCOL_TLS,
    PROTOCOL_TUNNELLED,
    PROTOCOL_COUNT
};

static inline const struct session_protocol *session_protocol(const struct session *session)
{
    return session->server->protocols[session->protocol];
}

static inline const struct session_carrier *session_carrier(const struct session *session)
{
    return session_protocol(session)->carrier;
}

/* The port of https that its requests are sent to, or 0: they are served. */
static inline uint16_t session_redirect_port(const struct session *session)
{
    return session->redirect == 0 ? 0 : session->server->redirects.ports[session->redirect - 1];
}

/* A session in a slot of the pool: counted, open, waiting for nothing. */
void session_init(struct session *session, px_server *server, const struct net_address *peer);

/* Its carrier has gone: the slot goes back to the pool. */
void session_freed(struct session *session);

/* The session speaks another protocol from now on, which opens at once. */
void session_speak(struct session *session, enum session_protocol_id protocol);

/* The peer's address, from now on; and as it was kept. */
void session_peer_keep(struct session *session, const struct net_address *address);
void session_peer_address(const struct session *session, struct net_address *out_address);

/* "192.0.2.1" or "192.0.2.1:80". */
size_t session_peer_text(const struct session *session, bool with_port, char *out_text,
                         size_t room);

/* Ends a session; `end` says why, for exchanges that are cut short. */
void session_close(struct session *session, px_end end);

/* Says what the session waits for from now on. */
void session_wait(struct session *session, enum session_wait wait);

/* The same for WAIT_IDLE, of one that has been idle since then: what came meanwhile asked for
 * nothing.
 */
void session_wait_idle(struct session *session, uint64_t since_ms);

/* The same for WAIT_HANDSHAKE, whose time is its own. */
void session_wait_for(struct session *session, enum session_wait wait, uint32_t duration_ms);

/* How long it may take, or PX_OFF: for ever, or a time of its own. */
uint32_t session_wait_ms(const px_server_options *options, enum session_wait wait);

/* Whether the peer of a session in WAIT_WORK has stayed below the minimum rate since it was asked.
 * What an answer's peer has acknowledged is compared with the look before, and so never at the
 * first. */
bool session_is_stalled(struct session *session);

/* The wheel's callback. */
void session_deadline_due(struct deadline *deadline, struct deadline_wheel *wheel);

/* Tells each session that its next answer is its last. */
void session_drain_all(px_server *server);

/* States what must hold of a session, and of a server and all its sessions, between ticks; for
 * tests. */
void session_check(const struct session *session);
void server_check(px_server *server);

/* Closes what a drain ends: idle sessions, or all. */
void session_close_all(px_server *server, bool idle_only, px_end end);

#endif
