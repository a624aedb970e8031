/*
 * TLS under healthcheck: bytes of the wire in and out, one request in, an answer out.
 *
 * The client's side of one connection, without a descriptor.  Create it, send what
 * health_tls_pending gives, hand over what comes, and read the answer as it grows.
 */
#ifndef PX_MAIN_HEALTH_TLS_H
#define PX_MAIN_HEALTH_TLS_H

#include "main/options.h"
#include "pollux/error.h"
#include "pollux/str.h"

struct health_tls;

/* `host` is a name or an address, which the certificate must be for (RFC 9110 section 4.3.4), and
 * `request` is sent when the handshake is done; both are borrowed.  PX_OK, PX_ERR_INVALID (built
 * without TLS), PX_ERR_NOT_FOUND (no such file of certificates), PX_ERR_MEMORY. */
PX_MUST_CHECK px_err health_tls_create(struct health_tls **out_tls,
                                       const struct healthcheck_options *options, const char *host,
                                       const char *request, px_error *out_error);

/* Takes bytes of the wire; none begins the handshake.  PX_OK: `out_answer` is all of the answer so
 * far, borrowed until the next call.  Else there will be none: see health_tls_complaint. */
PX_MUST_CHECK px_err health_tls_receive(struct health_tls *tls, px_str bytes, px_str *out_answer);

/* Bytes for the wire, borrowed until the next call of this; none: nothing is to be sent now. */
px_str health_tls_pending(struct health_tls *tls);

/* Why health_tls_receive failed. */
const char *health_tls_complaint(const struct health_tls *tls);

/* NULL is fine. */
void health_tls_destroy(struct health_tls *tls);

#endif
