/*
 * Which versions, suites, groups and options an SSL_CTX is given.
 */
#ifndef PX_TLS_TLS_PROFILE_H
#define PX_TLS_TLS_PROFILE_H

#include <openssl/ssl.h>

#include "pollux/tls.h"

/* Sets everything that does not depend on certificates.  PX_OK, or PX_ERR_MEMORY or PX_ERR_INVALID
 * with *out_error written. */
PX_MUST_CHECK px_err tls_profile_apply(SSL_CTX *ctx, px_tls_profile profile, px_error *out_error);

#endif
