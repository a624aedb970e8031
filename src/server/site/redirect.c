/*
 * The redirect to https.
 *
 * Happy path: host, path and query as they were asked for, the scheme and the port exchanged; 301
 * for GET and HEAD, which every client follows, 308 for the rest, which keeps method and content
 * (RFC 9110 section 15.4.9).  A request without a host, or for no path, cannot be redirected: 400.
 */
#include "server/site/redirect.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "http/message/host.h"
#include "http/message/uri.h"

enum { HTTPS_PORT = 443, PREFIX_BYTES = 8 + HOST_BYTES_MAX + 2 + 6 };

px_err redirect_serve(px_server *server, const px_serve_options *options, uint16_t *out_index,
                      px_error *out_error)
{
    uint32_t port = options->https_redirect_port, index = 0;

    if (port > UINT16_MAX || options->tls)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "a redirect goes from a listener without TLS to a port");
    while (index < server->redirects.count && server->redirects.ports[index] != port)
        index++;
    if (index == LISTENERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "a server redirects to at most %d ports",
                         LISTENERS_MAX);
    server->redirects.ports[index] = (uint16_t)port;
    if (index == server->redirects.count)
        server->redirects.count++;
    *out_index = (uint16_t)(index + 1);
    return PX_OK;
}

/* "https://a.test:8443"; the length, 0 without a host. */
static size_t prefix_write(px_str authority, uint16_t https_port, char *out_text, size_t room)
{
    struct host_parts parts;
    char port[8] = "";

    if (!authority.ptr || !host_split(authority, &parts))
        return 0;
    if (https_port != HTTPS_PORT)
        snprintf(port, sizeof(port), ":%u", (unsigned)https_port);
    int len = snprintf(out_text, room, "https://%s%.*s%s%s", parts.ipv6 ? "[" : "",
                       (int)parts.host.len, parts.host.ptr, parts.ipv6 ? "]" : "", port);

    return len > 0 && (size_t)len < room ? (size_t)len : 0;
}

void redirect_answer(px_exchange *exchange, uint16_t port)
{
    const struct http_request *request = exchange_request(exchange);
    px_str path = request->raw_path, query = request->query;
    bool safe = exchange_method(exchange) == METHOD_GET || exchange_method(exchange) == METHOD_HEAD;
    char prefix[PREFIX_BYTES];
    size_t prefix_len = prefix_write(request->authority, port, prefix, sizeof(prefix));
    char *text, *end;

    if (prefix_len == 0 || path.len == 0 || path.ptr[0] != '/') {
        exchange_set_refused(exchange, "no host to redirect to");
        px_respond_error(exchange, 400);
        return;
    }
    text = arena_take_text(exchange_arena(exchange),
                           prefix_len + uri_target_room(path) + 1 + uri_target_room(query));
    if (!text) {
        px_respond_error(exchange, 503);
        return;
    }
    memcpy(text, prefix, prefix_len);
    end = uri_target_write(text + prefix_len, path, URI_PATH);
    if (query.ptr) {
        *end++ = '?';
        end = uri_target_write(end, query, URI_QUERY);
    }
    px_respond_redirect(exchange, safe ? 301 : 308, px_str_make(text, (size_t)(end - text)));
}
