/*
 * The BIO between OpenSSL and a session: reads from its `in`, writes to its `out`.
 */
#ifndef PX_TLS_TLS_BIO_H
#define PX_TLS_TLS_BIO_H

#include <openssl/bio.h>

struct tls_session;

/* The method, to be made once a context; NULL without memory.  BIO_meth_free ends it. */
BIO_METHOD *tls_bio_method(void);

/* A BIO of a session, NULL without memory. */
BIO *tls_bio_create(const BIO_METHOD *method, struct tls_session *session);

#endif
