/*
 * What a caller asks for: read, checked and copied.
 *
 * Happy path: the URL is taken apart, what stands beside it takes the place of its parts, and all
 * that the caller may take away is copied into the fetch's arena.  It can fail by what cannot be
 * asked for (a line says why) and for want of memory.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "client/client.h"
#include "http/fields/field.h"
#include "http/message/method.h"
#include "http/message/trailer.h"
#include "http/message/uri.h"

enum {
    PORT_BYTES = 8, /* "[" ... "]:65535" less the host */
    TRAILERS_FIRST = 4,
};

/* --- The URL ---------------------------------------------------------------------------------- */

struct where {
    struct uri_parts uri;
    px_str address; /* in the arena, or absent: host and port of the URL */
    bool http2;
};

static bool has_prefix(px_str text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && field_name_is(px_str_make(text.ptr, len), prefix);
}

/* The URL with another scheme, and with a slash where it has an empty path before its query (RFC
 * 3986 section 6.2.3), which a request line cannot carry. */
static px_err url_rewrite(struct arena *arena, px_str url, const char *scheme,
                          struct uri_parts *out)
{
    size_t from = (size_t)((const char *)memchr(url.ptr, ':', url.len) - url.ptr) + 3;
    size_t at = from;
    char *text = arena_take_text(arena, url.len + 8), *end;

    if (!text)
        return PX_ERR_MEMORY;
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?')
        at++;
    end = stpcpy(text, scheme);
    end = text_write(end, url.ptr + from, at - from);
    if (at == url.len || url.ptr[at] == '?')
        *end++ = '/';
    end = text_write(end, url.ptr + at, url.len - at);
    return uri_split(px_str_make(text, (size_t)(end - text)), out);
}

static px_err url_read(struct arena *arena, px_str url, struct where *out_where)
{
    memset(out_where, 0, sizeof(*out_where));
    if (has_prefix(url, "unix:/")) {
        out_where->address = url;
        out_where->uri.authority = px_str_of("localhost");
        out_where->uri.host = out_where->uri.authority;
        out_where->uri.target = px_str_of("/");
        return PX_OK;
    }
    out_where->http2 = has_prefix(url, "h2c://");
    if (out_where->http2)
        return url_rewrite(arena, url, "http://", &out_where->uri);
    if (uri_split(url, &out_where->uri) == PX_OK)
        return PX_OK;
    if (has_prefix(url, "http://"))
        return url_rewrite(arena, url, "http://", &out_where->uri);
    return has_prefix(url, "https://") ? url_rewrite(arena, url, "https://", &out_where->uri)
                                       : PX_ERR_INVALID;
}

/* "host:port", or "[v6]:port". */
static px_str address_of(struct arena *arena, const struct uri_parts *uri)
{
    bool ipv6 = memchr(uri->host.ptr, ':', uri->host.len) != NULL;
    char *text = arena_take_text(arena, uri->host.len + PORT_BYTES + 2);
    char *at = text;

    if (!text)
        return px_str_make(NULL, 0);
    if (ipv6)
        *at++ = '[';
    at = text_write_str(at, uri->host);
    if (ipv6)
        *at++ = ']';
    *at++ = ':';
    at = text_write_number(at, uri->port);
    return px_str_make(text, (size_t)(at - text));
}

/* A target as RFC 3986 wants it, whatever it was given as. */
static px_str target_of(struct arena *arena, px_str target)
{
    char *text = arena_take_text(arena, uri_target_room(target) + 1);

    if (!text)
        return px_str_make(NULL, 0);
    char *end = uri_target_write(text, target, URI_QUERY);

    *end = '\0';
    return px_str_make(text, (size_t)(end - text));
}

/* --- The head --------------------------------------------------------------------------------- */

/* All fields, and one more where content is to wait: PX_OK or PX_ERR_MEMORY. */
static px_err fields_copy(struct arena *arena, const px_fetch_options *options,
                          struct h1_request_head *head)
{
    bool expects = (options->flags & PX_FETCH_EXPECT) && head->framing != H1_FRAMING_NONE;
    size_t count = options->field_count + expects, bytes = 0;

