/*
 * Addresses: from text to sockaddr and back.
 *
 * Happy path: "127.0.0.1:8080" is parsed without asking a resolver.  Names are resolved with
 * getaddrinfo, which can block: listeners do it at start, dialling on a helper thread.
 */
#ifndef PX_NET_ADDRESS_H
#define PX_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "pollux/error.h"
#include "pollux/str.h"

enum { ADDRESS_COUNT_MAX = 16, ADDRESS_TEXT_BYTES = 128 };

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } socket;
    socklen_t bytes;
};

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_FD };

/* An address as written, taken apart; nothing is resolved. */
struct address_text {
    enum address_kind kind;
    px_str host; /* TCP: without brackets, empty for all; unix: the path; fd: number or name */
    uint16_t port;
};

/* "host:port", ":port", "[v6]:port", "unix:/path", "fd:NAME": PX_OK or PX_ERR_INVALID with a line
 * that says what is wrong. */
PX_MUST_CHECK px_err address_split(const char *text, struct address_text *out_split,
                                   px_error *out_error);

/* All sockaddrs of a TCP host (numeric, or a name, which may block) or unix path: at most
 * ADDRESS_COUNT_MAX.  An empty host is not accepted here. */
PX_MUST_CHECK px_err address_resolve(const struct address_text *split,
                                     struct net_address *out_addresses, size_t *out_count,
                                     px_error *out_error);

/* A numeric host without brackets, IPv4 or IPv6, in a strict form; false when it is none. */
bool address_numeric(px_str text, uint16_t port, struct net_address *out_address);

/* Whether address_resolve would have to ask a name server. */
bool address_is_name(const struct address_text *split);

/* "192.0.2.1:80", "[2001:db8::1]:80", "unix:/path"; the length written, without the NUL. */
size_t address_format(const struct net_address *address, char *out_text, size_t room);

/* The same without the port: "192.0.2.1", "2001:db8::1", "unix:". */
size_t address_format_host(const struct net_address *address, char *out_text, size_t room);

/* An address as accept gave it. */
void address_from_socket(struct net_address *address, const void *socket, uint32_t bytes);

#endif
