/*
 * A certificate with its chain, its key, and the names it is made out for.
 *
 * Loaded from PEM files or made on the spot, checked against itself (key, order of the chain,
 * dates), and not changed afterwards, except that a staple may be put on it.
 */
#ifndef PX_TLS_TLS_CERTIFICATE_H
#define PX_TLS_TLS_CERTIFICATE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "pollux/error.h"
#include "pollux/str.h"

/* A name may have a certificate of each: a handshake takes the one that the peer can check. */
enum tls_key_type { TLS_KEY_RSA, TLS_KEY_EC, TLS_KEY_ED25519, TLS_KEY_ED448, TLS_KEY_TYPE_COUNT };

struct tls_name {
    struct tls_name *next; /* owned */
    size_t len;
    char text[]; /* lower case, with a NUL; "*.example.com" for a wildcard */
};

struct tls_certificate {
    const px_allocator *allocator; /* borrowed: outlives it */
    X509 *leaf;                    /* a reference, as the next two */
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* owned: what follows the leaf; may be NULL */
    const char *file;       /* borrowed: the source's; NULL for one that was made */
    struct tls_name *names; /* owned, in the order of the certificate */
    enum tls_key_type key_type;
    unsigned char *staple; /* owned: an OCSP response, DER; or NULL */
    size_t staple_bytes;
    int64_t staple_until; /* unix time after which it says nothing any more */
};

/* Loads and checks; `key_file` may be NULL.  NULL with *out_error written: PX_ERR_NOT_FOUND,
 * PX_ERR_PERMISSION, PX_ERR_INVALID, PX_ERR_LIMIT, PX_ERR_MEMORY. */
struct tls_certificate *tls_certificate_load(const px_allocator *allocator,
                                             const char *certificate_file, const char *key_file,
                                             px_error *out_error);

/* The names alone of a certificate whose key is of no use; NULL when they cannot be read. */
struct tls_certificate *tls_certificate_names(const px_allocator *allocator,
                                              const char *certificate_file);

/* One that is signed by itself, for these names, separated by commas (tls_self_signed.c). */
struct tls_certificate *tls_certificate_make(const px_allocator *allocator, const char *names,
                                             px_error *out_error);

/* Takes over references of a leaf, a key and a chain, also when it fails; reads the names. */
struct tls_certificate *tls_certificate_of(const px_allocator *allocator, X509 *leaf, EVP_PKEY *key,
                                           STACK_OF(X509) * chain, px_error *out_error);

/* Another with the same leaf, chain and key, without a staple; NULL without memory. */
struct tls_certificate *tls_certificate_copy(const struct tls_certificate *certificate,
                                             const px_allocator *allocator);

void tls_certificate_free(struct tls_certificate *certificate);

static inline void tls_chain_free(STACK_OF(X509) * chain)
{
    sk_X509_pop_free(chain, X509_free);
}

/* The dates between which it is valid, as unix times; PX_ERR_INVALID when they cannot be read. */
PX_MUST_CHECK px_err tls_certificate_dates(const struct tls_certificate *certificate,
                                           int64_t *out_from, int64_t *out_until);

/* "AB:CD:...": SHA-256 over the leaf; "" when it does not fit. */
size_t tls_certificate_fingerprint(const struct tls_certificate *certificate, char *out_text,
                                   size_t room);

#endif
