/*
 * A glimpse of a request that is refused: what of it is worth a line in the log.
 *
 * Nothing of it is checked, and nothing may be believed but that it came; a head that is not whole,
 * or is none, gives what is there.  Happy path: http_glimpse_read takes the first line apart and
 * looks for the few fields that are logged.  It cannot fail.
 */
#ifndef PX_HTTP_GLIMPSE_H
#define PX_HTTP_GLIMPSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/field.h"

enum {
    GLIMPSE_BYTES_MAX = 2048, /* of each piece: longer ones are cut */
    GLIMPSE_FIELDS_MAX = 16
};

/* Slices of what came: borrowed as that is. */
struct http_glimpse {
    px_str line;   /* the request line of HTTP/1 without its end; absent over HTTP/2 */
    px_str method; /* up to the first blank */
    px_str target; /* behind it, up to the version */
    px_str host;
    uint32_t field_count;
    bool fields_cut; /* there were more fields that are logged */
    uint8_t version; /* 10, 11 or 20 */
    px_field fields[GLIMPSE_FIELDS_MAX];
};

/* The first bytes of a text, as many as are kept. */
px_str http_glimpse_cut(px_str text);

/* Keeps a field, where it is one that the log asks for. */
void http_glimpse_field(struct http_glimpse *glimpse, px_str name, px_str value);

/* Looks at the bytes of an HTTP/1 request head, as far as they are there. */
void http_glimpse_read(px_str head, struct http_glimpse *out_glimpse);

#endif
