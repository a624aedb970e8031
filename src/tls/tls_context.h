/*
 * A generation of contexts: certificates by name, and an SSL_CTX for each set of certificates.
 *
 * Made whole from a px_tls, then only read.  Sessions hold references on it.
 */
#ifndef PX_TLS_TLS_CONTEXT_H
#define PX_TLS_TLS_CONTEXT_H

#include "tls/tls.h"
#include "tls/tls_certificate.h"

/* The certificates that serve one name, one of each key type at most. */
struct tls_set {
    struct tls_set *next;                                           /* owned by the context */
    const struct tls_certificate *certificates[TLS_KEY_TYPE_COUNT]; /* borrowed: the context's */
    SSL_CTX *ctx;                                                   /* a reference */
};

/* A name and the set that serves it. */
struct tls_host {
    const struct tls_name *name; /* borrowed: a certificate's */
    const struct tls_set *set;   /* borrowed: the context's */
};

struct tls_context {
    px_tls *tls;            /* borrowed: outlives it */
    BIO_METHOD *bio_method; /* owned: how sessions are read and written */
    uint32_t references;
    struct tls_certificate **certificates; /* owned, as what they point to */
    uint32_t certificate_count;
    uint32_t host_count;
    struct tls_host *hosts; /* owned, sorted by name */
    struct tls_set *sets;   /* owned */
    const struct tls_set *fallback;
    unsigned char
        client_digest[32]; /* of the authorities of client certificates: no session outlives it */
};

/* A generation with one reference, of these certificates, which it takes over when it succeeds.
 * NULL with *out_error written. */
struct tls_context *tls_context_create(px_tls *tls, struct tls_certificate **certificates,
                                       uint32_t count, px_error *out_error);

struct tls_context *tls_context_take(struct tls_context *context);
void tls_context_put(struct tls_context *context);

/* Whether OpenSSL takes a certificate for the versions and suites that are spoken. */
PX_MUST_CHECK px_err tls_context_accepts(const px_tls *tls,
                                         const struct tls_certificate *certificate,
                                         px_error *out_error);

/* The set for a host name, NULL when no certificate is made out for it. */
const struct tls_set *tls_context_find(const struct tls_context *context, px_str name);

#endif
