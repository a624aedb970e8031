/*
 * UTF-8 (RFC 3629) that comes in pieces: text of a WebSocket message, cut anywhere.
 *
 * What cannot become UTF-8 any more is refused with the byte that shows it, not with the end of the
 * message (RFC 6455 section 8.1).  It says so by false; nothing else can fail.
 */
#ifndef PX_HTTP_WS_UTF8_H
#define PX_HTTP_WS_UTF8_H

#include <stdbool.h>

#include "http/ws/ws_bytes.h"
#include "pollux/str.h"

/* Zero is the beginning of a text. */
struct ws_utf8 {
    uint8_t need; /* bytes that the character at hand still has */
    uint8_t low;  /* the next of them is at least this ... */
    uint8_t high; /* ... and at most this */
};

/* Goes on with a piece of the text: false when it is not UTF-8. */
bool ws_utf8_take(struct ws_utf8 *utf8, const struct ws_bytes *bytes, px_str piece);

/* Whether the text may end here. */
static inline bool ws_utf8_is_whole(const struct ws_utf8 *utf8)
{
    return utf8->need == 0;
}

/* Whether all of `text` is UTF-8: RFC 6455 section 8.1 has its readers fail where it is not. */
static inline bool ws_utf8_valid(px_str text)
{
    struct ws_utf8 utf8 = {0, 0, 0};

    return ws_utf8_take(&utf8, ws_bytes_best(), text) && ws_utf8_is_whole(&utf8);
}

#endif
