/*
 * SHA-1 (RFC 3174), for the one place where a protocol still asks for it: Sec-WebSocket-Accept.
 * It protects nothing there; it shows that the peer read the request.
 */
#ifndef PX_HTTP_WS_SHA1_H
#define PX_HTTP_WS_SHA1_H

#include <stdint.h>

#include "pollux/str.h"

enum { SHA1_BYTES = 20, SHA1_INPUT_BYTES_MAX = 119 };

/* Of at most SHA1_INPUT_BYTES_MAX bytes: two blocks. */
void ws_sha1(px_str input, uint8_t out[SHA1_BYTES]);

#endif
