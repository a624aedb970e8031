/*
 * Host and port.  See host.h for what is refused and why.
 */
#include "http/message/host.h"

#include "base/number.h"
#include "http/scan/scan.h"

enum {
    PORT_MAX = 65535,
    PORT_NONE = -1,
    PORT_BAD = -2,
    IPV6_GROUPS = 8,
    IPV6_DIGITS_MAX = 4,
    IPV4_PARTS = 4
};

/* Four decimal numbers up to 255 without leading zeros, to the end of the text. */
static bool ipv4_valid(const char *text, size_t len)
{
    size_t at = 0;

    for (int part = 0; part < IPV4_PARTS; part++) {
        unsigned value = 0;
        size_t from = at;

        if (part > 0 && (at == len || text[at++] != '.'))
            return false;
        from = at;
        while (at < len && at - from < 3 && (char_class[(uint8_t)text[at]] & CHAR_DIGIT))
            value = value * 10 + (unsigned)(text[at++] - '0');
        if (at == from || value > 255 || (at - from > 1 && text[from] == '0'))
            return false;
    }
    return at == len;
}

bool host_ipv6_valid(const char *text, size_t len)
{
    size_t at = 0;
    int groups = 0;
    bool shortened = false;

    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        shortened = true;
        at = 2;
    }
    while (at < len) {
        size_t from = at;

        while (at < len && (char_class[(uint8_t)text[at]] & CHAR_HEX))
            at++;
        if (at < len && text[at] == '.') {
            groups += 2;
            if (!ipv4_valid(text + from, len - from))
                return false;
            break;
        }
        if (at == from || at - from > IPV6_DIGITS_MAX)
            return false;
        groups++;
        if (at == len)
            break;
        if (text[at] != ':' || ++at == len)
            return false;
        if (text[at] == ':') {
            if (shortened)
                return false;
            shortened = true;
            at++;
        }
    }
    /* "::" stands for one group or more (RFC 5952 section 4.2.2 discourages one, 4291 allows it).
     */
    return shortened ? groups < IPV6_GROUPS : groups == IPV6_GROUPS;
}

/* The bytes of an IPv6 address with its brackets, or 0. */
static size_t literal_bytes(const char *text, size_t len)
{
    const char *close = memchr(text, ']', len);

    if (!close || !host_ipv6_valid(text + 1, (size_t)(close - text) - 1))
        return 0;
    return (size_t)(close - text) + 1;
}

/* The bytes of the host with its brackets, or 0 when there is no good one at the start. */
static inline size_t host_bytes(const char *text, size_t len)
{
    if (len > 0 && text[0] == '[')
        return literal_bytes(text, len);

    size_t bytes = scan_short(text, 0, len, CHAR_HOST);

    return bytes <= HOST_BYTES_MAX ? bytes : 0;
}

/* The port behind the colon: PORT_NONE when it is empty, PORT_BAD when it is no port. */
static int32_t port_of(const char *text, size_t len)
{
    uint64_t port;

    if (len == 0)
        return PORT_NONE;
    return number_read(px_str_make(text, len), PORT_MAX, &port) ? (int32_t)port : PORT_BAD;
}

bool host_valid(const char *text, size_t len)
{
    size_t at = host_bytes(text, len);

    if (at == len || at == 0)
        return at > 0;
    return text[at] == ':' && port_of(text + at + 1, len - at - 1) != PORT_BAD;
}

bool host_split(px_str text, struct host_parts *out_parts)
{
    size_t bytes = host_bytes(text.ptr, text.len);
    int32_t port = PORT_NONE;

    if (bytes == 0)
        return false;
    if (bytes < text.len) {
        port =
            text.ptr[bytes] == ':' ? port_of(text.ptr + bytes + 1, text.len - bytes - 1) : PORT_BAD;
        if (port == PORT_BAD)
            return false;
    }
    out_parts->ipv6 = text.ptr[0] == '[';
    out_parts->host =
        out_parts->ipv6 ? px_str_make(text.ptr + 1, bytes - 2) : px_str_make(text.ptr, bytes);
    out_parts->port = port;
    return true;
}

px_str host_name(px_str authority)
{
    if (authority.ptr[0] == '[') {
        const char *close = memchr(authority.ptr, ']', authority.len);

        return px_str_make(authority.ptr + 1,
                           close ? (size_t)(close - authority.ptr) - 1 : authority.len - 1);
    }
    const char *colon = memchr(authority.ptr, ':', authority.len);

    /* Two colons are an IPv6 address whose brackets are off already. */
    if (colon && !memchr(colon + 1, ':', (size_t)(authority.ptr + authority.len - colon - 1)))
        authority.len = (size_t)(colon - authority.ptr);
    if (authority.len > 1 && authority.ptr[authority.len - 1] == '.')
        authority.len--;
    return authority;
}
