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
    px_str allow;

    if (router_allow(site_rules_of(exchange)->host->router, exchange->arrival.request.authority,
                     exchange->arrival.request.raw_path, &exchange->arena, &allow) == PX_OK)
        px_response_set_field(exchange, px_str_make("Allow", 5), allow);
    if (exchange->arrival.method == METHOD_OPTIONS)
        answer_empty(exchange, 204);
    else
        px_respond_error(exchange, 405);
}

/* A redirect that keeps the query. */
static void answer_path(px_exchange *exchange, unsigned status, bool add_slash)
{
    px_str path, query = exchange->arrival.request.query;

    if (router_redirect_path(exchange->arrival.request.raw_path, add_slash, &exchange->arena,
                             &path) != PX_OK) {
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
    px_respond_redirect(exchange, status, path);
}

static bool params_keep(px_exchange *exchange, const struct router_match *match)
{
    size_t bytes = match->param_count * sizeof(px_str);

    if (match->param_count == 0)
        return true;
    exchange->handling.param_values = arena_take(&exchange->arena, bytes);
    if (!exchange->handling.param_values)
        return false;
    memcpy(exchange->handling.param_values, match->params, bytes);
    exchange->handling.param_names = match->names;
    exchange->handling.param_count = match->param_count;
    return true;
}

/* The route is known: what its options say of the content. */
static void route_start(px_exchange *exchange, const struct site_route *route)
{
    if (exchange->input.length != 0) {
        if (exchange->input.length != PX_LENGTH_UNKNOWN &&
            exchange->input.length > exchange->input.bytes_max) {
            exchange_call_none(exchange);
            exchange->answer.close_after = true;
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
        site_status_of(result, exchange->arrival.method, exchange->arrival.request.raw_path);

    if (status == 301 || status == 308)
        answer_path(exchange, status, result == ROUTER_REDIRECT_SLASH);
    else if (status == 204 || status == 405)
        answer_allow(exchange);
    else if (status == 200)
        answer_empty(exchange, 200);
    else
        px_respond_error(exchange, status);
}

/* Looks the route up: NULL, and the exchange is answered, where there is none. */
static const struct site_route *route_find(px_exchange *exchange, const px_host *host)
{
    const struct http_request *request = &exchange->arrival.request;
    enum router_result result;
    struct router_match match;

    if (PX_UNLIKELY(!host)) {
        px_respond_error(exchange, 404);
        return NULL;
    }
    result = router_find(host->router, exchange->arrival.method, request->method,
                         request->authority, request->raw_path, &match);
    if (PX_UNLIKELY(result != ROUTER_FOUND)) {
        answer_without_route(exchange, result);
        return NULL;
    }
    const struct site_route *route = match.value;

    exchange->handling.pattern = match.pattern;
    exchange->handling.handler = route->handler;
    exchange->handling.handler_context = route->context;
    exchange->input.bytes_max = route->content_bytes_max;
    if (!params_keep(exchange, &match)) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return NULL;
    }
    exchange->rules = &route->rules->exchange;
    return route;
}

/* RFC 9110 section 15.5.20: a connection that was made for one host is asked for another, which its
 * certificate does not speak for. */
static bool is_misdirected(px_exchange *exchange)
{
    struct host_parts parts;

    return exchange->arrival.https && exchange->transport->serves &&
           exchange->arrival.request.authority.ptr &&
           host_split(exchange->arrival.request.authority, &parts) &&
           !exchange->transport->serves(exchange, parts.host);
}

/* The chains of middleware that an exchange goes through, in this order. */
enum dispatch_stage { STAGE_SITE, STAGE_HOST, STAGE_ROUTE };

/* Runs a chain from where it stopped: false when the exchange has its answer, or waits. */
static bool chain_run(px_exchange *exchange, const struct site_rules *rules)
{
    while (exchange->handling.dispatch.index < rules->middleware_count) {
        const struct site_middleware *middleware =
            &rules->middleware[exchange->handling.dispatch.index++];

        if (middleware->run(exchange, middleware->context) == PX_STOP) {
            /* An answer that is there is the end; else px_exchange_next goes on. */
            if (exchange->answer.state != ANSWER_NONE)
                exchange_call_none(exchange);
            return false;
        }
        if (exchange->answer.state != ANSWER_NONE || exchange->broken) {
            exchange_call_none(exchange);
            return false;
        }
    }
    exchange->handling.dispatch.index = 0;
    exchange->handling.dispatch.stage++;
    return true;
}

/* The same; most chains are empty. */
static inline bool chain_pass(px_exchange *exchange, const struct site_rules *rules)
{
    if (PX_UNLIKELY(rules->middleware_count > 0))
        return chain_run(exchange, rules);
    exchange->handling.dispatch.stage++;
    return true;
}

static const struct site_rules *site_level(const px_exchange *exchange)
{
    return &site_of(exchange->site)->rules;
}

void server_dispatch(px_exchange *exchange)
{
    const px_host *host = site_rules_of(exchange)->host;

    if (exchange->handling.dispatch.stage == STAGE_SITE &&
        !chain_pass(exchange, site_level(exchange)))
        return;
    if (exchange->handling.dispatch.stage == STAGE_HOST) {
        if (host && !chain_pass(exchange, &host->rules))
            return;
        exchange->handling.dispatch.stage = STAGE_ROUTE;
        exchange->input.bytes_max = site_rules_of(exchange)->content_bytes_max;
        exchange->handling.dispatch.route = route_find(exchange, host);
    }
    const struct site_route *route = exchange->handling.dispatch.route;

    if (route) {
        if (route->rules != &host->rules && !chain_pass(exchange, route->rules))
            return;
        route_start(exchange, route);
    }
    /* What was answered without a handler has its content dropped. */
    if (exchange->handling.progress == HANDLER_AHEAD)
        exchange_call_none(exchange);
}

void server_dispatch_host(px_exchange *exchange, uint16_t listener)
{
    const px_host *host =
        hosts_find(&site_of(exchange->site)->hosts, exchange->arrival.request.authority, listener);

    if (PX_LIKELY(host != NULL))
        exchange->rules = &host->rules.exchange;
}

void server_dispatch_begin(px_exchange *exchange)
{
    if (PX_UNLIKELY(exchange->arrival.redirect_port != 0)) {
        exchange_call_none(exchange);
        redirect_answer(exchange);
        return;
    }
    if (PX_UNLIKELY(is_misdirected(exchange))) {
        exchange_call_none(exchange);
        px_respond_error(exchange, 421);
        return;
    }
    if (PX_UNLIKELY(server_of(exchange)->trust.count > 0))
        trust_settle(exchange);
    server_dispatch(exchange);
}

void server_dispatch_no_tunnel(px_exchange *exchange)
{
    const px_host *host = site_rules_of(exchange)->host;
    px_field *allow = arena_take(&exchange->arena, sizeof(*allow));

    if (allow && host &&
        router_allow(host->router, exchange->arrival.request.authority,
                     exchange->arrival.request.raw_path, &exchange->arena,
                     &allow->value) == PX_OK) {
        allow->name = px_str_make("allow", 5);
        exchange->answer.fields = allow;
        exchange->answer.field_count = 1;
    } else {
        exchange->answer.field_count = 0;
    }
    exchange->answer.state = ANSWER_TAKEN;
    exchange->answer.status = 405;
}
