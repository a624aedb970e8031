/*
 * Addresses.  Only the last colon divides host and port, and an IPv6 host stands in brackets, so
 * that "::1:80" is an error rather than a guess.  "*" is every address, as no host is: libc finds
 * the loopback under that name.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"
#include "base/text.h"

enum { HOST_BYTES_MAX = 255 }; /* RFC 1035 section 2.3.4 */

static bool port_parse(px_str text, uint16_t *out_port)
{
    uint64_t port;

    if (text.len > 5 || !number_read(text, UINT16_MAX, &port))
        return false;
    *out_port = (uint16_t)port;
    return true;
}

/* What stands in brackets is an address and no name.  libc reads the zone of one that has one. */
static bool bracket_holds(px_str host)
{
    struct net_address address;

    return memchr(host.ptr, ':', host.len) != NULL || address_numeric(host, 0, &address);
}

static px_err split_tcp(const char *text, struct address_text *out_split, px_error *out_error)
{
    const char *colon = strrchr(text, ':');
    bool bracketed;

    if (!colon)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "'%s' has no port (write host:port, or :port for every address)", text);
    px_str host = px_str_make(text, (size_t)(colon - text));

    if (!port_parse(px_str_of(colon + 1), &out_split->port))
        return error_set(out_error, PX_ERR_INVALID, 0, "'%s' has no port from 0 to 65535", text);
    bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = px_str_make(host.ptr + 1, host.len - 2);
    else if (memchr(host.ptr, ':', host.len))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "'%s': an IPv6 address stands in brackets ([::1]:8080)", text);
    if (host.len > HOST_BYTES_MAX || (bracketed && !bracket_holds(host)))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         bracketed ? "'%s' has no valid host: brackets hold an IPv6 address"
                                   : "'%s' has no valid host",
                         text);
    if (host.len == 1 && host.ptr[0] == '*')
        host.len = 0;
    out_split->kind = ADDRESS_TCP;
    out_split->host = host;
    return PX_OK;
}

px_err address_split(const char *text, struct address_text *out_split, px_error *out_error)
{
    struct sockaddr_un local;

    if (strncmp(text, "unix:", 5) == 0) {
        out_split->kind = ADDRESS_UNIX;
        out_split->host = px_str_of(text + 5);
        out_split->port = 0;
        if (out_split->host.len == 0 || out_split->host.len >= sizeof(local.sun_path))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "'%s': a socket's path has 1 to %zu bytes", text,
                             sizeof(local.sun_path) - 1);
        return PX_OK;
    }
    if (strncmp(text, "fd:", 3) == 0) {
        out_split->kind = ADDRESS_FD;
        out_split->host = px_str_of(text + 3);
        out_split->port = 0;
        if (out_split->host.len == 0)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "'%s' names no descriptor (write fd:NAME)", text);
        return PX_OK;
    }
    return split_tcp(text, out_split, out_error);
}

