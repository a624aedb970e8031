/*
 * The bytes of healthcheck.  They can fail by a URL that is none, and by an answer that is not
 * HTTP.
 */
#include "main/health_wire.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "main/values.h"

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static bool request_write(struct health_target *target, px_str host, const char *path)
{
    int len = snprintf(target->request, sizeof(target->request),
                       "GET %s%s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: pollux-healthcheck\r\n"
                       "Connection: close\r\n\r\n",
                       *path == '/' ? "" : "/", path, (int)host.len, host.ptr);

    return len > 0 && (size_t)len < sizeof(target->request);
}

/* Where the port of an authority begins; NULL when it names none.  The colons of "[::1]" are not
 * it. */
static const char *port_of(px_str authority)
{
    for (size_t i = authority.len; i > 0 && authority.ptr[i - 1] != ']'; i--)
        if (authority.ptr[i - 1] == ':')
            return authority.ptr + i;
    return NULL;
}

/* The schemes, and the ports where they are spoken (RFC 9110 section 4.2). */
static const struct {
    const char *prefix;
    const char *port;
    bool is_secure;
} schemes[] = {{"http://", ":80", false}, {"https://", ":443", true}};

/* Of "[::1]:80": what is between the brackets. */
static void host_write(struct health_target *target, px_str authority, const char *port)
{
    px_str host = authority;

    if (port)
        host.len = (size_t)(port - 1 - authority.ptr);
    if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = px_str_make(host.ptr + 1, host.len - 2);
    snprintf(target->host, sizeof(target->host), "%.*s", (int)host.len, host.ptr);
}

bool health_target_parse(const char *url, struct health_target *out_target)
{
    char *address = out_target->address;
    size_t room = sizeof(out_target->address), scheme = 0;

    out_target->is_secure = false;
    out_target->host[0] = '\0';
    if (strlen(url) >= HEALTH_URL_BYTES_MAX - 8 || !is_visible(url))
        return false;
    if (strncmp(url, "unix:/", 6) == 0) {
        snprintf(address, room, "%s", url);
        return request_write(out_target, px_str_of("localhost"), "/");
    }
    while (scheme < ARRAY_COUNT(schemes) &&
           strncmp(url, schemes[scheme].prefix, strlen(schemes[scheme].prefix)) != 0)
        scheme++;
    if (scheme == ARRAY_COUNT(schemes) || strpbrk(url, "#@\\"))
        return false;

    px_str authority = px_str_of(url + strlen(schemes[scheme].prefix));
    authority.len = strcspn(authority.ptr, "/?");
    const char *port = port_of(authority);
    if (authority.len == 0 || authority.ptr[0] == ':')
        return false;
    if (port) {
        char digits[8];
        uint64_t number;
        size_t len = (size_t)(authority.ptr + authority.len - port);

        snprintf(digits, sizeof(digits), "%.*s", (int)len, port);
        if (len >= sizeof(digits) || !value_count(digits, 1, UINT16_MAX, &number))
            return false;
    }
    snprintf(address, room, "%.*s%s", (int)authority.len, authority.ptr,
             port ? "" : schemes[scheme].port);
    out_target->is_secure = schemes[scheme].is_secure;
    host_write(out_target, authority, port);
    return request_write(out_target, authority, authority.ptr + authority.len);
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ], here without its CRLF. */
static bool status_line_read(px_str line, unsigned *out_status)
{
    static const char version[] = "HTTP/1.";
    const char *at = line.ptr;

    if (line.len < 13 || memcmp(at, version, 7) != 0 || (at[7] != '0' && at[7] != '1'))
        return false;
    if (at[8] != ' ' || !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) || at[12] != ' ')
        return false;
    for (size_t i = 13; i < line.len; i++)
        if (((unsigned char)at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
            return false;
    *out_status =
        (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
    return *out_status >= 100 && *out_status <= 599;
}

/* What cannot become a status line is refused before its end has come. */
static bool is_beginning(px_str bytes)
{
    static const char version[] = "HTTP/1.";
    size_t len = bytes.len < sizeof(version) - 1 ? bytes.len : sizeof(version) - 1;

    return memcmp(bytes.ptr, version, len) == 0;
}

px_err health_read_status(px_str bytes, unsigned *out_status)
{
    unsigned status;

    for (;;) {
        const char *end = bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;

        if (!end)
            return bytes.len == 0 || is_beginning(bytes) ? PX_AGAIN : PX_ERR_MALFORMED;
        px_str line = px_str_make(bytes.ptr, (size_t)(end - bytes.ptr));
        if (line.len == 0 || line.ptr[--line.len] != '\r' || !status_line_read(line, &status))
            return PX_ERR_MALFORMED;
        if (status >= 200 || status == 101) {
            *out_status = status;
            return PX_OK;
        }
        const char *next = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
        if (!next)
            return PX_AGAIN;
        next += 4;
        bytes = px_str_make(next, bytes.len - (size_t)(next - bytes.ptr));
    }
}
