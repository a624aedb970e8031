/*
 * A request's head as nghttp2 takes it.
 */
#include "http/h2/h2_ask.h"

#include "base/check.h"

static nghttp2_nv nv_of(px_str name, px_str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE};
}

/* RFC 9113 section 8.3.1; CONNECT has an authority alone (section 8.5). */
static size_t pseudo_put(nghttp2_nv *out, const struct h1_request_head *head, const char *scheme)
{
    size_t count = 0;

    out[count++] = nv_of(px_str_of(":method"), head->method);
    out[count++] = nv_of(px_str_of(":authority"), head->host);
    if (head->form == H1_TARGET_AUTHORITY)
        return count;
    out[count++] = nv_of(px_str_of(":scheme"), px_str_of(scheme));
    out[count++] = nv_of(px_str_of(":path"), head->target);
    return count;
}

size_t h2_ask_fields(nghttp2_nv *out, const px_field *fields, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++)
        out[index] = nv_of(fields[index].name, fields[index].value);
    return count;
}

size_t h2_ask_head(nghttp2_nv *out, const struct h1_request_head *head, const char *scheme,
                   char number[TEXT_NUMBER_BYTES])
{
    size_t count = pseudo_put(out, head, scheme);

    count += h2_ask_fields(out + count, head->fields, head->field_count);
    if (head->trailers)
        out[count++] = nv_of(px_str_of("te"), px_str_of("trailers"));
    if (head->framing == H1_FRAMING_LENGTH)
        out[count++] =
            nv_of(px_str_of("content-length"),
                  px_str_make(number, (size_t)(text_write_number(number, head->length) - number)));
    CHECK(count <= head->field_count + H2_ASK_FIELDS_ADDED);
    return count;
}

size_t h2_ask_bytes(const px_field *fields, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t index = 0; index < count; index++)
        bytes += 2 * (fields[index].name.len + fields[index].value.len + sizeof(nghttp2_nv));
    return bytes;
}
