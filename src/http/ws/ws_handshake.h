/*
 * The opening handshake of WebSocket (RFC 6455 section 4): what its fields say, at both ends.
 *
 * Over HTTP/2 (RFC 8441) there are no key and no accept, and the rest is the same.  Nothing here
 * allocates; what comes in are the fields of a head, what is handed out are slices of them.
 */
#ifndef PX_HTTP_WS_HANDSHAKE_H
#define PX_HTTP_WS_HANDSHAKE_H

#include "http/fields/field.h"

enum { WS_KEY_BYTES = 24, WS_ACCEPT_BYTES = 28, WS_VERSION = 13 };

/* Whether a Sec-WebSocket-Key is 16 bytes in base64 (RFC 6455 section 4.2.1). */
bool ws_key_valid(px_str key);

/* A key of 16 random bytes, as a client sends it. */
void ws_key_make(const uint8_t random[16], char out[WS_KEY_BYTES]);

/* Sec-WebSocket-Accept for a key that is valid (RFC 6455 section 4.2.2). */
void ws_accept_make(px_str key, char out[WS_ACCEPT_BYTES]);

/* The first of `ours` that the peer offers in Sec-WebSocket-Protocol, exact to the letter: PX_OK
 * with it, or with the absent string where none fits or none was offered; PX_ERR_MALFORMED where
 * what is offered is no list of different tokens. */
PX_MUST_CHECK px_err ws_protocol_choose(const px_field *fields, uint32_t count,
                                        const char *const *ours, uint32_t our_count,
                                        px_str *out_protocol);

/* Whether an Origin is that of `scheme` and `authority` (RFC 6454 section 5). */
bool ws_origin_same(px_str origin, px_str scheme, px_str authority);

/* Whether two origins are the same, as text: case and default ports do not count. */
bool ws_origin_equal(px_str left, px_str right);

#endif
