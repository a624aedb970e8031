/*
 * The fields of a trailer section, taken into an arena apart from those of the head.
 *
 * The section was checked when it was read (h1_body.c), so the happy path only looks for colons and
 * line ends.  Fields that must be known before the content, or that frame, route or authenticate,
 * have no business here and are dropped (RFC 9110 section 6.5.1).  It can fail for want of memory.
 */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/text.h"
#include "http/h1/h1_body.h"

/* "Content-" as a prefix is dropped too, but for the digest (RFC 9530 section 2 sends it here). */
static const char *const names_dropped[] = {
    "Age",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Cookie",
    "Date",
    "Expect",
    "Expires",
    "Forwarded",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Location",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Range",
    "Retry-After",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
    "X-Real-IP",
};

static bool name_is(px_str name, const char *other)
{
    size_t len = strlen(other);

    return name.len == len && strncasecmp(name.ptr, other, len) == 0;
}

static bool name_begins(px_str name, const char *prefix)
{
    size_t len = strlen(prefix);

    return name.len >= len && strncasecmp(name.ptr, prefix, len) == 0;
}

bool trailer_is_dropped(px_str name)
{
    if (name_begins(name, "Content-"))
        return !name_is(name, "Content-Digest");
    if (name_begins(name, "X-Forwarded-"))
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(names_dropped); i++) {
        if (name_is(name, names_dropped[i]))
            return true;
    }
    return false;
}

/* The field line from `name` to its CR: NULs go over the colon and the end of the value. */
static px_field take_line(char *name, char *colon, char *line_end)
{
    char *value = colon + 1;

    while (value < line_end && text_is_blank(*value))
        value++;
    while (line_end > value && text_is_blank(line_end[-1]))
        line_end--;
    *colon = '\0';
    *line_end = '\0';
    return (px_field){px_str_make(name, (size_t)(colon - name)),
                      px_str_make(value, (size_t)(line_end - value))};
}

px_err h1_body_trailers(const struct h1_body *body, struct arena *arena, px_field **out_fields,
                        uint32_t *out_count)
{
    size_t room = body->trailer_count * sizeof(px_field) + body->trailer.len;
    uint32_t count = 0;

    if (body->trailer_count == 0) {
        *out_fields = NULL;
        *out_count = 0;
        return PX_OK;
    }
    px_field *fields = arena_take(arena, room);

    if (!fields)
        return PX_ERR_MEMORY;

    char *at = (char *)(fields + body->trailer_count);
    char *end = at + body->trailer.len;

    memcpy(at, body->trailer.ptr, body->trailer.len);
    while (at < end) {
        char *colon = memchr(at, ':', (size_t)(end - at));
        char *line_end = colon ? memchr(colon, '\r', (size_t)(end - colon)) : NULL;

        CHECK(line_end && count < body->trailer_count);
        fields[count] = take_line(at, colon, line_end);
        if (!trailer_is_dropped(fields[count].name))
            count++;
        at = line_end + 2;
    }
    *out_fields = fields;
    *out_count = count;
    return PX_OK;
}
