/*
 * Turning a newcomer away: the protocol of a connection that was accepted above the limit.
 */
#ifndef PX_SERVER_REFUSAL_H
#define PX_SERVER_REFUSAL_H

#include "server/session/conn.h"

extern const struct conn_protocol refusal_protocol;

/* Renders the answer to a request that is refused without a handler: a head that says close, and a
 * line of text: status, reason, and a hint where there is one (NULL: none).  503 says when to come
 * again.  At most REFUSAL_BYTES. */
enum { REFUSAL_BYTES = 512 };
char *refusal_write(px_server *server, unsigned status, const char *hint, char *out);

/* The bytes of its content. */
uint64_t refusal_content_bytes(unsigned status, const char *hint);

#endif
