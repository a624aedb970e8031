/*
 * The inner loops of WebSocket: masking (RFC 6455 section 5.3) and finding what is not ASCII.
 *
 * The table is chosen once, when an endpoint is made (ws_bytes_best), and held by it: plain C
 * everywhere, wider instructions where the CPU has them.  All tables give the same result for the
 * same bytes; the unit tests compare them.  None reads or writes outside of what it is given.
 */
#ifndef PX_HTTP_WS_BYTES_H
#define PX_HTTP_WS_BYTES_H

#include <stddef.h>
#include <stdint.h>

enum { WS_MASK_BYTES = 4 };

struct ws_bytes {
    /* Writes each byte of `in` XORed with the key, which begins with the first; `out` may be `in`.
     */
    void (*mask)(char *out, const char *in, size_t len, const uint8_t key[WS_MASK_BYTES]);
    /* The index of the first byte at or after `from` that is not ASCII, or `len`. */
    size_t (*ascii)(const char *ptr, size_t from, size_t len);
    const char *name; /* "plain", "avx2" */
};

extern const struct ws_bytes ws_bytes_plain;

/* The fastest table this CPU can run; never NULL. */
const struct ws_bytes *ws_bytes_best(void);

/* Every table this CPU can run, for the tests: fills at most `room` and returns how many. */
size_t ws_bytes_tables(const struct ws_bytes **out_tables, size_t room);

/* The key as it goes on behind `len` bytes. */
static inline void ws_mask_rotate(uint8_t key[WS_MASK_BYTES], size_t len)
{
    uint8_t old[WS_MASK_BYTES] = {key[0], key[1], key[2], key[3]};

    for (size_t index = 0; index < WS_MASK_BYTES; index++)
        key[index] = old[(index + len) % WS_MASK_BYTES];
}

#endif
