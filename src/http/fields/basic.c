/*
 * Basic credentials: "Basic", blanks, and base64 of "user:password" (RFC 7617 section 2, RFC 4648
 * section 4).
 */
#include "http/fields/basic.h"

#include <stdint.h>
#include <string.h>

#include "http/fields/field.h"

enum { SCHEME_BYTES = 5 };

/* The value of a base64 digit, or -1. */
static int digit(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* Decodes all of it; padding may be left out.  False when it is none, or there is too much. */
static bool decode(px_str text, char *out, size_t room, size_t *out_len)
{
    size_t len = 0, count = 0;
    uint32_t bits = 0;

    while (text.len > 0 && text.ptr[text.len - 1] == '=' && count++ < 2)
        text.len--;
    if (text.len % 4 == 1 || (count > 0 && (text.len + count) % 4 != 0))
        return false;
    for (size_t at = 0; at < text.len; at++) {
        int value = digit(text.ptr[at]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (at % 4 == 0)
            continue;
        if (len == room)
            return false;
        out[len++] = (char)(bits >> (6 - at % 4 * 2));
    }
    *out_len = len;
    return true;
}

bool basic_read(px_str value, char *out, size_t room, struct basic_credentials *out_credentials)
{
    size_t len;

    if (value.len <= SCHEME_BYTES || value.ptr[SCHEME_BYTES] != ' ' ||
        !field_text_equal(px_str_make(value.ptr, SCHEME_BYTES), px_str_of("basic")))
        return false;
    px_str text = field_trim(px_str_make(value.ptr + SCHEME_BYTES, value.len - SCHEME_BYTES));

    if (!decode(text, out, room, &len))
        return false;
    for (size_t at = 0; at < len; at++) {
        unsigned char byte = (unsigned char)out[at];

        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    const char *colon = len > 0 ? memchr(out, ':', len) : NULL;

    if (!colon)
        return false;
    size_t user_len = (size_t)(colon - out);

    out_credentials->user = px_str_make(out, user_len);
    out_credentials->password = px_str_make(colon + 1, len - user_len - 1);
    return true;
}