    for (size_t index = 0; index < options->field_count; index++)
        bytes += options->fields[index].name.len + options->fields[index].value.len;
    px_field *fields = arena_take(arena, count * sizeof(*fields) + bytes);

    if (!fields)
        return PX_ERR_MEMORY;
    char *at = (char *)(fields + count);

    for (size_t index = 0; index < options->field_count; index++) {
        const px_field *field = &options->fields[index];

        fields[index].name = px_str_make(at, field->name.len);
        at = text_write_str(at, field->name);
        fields[index].value = px_str_make(at, field->value.len);
        at = text_write_str(at, field->value);
    }
    if (expects)
        fields[count - 1] = (px_field){px_str_of("Expect"), px_str_of("100-continue")};
    head->fields = fields;
    head->field_count = (uint32_t)count;
    return PX_OK;
}

/* RFC 9110 section 8.6: a length also where there is no content and the method has a meaning for
 * one. */
static void framing_choose(struct fetch_request *request, bool tunnels)
{
    struct h1_request_head *head = &request->head;

    head->framing = H1_FRAMING_NONE;
    if (tunnels)
        return;
    if (request->pull_length == PX_LENGTH_UNKNOWN) {
        head->framing = H1_FRAMING_CHUNKED;
    } else if (request->content.ptr || request->pull_length > 0 ||
               request->method_id == METHOD_POST || request->method_id == METHOD_PUT ||
               request->method_id == METHOD_PATCH) {
        head->framing = H1_FRAMING_LENGTH;
        head->length = request->pull_length > 0 ? request->pull_length : request->content.len;
    }
}

static uint8_t form_of(px_str target, bool connect)
{
    if (connect)
        return H1_TARGET_AUTHORITY;
    if (target.len == 1 && target.ptr[0] == '*')
        return H1_TARGET_ASTERISK;
    return target.len > 0 && target.ptr[0] != '/' ? H1_TARGET_ABSOLUTE : H1_TARGET_ORIGIN;
}

static px_err head_read(px_fetch *fetch, const px_fetch_options *options, const struct where *where,
                        px_error *out_error)
{
    struct fetch_request *request = &fetch->request;
    struct h1_request_head *head = &request->head;
    struct arena *arena = &fetch->arena;
    px_str method = options->method.ptr ? options->method : px_str_make("GET", 3);
    px_str target = options->target.ptr ? options->target : where->uri.target;
    const char *reason = "out of memory";

    request->method_id = http_method_of(method.ptr, method.len);
    request->content = options->content;
    request->pull_length = options->pull_length;
    request->flags = options->flags | (options->preamble.len > 0 ? PX_FETCH_FRESH : 0);
    framing_choose(request, request->method_id == METHOD_CONNECT || options->upgrade.len > 0);
    head->method = arena_copy(arena, method);
    head->form = form_of(target, request->method_id == METHOD_CONNECT);
    head->target = target_of(arena, target);
    head->host = arena_copy(arena, options->host.ptr ? options->host : where->uri.authority);
    head->upgrade = arena_copy(arena, options->upgrade);
    head->trailers = (options->flags & PX_FETCH_TRAILERS) != 0;
    head->connection = options->upgrade.len > 0                 ? H1_CONNECTION_UPGRADE
                       : (request->flags & PX_FETCH_FRESH) != 0 ? H1_CONNECTION_CLOSE
                                                                : H1_CONNECTION_KEEP;
    if (!head->method.ptr || !head->target.ptr || !head->host.ptr || !head->upgrade.ptr ||
        fields_copy(arena, options, head) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "%s", reason);
    if (h1_check_request(head, &reason) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0, "a request that cannot be made: %s", reason);
    return PX_OK;
}

/* --- The origin ------------------------------------------------------------------------------- */

