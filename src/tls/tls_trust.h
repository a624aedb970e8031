/*
 * The object behind px_tls_trust: how a client speaks TLS, and the sessions it may resume.
 *
 * Counted: its owner holds a reference, and so does each session, so that it may be destroyed while
 * connections are open.
 */
#ifndef PX_TLS_TLS_TRUST_H
#define PX_TLS_TLS_TRUST_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "pollux/tls.h"
#include "tls/tls_session.h"

/* A session that the next connection to a host may resume. */
struct tls_kept {
    struct list node;     /* in the trust's list, the newest last */
    SSL_SESSION *session; /* a reference */
    char name[];          /* the host, with a NUL */
};

struct px_tls_trust {
    px_allocator allocator;
    SSL_CTX *ctx;           /* owned */
    BIO_METHOD *bio_method; /* owned */
    uint32_t references;
    struct list kept; /* of struct tls_kept */
    uint32_t kept_count;
    uint32_t sessions_max;
    uint32_t handshake_timeout_ms;
};

/* The session to resume with a host, a reference of the caller's, or NULL.  RFC 8446 section C.4: a
 * ticket of TLS 1.3 is used once. */
SSL_SESSION *tls_trust_resume(px_tls_trust *trust, const char *name);

#endif
