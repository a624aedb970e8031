/*
 * Query strings.  Decoding never makes text longer, so a piece is decoded into room of its own
 * length without being measured first.
 */
#include "http/forms/query.h"

#include <string.h>

#include "base/limits.h"
#include "base/number.h"

char query_decode_one(px_str raw, size_t *at)
{
    char byte = raw.ptr[(*at)++];

    if (byte == '+')
        return ' ';
    if (byte == '%' && raw.len - *at >= 2) {
        int high = number_hex_digit(raw.ptr[*at]);
        int low = number_hex_digit(raw.ptr[*at + 1]);

        if (high >= 0 && low >= 0) {
            *at += 2;
            return (char)(high * 16 + low);
        }
    }
    return byte;
}

bool query_next(px_str *query, struct query_pair *out_pair)
{
    const char *at = query->ptr;
    const char *end = query->len > 0 ? at + query->len : at;

    while (at < end && *at == '&')
        at++;
    if (at == end) {
        *query = px_str_make(end, 0);
        return false;
    }

    const char *stop = memchr(at, '&', (size_t)(end - at));

    if (!stop)
        stop = end;

    const char *equals = memchr(at, '=', (size_t)(stop - at));

    if (equals) {
        out_pair->name = px_str_make(at, (size_t)(equals - at));
        out_pair->value = px_str_make(equals + 1, (size_t)(stop - equals - 1));
    } else {
        out_pair->name = px_str_make(at, (size_t)(stop - at));
        out_pair->value = px_str_make(NULL, 0);
    }
    *query = px_str_make(stop, (size_t)(end - stop));
    return true;
}

bool query_text_is(px_str raw, px_str text)
{
    size_t at = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (at == raw.len || query_decode_one(raw, &at) != text.ptr[i])
            return false;
    }
    return at == raw.len;
}

px_err query_decode(px_str raw, struct arena *arena, px_str *out_text)
{
    char *text = arena_take_text(arena, raw.len + 1);
    size_t len = 0;

    if (!text)
        return PX_ERR_MEMORY;
    for (size_t at = 0; at < raw.len;)
        text[len++] = query_decode_one(raw, &at);
    text[len] = '\0';
    *out_text = px_str_make(text, len);
    return PX_OK;
}

px_err query_find(px_str query, px_str name, struct arena *arena, px_str *out_value)
{
    struct query_pair pair;

    for (uint32_t count = 0; query_next(&query, &pair); count++) {
        if (count == QUERY_PAIRS_MAX)
            return PX_ERR_LIMIT;
        if (query_text_is(pair.name, name))
            return query_decode(pair.value, arena, out_value);
    }
    return PX_ERR_NOT_FOUND;
}

px_err query_parse(px_str query, struct arena *arena, px_field **out_pairs, uint32_t *out_count)
{
    struct query_pair pair;
    px_str rest = query;
    uint32_t count = 0;

    /* Counted first, so that the table is exactly as long as it must be. */
    while (query_next(&rest, &pair)) {
        if (count == QUERY_PAIRS_MAX)
            return PX_ERR_LIMIT;
        count++;
    }

    px_field *pairs = arena_take(arena, (count > 0 ? count : 1) * sizeof(*pairs));

    if (!pairs)
        return PX_ERR_MEMORY;
    for (uint32_t i = 0; i < count && query_next(&query, &pair); i++) {
        px_err err = query_decode(pair.name, arena, &pairs[i].name);

        if (err == PX_OK)
            err = query_decode(pair.value, arena, &pairs[i].value);
        if (err != PX_OK)
            return err;
    }
    *out_pairs = pairs;
    *out_count = count;
    return PX_OK;
}