static px_err trust_find(px_client *client, const px_fetch_options *options,
                         px_tls_trust **out_trust, px_error *out_error)
{
    *out_trust = options->trust;
    if (*out_trust)
        return PX_OK;
    if (!client->trust) {
        px_tls_trust_options defaults = PX_TLS_TRUST_OPTIONS_DEFAULT;

        defaults.allocator = &client->loop->allocator;
        client->trust = px_tls_trust_create(&defaults, out_error);
    }
    *out_trust = client->trust;
    return client->trust ? PX_OK : out_error->code;
}

/* --- Trailers --------------------------------------------------------------------------------- */

static bool trailers_grow(struct fetch_request *request, struct arena *arena)
{
    uint32_t room = request->trailer_room > 0 ? 2 * request->trailer_room : TRAILERS_FIRST;
    px_field *fields = arena_take(arena, room * sizeof(*fields));

    if (!fields)
        return false;
    if (request->trailer_count > 0)
        memcpy(fields, request->trailers, request->trailer_count * sizeof(*fields));
    request->trailers = fields;
    request->trailer_room = room;
    return true;
}

px_err px_fetch_add_trailer(px_fetch *fetch, px_str name, px_str value)
{
    struct fetch_request *request = &fetch->request;

    CHECK_RULE(fetch_pulls(fetch), "trailers follow content that is pulled");
    if (!field_name_valid(name) || !field_value_valid(value) || trailer_is_dropped(name))
        return PX_ERR_INVALID;
    if (request->trailer_count == request->trailer_room && !trailers_grow(request, &fetch->arena))
        return PX_ERR_MEMORY;
    px_field field = {arena_copy(&fetch->arena, name), arena_copy(&fetch->arena, value)};

    if (!field.name.ptr || !field.value.ptr)
        return PX_ERR_MEMORY;
    request->trailers[request->trailer_count++] = field;
    return PX_OK;
}

/* --- All of it -------------------------------------------------------------------------------- */

px_err fetch_read_options(px_fetch *fetch, const px_fetch_options *options,
                          struct origin_key *out_key, px_error *out_error)
{
    struct where where;

    memset(out_key, 0, sizeof(*out_key));
    if (!options->url.ptr || url_read(&fetch->arena, options->url, &where) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "no URL that can be asked for: write http://host/path, https://host/path, "
                         "h2c://host/path or unix:/path");
    if (options->protocol > PX_FETCH_HTTP2)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such protocol: %u", options->protocol);
    bool http2 = where.http2 || options->protocol == PX_FETCH_HTTP2;
    /* An upgrade is HTTP/1.1's, and its CONNECT is the one that proxies know. */
    bool tunnels = options->upgrade.len > 0 || px_str_equal(options->method, px_str_of("CONNECT"));

    if (http2 && !h2_client_is_there())
        return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "this pollux was built without HTTP/2");
    if (options->protocol == PX_FETCH_HTTP2 && tunnels)
        return error_set(out_error, PX_ERR_INVALID, 0, "a tunnel takes HTTP/1.1");
    if (options->pull_length > 0 && (options->content.ptr || !TABLE_MEMBER(fetch->callbacks, pull)))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "content is given, or pulled, which takes the callback for it");
    px_err err = head_read(fetch, options, &where, out_error);

    if (err != PX_OK)
        return err;
    out_key->protocol = tunnels            ? PX_FETCH_HTTP1
                        : http2            ? PX_FETCH_HTTP2
                        : !where.uri.https ? PX_FETCH_HTTP1
                                           : (uint8_t)options->protocol;
    out_key->address = options->address.ptr ? options->address
                       : where.address.ptr  ? where.address
                                            : address_of(&fetch->arena, &where.uri);
    if (!out_key->address.ptr)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (memchr(out_key->address.ptr, '\0', out_key->address.len))
        return error_set(out_error, PX_ERR_INVALID, 0, "an address has no NUL");
    out_key->preamble = options->preamble;
    if (!where.uri.https)
        return PX_OK;
    out_key->name = options->server_name.ptr ? options->server_name : where.uri.host;
    return trust_find(fetch->client, options, &out_key->trust, out_error);
}
