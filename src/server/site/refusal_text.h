/*
 * What a refusal says: answers that are made without a handler.
 */
#ifndef PX_SERVER_REFUSAL_TEXT_H
#define PX_SERVER_REFUSAL_TEXT_H

#include "server/server.h"

enum {
    REFUSAL_TEXT_BYTES = 128, /* of the content, at most */
    REFUSAL_BYTES = 512       /* of head and content over HTTP/1, at most */
};

/* Content-Type of a refusal. */
#define REFUSAL_TYPE px_str_make("text/plain; charset=utf-8", 25)

/* The content: status, reason, a hint where there is one (NULL: none), and LF; its length. */
size_t refusal_text(unsigned status, const char *hint, char out_text[REFUSAL_TEXT_BYTES]);

/* Head and content for HTTP/1: the head says close, and with 503 when to come again.  At most
 * REFUSAL_BYTES; returns one past its end. */
char *refusal_write(px_server *server, unsigned status, const char *hint, char *out);

#endif
