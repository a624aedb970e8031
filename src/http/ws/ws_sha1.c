/*
 * SHA-1 of what fits two blocks, as RFC 3174 section 6.1 writes it down.
 */
#include "http/ws/ws_sha1.h"

#include "base/check.h"

enum { BLOCK_BYTES = 64, WORDS = 80, LENGTH_BYTES = 8 };

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* The function and the constant of a round (sections 5.b and 5.c). */
static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    if (round < 20)
        return ((b & c) | (~b & d)) + 0x5a827999U;
    if (round < 40)
        return (b ^ c ^ d) + 0x6ed9eba1U;
    if (round < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
    return (b ^ c ^ d) + 0xca62c1d6U;
}

static void block_take(uint32_t hash[5], const uint8_t *block)
{
    uint32_t words[WORDS];
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

    for (unsigned index = 0; index < 16; index++)
        words[index] = (uint32_t)block[index * 4] << 24 | (uint32_t)block[index * 4 + 1] << 16 |
                       (uint32_t)block[index * 4 + 2] << 8 | block[index * 4 + 3];
    for (unsigned index = 16; index < WORDS; index++)
        words[index] =
            rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1);
    for (unsigned round = 0; round < WORDS; round++) {
        uint32_t next = rotate(a, 5) + mix(round, b, c, d) + e + words[round];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void ws_sha1(px_str input, uint8_t out[SHA1_BYTES])
{
    uint32_t hash[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
    uint8_t blocks[2 * BLOCK_BYTES] = {0};
    size_t bytes = input.len + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;

    CHECK(input.len <= SHA1_INPUT_BYTES_MAX);
    if (input.len > 0)
        memcpy(blocks, input.ptr, input.len);
    blocks[input.len] = 0x80;
    /* The length in bits, which has ten of them at most. */
    blocks[bytes - 2] = (uint8_t)(input.len * 8 >> 8);
    blocks[bytes - 1] = (uint8_t)(input.len * 8);
    for (size_t at = 0; at < bytes; at += BLOCK_BYTES)
        block_take(hash, blocks + at);
    for (unsigned index = 0; index < SHA1_BYTES; index++)
        out[index] = (uint8_t)(hash[index / 4] >> 8 * (3 - index % 4));
}
