/*
 * A conduit that is TLS over a connection's stream.
 *
 * An object of a pool, held by TLS connections alone: from accept to the end of the connection.
 * Until the handshake is done the connection is driven by tls_protocol (tls_open.c); then the
 * protocol that ALPN settled opens on this conduit and does not know the difference.
 *
 *   tls_open.c     accepting, the handshake, what is known of the peer
 *   tls_conduit.c  the conduit's table, receiving, the end
 *   tls_send.c     sending: sealing content of memory and files into the session's queue
 */
#ifndef PX_SERVER_TLS_CONDUIT_H
#define PX_SERVER_TLS_CONDUIT_H

#include "io/file.h"
#include "server/session/conn.h"
#include "tls/tls_session.h"

/* What the TLS connections of a server share; made with its first TLS listener. */
struct tls_service {
    px_tls *settings[LISTENERS_MAX]; /* borrowed: outlive the server */
    uint32_t settings_count;
    struct pool conduits;          /* of struct tls_conduit */
    struct pool blocks;            /* of struct tls_block */
    struct list handshaking;       /* of struct tls_conduit: the oldest first */
    uint32_t handshake_count;      /* on that list */
    char opened[RECV_CHUNK_BYTES]; /* what was opened last, while its receiver looks at it */
    char gathered[TLS_FILL_BYTES]; /* small parts and files, while they are sealed */
};

/* Content of a file that a helper thread reads. */
struct tls_read {
    struct file_read read;
    struct tls_conduit *tls; /* borrowed; NULL once it is gone: then this frees itself */
    px_loop *loop;           /* borrowed: outlives it */
    uint32_t at;             /* what of it was sealed */
    uint32_t len;            /* 0 while it is being read */
    int fd;                  /* owned: a duplicate, since the send may be cancelled meanwhile */
    char bytes[TLS_RECORD_BYTES];
};

struct tls_conduit {
    struct pool_item item;
    struct list node;               /* in the service's list, during the handshake */
    px_server *server;              /* borrowed: outlives it */
    struct conn *conn;              /* borrowed: until its stream has closed */
    const px_stream_events *events; /* borrowed: the protocol's; NULL during the handshake */
    void *context;                  /* borrowed: the protocol's */
    struct loop_task wake;          /* goes on with what no event of the stream will go on with */
    struct tls_session session;
    struct inbox inbox;   /* content that the protocol has not used yet */
    const px_part *parts; /* borrowed while `sending`: the first one not sealed yet */
    uint32_t part_count;
    uint32_t flushing;     /* bytes of the queue in the stream's send */
    uint64_t part_offset;  /* bytes of the first part that were sealed */
    struct tls_read *read; /* owned: the read of a file, or NULL */
    uint64_t written_ms;   /* when content was last sealed */
    uint32_t handshake_timeout_ms;
    uint8_t end;        /* px_err: how receiving ended, when `end_known` */
    uint8_t send_error; /* px_err: a failure that the loop has yet to report, or PX_OK */
    bool receiving;     /* the protocol wants bytes */
    bool present;       /* it has not been shown all that is here since it began to */
    bool end_known;
    bool ended;   /* ... and was reported */
    bool sending; /* a send of the protocol is in flight */
    bool shut;    /* the protocol has ended its side */
    bool closing;
    bool parting;                    /* closed, but for a close_notify that is on its way */
    bool starved;                    /* records wait in the stream for room to be answered in */
    bool greeted;                    /* its first byte is not one of HTTP */
    bool draining;                   /* the server drains: the protocol hears of it when it opens */
    px_part flushed[TLS_BLOCKS_MAX]; /* what the stream's send is of */
};

extern const struct conduit_ops tls_conduit_ops;
extern const struct conn_protocol tls_protocol;

static inline struct tls_conduit *tls_conduit_of(const struct conduit *conduit)
{
    return conduit->below;
}

/* Whether a connection speaks TLS. */
static inline bool conn_is_tls(const struct conn *conn)
{
    return conn->conduit.ops == &tls_conduit_ops;
}

/* --- tls_open.c ------------------------------------------------------------------------------- */

/* A listener is to be served with it: makes the server's service where there is none, and gives its
 * index there, from 1.  PX_OK, PX_ERR_INVALID (no certificate), PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_serve(px_server *server, px_tls *tls, uint8_t *out_index,
                               px_error *out_error);
void tls_service_free(px_server *server);

/* Goes on with the handshake after bytes have come. */
void tls_handshake(struct tls_conduit *tls, px_str bytes);

/* It has ended, one way or the other. */
void tls_handshake_leave(struct tls_conduit *tls);

/* How long a handshake may take. */
uint32_t tls_handshake_timeout_ms(const struct conn *conn);

/* A fact for exchange_transport's `secure`: its length, 0 when there is none. */
size_t conn_secure(const struct conn *conn, enum exchange_fact fact, char *out_text, size_t room);

/* RFC 9110 section 7.4: whether a host may be asked for on this connection. */
bool conn_serves(const struct conn *conn, px_str host);

/* --- tls_conduit.c ---------------------------------------------------------------------------- */

extern const px_stream_events tls_stream_events;

void tls_wake(struct loop_task *task);

/* Nothing is waited for any more: the stream closes. */
void tls_part(struct tls_conduit *tls);

/* Has the stream present records that were left with it: for a turn of others, or for lack of room
 * for what they have to be answered with. */
void tls_recv_again(struct tls_conduit *tls);

/* Frees it; the stream has gone. */
void tls_conduit_free(struct tls_conduit *tls);

/* --- tls_send.c ------------------------------------------------------------------------------- */

/* Hands the queue to the stream; false while something of it is in flight. */
bool tls_flush(struct tls_conduit *tls);

px_sent tls_send(struct conduit *conduit, const px_part *parts, size_t count);

/* Goes on with the send in flight, if any, and reports its end; for the loop. */
void tls_send_resume(struct tls_conduit *tls);
void tls_on_sent(px_stream *stream, px_err result, void *context);

/* Nobody waits for a file any more. */
void tls_read_forget(struct tls_conduit *tls);

#endif
