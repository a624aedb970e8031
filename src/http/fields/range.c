/*
 * The Range field: one pass over the set, each element checked before it is used.
 */
#include "http/fields/range.h"

#include <stdbool.h>

#include "http/fields/field.h"

/* Takes digits off the front; false when there is none.  What does not fit is as good as infinite.
 */
static bool number_take(px_str *text, uint64_t *out_number)
{
    uint64_t number = 0;
    size_t at = 0;

    for (; at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(text->ptr[at] - '0');

        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    if (at == 0)
        return false;
    *text = px_str_make(text->ptr + at, text->len - at);
    *out_number = number;
    return true;
}

/* One element: false when it is malformed.  A length of 0 says that it cannot be satisfied. */
static bool spec_parse(px_str spec, uint64_t size, struct byte_range *out_range)
{
    uint64_t first, last = UINT64_MAX;
    bool suffix = spec.ptr[0] == '-';

    *out_range = (struct byte_range){0, 0};
    if (suffix) {
        spec = px_str_make(spec.ptr + 1, spec.len - 1);
        if (!number_take(&spec, &last) || spec.len > 0)
            return false;
        out_range->length = last < size ? last : size;
        out_range->first = size - out_range->length;
        return true;
    }
    if (!number_take(&spec, &first) || spec.len == 0 || spec.ptr[0] != '-')
        return false;
    spec = px_str_make(spec.ptr + 1, spec.len - 1);
    if (spec.len > 0 && (!number_take(&spec, &last) || spec.len > 0))
        return false;
    if (last < first)
        return false; /* RFC 9110 section 14.1.1: invalid */
    if (first >= size)
        return true;
    out_range->first = first;
    out_range->length = last < size ? last - first + 1 : size - first;
    return true;
}

enum range_result range_parse(px_str value, uint64_t size,
                              struct byte_range out_ranges[RANGE_COUNT_MAX], uint32_t *out_count)
{
    uint32_t seen = 0, count = 0;
    uint64_t sum = 0;
    bool suffix = false;
    px_str spec;

    /* RFC 9110 section 14.1: units have no case; what we do not know we ignore. */
    if (value.len < 6 || !field_text_equal(px_str_make(value.ptr, 6), px_str_make("bytes=", 6)))
        return RANGE_WHOLE;
    value = px_str_make(value.ptr + 6, value.len - 6);
    while (field_list_next(&value, &spec)) {
        struct byte_range range;

        if (seen++ == RANGE_COUNT_MAX || !spec_parse(spec, size, &range))
            return RANGE_WHOLE;
        suffix = suffix || (spec.ptr[0] == '-' && size == 0);
        if (range.length == 0)
            continue;
        sum +=
            range.length; /* at most RANGE_COUNT_MAX files: looked at each time, so no overflow */
        if (sum > size)
            return RANGE_WHOLE;
        out_ranges[count++] = range;
    }
    /* A suffix of empty content is all of it (section 14.1.2), which no Content-Range can say. */
    if (seen == 0 || (count == 0 && suffix))
        return RANGE_WHOLE;
    if (count == 0)
        return RANGE_UNSATISFIABLE;
    *out_count = count;
    return RANGE_PARTS;
}
