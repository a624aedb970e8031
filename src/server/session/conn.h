/*
 * A stream connection: a session whose bytes are those of a stream, through a conduit.
 *
 * What every protocol over a stream does alike is here: bytes are counted as they come, output is a
 * block and one send in flight, a connection has its turn of each tick, and one that is to end
 * lingers, bounded, so that an answer is not lost to a reset.
 */
#ifndef PX_SERVER_CONN_H
#define PX_SERVER_CONN_H

#include "conduit/conduit.h"
#include "exchange/transport.h"
#include "server/session/out.h"
#include "server/session/session.h"

struct conn {
    struct session session;
    px_stream stream;
    struct conduit conduit; /* what the protocol speaks through: the stream, or what is on it */
    struct out *out;        /* owned, or NULL with nothing to say */
    uint32_t kept;          /* bytes that were at hand, counted and not used: they come again */
    uint32_t turn_tick;     /* the tick of its last turn, its lower half */
    uint32_t turn_bytes;    /* handed to the stream in it; work counts as so many bytes */
    uint32_t left_ms;  /* 0, or when its peer was found to have ended its side, or took something
                          since; the lower half */
    uint16_t turn_fed; /* what reading took in the turn, in units of base/work.h */
    uint16_t secure;   /* whose TLS it speaks: an index of tls_service's, from 1; 0: none */
    uint8_t first_protocol; /* enum session_protocol_id: what it speaks once it is let in */
    bool proxied : 1;       /* a PROXY header comes before that */
    bool plain_on_tls : 1;  /* it speaks plain HTTP to a port that speaks TLS: HTTP/1 refuses */
    bool sending : 1;       /* a send is in flight */
    bool peer_ended : 1;    /* no more bytes will come */
};

extern const struct session_carrier conn_carrier;

static inline struct conn *conn_of(struct session *session)
{
    return CONTAINER_OF(session, struct conn, session);
}

/* A connection on a descriptor that was accepted; what it begins with is not set. */
void conn_init(struct conn *conn, px_server *server, const struct net_address *peer, int fd,
               bool eager);

/* Opens what a connection begins with, once it is let in. */
void conn_begin(struct conn *conn);

/* The stream's on_closed, for every protocol; the context is the connection. */
void conn_on_closed(px_stream *stream, void *context);

/* States what must hold between ticks; for tests. */
void conn_check(const struct conn *conn);

/* --- Receiving -------------------------------------------------------------------------------- */

/* Counts bytes that came behind the last answer and are dropped: not without bound. */
void conn_drop(struct conn *conn, size_t bytes);

/* Counts bytes that came; false when the connection lingers, and they are dropped. */
static inline bool conn_takes(struct conn *conn, size_t bytes)
{
    size_t fresh = bytes - conn->kept; /* the rest was there before */

    conn->kept = 0;
    conn->session.server->count.cells->received += fresh;
    if (PX_UNLIKELY(conn->session.state == SESSION_LINGERING)) {
        conn_drop(conn, fresh);
        return false;
    }
    conn->session.received += (uint32_t)fresh;
    return true;
}

/* Ends our side, then reads and drops what the peer still sends, bounded in time and bytes, so that
 * an answer it has not read yet is not lost to a reset. */
void conn_linger(struct conn *conn);

/* --- Sending ---------------------------------------------------------------------------------- */

/* Takes an empty block where there is none: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err conn_out_take(struct conn *conn);
void conn_out_release(struct conn *conn);

/* Hands the block (and `content`, when not NULL) to the stream: PX_OK when all is out, PX_AGAIN
 * when a send is in flight. */
PX_MUST_CHECK px_err conn_send(struct conn *conn, const px_part *content);

/* Notes that the peer has ended its side; its protocol tells those that wait. */
void conn_peer_left(struct conn *conn);

/* Notes that the peer takes what is sent: one that has left does not. */
static inline void conn_note_taken(struct conn *conn)
{
    if (PX_UNLIKELY(conn->left_ms != 0))
        conn->left_ms = (uint32_t)conn->session.server->loop->now_ms | 1;
}

/* When exchanges that wait are over since their client is taken to have left, or UINT64_MAX. */
uint64_t conn_left_due(const struct conn *conn);

/* A send has ended: false when the connection has, too. */
PX_MUST_CHECK bool conn_sent(struct conn *conn, px_err result);

/* --- Turns ------------------------------------------------------------------------------------ */

/* Counts what a connection has sent in this tick, up to where its turn is over. */
void conn_turn_count(struct conn *conn, uint64_t bytes);

/* Counts work for it, in units of base/work.h, against its turn and the loop's. */
void conn_work_count(struct conn *conn, uint32_t units);

/* Counts what reading its bytes took; false when it has had its turn of that in this tick, which
 * leaves it the one of answering. */
bool conn_feed_count(struct conn *conn, uint32_t units);

/* Whether this connection has had its bytes, or its work, of this tick, however often it is driven
 * in it. */
static inline bool conn_turn_is_over(const struct conn *conn)
{
    return PX_UNLIKELY(conn->turn_bytes >= SEND_TURN_BYTES) &&
           conn->turn_tick == (uint32_t)conn->session.server->loop->tick;
}

/* Whether filters have worked enough in this tick: then the turn is over as well. */
bool conn_filters_rest(struct conn *conn, const px_exchange *exchange);

/* exchange_pull, which counts the work of filters against the turn. */
px_pull conn_pull(struct conn *conn, px_exchange *exchange, char *out, size_t room,
                  size_t *out_bytes);

#endif
