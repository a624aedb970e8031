/*
 * From a request to its handler: host, middleware, route, and the answers that need no handler.
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
static void answer_allow(px_exchange *exchange)
{
    const struct http_request *request = exchange_request(exchange);
    px_str allow;

    if (router_allow(site_rules_of(exchange)->host->router, request->authority, request->raw_path,
                     exchange_arena(exchange), &allow) == PX_OK)
        px_response_set_field(exchange, px_str_make("Allow", 5), allow);
    if (exchange_method(exchange) == METHOD_OPTIONS)
        answer_empty(exchange, 204);
    else
        px_respond_error(exchange, 405);
}

/* Where a redirect goes, with the query: to a path that is clean, or has its slash, relative to the
 * one that was asked for (RFC 3986 section 4.2), so that it holds behind a proxy that takes a
 * prefix off.  Absent without memory. */
static px_str location_of(px_exchange *exchange, enum router_result result)
{
    const struct http_request *request = exchange_request(exchange);
    struct arena *arena = exchange_arena(exchange);
    px_str path, query = request->query;
    px_err err = result == ROUTER_REDIRECT_PLAIN
                     ? router_plain_path(request->raw_path, arena, &path)
                     : router_redirect_relative(request->raw_path, result == ROUTER_REDIRECT_SLASH,
                                                arena, &path);

    if (err != PX_OK)
        return absent;
    if (query.ptr) {
        char *text = arena_take_text(arena, path.len + 1 + uri_target_room(query));

        if (!text)
            return absent;
        memcpy(text, path.ptr, path.len);
        text[path.len] = '?';
        path = px_str_make(
            text, (size_t)(uri_target_write(text + path.len + 1, query, URI_QUERY) - text));
    }
    return path;
}

static void answer_redirect(px_exchange *exchange, unsigned status, px_str location)
{
    if (location.ptr)
        px_respond_redirect(exchange, status, location);
    else
        px_respond_error(exchange, 503);
}

