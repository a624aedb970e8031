/*
 * The credentials of Basic authentication (RFC 7617), as they stand in an Authorization field.
 *
 * Happy path: one pass over the base64 text.  It can fail by saying no: another scheme, a text that
 * is not base64 to its end, no colon, control bytes, more than there is room for.
 */
#ifndef PX_HTTP_BASIC_H
#define PX_HTTP_BASIC_H

#include <stdbool.h>

#include "pollux/str.h"

struct basic_credentials {
    px_str user;     /* may be empty; no colon in it */
    px_str password; /* may be empty, or hold colons */
};

/* Reads the value of the field into `out`: false, and nothing to be used, when it is not as said.
 */
bool basic_read(px_str value, char *out, size_t room, struct basic_credentials *out_credentials);

#endif
