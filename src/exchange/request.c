/*
 * Reading a request: the public accessors.  What needs work (decoding, parsing a query) is done
 * when it is asked for, into the exchange's arena.
 */
#include <string.h>

#include "exchange/exchange_private.h"
#include "http/fields/basic.h"
#include "http/fields/cookie.h"
#include "http/fields/field.h"
#include "http/forms/query.h"
#include "http/message/uri.h"

static const px_str absent = {NULL, 0};

px_str px_request_method(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.request.method;
}

int px_request_method_is(const px_exchange *exchange, const char *name)
{
    exchange_used(exchange);
    return px_str_equal(exchange->arrival.request.method, px_str_of(name));
}

px_str px_request_target(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.request.target;
}

px_str px_request_path(px_exchange *exchange)
{
    px_str path;

    if (!exchange->arrival.path.ptr && exchange->arrival.request.raw_path.ptr &&
        uri_path_decode(&exchange->arena, exchange->arrival.request.raw_path, &path) == PX_OK)
        exchange->arrival.path = path;
    return exchange->arrival.path;
}

px_str px_request_raw_path(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.request.raw_path;
}

px_str px_request_query(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.request.query;
}

px_str px_request_authority(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.request.authority;
}

px_str px_request_scheme(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.scheme_https ? px_str_make("https", 5) : px_str_make("http", 4);
}

int px_request_is_https(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.https;
}

enum { FACT_BYTES_MAX = 4096 }; /* a subject: a few names; longer ones are left out */

/* What the connection knows, copied into the arena. */
static px_str secure_fact(px_exchange *exchange, enum exchange_fact fact)
{
    char text[FACT_BYTES_MAX];
    size_t len = 0;

    if (exchange->arrival.https && exchange->transport && exchange->transport->secure)
        len = exchange->transport->secure(exchange, fact, text, sizeof(text));
    char *copy = len > 0 ? arena_take_text(&exchange->arena, len + 1) : NULL;

    if (!copy)
        return absent;
    memcpy(copy, text, len + 1);
    return px_str_make(copy, len);
}

px_str px_request_server_name(px_exchange *exchange)
{
    exchange_used(exchange);
    return secure_fact(exchange, FACT_SERVER_NAME);
}

px_str px_request_client_subject(px_exchange *exchange)
{
    exchange_used(exchange);
    return secure_fact(exchange, FACT_CLIENT_SUBJECT);
}

px_str px_request_tls_version(px_exchange *exchange)
{
    exchange_used(exchange);
    return secure_fact(exchange, FACT_TLS_VERSION);
}

px_str px_request_tls_cipher(px_exchange *exchange)
{
    exchange_used(exchange);
    return secure_fact(exchange, FACT_TLS_CIPHER);
}

px_str px_request_client(px_exchange *exchange)
{
    px_str peer;

    if (exchange->arrival.client.ptr)
        return exchange->arrival.client;
    peer = px_exchange_peer(exchange);
    if (!peer.ptr || (peer.len >= 5 && memcmp(peer.ptr, "unix:", 5) == 0))
        return peer;
    /* "192.0.2.1:80", "[2001:db8::1]:80": without the port. */
    size_t end = peer.len;

    while (end > 0 && peer.ptr[end - 1] != ':')
        end--;
    bool brackets = end > 2 && peer.ptr[0] == '[';

    if (end > 0)
        exchange->arrival.client =
            arena_copy(&exchange->arena, px_str_make(peer.ptr + brackets, end - 1 - 2 * brackets));
    return exchange->arrival.client;
}

int px_request_client_is_known(const px_exchange *exchange)
{
    exchange_used(exchange);
    return !exchange->arrival.client_unknown;
}

unsigned px_request_version(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->arrival.version;
}

px_str px_request_field(const px_exchange *exchange, const char *name)
{
    exchange_used(exchange);
    return field_find_value(exchange->arrival.request.fields, exchange->arrival.request.field_count,
                            name);
}

const px_field *px_request_fields(const px_exchange *exchange, size_t *out_count)
{
    *out_count = exchange->arrival.request.field_count;
    return exchange->arrival.request.fields;
}

const px_field *px_request_trailers(px_exchange *exchange, size_t *out_count)
{
    *out_count = exchange->input.more ? exchange->input.more->trailer_count : 0;
    return exchange->input.more ? exchange->input.more->trailers : NULL;
}

px_str px_request_param(px_exchange *exchange, const char *name)
{
    px_str wanted = px_str_of(name), value;

    for (uint32_t index = 0; index < exchange->handling.param_count; index++) {
        if (px_str_equal(exchange->handling.param_names[index], wanted))
            return uri_decode(&exchange->arena, exchange->handling.param_values[index],
                              URI_SLASH_DECODE, &value) == PX_OK
                       ? value
                       : absent;
    }
    return absent;
}

px_str px_request_query_param(px_exchange *exchange, const char *name)
{
    px_str value;

    if (!exchange->arrival.request.query.ptr ||
        query_find(exchange->arrival.request.query, px_str_of(name), &exchange->arena, &value) !=
            PX_OK)
        return absent;
    return value;
}

const px_field *px_request_query_pairs(px_exchange *exchange, size_t *out_count)
{
    px_field *pairs = NULL;
    uint32_t count = 0;

    *out_count = 0;
    if (!exchange->arrival.request.query.ptr ||
        query_parse(exchange->arrival.request.query, &exchange->arena, &pairs, &count) != PX_OK)
        return NULL;
    *out_count = count;
    return count > 0 ? pairs : NULL;
}

int px_request_basic_auth(px_exchange *exchange, px_str *out_user, px_str *out_password)
{
    px_str value = px_request_field(exchange, "Authorization");
    struct basic_credentials credentials;
    char *text = value.ptr ? arena_take_text(&exchange->arena, value.len) : NULL;

    if (!text || !basic_read(value, text, value.len, &credentials))
        return 0;
    px_str user = arena_copy(&exchange->arena, credentials.user);
    px_str password = arena_copy(&exchange->arena, credentials.password);

    if (!user.ptr || !password.ptr)
        return 0;
    *out_user = user;
    *out_password = password;
    return 1;
}

const char *px_request_pattern(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->handling.pattern;
}

int px_request_is_aside(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->handling.is_aside ? 1 : 0;
}

px_str px_request_cookie(px_exchange *exchange, const char *name)
{
    px_str value = cookie_find_field(exchange->arrival.request.fields,
                                     exchange->arrival.request.field_count, px_str_of(name));

    /* A copy, so that it ends in NUL. */
    return value.ptr ? arena_copy(&exchange->arena, value) : absent;
}

uint64_t px_request_received(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->input.received;
}

uint64_t px_request_content_length(const px_exchange *exchange)
{
    /* What came with another path is not for this one. */
    return exchange->handling.detour == DETOUR_NONE ? exchange->input.length : 0;
}
