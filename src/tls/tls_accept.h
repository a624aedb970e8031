/*
 * What a server decides while a client's hello is read: certificate, protocol, staple, resumption.
 */
#ifndef PX_TLS_TLS_ACCEPT_H
#define PX_TLS_TLS_ACCEPT_H

#include <openssl/ssl.h>

/* Has an SSL_CTX call back where these are decided. */
void tls_accept_attach(SSL_CTX *ctx);

#endif
