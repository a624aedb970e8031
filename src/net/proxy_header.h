/*
 * The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt, 2020-03-05): what a proxy
 * says in front of a connection's bytes about the client behind it.
 *
 * A pure function over the bytes so far.  Happy path: a TCP proxy's first segment holds the whole
 * header.  What can go wrong: bytes that are no such header, one that is too long, a checksum that
 * does not fit; a server that trusts the peer has to close then, since the specification forbids to
 * guess.
 */
#ifndef PX_NET_PROXY_HEADER_H
#define PX_NET_PROXY_HEADER_H

#include "net/address.h"

/* What was said. */
struct proxy_header {
    size_t bytes;  /* of the header: the connection's own bytes begin behind it */
    bool has_peer; /* else LOCAL, UNKNOWN, or an address that is no stream's: the peer stays what it
                    * is
                    */
    bool tls;      /* the client spoke TLS with the proxy (PP2_TYPE_SSL) */
    struct net_address source;
    struct net_address destination;
};

/* PX_OK, PX_AGAIN when it is not whole yet, PX_ERR_MALFORMED, or PX_ERR_LIMIT above
 * PROXY_HEADER_BYTES_MAX.  `bytes` always begins with the first byte of the connection. */
PX_MUST_CHECK px_err proxy_header_parse(px_str bytes, struct proxy_header *out_header);

enum { PROXY_HEADER_WRITTEN_MAX = 108 }; /* section 2.1: the longest line, and a NUL */

/* Writes one of version 1 or 2 to `out`, which has PROXY_HEADER_WRITTEN_MAX bytes: how many.  NULL,
 * or addresses that are not both of IPv4 or both of IPv6: that the client is not known. */
size_t proxy_header_write(unsigned version, const struct net_address *source,
                          const struct net_address *destination, char *out);

#endif
