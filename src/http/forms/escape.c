/*
 * Escaping: one walk over the text, which takes plain runs as they are.
 */
#include "http/forms/escape.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Whether a character can be shown: no control, no line end, nothing that turns its neighbours. */
static bool code_is_shown(uint32_t code)
{
    return !(code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
             code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
             (code >= 0x2066 && code <= 0x2069) || code == 0xfeff);
}

/* Appends text in which `special` says what stands for a character, or NULL for itself. */
static px_err escape_text(struct buf *out, px_str text, const char *(*special)(uint32_t code))
{
    size_t plain = 0; /* where the run of characters that stay began */
    size_t at = 0;

    while (at < text.len) {
        uint32_t code = 0;
        size_t len = text_utf8_len(px_str_make(text.ptr + at, text.len - at), &code);
        const char *instead = len == 0 || !code_is_shown(code) ? "\xef\xbf\xbd" : special(code);

        len = len > 0 ? len : 1;
        if (instead) {
            px_err err = buf_append(out, px_str_make(text.ptr + plain, at - plain));

            if (err == PX_OK)
                err = buf_append(out, px_str_of(instead));
            if (err != PX_OK)
                return err;
            plain = at + len;
        }
        at += len;
    }
    return plain < at ? buf_append(out, px_str_make(text.ptr + plain, at - plain)) : PX_OK;
}

static const char *special_html(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    }
    return NULL;
}

static const char *special_json(uint32_t code)
{
    switch (code) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '<': /* "</script>" in a page that embeds it */
        return "\\u003c";
    }
    return NULL;
}

px_err escape_html(struct buf *out, px_str text)
{
    return escape_text(out, text, special_html);
}

px_err escape_json(struct buf *out, px_str text)
{
    return escape_text(out, text, special_json);
}

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

char *escape_segment_write(char *out, px_str segment)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < segment.len; i++) {
        unsigned char byte = (unsigned char)segment.ptr[i];

        if (is_unreserved(byte)) {
            *out++ = (char)byte;
        } else {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        }
    }
    return out;
}

px_err escape_segment(struct buf *out, px_str segment)
{
    px_err err = buf_reserve(out, 3 * segment.len);

    if (err == PX_OK && segment.len > 0)
        out->len = (size_t)(escape_segment_write(out->ptr + out->len, segment) - out->ptr);
    return err;
}
