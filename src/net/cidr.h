/*
 * Sets of addresses, written as CIDR blocks: peers that are believed in what they say of others.
 *
 * Happy path: each text is parsed once at start, and an address is compared with every block; sets
 * are short.  An IPv4 address that comes in an IPv6 one (::ffff:192.0.2.1) is the IPv4 address.
 * What can go wrong is a text that names no block.
 */
#ifndef PX_NET_CIDR_H
#define PX_NET_CIDR_H

#include "net/address.h"

/* One block. */
struct cidr {
    uint8_t family; /* AF_INET, AF_INET6, or AF_UNIX for all peers of unix sockets */
    uint8_t bits;   /* of the address that count */
    uint8_t address[16];
};

/* "192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "[2001:db8::1]", "unix:": PX_OK or PX_ERR_INVALID
 * with a line that says what is wrong.  Bits behind the prefix are refused: a user that
 * writes 10.1.2.3/8 may have meant another prefix, and this is about trust. */
PX_MUST_CHECK px_err cidr_parse(const char *text, struct cidr *out_cidr, px_error *out_error);

/* Whether one of the blocks holds the address; ports do not matter. */
bool cidr_any_has(const struct cidr *cidrs, size_t count, const struct net_address *address);

#endif
