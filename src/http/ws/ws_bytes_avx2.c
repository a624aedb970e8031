/*
 * Masking and ASCII with AVX2: 32 bytes a step.  Compiled with -mavx2, this file alone.
 *
 * What is left behind the last whole step is for plain C: 32 is a multiple of the key's length, so
 * the key begins anew there.
 */
#include <immintrin.h>
#include <string.h>

#include "http/ws/ws_bytes_avx2.h"

enum { STEP_BYTES = 32 };

static void avx2_mask(char *out, const char *in, size_t len, const uint8_t key[WS_MASK_BYTES])
{
    int32_t word;
    size_t at = 0;

    memcpy(&word, key, sizeof(word));
    __m256i wide = _mm256_set1_epi32(word);

    for (; len - at >= STEP_BYTES; at += STEP_BYTES) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(in + at));

        _mm256_storeu_si256((__m256i *)(void *)(out + at), _mm256_xor_si256(bytes, wide));
    }
    ws_bytes_plain.mask(out + at, in + at, len - at, key);
}

static size_t avx2_ascii(const char *ptr, size_t from, size_t len)
{
    for (; len - from >= STEP_BYTES; from += STEP_BYTES) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(ptr + from));
        uint32_t high = (uint32_t)_mm256_movemask_epi8(bytes);

        if (high)
            return from + (size_t)__builtin_ctz(high);
    }
    return ws_bytes_plain.ascii(ptr, from, len);
}

const struct ws_bytes ws_bytes_avx2 = {
    .mask = avx2_mask,
    .ascii = avx2_ascii,
    .name = "avx2",
};
