/*
 * Numbers as text, what a run of bytes is as UTF-8, and peers' bytes escaped.  See text.h.
 */
#include "base/text.h"

#include "base/check.h"

/* Two digits at a time: most numbers of a log line or a head have one to four. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

char *text_write_digits(char *out, uint64_t number)
{
    uint64_t next = 100;
    size_t digits = 2;

    ASSERT(number >= 10);
    for (; digits < TEXT_NUMBER_BYTES && number >= next; next *= 10)
        digits++;
    char *end = out + digits, *at = end;

    for (; at - out >= 2; number /= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (number % 100), 2);
    }
    if (at > out)
        *out = (char)('0' + number);
    return end;
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
static bool is_plain_word(uint64_t word)
{
    uint64_t quotes, backslashes;

    quotes = word ^ EACH_BYTE('"');
    backslashes = word ^ EACH_BYTE('\\');
    return ((word | (word + EACH_BYTE(1)) | (word - EACH_BYTE(0x20)) | (quotes - EACH_BYTE(1)) |
             (backslashes - EACH_BYTE(1))) &
            EACH_BYTE(0x80)) == 0;
}

/* Whether one to seven bytes stay as they are: those that are read twice count once. */
static bool is_plain_rest(const char *ptr, size_t len)
{
    uint32_t first, last;

    ASSERT(len > 0 && len < sizeof(uint64_t));
    if (len >= sizeof(first)) {
        memcpy(&first, ptr, sizeof(first));
        memcpy(&last, ptr + len - sizeof(last), sizeof(last));
        return is_plain_word((uint64_t)last << 32 | first);
    }
    return is_plain_word(EACH_BYTE('a') << 24 | (uint64_t)(uint8_t)ptr[len - 1] << 16 |
                         (uint64_t)(uint8_t)ptr[len / 2] << 8 | (uint8_t)ptr[0]);
}

/* From `at` on, a character at a time where one may not stay as it is. */
static char *write_escaped(char *out, px_str str, size_t at, enum text_escape escape)
{
    uint64_t word;
    size_t used = 0;

    for (; at < str.len; at += used) {
        for (; str.len - at >= sizeof(word); at += sizeof(word)) {
            memcpy(&word, str.ptr + at, sizeof(word));
            if (!is_plain_word(word))
                break;
            memcpy(out, &word, sizeof(word));
            out += sizeof(word);
        }
        if (at == str.len)
            break;
        out = write_one(out, px_str_make(str.ptr + at, str.len - at), escape, &used);
    }
    return out;
}

char *text_write_escaped(char *out, px_str str, enum text_escape escape)
{
    uint64_t word;
    size_t at = 0;

    if (str.len < sizeof(word)) {
        if (str.len == 0 || is_plain_rest(str.ptr, str.len))
            return text_write_short(out, str.ptr, str.len);
        return write_escaped(out, str, 0, escape);
    }
    for (; str.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, str.ptr + at, sizeof(word));
        if (PX_UNLIKELY(!is_plain_word(word)))
            return write_escaped(out + at, str, at, escape);
        memcpy(out + at, &word, sizeof(word));
    }
    /* What is left, with bytes before it that are written again as they are. */
    memcpy(&word, str.ptr + str.len - sizeof(word), sizeof(word));
    if (PX_UNLIKELY(!is_plain_word(word)))
        return write_escaped(out + at, str, at, escape);
    memcpy(out + str.len - sizeof(word), &word, sizeof(word));
    return out + str.len;
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
