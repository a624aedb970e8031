/*
 * Masking and ASCII in plain C: eight bytes at a time.
 */
#include <string.h>

#include "http/ws/ws_bytes.h"

static void plain_mask(char *out, const char *in, size_t len, const uint8_t key[WS_MASK_BYTES])
{
    uint8_t twice[8];
    uint64_t wide, bytes;
    size_t at = 0;

    for (size_t index = 0; index < sizeof(twice); index++)
        twice[index] = key[index % WS_MASK_BYTES];
    memcpy(&wide, twice, sizeof(wide));
    for (; len - at >= sizeof(bytes); at += sizeof(bytes)) {
        memcpy(&bytes, in + at, sizeof(bytes));
        bytes ^= wide;
        memcpy(out + at, &bytes, sizeof(bytes));
    }
    for (; at < len; at++)
        out[at] = (char)((uint8_t)in[at] ^ key[at % WS_MASK_BYTES]);
}

static size_t plain_ascii(const char *ptr, size_t from, size_t len)
{
    uint64_t bytes;

    while (len - from >= sizeof(bytes)) {
        memcpy(&bytes, ptr + from, sizeof(bytes));
        if (bytes & 0x8080808080808080U)
            break;
        from += sizeof(bytes);
    }
    while (from < len && !((uint8_t)ptr[from] & 0x80))
        from++;
    return from;
}

const struct ws_bytes ws_bytes_plain = {
    .mask = plain_mask,
    .ascii = plain_ascii,
    .name = "plain",
};