bool address_numeric(px_str text, uint16_t port, struct net_address *out_address)
{
    char host[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(host) || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(host, text.ptr, text.len);
    host[text.len] = '\0';
    memset(out_address, 0, sizeof(*out_address));
    if (inet_pton(AF_INET, host, &out_address->socket.v4.sin_addr) == 1) {
        out_address->socket.v4.sin_family = AF_INET;
        out_address->socket.v4.sin_port = htons(port);
        out_address->bytes = sizeof(out_address->socket.v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &out_address->socket.v6.sin6_addr) == 1) {
        out_address->socket.v6.sin6_family = AF_INET6;
        out_address->socket.v6.sin6_port = htons(port);
        out_address->bytes = sizeof(out_address->socket.v6);
        return true;
    }
    return false;
}

bool address_is_name(const struct address_text *split)
{
    struct net_address address;

    return split->kind == ADDRESS_TCP && !address_numeric(split->host, 0, &address);
}

static px_err resolve_name(const struct address_text *split, struct net_address *out_addresses,
                           size_t *out_count, px_error *out_error)
{
    char host[HOST_BYTES_MAX + 1], port[6];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t count = 0;

    CHECK(split->kind == ADDRESS_TCP && split->host.len <= HOST_BYTES_MAX);
    memcpy(host, split->host.ptr, split->host.len);
    host[split->host.len] = '\0';
    snprintf(port, sizeof(port), "%u", split->port);
    int failed = getaddrinfo(host, port, &hints, &found);

    /* RFC 6761 section 6.3: the loopback has this name also where no hosts file says so. */
    if (failed && strcasecmp(host, "localhost") == 0)
        failed = getaddrinfo("127.0.0.1", port, &hints, &found);
    if (failed)
        return error_set(out_error, PX_ERR_NOT_FOUND, 0, "cannot find the host '%s': %s", host,
                         gai_strerror(failed));
    for (struct addrinfo *each = found; each && count < ADDRESS_COUNT_MAX; each = each->ai_next) {
        if (each->ai_addrlen <= sizeof(out_addresses[0].socket)) {
            address_from_socket(&out_addresses[count], each->ai_addr, each->ai_addrlen);
            count++;
        }
    }
    freeaddrinfo(found);
    *out_count = count;
    return PX_OK;
}

px_err address_resolve(const struct address_text *split, struct net_address *out_addresses,
                       size_t *out_count, px_error *out_error)
{
    if (split->kind == ADDRESS_UNIX) {
        CHECK(split->host.len < sizeof(out_addresses->socket.local.sun_path));
        memset(out_addresses, 0, sizeof(*out_addresses));
        out_addresses->socket.local.sun_family = AF_UNIX;
        memcpy(out_addresses->socket.local.sun_path, split->host.ptr, split->host.len);
        out_addresses->bytes = sizeof(out_addresses->socket.local);
        *out_count = 1;
        return PX_OK;
    }
    if (split->kind != ADDRESS_TCP || split->host.len == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "the address has no host");
    if (address_numeric(split->host, split->port, out_addresses)) {
        *out_count = 1;
        return PX_OK;
    }
    return resolve_name(split, out_addresses, out_count, out_error);
}

void address_from_socket(struct net_address *address, const void *socket, uint32_t bytes)
{
    if (bytes > sizeof(address->socket))
        bytes = sizeof(address->socket);
    memset(address, 0, sizeof(*address));
    memcpy(&address->socket, socket, bytes);
    address->bytes = bytes;
}

/* "192.0.2.1": one is written for most requests, and libc's is ten times as long. */
static char *ipv4_write(char *out, const uint8_t bytes[4])
{
    for (size_t index = 0; index < 4; index++) {
        unsigned byte = bytes[index], tens = byte / 10;

        if (index > 0)
            *out++ = '.';
        if (byte >= 100)
            *out++ = (char)('0' + tens / 10);
        if (byte >= 10)
            *out++ = (char)('0' + tens % 10);
        *out++ = (char)('0' + byte % 10);
    }
    return out;
}

/* The host of an address of TCP: its length, 0 for an address that has none.  A peer of IPv4 on a
 * socket of both families is shown as what it is. */
static size_t host_format(const struct net_address *address, char out_host[INET6_ADDRSTRLEN],
                          bool *out_v6)
{
    const struct in6_addr *v6 = &address->socket.v6.sin6_addr;

    *out_v6 = false;
    switch (address->socket.any.sa_family) {
    case AF_INET:
        return (size_t)(ipv4_write(out_host, (const uint8_t *)&address->socket.v4.sin_addr) -
                        out_host);
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(v6))
            return (size_t)(ipv4_write(out_host, &v6->s6_addr[12]) - out_host);
        *out_v6 = true;
        return inet_ntop(AF_INET6, v6, out_host, INET6_ADDRSTRLEN) ? strlen(out_host) : 0;
    }
    return 0;
}

/* As much of it as there is room for, and a NUL. */
static size_t text_out(px_str text, char *out_text, size_t room)
{
    size_t len = text.len < room ? text.len : room - 1;

    CHECK(room > 0);
    *text_write_short(out_text, text.ptr, len) = '\0';
    return len;
}

static size_t format_unix(const struct net_address *address, char *out_text, size_t room)
{
    bool named = address->bytes > offsetof(struct sockaddr_un, sun_path);
    int len = snprintf(out_text, room, "unix:%.*s",
                       named ? (int)sizeof(address->socket.local.sun_path) : 0,
                       address->socket.local.sun_path);

    return len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1;
}

size_t address_format(const struct net_address *address, char *out_text, size_t room)
{
    char host[INET6_ADDRSTRLEN], whole[ADDRESS_TEXT_BYTES];
    struct text text;
    bool v6;
    size_t len = host_format(address, host, &v6);

    CHECK(room > 0);
    if (len == 0)
        return format_unix(address, out_text, room);
    unsigned port =
        ntohs(v6 || address->socket.any.sa_family == AF_INET6 ? address->socket.v6.sin6_port
                                                              : address->socket.v4.sin_port);

    text_init(&text, whole, sizeof(whole));
    text_put_words(&text, v6 ? "[" : "");
    text_put(&text, px_str_make(host, len));
    text_put_words(&text, v6 ? "]:" : ":");
    text_put_number(&text, port);
    CHECK(!text.cut);
    return text_out(text_str(&text), out_text, room);
}

size_t address_format_host(const struct net_address *address, char *out_text, size_t room)
{
    char host[INET6_ADDRSTRLEN];
    bool v6;
    size_t len = host_format(address, host, &v6);

    CHECK(room > 0);
    return len == 0 ? format_unix(address, out_text, room)
                    : text_out(px_str_make(host, len), out_text, room);
}
