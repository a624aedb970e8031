/*
 * OCSP responses from files, stapled to the certificates they speak of.
 */
#ifndef PX_TLS_TLS_OCSP_H
#define PX_TLS_TLS_OCSP_H

#include "tls/tls_certificate.h"

/* Reads a response (DER) and puts it on the certificate with its serial number.  PX_OK,
 * PX_ERR_CONFLICT when it cannot be stapled as things are (it is for none of the certificates, is
 * not good, has expired), PX_ERR_INVALID when it is none, or why the file cannot be read. */
PX_MUST_CHECK px_err tls_ocsp_staple(struct tls_certificate **certificates, uint32_t count,
                                     const char *path, px_error *out_error);

#endif
