/*
 * Cleaning paths.  See path.h.
 *
 * The question is asked for every request, so it looks at eight bytes at a time for a slash that is
 * followed by a slash or a dot, and only then at segments.
 */
#include "route/path.h"

#include <stdint.h>
#include <string.h>

#include "http/message/uri.h"
#include "http/scan/scan.h"

#define EACH_BYTE(value) (0x0101010101010101u * (uint64_t)(value))

/* The top bit of each byte of `word` that is `byte`; above the lowest one there may be more. */
static uint64_t bytes_equal(uint64_t word, uint8_t byte)
{
    uint64_t zero = word ^ EACH_BYTE(byte);

    return (zero - EACH_BYTE(0x01)) & ~zero & EACH_BYTE(0x80);
}

/* Whether a slash before a slash or a dot may be in the nine bytes at `ptr`; it may err to yes. */
static bool suspicious_nine(const char *ptr)
{
    uint64_t first;
    uint64_t second;

    memcpy(&first, ptr, sizeof(first));
    memcpy(&second, ptr + 1, sizeof(second));
    return (bytes_equal(first, '/') & (bytes_equal(second, '/') | bytes_equal(second, '.'))) != 0;
}

static bool suspicious(px_str path)
{
    size_t at = 0;

    for (; path.len - at > 8; at += 8)
        if (suspicious_nine(path.ptr + at))
            return true;
    for (; at + 1 < path.len; at++)
        if (path.ptr[at] == '/' && (path.ptr[at + 1] == '/' || path.ptr[at + 1] == '.'))
            return true;
    return false;
}

/* The segment at `at`, which is behind a slash. */
static px_str segment_at(px_str path, size_t at)
{
    const char *slash = at < path.len ? memchr(path.ptr + at, '/', path.len - at) : NULL;

    return px_str_make(path.ptr + at, slash ? (size_t)(slash - path.ptr) - at : path.len - at);
}

static bool is_dots(px_str segment, size_t count)
{
    return segment.len == count && memcmp(segment.ptr, "..", count) == 0;
}

bool router_path_clean_needed(px_str raw_path)
{
    if (!suspicious(raw_path))
        return false;
    for (size_t at = 0; at < raw_path.len; at++) {
        if (raw_path.ptr[at] != '/')
            continue;
        px_str segment = segment_at(raw_path, at + 1);

        if (segment.len == 0 && at + 1 < raw_path.len)
            return true;
        if (segment.len > 0 && (is_dots(segment, 1) || is_dots(segment, 2)))
            return true;
        at += segment.len;
    }
    return false;
}

/* The "/" or "." that is encoded at `at`, or 0. */
static char encoded_separator(px_str path, size_t at)
{
    if (path.len - at < 3 || path.ptr[at] != '%' || path.ptr[at + 1] != '2')
        return 0;
    char digit = (char)(path.ptr[at + 2] | 0x20);

    return digit == 'f' ? '/' : digit == 'e' ? '.' : 0;
}

bool router_path_is_plain(px_str raw_path)
{
    const char *end = raw_path.ptr + raw_path.len, *at = raw_path.ptr;

    while (at && at < end && (at = memchr(at, '%', (size_t)(end - at)))) {
        if (encoded_separator(raw_path, (size_t)(at - raw_path.ptr)))
            return false;
        at++;
    }
    return !router_path_clean_needed(raw_path);
}

px_err router_plain_path(px_str raw_path, struct arena *arena, px_str *out_path)
{
    char *text = arena_take_text(arena, raw_path.len + 1);
    size_t len = 0;

    if (!text)
        return PX_ERR_MEMORY;
    for (size_t at = 0; at < raw_path.len; at++) {
        char byte = encoded_separator(raw_path, at);

        text[len++] = byte ? byte : raw_path.ptr[at];
        at += byte ? 2 : 0;
    }
    return router_redirect_path(px_str_make(text, len), false, arena, out_path);
}

/* Writes "/" and a segment, encoded again. */
static size_t write_segment(char *out, size_t at, px_str segment)
{
    out[at++] = '/';
    return (size_t)(uri_target_write(out + at, segment, URI_PATH) - out);
}

px_err router_redirect_path(px_str raw_path, bool add_slash, struct arena *arena, px_str *out_path)
{
    size_t at = 0;
    /* A slash at either end, and the NUL. */
    char *out = arena_take_text(arena, uri_target_room(raw_path) + 3);

    if (!out)
        return PX_ERR_MEMORY;
    for (size_t from = raw_path.len > 0 && raw_path.ptr[0] == '/'; from <= raw_path.len;) {
        px_str segment = segment_at(raw_path, from);

        if (is_dots(segment, 2)) {
            while (at > 0 && out[--at] != '/')
                continue;
        } else if (segment.len > 0 && !is_dots(segment, 1)) {
            at = write_segment(out, at, segment);
        }
        from += segment.len + 1;
    }
    bool slash_kept = raw_path.len > 0 && raw_path.ptr[raw_path.len - 1] == '/';

    if (at == 0 || slash_kept || add_slash)
        out[at++] = '/';
    out[at] = '\0';
    *out_path = px_str_make(out, at);
    return PX_OK;
}

/* The folder that a peer resolves a reference in, encoded as router_redirect_path does: the path
 * without its last segment, whatever that is (RFC 3986 section 5.2.3), and dot segments; empty
 * segments are segments.  `out` has room for the path and a slash. */
static size_t write_base(char *out, px_str raw_path)
{
    size_t at = 0;

    for (size_t from = raw_path.len > 0 && raw_path.ptr[0] == '/'; from <= raw_path.len;) {
        px_str segment = segment_at(raw_path, from);

        from += segment.len + 1;
        if (from > raw_path.len)
            break; /* the last one */
        if (is_dots(segment, 2)) {
            while (at > 0 && out[--at] != '/')
                continue;
        } else if (!is_dots(segment, 1)) {
            at = write_segment(out, at, segment);
        }
    }
    out[at++] = '/';
    return at;
}

px_err router_redirect_relative(px_str raw_path, bool add_slash, struct arena *arena,
                                px_str *out_reference)
{
    size_t common = 0, up = 0;
    px_str path;
    px_err err = router_redirect_path(raw_path, add_slash, arena, &path);
    char *base = arena_take_text(arena, uri_target_room(raw_path) + 3);

    if (err != PX_OK || !base)
        return PX_ERR_MEMORY;
    size_t base_len = write_base(base, raw_path);

    for (size_t at = 0; at < base_len && at < path.len && base[at] == path.ptr[at]; at++)
        if (base[at] == '/')
            common = at + 1;
    for (size_t at = common; at < base_len; at++)
        up += base[at] == '/';
    px_str rest = px_str_make(path.ptr + common, path.len - common);
    char *out = arena_take_text(arena, 3 * up + 2 + rest.len + 1);
    size_t len = 0;

    if (!out)
        return PX_ERR_MEMORY;
    for (; up > 0; up--, len += 3)
        memcpy(out + len, "../", 3);
    /* Nothing would be the same path again, and a colon in the first segment would end a scheme. */
    if (len == 0 && (rest.len == 0 || memchr(rest.ptr, ':', rest.len))) {
        memcpy(out, "./", 2);
        len = 2;
    }
    if (rest.len > 0)
        memcpy(out + len, rest.ptr, rest.len);
    len += rest.len;
    out[len] = '\0';
    *out_reference = px_str_make(out, len);
    return PX_OK;
}
