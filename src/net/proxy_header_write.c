/*
 * Writing a PROXY header, as the side that connects.
 *
 * Happy path: two addresses of one family become a line (version 1) or a block (version 2).  What
 * is not two such addresses is said to be unknown, which no peer refuses.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "net/proxy_header.h"

enum {
    V2_VERSION = 0x20, /* section 2.2: the upper half of the byte behind the signature */
    V2_LOCAL = 0x00,
    V2_PROXY = 0x01,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V4_BYTES = 4,
    V6_BYTES = 16,
    PORT_BYTES = 2
};

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

static bool is_pair(const struct net_address *source, const struct net_address *destination,
                    int family)
{
    return source && destination && source->socket.any.sa_family == family &&
           destination->socket.any.sa_family == family;
}

static size_t write_line(const struct net_address *source, const struct net_address *destination,
                         char *out)
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    int len;

    if (is_pair(source, destination, AF_INET)) {
        const struct sockaddr_in *left = &source->socket.v4, *right = &destination->socket.v4;

        len = snprintf(out, PROXY_HEADER_WRITTEN_MAX, "PROXY TCP4 %s %s %u %u\r\n",
                       inet_ntop(AF_INET, &left->sin_addr, from, sizeof(from)),
                       inet_ntop(AF_INET, &right->sin_addr, to, sizeof(to)), ntohs(left->sin_port),
                       ntohs(right->sin_port));
    } else if (is_pair(source, destination, AF_INET6)) {
        const struct sockaddr_in6 *left = &source->socket.v6, *right = &destination->socket.v6;

        len = snprintf(out, PROXY_HEADER_WRITTEN_MAX, "PROXY TCP6 %s %s %u %u\r\n",
                       inet_ntop(AF_INET6, &left->sin6_addr, from, sizeof(from)),
                       inet_ntop(AF_INET6, &right->sin6_addr, to, sizeof(to)),
                       ntohs(left->sin6_port), ntohs(right->sin6_port));
    } else {
        len = snprintf(out, PROXY_HEADER_WRITTEN_MAX, "PROXY UNKNOWN\r\n");
    }
    CHECK(len > 0 && len < PROXY_HEADER_WRITTEN_MAX);
    return (size_t)len;
}

static char *put(char *at, const void *bytes, size_t count)
{
    memcpy(at, bytes, count);
    return at + count;
}

static size_t write_block(const struct net_address *source, const struct net_address *destination,
                          char *out)
{
    char *at = put(out, signature, sizeof(signature) - 1);
    bool is_v4 = is_pair(source, destination, AF_INET);
    bool is_v6 = is_pair(source, destination, AF_INET6);
    size_t bytes = is_v4 ? 2 * (V4_BYTES + PORT_BYTES) : is_v6 ? 2 * (V6_BYTES + PORT_BYTES) : 0;

    *at++ = (char)(V2_VERSION | (bytes > 0 ? V2_PROXY : V2_LOCAL));
    *at++ = is_v4 ? V2_TCP4 : is_v6 ? V2_TCP6 : 0;
    *at++ = 0;
    *at++ = (char)bytes;
    if (is_v4) {
        at = put(at, &source->socket.v4.sin_addr, V4_BYTES);
        at = put(at, &destination->socket.v4.sin_addr, V4_BYTES);
        at = put(at, &source->socket.v4.sin_port, PORT_BYTES);
        at = put(at, &destination->socket.v4.sin_port, PORT_BYTES);
    } else if (is_v6) {
        at = put(at, &source->socket.v6.sin6_addr, V6_BYTES);
        at = put(at, &destination->socket.v6.sin6_addr, V6_BYTES);
        at = put(at, &source->socket.v6.sin6_port, PORT_BYTES);
        at = put(at, &destination->socket.v6.sin6_port, PORT_BYTES);
    }
    CHECK(at <= out + PROXY_HEADER_WRITTEN_MAX);
    return (size_t)(at - out);
}

size_t proxy_header_write(unsigned version, const struct net_address *source,
                          const struct net_address *destination, char *out)
{
    CHECK(version == 1 || version == 2);
    return version == 1 ? write_line(source, destination, out)
                        : write_block(source, destination, out);
}
