/*
 * CIDR blocks.  Both families are compared bit by bit in network order.
 */
#include "net/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"
#include "pollux/stream.h"

enum { V4_BITS = 32, V6_BITS = 128, V4_IN_V6_AT = 12 };

/* The bytes of an address, and how many bits it has; an IPv4 address in an IPv6 one is taken out.
 * False for what is neither. */
static bool address_bytes(const struct net_address *address, const uint8_t **out_bytes,
                          unsigned *out_bits)
{
    const struct in6_addr *v6 = &address->socket.v6.sin6_addr;

    if (address->socket.any.sa_family == AF_INET) {
        *out_bytes = (const uint8_t *)&address->socket.v4.sin_addr;
        *out_bits = V4_BITS;
        return true;
    }
    if (address->socket.any.sa_family != AF_INET6)
        return false;
    bool mapped = IN6_IS_ADDR_V4MAPPED(v6);

    *out_bytes = v6->s6_addr + (mapped ? V4_IN_V6_AT : 0);
    *out_bits = mapped ? V4_BITS : V6_BITS;
    return true;
}

/* Whether the first `bits` bits are the same. */
static bool bits_equal(const uint8_t *left, const uint8_t *right, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    ASSERT(bits <= V6_BITS);
    if (memcmp(left, right, bytes) != 0)
        return false;
    return rest == 0 || ((left[bytes] ^ right[bytes]) >> (8 - rest)) == 0;
}

/* Whether all bits behind the prefix are zero. */
static bool rest_is_zero(const uint8_t *bytes, unsigned bits, unsigned bits_all)
{
    CHECK(bits <= bits_all && bits_all <= V6_BITS);
    for (unsigned bit = bits; bit < bits_all; bit++) {
        if (bytes[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    }
    return true;
}

/* One to three digits, at most `max`. */
static bool prefix_parse(px_str text, unsigned max, unsigned *out_bits)
{
    uint64_t bits;

    if (text.len > 3 || !number_read(text, max, &bits))
        return false;
    *out_bits = (unsigned)bits;
    return true;
}

px_err cidr_parse(const char *text, struct cidr *out_cidr, px_error *out_error)
{
    const char *slash = strchr(text, '/');
    px_str host = px_str_make(text, slash ? (size_t)(slash - text) : strlen(text));
    struct net_address address;
    const uint8_t *bytes;
    unsigned bits_all, bits;

    if (strcmp(text, "unix:") == 0) {
        *out_cidr = (struct cidr){.family = AF_UNIX};
        return PX_OK;
    }
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = px_str_make(host.ptr + 1, host.len - 2);
    if (!address_numeric(host, 0, &address) || !address_bytes(&address, &bytes, &bits_all))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "'%s' is no address (write 192.0.2.0/24, 2001:db8::/32 or unix:)", text);
    bits = bits_all;
    if (slash && !prefix_parse(px_str_of(slash + 1), bits_all, &bits))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "'%s': the bits behind its / are from 0 to %u", text, bits_all);
    if (!rest_is_zero(bytes, bits, bits_all))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "'%s' has bits behind its prefix: write the network, or a longer prefix",
                         text);
    memset(out_cidr, 0, sizeof(*out_cidr));
    out_cidr->family = bits_all == V4_BITS ? AF_INET : AF_INET6;
    out_cidr->bits = (uint8_t)bits;
    memcpy(out_cidr->address, bytes, bits_all / 8);
    return PX_OK;
}

static bool cidr_has(const struct cidr *cidr, const struct net_address *address)
{
    const uint8_t *bytes;
    unsigned bits_all;

    if (!address_bytes(address, &bytes, &bits_all))
        return cidr->family == AF_UNIX && address->socket.any.sa_family == AF_UNIX;
    return cidr->family == (bits_all == V4_BITS ? AF_INET : AF_INET6) &&
           bits_equal(cidr->address, bytes, cidr->bits);
}

bool cidr_any_has(const struct cidr *cidrs, size_t count, const struct net_address *address)
{
    for (size_t index = 0; index < count; index++) {
        if (cidr_has(&cidrs[index], address))
            return true;
    }
    return false;
}

px_err px_address_block_check(const char *text, px_error *out_error)
{
    struct cidr cidr;
    px_err err = cidr_parse(text, &cidr, out_error);

    return err == PX_OK ? error_clear(out_error) : err;
}
