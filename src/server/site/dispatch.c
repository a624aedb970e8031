/*
 * From a request to its handler: middleware, route, and the answers that need no handler.
 *
 * Happy path: one look-up in the router, and the handler is called (now, or when the content is
 * whole).  What no route serves is answered here: 404, 405 with Allow, OPTIONS, redirects to the
 * path with its slash.
 */
#include "server/site/dispatch.h"

#include <string.h>

#include "http/message/host.h"
#include "http/message/uri.h"
#include "route/path.h"
#include "server/server.h"
#include "server/site/redirect.h"
#include "server/site/trust.h"

static const px_str absent = {NULL, 0};

static void answer_empty(px_exchange *exchange, unsigned status)
{
    px_respond(exchange, status, absent, px_str_make("", 0));
}

/* RFC 9110 sections 9.3.7 and 15.5.6: what can be done with this target. */
static void answer_allow(px_server *server, px_exchange *exchange)
{
    px_str allow;

    if (router_allow(server->router, exchange->request.authority, exchange->request.raw_path,
                     &exchange->arena, &allow) == PX_OK)
        px_response_set_field(exchange, px_str_make("Allow", 5), allow);
    if (exchange->method == METHOD_OPTIONS)
        answer_empty(exchange, 204);
    else
        px_respond_error(exchange, 405);
}

/* A redirect that keeps the query; with a method other than GET and HEAD it keeps that too. */
static void answer_path(px_exchange *exchange, bool add_slash)
{
    px_str path, query = exchange->request.query;

    if (router_redirect_path(exchange->request.raw_path, add_slash, &exchange->arena, &path) !=
        PX_OK) {
        px_respond_error(exchange, 503);
        return;
    }
    if (query.ptr) {
        char *text = arena_take_text(&exchange->arena, path.len + 1 + uri_target_room(query));

        if (!text) {
            px_respond_error(exchange, 503);
            return;
        }
        memcpy(text, path.ptr, path.len);
        text[path.len] = '?';
        path = px_str_make(
            text, (size_t)(uri_target_write(text + path.len + 1, query, URI_QUERY) - text));
    }
    bool safe = exchange->method == METHOD_GET || exchange->method == METHOD_HEAD;

    px_respond_redirect(exchange, safe ? 301 : 308, path);
}

static bool params_keep(px_exchange *exchange, const struct router_match *match)
{
    size_t bytes = match->param_count * sizeof(px_str);

    if (match->param_count == 0)
        return true;
    exchange->param_values = arena_take(&exchange->arena, bytes);
    if (!exchange->param_values)
        return false;
    memcpy(exchange->param_values, match->params, bytes);
    exchange->param_names = match->names;
    exchange->param_count = match->param_count;
    return true;
}

static void route_found(px_exchange *exchange, const struct router_match *match)
{
    const struct server_route *route = match->value;

    exchange->pattern = match->pattern;
    exchange->handler = route->handler;
    exchange->handler_context = route->context;
    exchange->content_max = route->content_bytes_max;
    if (!params_keep(exchange, match)) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    if (exchange->content_length != 0) {
        if (exchange->content_length != PX_LENGTH_UNKNOWN &&
            exchange->content_length > exchange->content_max) {
            exchange_call_none(exchange);
            exchange->close_after = true;
            px_respond_error(exchange, 413);
            return;
        }
        if (route->content_mode != PX_CONTENT_STREAM) {
            exchange_call_when_whole(exchange, route->content_mode == PX_CONTENT_COLLECT);
            return;
        }
    } else if (route->content_mode == PX_CONTENT_COLLECT) {
        exchange_call_when_whole(exchange, true);
        return;
    }
    exchange_call_handler(exchange);
}

static void dispatch_route(px_server *server, px_exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct router_match match;

    switch (router_find(server->router, exchange->method, request->method, request->authority,
                        request->raw_path, &match)) {
    case ROUTER_FOUND:
        route_found(exchange, &match);
        return;
    case ROUTER_REDIRECT_SLASH:
        answer_path(exchange, true);
        return;
    case ROUTER_NO_METHOD:
        answer_allow(server, exchange);
        return;
    case ROUTER_NO_PATH:
        break;
    }
    if (exchange->method == METHOD_OPTIONS && px_str_equal(request->raw_path, px_str_of("*")))
        answer_empty(exchange, 200);
    else if (exchange->method == METHOD_CONNECT)
        answer_allow(server, exchange);
    else if (request->raw_path.len > 0 && router_path_clean_needed(request->raw_path))
        answer_path(exchange, false);
    else
        px_respond_error(exchange, 404);
}

/* RFC 9110 section 15.5.20: a connection that was made for one host is asked for another, which its
 * certificate does not speak for. */
static bool is_misdirected(px_exchange *exchange)
{
    struct host_parts parts;

    return exchange->https && exchange->transport->serves && exchange->request.authority.ptr &&
           host_split(exchange->request.authority, &parts) &&
           !exchange->transport->serves(exchange, parts.host);
}

void server_dispatch(px_exchange *exchange)
{
    px_server *server = server_of(exchange);

    if (PX_UNLIKELY(exchange->redirect_port != 0)) {
        exchange_call_none(exchange);
        redirect_answer(exchange);
        return;
    }
    if (PX_UNLIKELY(exchange->middleware_index == 0 && is_misdirected(exchange))) {
        exchange_call_none(exchange);
        px_respond_error(exchange, 421);
        return;
    }
    if (PX_UNLIKELY(server->trust.count > 0) && exchange->middleware_index == 0)
        trust_settle(exchange);
    while (exchange->middleware_index < server->middleware_count) {
        const struct server_middleware *middleware =
            &server->middleware[exchange->middleware_index++];

        if (middleware->run(exchange, middleware->context) == PX_STOP) {
            /* An answer that is there is the end; else px_exchange_next goes on. */
            if (exchange->answer != ANSWER_NONE)
                exchange_call_none(exchange);
            return;
        }
        if (exchange->answer != ANSWER_NONE || exchange->broken) {
            exchange_call_none(exchange);
            return;
        }
    }
    exchange->content_max = server->options.content_bytes_max;
    dispatch_route(server, exchange);
    /* What was answered without a handler has its content dropped. */
    if (exchange->progress == HANDLER_AHEAD)
        exchange_call_none(exchange);
}

void server_dispatch_no_tunnel(px_exchange *exchange)
{
    px_field *allow = arena_take(&exchange->arena, sizeof(*allow));

    if (allow &&
        router_allow(server_of(exchange)->router, exchange->request.authority,
                     exchange->request.raw_path, &exchange->arena, &allow->value) == PX_OK) {
        allow->name = px_str_make("allow", 5);
        exchange->fields = allow;
        exchange->field_count = 1;
    } else {
        exchange->field_count = 0;
    }
    exchange->answer = ANSWER_TAKEN;
    exchange->status = 405;
}
