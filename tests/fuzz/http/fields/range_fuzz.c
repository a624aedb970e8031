/*
 * Range fields: whatever the bytes, what comes back lies inside of the content, is no more than it,
 * and says the same when it is written out and read again.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "http/fields/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct byte_range ranges[RANGE_COUNT_MAX], again[RANGE_COUNT_MAX];
    char text[RANGE_COUNT_MAX * 48];
    uint64_t size = 0, sum = 0;
    uint32_t count = 0, count_again = 0;

    if (len < 8)
        return 0;
    /* The first bytes are the content's size; a file's has 63 bits. */
    memcpy(&size, data, 8);
    size >>= 1 + (data[0] & 63) % 63;
    px_str value = px_str_make((const char *)data + 8, len - 8);

    if (range_parse(value, size, ranges, &count) != RANGE_PARTS)
        return 0;
    CHECK(count >= 1 && count <= RANGE_COUNT_MAX);
    size_t at = (size_t)snprintf(text, sizeof(text), "bytes=");

    for (uint32_t index = 0; index < count; index++) {
        const struct byte_range *range = &ranges[index];

        CHECK(range->length >= 1 && range->first < size && range->length <= size - range->first);
        sum += range->length;
        CHECK(sum <= size);
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, "%s%" PRIu64 "-%" PRIu64,
                             index > 0 ? "," : "", range->first, range->first + range->length - 1);
    }
    CHECK(range_parse(px_str_make(text, at), size, again, &count_again) == RANGE_PARTS);
    CHECK(count_again == count && memcmp(ranges, again, count * sizeof(*ranges)) == 0);
    return 0;
}
