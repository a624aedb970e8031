/*
 * What placeholders of templates read of a request: one function for each, and their table.
 *
 * What a request does not have is absent.  It can fail for want of the exchange's memory, and then
 * a text is absent too.
 */
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "exchange/upstream.h"
#include "gate/template.h"
#include "net/address.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum { KEY_V6_BYTES = 8, STATUS_DIGITS = 3 };

static const px_str absent = {NULL, 0};

static px_str read_method(const struct template_reading *reading)
{
    return px_request_method(reading->exchange);
}

static px_str read_scheme(const struct template_reading *reading)
{
    return px_request_scheme(reading->exchange);
}

/* Where the port of an authority begins, at its colon; its length when there is none. */
static size_t port_at(px_str authority)
{
    for (size_t at = authority.len; at > 0; at--) {
        char byte = authority.ptr[at - 1];

        if (byte == ':')
            return at - 1;
        if (byte < '0' || byte > '9')
            break;
    }
    return authority.len;
}

static px_str read_host(const struct template_reading *reading)
{
    px_str authority = px_request_authority(reading->exchange);

    return px_str_make(authority.ptr, port_at(authority));
}

static px_str read_port(const struct template_reading *reading)
{
    px_str authority = px_request_authority(reading->exchange);
    size_t at = port_at(authority);

    if (at + 1 < authority.len)
        return px_str_make(authority.ptr + at + 1, authority.len - at - 1);
    return px_str_of(px_str_equal(px_request_scheme(reading->exchange), px_str_of("https")) ? "443"
                                                                                            : "80");
}

static px_str read_path(const struct template_reading *reading)
{
    return px_request_path(reading->exchange);
}

static px_str read_raw_path(const struct template_reading *reading)
{
    return px_request_raw_path(reading->exchange);
}

static px_str read_query(const struct template_reading *reading)
{
    return px_request_query(reading->exchange);
}

/* Path and query as received: the end of the target, whatever its form. */
static px_str read_uri(const struct template_reading *reading)
{
    px_str path = px_request_raw_path(reading->exchange);
    px_str query = px_request_query(reading->exchange);

    if (!path.ptr || !query.ptr)
        return path;
    size_t bytes = path.len + 1 + query.len;
    char *text = px_exchange_alloc(reading->exchange, bytes);

    if (!text)
        return absent;
    char *at = text_write_str(text, path);

    *at++ = '?';
    text_write_str(at, query);
    return px_str_make(text, bytes);
}

static px_str read_version(const struct template_reading *reading)
{
    unsigned version = px_request_version(reading->exchange);

    return px_str_of(version == 10 ? "1.0" : version == 11 ? "1.1" : version == 20 ? "2" : "3");
}

static px_str read_status(const struct template_reading *reading)
{
    unsigned status = px_response_status(reading->exchange);
    char *text = status >= 100 && status <= 999
                     ? px_exchange_alloc(reading->exchange, TEXT_NUMBER_BYTES)
                     : NULL;

    if (!text)
        return absent;
    text_write_number(text, status);
    return px_str_make(text, STATUS_DIGITS);
}

/* An address as a key: of IPv6 the first 64 bits, since a client has all that are behind them (RFC
 * 6177); any other text as it is. */
static px_str address_key(px_exchange *exchange, px_str text)
{
    struct net_address address;

    if (!text.ptr || !address_numeric(text, 0, &address) ||
        address.socket.any.sa_family != AF_INET6 ||
        IN6_IS_ADDR_V4MAPPED(&address.socket.v6.sin6_addr))
        return text;
    char *key = px_exchange_alloc(exchange, ADDRESS_TEXT_BYTES);

    if (!key)
        return absent;
    memset(address.socket.v6.sin6_addr.s6_addr + KEY_V6_BYTES, 0, KEY_V6_BYTES);
    return px_str_make(key, address_format_host(&address, key, ADDRESS_TEXT_BYTES));
}

static px_str read_client(const struct template_reading *reading)
{
    px_str client = px_request_client(reading->exchange);

    return reading->use == PX_TEMPLATE_KEY ? address_key(reading->exchange, client) : client;
}

