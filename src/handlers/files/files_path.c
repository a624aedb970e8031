/*
 * From a request's target to a path beneath the folder.
 *
 * Decoded once, then freed of dot segments, so that ".." is gone before the kernel sees the path.
 * An encoded slash separates as a plain one does: package registries ask for "/@scope%2fname".
 * A path can be refused: an encoded NUL, one that climbs above the root (400), a name that begins
 * with a dot (404).
 */
#include <string.h>

#include "base/check.h"
#include "handlers/files/files.h"
#include "http/message/uri.h"

/* How many segments of the path belong to the route: those in front of what its pattern leaves open
 * ("/static/" and "/static/{rest...}" leave open what follows the first). */
static uint32_t pattern_segments(const char *pattern)
{
    uint32_t count = 0;
    const char *path = pattern ? strchr(pattern, '/') : NULL;
    size_t len;

    if (!path)
        return 0;
    len = strlen(path);
    bool open = path[len - 1] == '/' || (len > 4 && memcmp(path + len - 4, "...}", 4) == 0) ||
                (len > 3 && memcmp(path + len - 3, "{$}", 3) == 0);

    if (!open)
        return 0; /* one file: the path names it */
    for (const char *at = path + 1; *at; at++)
        count += *at == '/';
    return count;
}

/* Whether a path can be used as it stands: nothing encoded, no empty or dot segment. */
static bool path_is_plain(px_str path)
{
    char before = '/';

    for (size_t at = 1; at < path.len; at++) {
        char byte = path.ptr[at];

        if (byte == '%' || (before == '/' && (byte == '/' || byte == '.')))
            return false;
        before = byte;
    }
    return true;
}

/* Without dot segments and empty ones, in place; it begins with one slash. */
static px_err path_squeeze(char *text, size_t bytes, px_str *out_path)
{
    size_t len = 0, whole = 0;
    px_err err = uri_path_normalise(text, bytes, &whole);

    CHECK(bytes > 0);
    if (err != PX_OK)
        return err;
    for (size_t at = 0; at < whole; at++)
        if (text[at] != '/' || len == 0 || text[len - 1] != '/')
            text[len++] = text[at];
    if (len == 0)
        return PX_ERR_MALFORMED;
    text[len] = '\0';
    *out_path = px_str_make(text, len);
    return PX_OK;
}

/* Decoded, and squeezed. */
static px_err path_clean(px_exchange *exchange, px_str raw, px_str *out_path)
{
    char *text = px_exchange_alloc(exchange, raw.len + 1);
    px_str path;

    if (!text)
        return PX_ERR_MEMORY;
    px_err err = uri_decode_into(text, raw, URI_SLASH_DECODE, &path);

    return err == PX_OK ? path_squeeze(text, path.len, out_path) : err;
}

unsigned files_name(px_exchange *exchange, px_str name, px_str *out_path)
{
    char *text = px_exchange_alloc(exchange, name.len + 2);
    px_str path;

    if (!text)
        return 503;
    if (name.len == 0 || memchr(name.ptr, '\0', name.len))
        return 404;
    text[0] = '/';
    memcpy(text + 1, name.ptr, name.len);
    text[name.len + 1] = '\0';
    if (path_squeeze(text, name.len + 1, &path) != PX_OK || path.len - 1 > FILE_PATH_BYTES_MAX ||
        path.ptr[path.len - 1] == '/') /* a folder */
        return 404;
    *out_path = px_str_make(path.ptr + 1, path.len - 1);
    return 0;
}

/* RFC 8615: one name with a dot is for every client, at the top of the whole site. */
static bool path_is_hidden(px_str path, bool whole_site)
{
    static const char known[] = "/.well-known/";
    size_t at = 0;

    if (whole_site && path.len >= sizeof(known) - 1 &&
        memcmp(path.ptr, known, sizeof(known) - 1) == 0)
        at = sizeof(known) - 2;
    for (; at + 1 < path.len; at++)
        if (path.ptr[at] == '/' && path.ptr[at + 1] == '.')
            return true;
    return false;
}

px_str px_files_beneath(const char *pattern, px_str path)
{
    for (uint32_t skip = pattern_segments(pattern); skip > 0; skip--) {
        if (path.len == 0)
            return px_str_make(NULL, 0);
        const char *next = memchr(path.ptr + 1, '/', path.len - 1);

        if (!next)
            return px_str_make(NULL, 0);
        path = px_str_make(next, path.len - (size_t)(next - path.ptr));
    }
    return path;
}

unsigned files_path(px_exchange *exchange, bool is_whole, px_str *out_path)
{
    px_str path = px_request_raw_path(exchange);
    size_t all = path.len;

    if (path.len == 0 || path.ptr[0] != '/')
        return 400;
    if (!is_whole && !px_request_is_aside(exchange))
        path = px_files_beneath(px_request_pattern(exchange), path);
    if (!path.ptr)
        return 404;
    bool is_all = path.len == all;

    if (!path_is_plain(path)) {
        px_err err = path_clean(exchange, path, &path);

        if (err != PX_OK)
            return err == PX_ERR_MEMORY ? 503 : 400;
        if (path_is_hidden(path, is_all))
            return 404;
    }
    if (path.len - 1 > FILE_PATH_BYTES_MAX)
        return 404;
    *out_path = px_str_make(path.ptr + 1, path.len - 1);
    return 0;
}

px_str files_path_with_slash(px_exchange *exchange)
{
    px_str query = px_request_query(exchange), path = px_request_raw_path(exchange);
    const char *slash = path.len > 0 ? memrchr(path.ptr, '/', path.len) : NULL;
    size_t before = slash ? (size_t)(slash - path.ptr) + 1 : 0;
    px_str name = px_str_make(path.ptr + before, path.len - before);
    char *text = px_exchange_alloc(exchange, uri_target_room(name) + uri_target_room(query) + 5);
    char *end = text;

    if (!text)
        return px_str_make(NULL, 0);
    /* A colon in the first segment would end a scheme (RFC 3986 section 4.2). */
    if (name.len == 0 || memchr(name.ptr, ':', name.len)) {
        *end++ = '.';
        *end++ = '/';
    }
    if (name.len > 0) {
        end = uri_target_write(end, name, URI_PATH);
        *end++ = '/';
    }
    if (query.ptr) {
        *end++ = '?';
        end = uri_target_write(end, query, URI_QUERY);
    }
    *end = '\0';
    return px_str_make(text, (size_t)(end - text));
}

bool files_glob(const char *pattern, px_str text)
{
    const char *star = NULL; /* behind the last star, where to go on when the rest does not fit */
    size_t at = 0, star_at = 0;

    while (at < text.len) {
        if (*pattern == '*') {
            star = ++pattern;
            star_at = at;
        } else if (*pattern == '?' || (*pattern && *pattern == text.ptr[at])) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
