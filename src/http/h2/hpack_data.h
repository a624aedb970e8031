/*
 * The tables of RFC 7541: the static table with a perfect hash of its names, and the Huffman code,
 * once by byte and once as a machine that takes four bits at a time.
 */
#ifndef PX_HTTP_H2_HPACK_DATA_H
#define PX_HTTP_H2_HPACK_DATA_H

#include <stdint.h>

#include "pollux/str.h"

enum { HPACK_STATIC_COUNT = 61, HPACK_SYMBOL_COUNT = 257, HPACK_HASH_SLOTS = 128 };

struct hpack_pair {
    px_str name;
    px_str value;
};

/* Where a name is: slot (length * a + first * b + middle * c + last) has its first index, from 1,
 * or 0. */
struct hpack_hash {
    uint8_t length_factor;
    uint8_t first_factor;
    uint8_t middle_factor;
    uint8_t slots[HPACK_HASH_SLOTS];
};

struct hpack_code {
    uint32_t code;
    uint32_t bits;
};

enum hpack_step_flag {
    HPACK_EMIT = 1,   /* a byte is whole */
    HPACK_ACCEPT = 2, /* what is left may be padding */
    HPACK_FAIL = 4    /* EOS */
};

struct hpack_step {
    uint8_t next;
    uint8_t flags;
    uint8_t byte;
};

extern const struct hpack_pair hpack_static[HPACK_STATIC_COUNT];
extern const struct hpack_hash hpack_static_hash;
extern const struct hpack_code hpack_codes[HPACK_SYMBOL_COUNT];
extern const struct hpack_step hpack_steps[256][16];

#endif