static px_str read_peer(const struct template_reading *reading)
{
    px_str peer = px_exchange_peer(reading->exchange);
    size_t at = port_at(peer);

    if (reading->use != PX_TEMPLATE_KEY || at == peer.len)
        return peer;
    bool brackets = at > 2 && peer.ptr[0] == '[';

    return address_key(reading->exchange,
                       px_str_make(peer.ptr + brackets, at - (brackets ? 2 : 0)));
}

static px_str read_local(const struct template_reading *reading)
{
    return px_exchange_local(reading->exchange);
}

static px_str read_request_id(const struct template_reading *reading)
{
    return px_request_id(reading->exchange);
}

static px_str read_trace_id(const struct template_reading *reading)
{
    return px_request_trace_id(reading->exchange);
}

/* The server that was asked, the last of them; nothing where none was, or not yet. */
static px_str read_upstream(const struct template_reading *reading)
{
    const struct exchange_upstream *upstream = exchange_upstream_of(reading->exchange);

    return upstream ? upstream->server : px_str_make(NULL, 0);
}

static px_str read_tls_version(const struct template_reading *reading)
{
    return px_request_tls_version(reading->exchange);
}

static px_str read_tls_cipher(const struct template_reading *reading)
{
    return px_request_tls_cipher(reading->exchange);
}

static px_str read_tls_subject(const struct template_reading *reading)
{
    return px_request_client_subject(reading->exchange);
}

static px_str read_tls_name(const struct template_reading *reading)
{
    return px_request_server_name(reading->exchange);
}

static px_str read_query_param(const struct template_reading *reading)
{
    return px_request_query_param(reading->exchange, reading->name);
}

static px_str read_param(const struct template_reading *reading)
{
    return px_request_param(reading->exchange, reading->name);
}

static px_str read_header(const struct template_reading *reading)
{
    return px_request_field(reading->exchange, reading->name);
}

static px_str read_cookie(const struct template_reading *reading)
{
    return px_request_cookie(reading->exchange, reading->name);
}

static const struct template_placeholder placeholders[] = {
    {"method", FORM_DATA, read_method},
    {"scheme", FORM_TEXT, read_scheme},
    {"host", FORM_TEXT, read_host},
    {"port", FORM_TEXT, read_port},
    {"path", FORM_PATH, read_path},
    {"rawpath", FORM_TARGET, read_raw_path},
    {"query", FORM_QUERY, read_query},
    {"uri", FORM_TARGET, read_uri},
    {"version", FORM_TEXT, read_version},
    {"status", FORM_TEXT, read_status},
    {"client", FORM_TEXT, read_client},
    {"peer", FORM_TEXT, read_peer},
    {"local", FORM_TEXT, read_local},
    {"tls.version", FORM_DATA, read_tls_version},
    {"request_id", FORM_DATA, read_request_id},
    {"trace_id", FORM_DATA, read_trace_id},
    {"upstream", FORM_DATA, read_upstream},
    {"tls.cipher", FORM_DATA, read_tls_cipher},
    {"tls.subject", FORM_DATA, read_tls_subject},
    {"tls.server_name", FORM_DATA, read_tls_name},
    {"query.", FORM_DATA, read_query_param},
    {"param.", FORM_PATH, read_param},
    {"header.", FORM_DATA, read_header},
    {"cookie.", FORM_DATA, read_cookie},
};

const struct template_placeholder *template_placeholder_find(px_str name, size_t *out_len)
{
    for (size_t index = 0; index < sizeof(placeholders) / sizeof(placeholders[0]); index++) {
        const struct template_placeholder *placeholder = &placeholders[index];
        size_t len = strlen(placeholder->name);
        bool takes_name = placeholder->name[len - 1] == '.';

        if (name.len < len || memcmp(name.ptr, placeholder->name, len) != 0)
            continue;
        if (takes_name ? name.len > len : name.len == len) {
            *out_len = len;
            return placeholder;
        }
    }
    return NULL;
}
