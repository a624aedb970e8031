/*
 * Numbers as text, what a run of bytes is as UTF-8, and peers' bytes escaped.  See text.h.
 */
#include "base/text.h"

#include "base/check.h"

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

/* --- Escaping --------------------------------------------------------------------------------- */

static char *write_hex(char *out, const char *prefix, unsigned char byte)
{
    static const char hex[] = "0123456789ABCDEF";

    out = text_write_str(out, px_str_of(prefix));
    *out++ = hex[byte >> 4];
    *out++ = hex[byte & 15];
    return out;
}

/* How many bytes of `text` are one character that stays as it is; 0: none. */
static size_t plain_len(px_str text, enum text_escape escape)
{
    unsigned char byte = (unsigned char)text.ptr[0];
    uint32_t code = 0;

    if (byte >= 0x7f) {
        size_t len = escape == TEXT_LINE ? text_utf8_len(text, &code) : 0;

        return code > 0x9f ? len : 0;
    }
    if (byte < 0x20)
        return escape == TEXT_HEAD && (byte == '\r' || byte == '\n') ? 1 : 0;
    return (byte == '"' || byte == '\\') && (escape == TEXT_QUOTED || escape == TEXT_JSON) ? 0 : 1;
}

/* One character at the beginning of `rest`, of which *used is how many bytes. */
static char *write_one(char *out, px_str rest, enum text_escape escape, size_t *used)
{
    unsigned char byte = (unsigned char)rest.ptr[0];
    size_t len = plain_len(rest, escape);

    CHECK(len <= rest.len);
    *used = len > 0 ? len : 1;
    if (len > 0)
        return text_write(out, rest.ptr, len);
    if (escape != TEXT_JSON)
        return write_hex(out, "\\x", byte);
    if (byte < 0x20 || byte >= 0x7f)
        return write_hex(out, "\\u00", byte);
    *out++ = '\\';
    *out++ = (char)byte;
    return out;
}

#define EACH_BYTE(byte) (0x0101010101010101u * (byte))

/* Whether eight bytes stay as they are, whatever the escape; some that do are said not to. */
static bool is_plain_word(const char *ptr)
{
    uint64_t word, quotes, backslashes;

    memcpy(&word, ptr, sizeof(word));
    quotes = word ^ EACH_BYTE('"');
    backslashes = word ^ EACH_BYTE('\\');
    return ((word | (word + EACH_BYTE(1)) | (word - EACH_BYTE(0x20)) | (quotes - EACH_BYTE(1)) |
             (backslashes - EACH_BYTE(1))) &
            EACH_BYTE(0x80)) == 0;
}

char *text_write_escaped(char *out, px_str str, enum text_escape escape)
{
    size_t used = 0;

    for (size_t at = 0; at < str.len; at += used) {
        while (str.len - at >= sizeof(uint64_t) && is_plain_word(str.ptr + at)) {
            out = text_write(out, str.ptr + at, sizeof(uint64_t));
            at += sizeof(uint64_t);
        }
        if (at == str.len)
            break;
        out = write_one(out, px_str_make(str.ptr + at, str.len - at), escape, &used);
    }
    return out;
}

void text_put_escaped(struct text *text, px_str piece, enum text_escape escape)
{
    char one[TEXT_ESCAPE_FACTOR];
    size_t used = 0;

    for (size_t at = 0; at < piece.len && !text->cut; at += used) {
        const char *end =
            write_one(one, px_str_make(piece.ptr + at, piece.len - at), escape, &used);

        text_put(text, px_str_make(one, (size_t)(end - one)));
    }
}

/* --- UTF-8 in pieces -------------------------------------------------------------------------- */

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
