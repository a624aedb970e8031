/*
 * OCSP responses from files, stapled to the certificates they speak of.
 */
#ifndef PX_TLS_TLS_OCSP_H
#define PX_TLS_TLS_OCSP_H

#include "tls/tls_certificate.h"

/* Reads a response (DER) and puts it on the certificate with its serial number. */
PX_MUST_CHECK px_err tls_ocsp_staple(struct tls_certificate **certificates, uint32_t count,
                                     const char *path, px_error *out_error);

#endif
