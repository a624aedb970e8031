/*
 * A client of OpenSSL's own, back to back with a session, in memory.
 *
 * Bytes go from one to the other in pieces of a size that the test chooses, so that records and
 * flights are cut anywhere.
 */
#ifndef PX_TESTS_UNIT_TLS_PEER_H
#define PX_TESTS_UNIT_TLS_PEER_H

#include <openssl/ssl.h>

#include "tls/tls_session.h"

struct peer {
    SSL_CTX *ctx;               /* owned, or a reference of its maker */
    SSL *ssl;                   /* owned */
    BIO *in;                    /* the SSL's */
    BIO *out;                   /* the SSL's */
    struct pool pool;           /* of tls_block */
    struct tls_session session; /* the other end */
    px_err err;                 /* what the session's last call said */
    int alert;                  /* the last one that the client got, or -1 */
    size_t piece;               /* how many bytes go at once */
    size_t record_max;          /* the largest record that the session sent */
    size_t record_count;
    char received[256 * 1024]; /* content that the session opened */
    size_t received_len;
};

/* A client's context that trusts the certificates in a file. */
SSL_CTX *peer_context(const char *ca_file);

/* A client that asks for `name` (NULL: none), and a session of `tls`. */
void peer_init(struct peer *peer, px_tls *tls, SSL_CTX *ctx, const char *name, size_t piece);
void peer_deinit(struct peer *peer);

/* Moves bytes until neither end has any to move.  Content is opened into `received`. */
void peer_pump(struct peer *peer);

/* The handshake: true when both ends are done with it. */
bool peer_shake(struct peer *peer);

/* Content from the client, or from the session, which the other end must get whole. */
void peer_ask(struct peer *peer, const char *bytes, size_t count);
void peer_answer(struct peer *peer, const char *bytes, size_t count);

/* The common name that the client was shown. */
const char *peer_shown(const struct peer *peer, char *out_text, size_t room);

#endif
