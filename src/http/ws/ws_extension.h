/*
 * Sec-WebSocket-Extensions (RFC 6455 section 9.1) and what permessage-deflate says in it (RFC 7692
 * section 7.1): offers, the choice among them, and the answer, at both ends.
 *
 * An offer that cannot be met is passed over, and the next one is looked at; without any the
 * connection goes on uncompressed.  What is no list of extensions is PX_ERR_MALFORMED.
 */
#ifndef PX_HTTP_WS_EXTENSION_H
#define PX_HTTP_WS_EXTENSION_H

#include "http/fields/field.h"

/* What an end would have, or what both have agreed. */
struct ws_deflate_terms {
    bool server_no_takeover;
    bool client_no_takeover;
    uint8_t server_bits; /* 8 to 15 */
    uint8_t client_bits;
    bool client_bits_asked; /* an offer: the client takes a client_max_window_bits */
};

enum { WS_TERMS_BYTES_MAX = 160 };

/* A server's choice: PX_OK with what was agreed, PX_ERR_NOT_FOUND when no offer fits,
 * PX_ERR_MALFORMED.  `wanted` are the most that the server has windows for. */
PX_MUST_CHECK px_err ws_deflate_choose(const px_field *fields, uint32_t count,
                                       const struct ws_deflate_terms *wanted,
                                       struct ws_deflate_terms *out_agreed);

/* Writes them as an answer, or as an offer, without NUL: how long that is. */
size_t ws_deflate_write(const struct ws_deflate_terms *terms, char out[WS_TERMS_BYTES_MAX]);

/* A client's look at the answer to its offer: PX_OK, PX_ERR_NOT_FOUND when there is none,
 * PX_ERR_MALFORMED when it is no answer to that offer and the connection must fail. */
PX_MUST_CHECK px_err ws_deflate_answer(const px_field *fields, uint32_t count,
                                       const struct ws_deflate_terms *offered,
                                       struct ws_deflate_terms *out_agreed);

#endif
