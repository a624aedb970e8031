/*
 * Numbers as text, and what a run of bytes is as UTF-8.  See text.h.
 */
#include "base/text.h"

char *text_write_number(char *out, uint64_t number)
{
    char digits[TEXT_NUMBER_BYTES];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return text_write(out, digits + at, sizeof(digits) - at);
}

void text_put_number(struct text *text, uint64_t number)
{
    char digits[TEXT_NUMBER_BYTES];

    text_put(text, px_str_make(digits, (size_t)(text_write_number(digits, number) - digits)));
}

size_t text_utf8_len(px_str text, uint32_t *out_code)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc2 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf5 ? 4
                                : 0;
    static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t code_min[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;

    if (len == 0 || len > text.len)
        return 0;
    code = at[0] & first_mask[len];
    for (size_t index = 1; index < len; index++) {
        if ((at[index] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[index] & 0x3f);
    }
    if (code < code_min[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *out_code = code;
    return len;
}

bool text_utf8_step(struct text_utf8 *utf8, uint8_t byte)
{
    if (utf8->left > 0) {
        if (byte < utf8->low || byte > utf8->high)
            return false;
        *utf8 = (struct text_utf8){(uint8_t)(utf8->left - 1), 0x80, 0xbf};
        return true;
    }
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    *utf8 = (struct text_utf8){byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3, 0x80, 0xbf};
    /* Overlong forms, surrogates, and what is above the last code. */
    if (byte == 0xe0)
        utf8->low = 0xa0;
    else if (byte == 0xf0)
        utf8->low = 0x90;
    else if (byte == 0xed)
        utf8->high = 0x9f;
    else if (byte == 0xf4)
        utf8->high = 0x8f;
    return true;
}
