/*
 * UTF-8 by what may follow: a first byte says how many come, and the range of the next.
 *
 * ASCII is skipped by the table; of the rest each byte costs two comparisons.
 */
#include "http/ws/ws_utf8.h"

/* The first byte of a character that is not ASCII (RFC 3629 section 4). */
static bool first_take(struct ws_utf8 *utf8, uint8_t byte)
{
    utf8->low = 0x80;
    utf8->high = 0xbf;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    if (byte < 0xe0) {
        utf8->need = 1;
        return true;
    }
    if (byte < 0xf0) {
        utf8->need = 2;
        if (byte == 0xe0)
            utf8->low = 0xa0; /* else it would be overlong */
        else if (byte == 0xed)
            utf8->high = 0x9f; /* else it would be a surrogate */
        return true;
    }
    utf8->need = 3;
    if (byte == 0xf0)
        utf8->low = 0x90;
    else if (byte == 0xf4)
        utf8->high = 0x8f; /* the last is U+10FFFF */
    return true;
}

bool ws_utf8_take(struct ws_utf8 *utf8, const struct ws_bytes *bytes, px_str piece)
{
    struct ws_utf8 now = *utf8;
    size_t at = 0;

    while (at < piece.len) {
        uint8_t byte = (uint8_t)piece.ptr[at];

        if (now.need > 0) {
            if (byte < now.low || byte > now.high)
                return false;
            now.low = 0x80;
            now.high = 0xbf;
            now.need--;
            at++;
        } else if (byte < 0x80) {
            at = bytes->ascii(piece.ptr, at, piece.len);
        } else {
            if (!first_take(&now, byte))
                return false;
            at++;
        }
    }
    *utf8 = now;
    return true;
}
