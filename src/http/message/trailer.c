/*
 * The names that a trailer section must not have.  See trailer.h.
 */
#include "http/message/trailer.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"

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
