/*
 * Percent-encoding, dot segments and whole addresses.  See uri.h.
 *
 * Each function makes one pass and at most one allocation; what can go wrong is a malformed input
 * or an arena that is full.
 */
#include "http/message/uri.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/text.h"
#include "http/message/host.h"
#include "http/scan/scan.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

px_err uri_decode_into(char *out, px_str raw, enum uri_slash slash, px_str *out_text)
{
    size_t len = 0;

    for (size_t at = 0; at < raw.len; at++) {
        char byte = raw.ptr[at];

        if (byte == '%') {
            int high = raw.len - at > 2 ? number_hex_digit(raw.ptr[at + 1]) : -1;
            int low = high >= 0 ? number_hex_digit(raw.ptr[at + 2]) : -1;

            if (low < 0)
                return PX_ERR_MALFORMED;
            byte = (char)(high << 4 | low);
            at += 2;
            if (byte == '/' && slash == URI_SLASH_REFUSE)
                return PX_ERR_MALFORMED;
        }
        if (byte == '\0')
            return PX_ERR_MALFORMED;
        out[len++] = byte;
    }
    out[len] = '\0';
    *out_text = px_str_make(out, len);
    return PX_OK;
}

px_err uri_decode(struct arena *arena, px_str raw, enum uri_slash slash, px_str *out_text)
{
    char *text = arena_take_text(arena, raw.len + 1);

    return text ? uri_decode_into(text, raw, slash, out_text) : PX_ERR_MEMORY;
}

px_err uri_path_decode(struct arena *arena, px_str raw, px_str *out_path)
{
    return uri_decode(arena, raw, URI_SLASH_REFUSE, out_path);
}

px_err uri_path_normalise(char *text, size_t whole, size_t *out_len)
{
    size_t len = 0;

    if (whole == 0 || text[0] != '/')
        return PX_ERR_MALFORMED;

    /* What was written always ends behind a segment, without its slash, and is never longer than
     * what was read. */
    for (size_t at = 0; at < whole;) {
        const char *segment = text + at + 1;
        const char *next = memchr(segment, '/', whole - at - 1);
        size_t bytes = next ? (size_t)(next - segment) : whole - at - 1;
        bool last = next == NULL;

        at += bytes + 1;
        if (bytes == 1 && segment[0] == '.') {
            if (last)
                text[len++] = '/';
        } else if (bytes == 2 && segment[0] == '.' && segment[1] == '.') {
            if (len == 0)
                return PX_ERR_MALFORMED;
            while (text[--len] != '/')
                continue;
            if (last)
                text[len++] = '/';
        } else {
            text[len++] = '/';
            memmove(text + len, segment, bytes);
            len += bytes;
        }
    }
    text[len] = '\0';
    *out_len = len;
    return PX_OK;
}

static char *write_byte(char *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";

    *out++ = '%';
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
    return out;
}

/* Whether a "%" at `at` has its two digits. */
static bool is_encoded(px_str text, size_t at)
{
    return text.len - at > 2 && number_hex_digit(text.ptr[at + 1]) >= 0 &&
           number_hex_digit(text.ptr[at + 2]) >= 0;
}

/* The bytes of the class and UTF-8 from `at` on. */
static size_t data_end(px_str text, size_t at, uint8_t class,
                       size_t (*scan)(const char *ptr, size_t from, size_t len))
{
    for (;;) {
        uint32_t code;
        size_t bytes;

        at = scan_mixed(text.ptr, at, text.len, class, scan);
        if (at == text.len || (uint8_t)text.ptr[at] < 0x80)
            return at;
        bytes = text_utf8_len(px_str_make(text.ptr + at, text.len - at), &code);
        if (bytes == 0)
            return at;
        at += bytes;
    }
}

size_t uri_path_end(px_str text, size_t at, const struct scan_table *scan)
{
    for (;;) {
        at = data_end(text, at, CHAR_PATH, scan->path);
        if (at == text.len || text.ptr[at] != '%' || !is_encoded(text, at))
            return at;
        at += 3;
    }
}

size_t uri_query_end(px_str text, size_t at, const struct scan_table *scan)
{
    return data_end(text, at, CHAR_QUERY, scan->query);
}

size_t uri_target_room(px_str target)
{
    size_t room = target.len;

    for (size_t at = 0; at < target.len; at++)
        room += (char_class[(uint8_t)target.ptr[at]] & CHAR_PCHAR) ? 0 : 2;
    return room;
}

char *uri_target_write(char *out, px_str target, enum uri_part part)
{
    for (size_t at = 0; at < target.len; at++) {
        uint8_t byte = (uint8_t)target.ptr[at];

        /* RFC 3986 section 3.4: a query has "?" too. */
        if ((char_class[byte] & CHAR_PCHAR) || (byte == '?' && part == URI_QUERY) ||
            (byte == '%' && is_encoded(target, at)))
            *out++ = (char)byte;
        else
            out = write_byte(out, byte);
    }
    return out;
}

/* The bytes of the scheme with its "://", or 0. */
static size_t scheme_bytes(px_str text, bool *out_https)
{
    if (text.len >= 7 && strncasecmp(text.ptr, "http://", 7) == 0) {
        *out_https = false;
        return 7;
    }
    if (text.len >= 8 && strncasecmp(text.ptr, "https://", 8) == 0) {
        *out_https = true;
        return 8;
    }
    return 0;
}

/* Path and query: what a request line may carry (RFC 9112 section 3.2.1). */
static bool target_valid(px_str target)
{
    size_t at = uri_path_end(target, 0, &scan_plain);

    if (at < target.len && target.ptr[at] == '?')
        at = uri_query_end(target, at + 1, &scan_plain);
    return at == target.len;
}

px_err uri_split(px_str text, struct uri_parts *out_parts)
{
    struct uri_parts parts = {0};
    struct host_parts host;
    size_t from = scheme_bytes(text, &parts.https);
    size_t at = from;
    const char *fragment;

    if (from == 0)
        return PX_ERR_INVALID;
    fragment = memchr(text.ptr, '#', text.len);
    if (fragment)
        text.len = (size_t)(fragment - text.ptr);
    while (at < text.len && text.ptr[at] != '/' && text.ptr[at] != '?')
        at++;
    parts.authority = px_str_make(text.ptr + from, at - from);
    if (!host_split(parts.authority, &host))
        return PX_ERR_INVALID;
    parts.host = host.host;
    parts.port = parts.https ? HTTPS_PORT : HTTP_PORT;
    if (host.port >= 0)
        parts.port = (uint16_t)host.port;

    /* "http://host?query" has an empty path, which a request line cannot carry. */
    parts.target = px_str_make(text.ptr + at, text.len - at);
    if (parts.target.len == 0)
        parts.target = px_str_make("/", 1);
    else if (parts.target.ptr[0] != '/')
        return PX_ERR_INVALID;
    if (!target_valid(parts.target))
        return PX_ERR_INVALID;
    *out_parts = parts;
    return PX_OK;
}
