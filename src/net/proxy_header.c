/*
 * The PROXY protocol.  Version 1 is a line of text, version 2 a signature, four bytes and a block
 * of addresses with type-length-values behind them.  The first byte tells them apart.
 */
#include "net/proxy_header.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/number.h"

enum {
    V1_BYTES_MAX = 107, /* section 2.1: the longest line, with CRLF */
    V2_SIGNATURE_BYTES = 12,
    V2_HEAD_BYTES = 16,
    V2_INET_BYTES = 12,  /* two addresses, two ports */
    V2_INET6_BYTES = 36, /* likewise */
    V2_UNIX_BYTES = 216,
    V2_UNIX_PATH_BYTES = 108,
    TLV_HEAD_BYTES = 3,
    TLV_CRC32C = 0x03, /* PP2_TYPE_CRC32C */
    TLV_SSL = 0x20,    /* PP2_TYPE_SSL */
    SSL_CLIENT = 0x01  /* PP2_CLIENT_SSL, in its first byte */
};

static const char v1_signature[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Whether `bytes` are, or begin, the signature. */
static bool begins_with(px_str bytes, const char *signature, size_t len)
{
    return memcmp(bytes.ptr, signature, bytes.len < len ? bytes.len : len) == 0;
}

/* --- Version 1 -------------------------------------------------------------------------------- */

/* Takes the next word off a line whose words are divided by one blank. */
static px_str word_take(px_str *line)
{
    const char *blank = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    px_str word = px_str_make(line->ptr, blank ? (size_t)(blank - line->ptr) : line->len);

    line->ptr += word.len + (blank ? 1 : 0);
    line->len -= word.len + (blank ? 1 : 0);
    return word;
}

/* Decimal, without leading zeros (section 2.1). */
static bool port_take(px_str *line, uint16_t *out_port)
{
    px_str word = word_take(line);
    uint64_t port;

    if ((word.len > 1 && word.ptr[0] == '0') || !number_read(word, UINT16_MAX, &port))
        return false;
    *out_port = (uint16_t)port;
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 1234 80" */
static px_err v1_addresses(px_str line, struct proxy_header *header)
{
    px_str family = word_take(&line);
    bool v6 = px_str_equal(family, px_str_make("TCP6", 4));
    px_str source = word_take(&line), destination = word_take(&line);
    uint16_t source_port, destination_port;

    if (!v6 && !px_str_equal(family, px_str_make("TCP4", 4)))
        return PX_ERR_MALFORMED;
    if (!port_take(&line, &source_port) || !port_take(&line, &destination_port) || line.len > 0 ||
        line.ptr[-1] == ' ')
        return PX_ERR_MALFORMED;
    if (!address_numeric(source, source_port, &header->source) ||
        !address_numeric(destination, destination_port, &header->destination))
        return PX_ERR_MALFORMED;
    sa_family_t wanted = v6 ? AF_INET6 : AF_INET;

    if (header->source.socket.any.sa_family != wanted ||
        header->destination.socket.any.sa_family != wanted)
        return PX_ERR_MALFORMED;
    header->has_peer = true;
    return PX_OK;
}

static px_err v1_parse(px_str bytes, struct proxy_header *header)
{
    static const size_t signature_bytes = sizeof(v1_signature) - 1;

    if (!begins_with(bytes, v1_signature, signature_bytes))
        return PX_ERR_MALFORMED;
    if (bytes.len <= signature_bytes)
        return PX_AGAIN;
    const char *end = memchr(bytes.ptr, '\r', bytes.len);
    size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;

    /* The longest line has its CR two bytes before the maximum. */
    if (len > V1_BYTES_MAX - 2 || memchr(bytes.ptr, '\n', len) || memchr(bytes.ptr, '\0', len))
        return PX_ERR_MALFORMED;
    if (len + 1 >= bytes.len)
        return PX_AGAIN;
    if (bytes.ptr[len + 1] != '\n')
        return PX_ERR_MALFORMED;
    px_str line = px_str_make(bytes.ptr + signature_bytes, len - signature_bytes);

    header->bytes = len + 2;
    /* What stands behind UNKNOWN is ignored (section 2.1). */
    if (line.len >= 7 && memcmp(line.ptr, "UNKNOWN", 7) == 0 &&
        (line.len == 7 || line.ptr[7] == ' '))
        return PX_OK;
    return v1_addresses(line, header);
}

/* --- Version 2 -------------------------------------------------------------------------------- */

static uint8_t byte_at(px_str bytes, size_t index)
{
    return (uint8_t)bytes.ptr[index];
}

static uint32_t number_at(px_str bytes, size_t index, unsigned count)
{
    uint32_t number = 0;

    for (unsigned each = 0; each < count; each++)
        number = number << 8 | byte_at(bytes, index + each);
    return number;
}

/* CRC-32C (RFC 3720 appendix B.4) of `bytes`, with the four at `zero_at` taken as zero. */
static uint32_t crc32c(px_str bytes, size_t zero_at)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = UINT32_MAX;

    for (size_t index = 0; index < bytes.len; index++) {
        bool zero = index >= zero_at && index < zero_at + 4;

        crc ^= zero ? 0 : byte_at(bytes, index);
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* What stands behind the addresses: all of it must be whole, little of it is of use here. */
static px_err v2_tlvs(px_str bytes, size_t at, struct proxy_header *header)
{
    while (at < bytes.len) {
        if (bytes.len - at < TLV_HEAD_BYTES)
            return PX_ERR_MALFORMED;
        uint8_t type = byte_at(bytes, at);
        uint32_t len = number_at(bytes, at + 1, 2);

        at += TLV_HEAD_BYTES;
        if (len > bytes.len - at)
            return PX_ERR_MALFORMED;
        if (type == TLV_CRC32C && (len != 4 || number_at(bytes, at, 4) != crc32c(bytes, at)))
            return PX_ERR_MALFORMED;
        if (type == TLV_SSL && len > 0)
            header->tls = byte_at(bytes, at) & SSL_CLIENT;
        at += len;
    }
    return PX_OK;
}

static void v2_inet(px_str block, struct proxy_header *header)
{
    struct net_address *source = &header->source, *destination = &header->destination;

    source->bytes = destination->bytes = sizeof(source->socket.v4);
    source->socket.v4.sin_family = destination->socket.v4.sin_family = AF_INET;
    memcpy(&source->socket.v4.sin_addr, block.ptr, 4);
    memcpy(&destination->socket.v4.sin_addr, block.ptr + 4, 4);
    memcpy(&source->socket.v4.sin_port, block.ptr + 8, 2);
    memcpy(&destination->socket.v4.sin_port, block.ptr + 10, 2);
}

static void v2_inet6(px_str block, struct proxy_header *header)
{
    struct net_address *source = &header->source, *destination = &header->destination;

    source->bytes = destination->bytes = sizeof(source->socket.v6);
    source->socket.v6.sin6_family = destination->socket.v6.sin6_family = AF_INET6;
    memcpy(&source->socket.v6.sin6_addr, block.ptr, 16);
    memcpy(&destination->socket.v6.sin6_addr, block.ptr + 16, 16);
    memcpy(&source->socket.v6.sin6_port, block.ptr + 32, 2);
    memcpy(&destination->socket.v6.sin6_port, block.ptr + 34, 2);
}

static void unix_address(const char *path, struct net_address *address)
{
    size_t room = sizeof(address->socket.local.sun_path) - 1;

    address->socket.local.sun_family = AF_UNIX;
    address->bytes = sizeof(address->socket.local);
    memcpy(address->socket.local.sun_path, path,
           V2_UNIX_PATH_BYTES < room ? V2_UNIX_PATH_BYTES : room);
}

/* The addresses of a proxied connection.  Families and protocols that are no stream's are skipped
 * (section 2.2: "the receiver should ignore"), numbers that are not assigned are refused. */
static px_err v2_addresses(px_str block, uint8_t family, struct proxy_header *header,
                           size_t *out_used)
{
    static const size_t sizes[] = {0, V2_INET_BYTES, V2_INET6_BYTES, V2_UNIX_BYTES};
    unsigned kind = family >> 4, protocol = family & 15;

    if (kind > 3 || protocol > 2 || block.len < sizes[kind])
        return PX_ERR_MALFORMED;
    *out_used = sizes[kind];
    CHECK(*out_used <= block.len);
    header->has_peer = kind > 0 && protocol == 1;
    if (!header->has_peer)
        return PX_OK;
    if (kind == 1) {
        v2_inet(block, header);
    } else if (kind == 2) {
        v2_inet6(block, header);
    } else {
        unix_address(block.ptr, &header->source);
        unix_address(block.ptr + V2_UNIX_PATH_BYTES, &header->destination);
    }
    return PX_OK;
}

static px_err v2_parse(px_str bytes, struct proxy_header *header)
{
    if (!begins_with(bytes, v2_signature, V2_SIGNATURE_BYTES))
        return PX_ERR_MALFORMED;
    if (bytes.len > V2_SIGNATURE_BYTES) {
        uint8_t command = byte_at(bytes, V2_SIGNATURE_BYTES);

        if (command != 0x20 && command != 0x21)
            return PX_ERR_MALFORMED;
    }
    if (bytes.len < V2_HEAD_BYTES)
        return PX_AGAIN;
    size_t len = number_at(bytes, V2_HEAD_BYTES - 2, 2), used = 0;

    if (V2_HEAD_BYTES + len > PROXY_HEADER_BYTES_MAX)
        return PX_ERR_LIMIT;
    if (bytes.len < V2_HEAD_BYTES + len)
        return PX_AGAIN;
    header->bytes = V2_HEAD_BYTES + len;
    /* LOCAL: the proxy speaks for itself, and the block is discarded whatever it holds. */
    if (byte_at(bytes, V2_SIGNATURE_BYTES) == 0x20)
        return PX_OK;
    px_err err = v2_addresses(px_str_make(bytes.ptr + V2_HEAD_BYTES, len),
                              byte_at(bytes, V2_SIGNATURE_BYTES + 1), header, &used);

    return err != PX_OK
               ? err
               : v2_tlvs(px_str_make(bytes.ptr, header->bytes), V2_HEAD_BYTES + used, header);
}

px_err proxy_header_parse(px_str bytes, struct proxy_header *out_header)
{
    struct proxy_header header;

    if (bytes.len == 0)
        return PX_AGAIN;
    memset(&header, 0, sizeof(header));
    px_err err =
        bytes.ptr[0] == v2_signature[0] ? v2_parse(bytes, &header) : v1_parse(bytes, &header);

    CHECK(err != PX_OK || header.bytes <= bytes.len);
    if (err == PX_OK)
        *out_header = header;
    return err;
}
