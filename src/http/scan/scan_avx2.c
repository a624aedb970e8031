/*
 * The scan table for x86-64 with AVX2: 32 bytes a step.  Compiled with -mavx2, this file alone.
 *
 * An ASCII class is looked up by nibbles: one table gives, for the low nibble, a bit for each high
 * nibble that makes a member; the other gives the bit of the high nibble, none from 0x80 up.
 * The tail is read as the last 32 bytes of the whole slice, so no byte outside it is touched.
 */
#include <immintrin.h>

#include "http/scan/scan.h"

enum { STEP_BYTES = 32 };

/* For the low nibble: which high nibbles are members, one bit each. */
static const uint8_t nibbles_token[16] = {0xe8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc,
                                          0xf8, 0xf8, 0xf4, 0x54, 0xd0, 0x54, 0xf4, 0x70};

/* For the high nibble: its bit.  Bytes from 0x80 have none. */
static const uint8_t nibbles_high[16] = {1, 2, 4, 8, 16, 32, 64, 128};

/* One bit for each of the 32 bytes that is outside the class. */
static inline uint32_t outside_nibbles(const char *at, const uint8_t nibbles[16])
{
    __m256i low_table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)nibbles));
    __m256i high_table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)nibbles_high));
    __m256i mask = _mm256_set1_epi8(0x0f);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
    __m256i low = _mm256_and_si256(bytes, mask);
    __m256i member = _mm256_and_si256(_mm256_shuffle_epi8(low_table, low),
                                      _mm256_shuffle_epi8(high_table, high));

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(member, _mm256_setzero_si256()));
}

/* CHAR_QUERY.  Signed comparison: bytes from 0x80 are negative, hence outside; so are 0x00-0x20 and
 * DEL. */
static inline __m256i inside_query(__m256i bytes)
{
    __m256i above = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(0x20));
    __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));
    __m256i hash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('#'));

    return _mm256_andnot_si256(_mm256_or_si256(del, hash), above);
}

static inline uint32_t outside_query(const char *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);

    return ~(uint32_t)_mm256_movemask_epi8(inside_query(bytes));
}

static inline uint32_t outside_path(const char *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i percent = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('%'));
    __m256i question = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('?'));
    __m256i inside = _mm256_andnot_si256(_mm256_or_si256(percent, question), inside_query(bytes));

    return ~(uint32_t)_mm256_movemask_epi8(inside);
}

/* 0x00-0x1f without HTAB, and DEL: bytes from 0x80 pass, so the comparison is unsigned. */
static inline uint32_t outside_value(const char *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i limit = _mm256_set1_epi8(0x1f);
    __m256i control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, limit), limit);
    __m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
    __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));

    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_andnot_si256(tab, control), del));
}

enum scan_kind { SCAN_PATH, SCAN_QUERY, SCAN_VALUE, SCAN_NIBBLES };

static inline uint32_t outside(const char *at, enum scan_kind kind, const uint8_t *nibbles)
{
    if (kind == SCAN_PATH)
        return outside_path(at);
    if (kind == SCAN_QUERY)
        return outside_query(at);
    if (kind == SCAN_VALUE)
        return outside_value(at);
    return outside_nibbles(at, nibbles);
}

static inline size_t scan_wide(const char *ptr, size_t from, size_t len, enum scan_kind kind,
                               const uint8_t *nibbles, uint8_t class)
{
    while (len - from >= STEP_BYTES) {
        uint32_t found = outside(ptr + from, kind, nibbles);

        if (found)
            return from + (size_t)__builtin_ctz(found);
        from += STEP_BYTES;
    }
    if (len >= STEP_BYTES && from < len) {
        size_t last = len - STEP_BYTES;
        uint32_t found = outside(ptr + last, kind, nibbles) >> (from - last);

        return found ? from + (size_t)__builtin_ctz(found) : len;
    }
    while (from < len && (char_class[(uint8_t)ptr[from]] & class))
        from++;
    return from;
}

static size_t scan_avx2_value(const char *ptr, size_t from, size_t len)
{
    return scan_wide(ptr, from, len, SCAN_VALUE, NULL, CHAR_VALUE);
}

static size_t scan_avx2_token(const char *ptr, size_t from, size_t len)
{
    return scan_wide(ptr, from, len, SCAN_NIBBLES, nibbles_token, CHAR_TOKEN);
}

static size_t scan_avx2_path(const char *ptr, size_t from, size_t len)
{
    return scan_wide(ptr, from, len, SCAN_PATH, NULL, CHAR_PATH);
}

static size_t scan_avx2_query(const char *ptr, size_t from, size_t len)
{
    return scan_wide(ptr, from, len, SCAN_QUERY, NULL, CHAR_QUERY);
}

const struct scan_table scan_avx2 = {
    .value = scan_avx2_value,
    .token = scan_avx2_token,
    .path = scan_avx2_path,
    .query = scan_avx2_query,
    .name = "avx2",
};