/* The route is known: what its options say of the content. */
static void route_start(px_exchange *exchange, const struct site_route *route)
{
    if (PX_UNLIKELY(exchange_is_detour(exchange))) {
        exchange_call_handler(exchange);
        return;
    }
    if (px_request_content_length(exchange) != 0) {
        if (exchange_content_is_over(exchange)) {
            exchange_call_none(exchange);
            exchange_set_close_after(exchange);
            exchange_set_refused(exchange, "content too large");
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

/* Answers what no route serves. */
static void answer_without_route(px_exchange *exchange, enum router_result result)
{
    unsigned status =
        site_status_of(result, exchange_method(exchange), exchange_request(exchange)->raw_path);

    if (status == 301 || status == 308)
        answer_redirect(exchange, status, location_of(exchange, result));
    else if (status == 204 || status == 405)
        answer_allow(exchange);
    else if (status == 200)
        answer_empty(exchange, 200);
    else
        px_respond_error(exchange, status);
}

/* A redirect that waits for what stands before the route that its path is a part of. */
struct redirect {
    unsigned status;
    px_str location;
};

/* As a handler: so a redirect tells a client nothing that the route would not.  Where it goes was
 * settled before anything there could exchange the path. */
static void redirect_handle(px_exchange *exchange, void *context)
{
    const struct redirect *redirect = context;

    answer_redirect(exchange, redirect->status, redirect->location);
}

static bool redirect_take(px_exchange *exchange, const char *pattern, enum router_result result)
{
    struct redirect *redirect = arena_take(exchange_arena(exchange), sizeof(*redirect));

    if (!redirect)
        return false;
    redirect->status =
        site_status_of(result, exchange_method(exchange), exchange_request(exchange)->raw_path);
    redirect->location = location_of(exchange, result);
    exchange_set_handler(exchange, pattern, redirect_handle, redirect);
    return true;
}

/* Looks the route up: NULL, and the exchange is answered, where there is none. */
static const struct site_route *route_find(px_exchange *exchange, const px_host *host)
{
    const struct http_request *request = exchange_request(exchange);
    enum router_result result;
    struct router_match match;

    if (PX_UNLIKELY(!host)) {
        px_respond_error(exchange, 404);
        return NULL;
    }
    result = site_find(host, exchange_method(exchange), request->method, request->authority,
                       request->raw_path, exchange_arena(exchange), &match);
    bool is_redirect = result == ROUTER_REDIRECT_SLASH || result == ROUTER_REDIRECT_PLAIN;

    if (PX_UNLIKELY(result != ROUTER_FOUND && !(is_redirect && match.value))) {
        answer_without_route(exchange, result);
        return NULL;
    }
    const struct site_route *route = match.value;

    if (PX_LIKELY(!is_redirect))
        exchange_set_handler(exchange, match.pattern, route->handler, route->context);
    else if (!redirect_take(exchange, match.pattern, result)) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return NULL;
    }
    exchange_set_content_max(exchange, route->content_bytes_max);
    if (exchange_set_params(exchange, match.names, match.params, match.param_count) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return NULL;
    }
    exchange_set_rules(exchange, &route->rules->exchange);
    return route;
}

/* RFC 9110 section 15.5.20: a connection that was made for one host is asked for another, which its
 * certificate does not speak for. */
static bool is_misdirected(px_exchange *exchange)
{
    px_str authority = exchange_request(exchange)->authority;
    struct host_parts parts;

    return px_request_is_https(exchange) && authority.ptr && host_split(authority, &parts) &&
           !exchange_serves(exchange, parts.host);
}

/* Runs a chain from where it stopped: false when the exchange has its answer, or waits. */
static bool chain_run(px_exchange *exchange, const struct site_rules *rules)
{
    struct exchange_dispatch *dispatch = exchange_dispatch(exchange);

    while (dispatch->index < rules->middleware_count) {
        const struct site_middleware *middleware = &rules->middleware[dispatch->index++];

        if (exchange_run_middleware(exchange, middleware->run, middleware->context) == PX_STOP) {
            /* An answer that is there is the end; else px_exchange_next goes on. */
            if (exchange_is_settled(exchange))
                exchange_call_none(exchange);
            return false;
        }
        if (exchange_is_settled(exchange)) {
            exchange_call_none(exchange);
            return false;
        }
    }
    dispatch->index = 0;
    dispatch->stage++;
    return true;
}

/* The same; most chains are empty. */
static inline bool chain_pass(px_exchange *exchange, const struct site_rules *rules)
{
    if (PX_UNLIKELY(rules->middleware_count > 0))
        return chain_run(exchange, rules);
    exchange_dispatch(exchange)->stage++;
    return true;
}

static const struct site_rules *site_level(const px_exchange *exchange)
{
    return &site_of(exchange_site_of(exchange))->rules;
}

void server_dispatch(px_exchange *exchange)
{
    struct exchange_dispatch *dispatch = exchange_dispatch(exchange);
    const px_host *host = site_rules_of(exchange)->host;

    if (dispatch->stage == DISPATCH_SITE && !chain_pass(exchange, site_level(exchange)))
        return;
    if (dispatch->stage == DISPATCH_HOST) {
        if (host && !chain_pass(exchange, &host->rules))
            return;
        dispatch->stage = DISPATCH_LOOK;
    }
    if (dispatch->stage == DISPATCH_LOOK) {
        dispatch->stage = DISPATCH_ROUTE;
        dispatch->route = route_find(exchange, host);
    }
    const struct site_route *route = dispatch->route;

    if (route) {
        if (route->rules != &host->rules && !chain_pass(exchange, route->rules))
            return;
        route_start(exchange, route);
    }
    /* What was answered without a handler has its content dropped. */
    if (exchange_is_ahead(exchange))
        exchange_call_none(exchange);
}

void server_dispatch_host(px_exchange *exchange, uint16_t listener)
{
    const px_host *host = hosts_find(&site_of(exchange_site_of(exchange))->hosts,
                                     exchange_request(exchange)->authority, listener);

    if (PX_LIKELY(host != NULL))
        exchange_set_rules(exchange, &host->rules.exchange);
    exchange_set_content_max(exchange, site_rules_of(exchange)->content_bytes_max);
}

void server_dispatch_begin(px_exchange *exchange, uint16_t redirect_port)
{
    if (PX_UNLIKELY(redirect_port != 0)) {
        exchange_call_none(exchange);
        redirect_answer(exchange, redirect_port);
        return;
    }
    if (PX_UNLIKELY(is_misdirected(exchange))) {
        exchange_call_none(exchange);
        exchange_set_refused(exchange, "the certificate does not cover the host");
        px_respond_error(exchange, 421);
        return;
    }
    if (PX_UNLIKELY(server_of(exchange)->trust.count > 0))
        trust_settle(exchange);
    server_dispatch(exchange);
}

void server_dispatch_no_tunnel(px_exchange *exchange)
{
    const struct http_request *request = exchange_request(exchange);
    const px_host *host = site_rules_of(exchange)->host;
    px_str allow = absent;

    if (host && router_allow(host->router, request->authority, request->raw_path,
                             exchange_arena(exchange), &allow) != PX_OK)
        allow = absent;
    exchange_replace_answer(exchange, 405, allow);
}
