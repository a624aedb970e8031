/*
 * One TLS connection as a transform of bytes: no descriptor, no clock, no waiting.
 *
 * The owner sets `in` to the bytes it has received, calls a function below, and finds in `in` what
 * was not used, and in `out` what is to be sent.  OpenSSL reads from the one and writes to the
 * other through a BIO of our own, so that nothing is copied twice and an idle session holds no
 * buffer.  After PX_ERR_MALFORMED an alert lies in `out`, and nothing but deinit may follow.
 */
#ifndef PX_TLS_TLS_SESSION_H
#define PX_TLS_TLS_SESSION_H

#include <stdbool.h>

#include "pollux/tls.h"
#include "tls/tls_measure.h"
#include "tls/tls_queue.h"

enum {
    /* What a connection keeps that has begun its handshake: OpenSSL's state, a record, a flight.
     * One that is open keeps what tls_session_open_bytes says, and half a record this much more. */
    TLS_HANDSHAKE_BYTES = 48 * 1024,
    TLS_PARTIAL_BYTES = 17 * 1024,
};

struct ssl_st;
struct tls_context;
struct tls_set;

/* What a client offers by ALPN. */
enum tls_offer {
    TLS_OFFER_NONE,
    TLS_OFFER_HTTP1, /* "http/1.1" */
    TLS_OFFER_HTTP2, /* "h2" */
    TLS_OFFER_BOTH   /* the server chooses; "h2" first */
};

struct tls_session {
    struct ssl_st *ssl;          /* owned */
    struct tls_context *context; /* a reference; NULL on the client's side */
    px_tls_trust *trust;         /* a reference; NULL on the server's side */
    const struct tls_set *set;   /* borrowed: the context's; what serves the name it asked for */
    char *name;                  /* owned: what was asked for, folded, with a NUL; or NULL */
    const char *reason;          /* static: why it failed, or NULL */
    px_str in;                   /* borrowed: bytes of the peer that were not used yet */
    struct tls_queue out;
    uint32_t burst;   /* bytes written since the last pause: the next record's size */
    uint32_t moved;   /* content since `updates` was last 0 */
    uint16_t work;    /* what the last step of the handshake took, in units of base/work.h */
    uint16_t updates; /* handshake messages of the peer after the handshake */
    bool established; /* the handshake is done */
    bool failed;      /* it broke: nothing can be said any more */
    bool peer_closed; /* its close_notify has come */
    bool closed;      /* ours has gone */
    bool http2;       /* by ALPN */
    bool resumed;
    struct tls_measure measure; /* of the peer's messages, until the handshake is done */
};

/* States what must hold between two calls; for tests. */
void tls_session_check(const struct tls_session *session);

/* What an open session keeps, about; and whether a record of it has come in part. */
uint32_t tls_session_open_bytes(void);
bool tls_session_is_partial(const struct tls_session *session);

/* Begins one on the server's side.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_session_init(struct tls_session *session, px_tls *tls, struct pool *pool);

/* Begins one on the client's side, with a host: a name, which is sent as SNI and which the server's
 * certificate must be made out for, or an address ("192.0.2.1", "2001:db8::1"), which is only
 * checked.  The first flight is made by tls_session_handshake.  PX_OK, PX_ERR_INVALID (no host) or
 * PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_session_connect(struct tls_session *session, px_tls_trust *trust,
                                         struct pool *pool, px_str host, enum tls_offer offer);

/* May be called after init failed. */
void tls_session_deinit(struct tls_session *session);

/* Why it failed, in some words; "" when it did not. */
const char *tls_session_reason(const struct tls_session *session);

/* Whether it failed since the server's certificate does not verify. */
bool tls_session_distrusts(const struct tls_session *session);

/* Another reference to a trust, and one less; NULL is fine for the second. */
px_tls_trust *tls_trust_take(px_tls_trust *trust);
void tls_trust_put(px_tls_trust *trust);

/* For a whole handshake, or PX_OFF. */
uint32_t tls_trust_handshake_ms(const px_tls_trust *trust);

/* Goes on with the handshake: PX_OK when it is done, PX_AGAIN, PX_ERR_MALFORMED (it failed),
 * PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_session_handshake(struct tls_session *session);

/* Opens records into `out`: PX_OK with *out_bytes > 0, PX_AGAIN (`in` is used up, or `out` of the
 * session is full), PX_ERR_CLOSED (the peer said close_notify), PX_ERR_MALFORMED, PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_session_read(struct tls_session *session, char *out, size_t room,
                                      size_t *out_bytes);

/* The peer has asked for more new keys, or handshakes, than it may: nothing more is read. */
static inline bool tls_session_is_flooded(const struct tls_session *session)
{
    return session->updates > TLS_UPDATES_MAX;
}

/* Content that was received and has not been read, for lack of room. */
bool tls_session_has_content(const struct tls_session *session);

/* How much the next record takes: small at first, so that its first byte need not wait for its
 * last, and whole after TLS_BURST_BYTES. */
size_t tls_session_record_bytes(const struct tls_session *session);

/* Nothing was written for a while: the next record is a small one again. */
static inline void tls_session_pause(struct tls_session *session)
{
    session->burst = 0;
}

/* Seals one record of at most what tls_session_record_bytes says: PX_OK, PX_AGAIN (the queue has
 * no room for it: send first), PX_ERR_MALFORMED, PX_ERR_MEMORY. */
PX_MUST_CHECK px_err tls_session_write(struct tls_session *session, px_str bytes, size_t *out_used);

/* Says close_notify, once, where that can be said. */
void tls_session_close(struct tls_session *session);

/* Whether a host name (of a Host field, without port) may be served on a session for the name that
 * its peer asked for (RFC 9110 section 7.4). */
bool tls_session_serves(const struct tls_session *session, px_str host);

/* The subject of the peer's certificate, as RFC 2253 writes it; the length, 0 without one or
 * without room. */
size_t tls_session_subject(const struct tls_session *session, char *out_text, size_t room);

/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; static. */
const char *tls_session_version(const struct tls_session *session);
const char *tls_session_cipher(const struct tls_session *session);

#endif
