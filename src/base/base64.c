/*
 * Base64 both ways.
 *
 * Happy path: three bytes are four digits.  A text is decoded to its end, or not at all.
 */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_write(char *out, px_str bytes)
{
    const uint8_t *from = (const uint8_t *)bytes.ptr;

    for (size_t at = 0; at < bytes.len; at += 3, out += 4) {
        size_t left = bytes.len - at;
        uint32_t word = (uint32_t)from[at] << 16 | (left > 1 ? (uint32_t)from[at + 1] << 8 : 0) |
                        (left > 2 ? from[at + 2] : 0);

        out[0] = digits[word >> 18];
        out[1] = digits[word >> 12 & 63];
        out[2] = '=';
        out[3] = '=';
        if (left > 1)
            out[2] = digits[word >> 6 & 63];
        if (left > 2)
            out[3] = digits[word & 63];
    }
    return out;
}

int base64_digit(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

bool base64_read(px_str text, char *out, size_t room, size_t *out_len)
{
    size_t len = 0, count = 0;
    uint32_t bits = 0;

    while (text.len > 0 && text.ptr[text.len - 1] == '=' && count++ < 2)
        text.len--;
    if (text.len % 4 == 1 || (count > 0 && (text.len + count) % 4 != 0))
        return false;
    for (size_t at = 0; at < text.len; at++) {
        int value = base64_digit(text.ptr[at]);

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
