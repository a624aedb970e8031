/*
 * The authority of a target and the Host field: host and port (RFC 3986 section 3.2).
 *
 * Happy path: one pass over a reg-name or IPv4 address, then the port.  Stricter than the grammar
 * where servers disagree: no userinfo, no percent-encoding, no comma, no empty host, no IPvFuture,
 * no zone.  It can fail by saying no.
 */
#ifndef PX_HTTP_HOST_H
#define PX_HTTP_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

/* What a DNS name can have; longer is refused. */
enum { HOST_BYTES_MAX = 255 };

struct host_parts {
    px_str host;  /* borrowed from the text; an IPv6 address without its brackets */
    int32_t port; /* -1 when there is none, or an empty one */
    bool ipv6;
};

/* Whether `text` is a host with an optional port. */
bool host_valid(const char *text, size_t len);

/* The same, taken apart.  False, and nothing written, when it is not one. */
bool host_split(px_str text, struct host_parts *out_parts);

/* The host's name alone, of a valid authority: without its port (RFC 3986 section 3.2.3), brackets,
 * and the dot at its end, which makes a name absolute but no other one (RFC 1034 section 3.1). */
px_str host_name(px_str authority);

/* Whether `text` is an IPv6 address as it stands between brackets (RFC 4291 section 2.2). */
bool host_ipv6_valid(const char *text, size_t len);

#endif
