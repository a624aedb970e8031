/*
 * Comparing addresses as text.  Whether one can be opened is for the library to say.
 */
#include "main/listen/address.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "main/flags/values.h"

enum { PORT_MAX = 65535 };

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char https[] = "https://";

bool address_is_secure(const char *address)
{
    return has_prefix(address, https);
}

const char *address_bare(const char *address)
{
    if (address_is_secure(address))
        address += sizeof(https) - 1;
    return has_prefix(address, "*:") ? address + 1 : address;
}

bool address_has_scheme(const char *address)
{
    return strstr(address, "://") != NULL && !has_prefix(address, "unix:");
}

long address_port(const char *address)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;

    if (has_prefix(address, "unix:") || has_prefix(address, "fd:"))
        return -1;
    if (!colon || !value_count(colon + 1, 0, PORT_MAX, &port))
        return -1;
    return (long)port;
}

bool address_is_same(const char *left, const char *right)
{
    left = address_bare(left);
    right = address_bare(right);
    long port = address_port(left);

    if (port < 0)
        return strcmp(left, right) == 0;
    if (port == 0 || port != address_port(right))
        return false;
    ptrdiff_t host_len = strrchr(left, ':') - left;
    return host_len == strrchr(right, ':') - right &&
           strncasecmp(left, right, (size_t)host_len) == 0;
}

/* Which addresses a host stands for, as far as its text tells. */
enum host_kind { HOST_ALL, HOST_ALL_V4, HOST_ALL_V6, HOST_V4, HOST_V6, HOST_NAME };

static enum host_kind host_kind(const char *address)
{
    const char *colon = strrchr(address, ':');

    CHECK(colon); /* it has a port */
    size_t len = (size_t)(colon - address);

    if (len == 0)
        return HOST_ALL;
    if (*address == '[')
        return len == 4 && strncmp(address, "[::]", 4) == 0 ? HOST_ALL_V6 : HOST_V6;
    if (strspn(address, "0123456789.") < len)
        return HOST_NAME;
    return len == 7 && strncmp(address, "0.0.0.0", 7) == 0 ? HOST_ALL_V4 : HOST_V4;
}

static bool host_covers(enum host_kind left, enum host_kind right)
{
    switch (left) {
    case HOST_ALL:
        return true;
    case HOST_ALL_V4:
        return right == HOST_V4;
    case HOST_ALL_V6:
        return right == HOST_V6;
    case HOST_V4:
    case HOST_V6:
    case HOST_NAME:
        return false;
    }
    return false;
}

bool address_covers(const char *left, const char *right)
{
    left = address_bare(left);
    right = address_bare(right);
    long port = address_port(left);

    return port > 0 && port == address_port(right) &&
           host_covers(host_kind(left), host_kind(right));
}
