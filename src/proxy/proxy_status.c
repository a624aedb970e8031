/*
 * Proxy-Status: kinds of errors, and the field.
 */
#include "proxy/proxy_status.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

/* There was no connection. */
static const char *of_dial(const px_error *error)
{
    switch (error->sys_errno) {
    case ECONNREFUSED:
        return "connection_refused";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "destination_ip_unroutable";
    default:
        break;
    }
    switch (error->code) {
    case PX_ERR_TIMEOUT:
        return "connection_timeout";
    case PX_ERR_NOT_FOUND:
        return "dns_error";
    case PX_ERR_PERMISSION:
        return error->sys_errno == 0 ? "tls_certificate_error" : "destination_unavailable";
    case PX_ERR_MALFORMED:
        return "tls_protocol_error";
    case PX_ERR_CLOSED:
        return error->sys_errno == 0 ? "connection_terminated" : "destination_unavailable";
    default:
        return "destination_unavailable";
    }
}

const char *proxy_status_of(const px_error *error, const px_fetch_facts *facts)
{
    CHECK(error->code != PX_OK);
    if (error->code == PX_ERR_MEMORY || error->code == PX_ERR_INVALID)
        return "proxy_internal_error";
    if (facts->tries == 0)
        return of_dial(error);
    switch (error->code) {
    case PX_ERR_TIMEOUT:
        return "http_response_timeout";
    case PX_ERR_LIMIT:
        return "http_response_header_section_size";
    case PX_ERR_CLOSED:
        return facts->answered ? "http_response_incomplete" : "connection_terminated";
    default:
        return "http_protocol_error";
    }
}

/* RFC 8941 section 3.3.4: a token begins with a letter or "*"; any other name of ours is a string,
 * which needs no escapes. */
static bool is_token(const char *name)
{
    return (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z') ||
           name[0] == '*';
}

void proxy_status_add(const px_proxy *proxy, px_exchange *exchange, const char *error)
{
    static const char middle[] = "; error=";
    size_t room = strlen(proxy->name) + strlen(error) + sizeof(middle) + 2;
    struct text text;

    if (!proxy->options.proxy_status)
        return;
    char *memory = px_exchange_alloc(exchange, room);

    if (!memory)
        return;
    text_init(&text, memory, room);
    text_put_words(&text, is_token(proxy->name) ? "" : "\"");
    text_put_words(&text, proxy->name);
    text_put_words(&text, is_token(proxy->name) ? "" : "\"");
    text_put_words(&text, middle);
    text_put_words(&text, error);
    CHECK(!text.cut);
    px_response_add_field(exchange, px_str_of("Proxy-Status"), text_str(&text));
}
