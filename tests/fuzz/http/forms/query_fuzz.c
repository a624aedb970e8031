/*
 * Query strings: every pair is found again by its decoded name, and decoded text that is encoded
 * anew byte by byte decodes to itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "http/forms/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_encoded_again(px_str text, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *encoded = malloc(3 * text.len + 1);
    px_str decoded;

    CHECK(encoded);
    for (size_t i = 0; i < text.len; i++) {
        encoded[3 * i] = '%';
        encoded[3 * i + 1] = digits[(unsigned char)text.ptr[i] >> 4];
        encoded[3 * i + 2] = digits[(unsigned char)text.ptr[i] & 15];
    }
    px_str raw = px_str_make(encoded, 3 * text.len);

    CHECK(query_text_is(raw, text));
    CHECK(query_decode(raw, arena, &decoded) == PX_OK);
    CHECK(px_str_equal(decoded, text));
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    px_str rest = input;
    struct query_pair pair;
    struct arena arena;
    char none;
    px_field *pairs = NULL;
    uint32_t count = 0;

    if (len > 4096)
        return 0;
    arena_init(&arena, &alloc_libc, &none, 0, 16 * 1024 * 1024);
    px_err err = query_parse(input, &arena, &pairs, &count);

    CHECK(err == PX_OK || err == PX_ERR_LIMIT);
    for (uint32_t i = 0; i < count; i++) {
        px_str value;

        CHECK(query_next(&rest, &pair));
        CHECK(query_text_is(pair.name, pairs[i].name));
        CHECK(query_text_is(pair.value, pairs[i].value));
        CHECK(pairs[i].value.ptr[pairs[i].value.len] == '\0');
        CHECK(memchr(pair.name.ptr, '&', pair.name.len) == NULL);
        if (i < 32) {
            uint32_t first = 0;

            while (!px_str_equal(pairs[first].name, pairs[i].name))
                first++;
            CHECK(query_find(input, pairs[i].name, &arena, &value) == PX_OK);
            CHECK(px_str_equal(value, pairs[first].value));
            check_encoded_again(pairs[i].value, &arena);
        }
    }
    if (err == PX_OK)
        CHECK(!query_next(&rest, &pair));
    else
        CHECK(len >= QUERY_PAIRS_MAX);
    arena_reset(&arena);
    return 0;
}
