/*
 * OpenSSL's error queue, put into a px_error: "what failed: why".
 */
#ifndef PX_TLS_TLS_ERROR_H
#define PX_TLS_TLS_ERROR_H

#include "pollux/error.h"

/* Writes the line and, behind it, the first reason that OpenSSL has noted, clears OpenSSL's queue,
 * and returns `code`, or PX_ERR_MEMORY where that was the reason. */
px_err tls_error(px_error *out_error, px_err code, const char *format, ...) PX_PRINTF(3, 4);

/* A file could not be opened: category and reason are the system's. */
px_err tls_error_open(px_error *out_error, const char *what, const char *path);

#endif
