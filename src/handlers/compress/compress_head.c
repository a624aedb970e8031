/*
 * Which answers are coded, and what their heads say.
 *
 * An answer is looked at before the client is: what could be coded says Vary whether it is or not,
 * for a cache must know.  Nothing here takes memory but from the exchange.
 */
#include <string.h>

#include "base/check.h"
#include "handlers/compress/compress.h"
#include "http/fields/field.h"
#include "http/fields/media_type.h"

enum {
    ETAG_BYTES_MAX = 256
}; /* of an ETag to be given a suffix: longer ones keep the answer plain */

/* Whether a field of the answer speaks against coding it. */
static bool field_forbids(const px_field *field)
{
    px_str name = field->name;

    if (field_name_is(name, "content-encoding") || field_name_is(name, "content-range"))
        return true;
    /* RFC 9530: digests are of the coded content, and those of this one were computed before. */
    if (field_name_is(name, "content-digest") || field_name_is(name, "repr-digest") ||
        field_name_is(name, "digest"))
        return true;
    /* RFC 9111 section 5.2.2.6. */
    return field_name_is(name, "cache-control") && field_list_has(field->value, "no-transform");
}

bool compress_is_fetch(const px_exchange *exchange)
{
    return px_request_method_is(exchange, "GET") || px_request_method_is(exchange, "HEAD");
}

bool compress_is_fit(const struct px_compress *compress, const px_exchange *exchange)
{
    unsigned status = px_response_status(exchange);
    px_source source = px_response_source(exchange);
    size_t count;
    const px_field *fields = px_response_fields(exchange, &count);

    /* RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5; and a range is of the content as it is. */
    if (status == 204 || status == 205 || status == 206 || status == 304 ||
        source == PX_SOURCE_NONE || source == PX_SOURCE_TUNNEL)
        return false;
    if (px_response_length(exchange) < compress->bytes_min)
        return false;
    if (!media_type_compressible(px_response_field(exchange, "Content-Type")))
        return false;
    for (size_t index = 0; index < count; index++) {
        if (field_forbids(&fields[index]))
            return false;
    }
    return px_response_field(exchange, "ETag").len <= ETAG_BYTES_MAX;
}

void compress_vary(px_exchange *exchange)
{
    size_t count;
    const px_field *fields = px_response_fields(exchange, &count);

    for (size_t index = 0; index < count; index++) {
        const px_field *field = &fields[index];

        if (field_name_is(field->name, "vary") &&
            (field_list_has(field->value, "accept-encoding") || field_list_has(field->value, "*")))
            return;
    }
    px_response_add_field(exchange, px_str_of("Vary"), px_str_of("Accept-Encoding"));
}

/* A strong ETag; absent when there is none. */
static px_str strong_etag(const px_exchange *exchange)
{
    px_str etag = px_response_field(exchange, "ETag");

    return etag.len >= 2 && etag.ptr[0] == '"' ? etag : px_str_make(NULL, 0);
}

px_str compress_etag(px_exchange *exchange, enum coding coding)
{
    px_str plain = strong_etag(exchange);
    px_str name = coding_name(coding);
    size_t len = plain.len + 1 + name.len;
    char *text;

    CHECK(coding < CODING_COUNT);
    /* A weak one says that the two mean the same, and they do (RFC 9110 section 8.8.1). */
    if (!plain.ptr || !(text = px_exchange_alloc(exchange, len)))
        return px_str_make(NULL, 0);
    memcpy(text, plain.ptr, plain.len - 1);
    text[plain.len - 1] = '-';
    memcpy(text + plain.len, name.ptr, name.len);
    text[len - 1] = '"';
    return px_str_make(text, len);
}

/* Whether one of the tags in a list is `etag`, by the weak comparison (RFC 9110 section 8.8.3.2).
 */
static bool tags_have(px_str list, px_str etag)
{
    px_str tag;

    while (field_list_next(&list, &tag)) {
        if (tag.len > 2 && tag.ptr[0] == 'W' && tag.ptr[1] == '/')
            tag = px_str_make(tag.ptr + 2, tag.len - 2);
        if (px_str_equal(tag, etag))
            return true;
    }
    return false;
}

bool compress_is_known(const px_exchange *exchange, px_str etag)
{
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    if (!etag.ptr || px_response_status(exchange) != 200 || !compress_is_fetch(exchange))
        return false;
    for (size_t index = 0; index < count; index++) {
        if (field_name_is(fields[index].name, "if-none-match") &&
            tags_have(fields[index].value, etag))
            return true;
    }
    return false;
}

void compress_set_head(px_exchange *exchange, enum coding coding, px_str etag)
{
    px_response_set_field(exchange, px_str_of("Content-Encoding"), coding_name(coding));
    /* Ranges would be of the coded content, which is not kept. */
    px_response_set_field(exchange, px_str_of("Accept-Ranges"), px_str_make(NULL, 0));
    if (etag.ptr)
        px_response_set_field(exchange, px_str_of("ETag"), etag);
}

void compress_set_known(px_exchange *exchange, px_str etag)
{
    CHECK(etag.len > 0);
    px_response_set_status(exchange, 304);
    px_response_set_field(exchange, px_str_of("ETag"), etag);
    px_response_set_field(exchange, px_str_of("Content-Type"), px_str_make(NULL, 0));
    px_response_set_field(exchange, px_str_of("Accept-Ranges"), px_str_make(NULL, 0));
}
