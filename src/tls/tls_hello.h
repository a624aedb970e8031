/*
 * Reading what a client says of itself in its hello: the name it wants, the protocols it speaks.
 */
#ifndef PX_TLS_TLS_HELLO_H
#define PX_TLS_TLS_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/str.h"

/* The host name of a server_name extension's data (RFC 6066 section 3).  PX_OK with the name, a
 * slice of `data`, absent when there is none; PX_ERR_MALFORMED (the syntax is broken), or
 * PX_ERR_INVALID (the syntax holds, what it says is not allowed: two host names, or one that is too
 * long or has a byte that no host name has). */
PX_MUST_CHECK px_err tls_hello_name(px_str data, px_str *out_name);

/* The protocol to be spoken, of a list of names with their lengths in front (RFC 7301 section
 * 3.1): "h2" where it may be, else "http/1.1", else "http/1.0".  A slice of `list`, absent without
 * overlap. */
px_str tls_hello_protocol(px_str list, bool http2);

/* Copies a name in lower case and without a dot at its end; `out` has room for name.len.  The
 * length. */
size_t tls_hello_fold(px_str name, char *out);

#endif
