/*
 * Preconditions and entity tags: six field values, a line each.  Whatever the bytes, tags lie
 * inside of their list, a strong match is a weak one too, and fields that are not there decide
 * nothing.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "http/fields/conditional.h"
#include "http/fields/etag.h"
#include "http/fields/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fuzz_tags(px_str list, px_str ours)
{
    px_str rest = list, opaque;
    size_t left = rest.len + 1;
    bool weak;

    while (etag_list_next(&rest, &weak, &opaque)) {
        CHECK(opaque.len >= 2 && opaque.ptr[0] == '"' && opaque.ptr[opaque.len - 1] == '"');
        CHECK(opaque.ptr >= list.ptr && opaque.ptr + opaque.len <= list.ptr + list.len);
        CHECK(rest.len < left);
        left = rest.len;
        CHECK(etag_list_has(list, opaque, false));
    }
    CHECK(!etag_list_has(list, ours, true) || etag_list_has(list, ours, false));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {"If-Match",          "If-None-Match",
                                        "If-Modified-Since", "If-Unmodified-Since",
                                        "If-Range",          "Range"};
    const struct validators ours = {
        .etag = {"\"a\"", 3}, .modified = 784111777, .coded = len % 2 == 1};
    struct conditional conditional;
    px_field fields[12] = {{{NULL, 0}, {NULL, 0}}};
    uint32_t count = 0;
    px_str range;

    for (size_t at = 0; at < len && count < 12; count++) {
        const uint8_t *end = memchr(data + at, '\n', len - at);
        size_t bytes = end ? (size_t)(end - data) - at : len - at;

        fields[count].name = px_str_of(names[count % 6]);
        fields[count].value = field_trim(px_str_make((const char *)data + at, bytes));
        fuzz_tags(fields[count].value, ours.etag);
        at += bytes + 1;
    }
    conditional_init(&conditional, fields, count);
    enum conditional_result result = conditional_evaluate(&conditional, &ours, 1800000000);

    CHECK(count > 0 || result == CONDITIONAL_GO_ON);
    /* Without the first four nothing can fail. */
    if (count > 4) {
        conditional_init(&conditional, fields + 4, count > 6 ? 2 : count - 4);
        CHECK(conditional_evaluate(&conditional, &ours, 1800000000) == CONDITIONAL_GO_ON);
    }
    if (conditional_range(&conditional, &ours, 1800000000, &range))
        CHECK(conditional.seen & CONDITIONAL_RANGE);
    return 0;
}
