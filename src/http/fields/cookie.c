/*
 * Cookies.  Set-Cookie is checked first and then written in one piece into room for the longest
 * that its parts can make.
 */
#include "http/fields/cookie.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/fields/date.h"
#include "http/fields/field.h"

bool cookie_next(px_str *cookies, struct cookie_pair *out_pair)
{
    while (cookies->len > 0) {
        const char *end = cookies->ptr + cookies->len;
        const char *stop = memchr(cookies->ptr, ';', cookies->len);
        px_str piece =
            px_str_make(cookies->ptr, stop ? (size_t)(stop - cookies->ptr) : cookies->len);

        *cookies = stop ? px_str_make(stop + 1, (size_t)(end - stop - 1)) : px_str_make(end, 0);

        const char *equals = piece.len > 0 ? memchr(piece.ptr, '=', piece.len) : NULL;

        if (!equals)
            continue;

        size_t name_len = (size_t)(equals - piece.ptr);
        px_str name = field_trim(px_str_make(piece.ptr, name_len));
        px_str value = field_trim(px_str_make(equals + 1, piece.len - name_len - 1));

        if (name.len == 0)
            continue;
        /* cookie-value may stand in quotes (RFC 6265 section 4.1.1), which carry no meaning. */
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = px_str_make(value.ptr + 1, value.len - 2);
        out_pair->name = name;
        out_pair->value = value;
        return true;
    }
    return false;
}

px_str cookie_find(px_str cookies, px_str name)
{
    struct cookie_pair pair;

    while (cookie_next(&cookies, &pair)) {
        if (px_str_equal(pair.name, name))
            return pair.value;
    }
    return px_str_make(NULL, 0);
}

px_str cookie_find_field(const px_field *fields, uint32_t count, px_str name)
{
    px_str value = px_str_make(NULL, 0);

    for (uint32_t i = 0; i < count && !value.ptr; i++) {
        if (field_name_is(fields[i].name, "cookie"))
            value = cookie_find(fields[i].value, name);
    }
    return value;
}

/* cookie-octet (RFC 6265 section 4.1.1). */
static bool is_cookie_octet(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != ',' && byte != ';' && byte != '\\';
}

static bool value_valid(px_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!is_cookie_octet(value.ptr[i]))
            return false;
    }
    return true;
}

/* path-value: any CHAR except CTLs or ";" (RFC 6265 section 4.1.1).  One that does not begin with
 * "/" is ignored by user agents (section 5.2.4), and so are blanks at its ends. */
static bool path_valid(px_str path)
{
    if (path.len == 0)
        return true;
    if (path.ptr[0] != '/' || path.ptr[path.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] < ' ' || path.ptr[i] > 0x7e || path.ptr[i] == ';')
            return false;
    }
    return true;
}

static bool is_letter_or_digit(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

/* domain-value: labels of letters, digits and inner hyphens (RFC 1123 section 2.1). */
static bool domain_valid(px_str domain)
{
    char before = '.';

    for (size_t i = 0; i < domain.len; i++) {
        char byte = domain.ptr[i];

        if (byte == '.') {
            if (before == '.' || before == '-')
                return false;
        } else if (byte == '-') {
            if (before == '.')
                return false;
        } else if (!is_letter_or_digit(byte)) {
            return false;
        }
        before = byte;
    }
    return domain.len == 0 || is_letter_or_digit(before);
}

/* Prefixes are compared without regard to case, as user agents do (RFC 6265bis section 5.4). */
static bool has_prefix(px_str name, const char *prefix)
{
    size_t len = strlen(prefix);

    return name.len >= len && field_name_is(px_str_make(name.ptr, len), prefix);
}

static bool cookie_accepted(const struct cookie *cookie)
{
    if (cookie->same_site == COOKIE_SAME_SITE_NONE && !cookie->secure)
        return false;
    if (has_prefix(cookie->name, "__Secure-"))
        return cookie->secure;
    if (has_prefix(cookie->name, "__Host-"))
        return cookie->secure && cookie->domain.len == 0 &&
               px_str_equal(cookie->path, px_str_make("/", 1));
    return true;
}

static bool cookie_valid(const struct cookie *cookie)
{
    if (!field_name_valid(cookie->name) || !value_valid(cookie->value))
        return false;
    if (!path_valid(cookie->path) || !domain_valid(cookie->domain))
        return false;
    if (cookie->has_max_age && cookie->max_age < 0)
        return false;
    if (cookie->has_expires &&
        (cookie->expires < DATE_SECONDS_MIN || cookie->expires > DATE_SECONDS_MAX))
        return false;
    return cookie_accepted(cookie);
}

static const char *same_site_text(enum cookie_same_site same_site)
{
    switch (same_site) {
    case COOKIE_SAME_SITE_UNSET:
        return "";
    case COOKIE_SAME_SITE_STRICT:
        return "; SameSite=Strict";
    case COOKIE_SAME_SITE_LAX:
        return "; SameSite=Lax";
    case COOKIE_SAME_SITE_NONE:
        return "; SameSite=None";
    }
    return "";
}

px_err cookie_build(const struct cookie *cookie, struct arena *arena, px_str *out_value)
{
    static const char fixed[] = "=; Path=; Domain=; Max-Age=18446744073709551615; "
                                "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; "
                                "SameSite=Strict";

    if (!cookie_valid(cookie))
        return PX_ERR_INVALID;
    if (cookie->name.len > COOKIE_BYTES_MAX ||
        cookie->value.len > COOKIE_BYTES_MAX - cookie->name.len ||
        cookie->path.len > COOKIE_ATTRIBUTE_BYTES_MAX ||
        cookie->domain.len > COOKIE_ATTRIBUTE_BYTES_MAX)
        return PX_ERR_LIMIT;

    size_t room = cookie->name.len + cookie->value.len + cookie->path.len + cookie->domain.len +
                  sizeof(fixed);
    char *text = arena_take_text(arena, room);
    char *at = text;

    if (!text)
        return PX_ERR_MEMORY;
    at = text_write_str(at, cookie->name);
    at = TEXT_WRITE_LITERAL(at, "=");
    at = text_write_str(at, cookie->value);
    if (cookie->path.len > 0)
        at = text_write_str(TEXT_WRITE_LITERAL(at, "; Path="), cookie->path);
    if (cookie->domain.len > 0)
        at = text_write_str(TEXT_WRITE_LITERAL(at, "; Domain="), cookie->domain);
    if (cookie->has_max_age)
        at = text_write_number(TEXT_WRITE_LITERAL(at, "; Max-Age="), (uint64_t)cookie->max_age);
    if (cookie->has_expires) {
        at = TEXT_WRITE_LITERAL(at, "; Expires=");
        date_format(cookie->expires, at);
        at += DATE_BYTES;
    }
    if (cookie->secure)
        at = TEXT_WRITE_LITERAL(at, "; Secure");
    if (cookie->http_only)
        at = TEXT_WRITE_LITERAL(at, "; HttpOnly");
    at = text_write_str(at, px_str_of(same_site_text(cookie->same_site)));
    CHECK((size_t)(at - text) < room);
    *at = '\0';
    *out_value = px_str_make(text, (size_t)(at - text));
    return PX_OK;
}
