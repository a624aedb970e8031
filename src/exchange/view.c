/*
 * What the server reads of an exchange and settles in it: one member each.  See exchange.h.
 */
#include <string.h>

#include "exchange/exchange_private.h"

/* --- What it belongs to ----------------------------------------------------------------------- */

struct exchange_service *exchange_service_of(const px_exchange *exchange)
{
    return exchange->service;
}

struct exchange_site *exchange_site_of(const px_exchange *exchange)
{
    return exchange->site;
}

const struct exchange_transport *exchange_transport_of(const px_exchange *exchange)
{
    return exchange->transport;
}

const struct exchange_rules *exchange_rules_of(const px_exchange *exchange)
{
    return exchange->rules;
}

void exchange_set_rules(px_exchange *exchange, const struct exchange_rules *rules)
{
    exchange->rules = rules;
}

uint32_t exchange_rate_window_ms(const px_exchange *exchange)
{
    return exchange->service->rate_window_ms;
}

struct arena *exchange_arena(px_exchange *exchange)
{
    return &exchange->arena;
}

/* --- The request ------------------------------------------------------------------------------ */

const struct http_request *exchange_request(const px_exchange *exchange)
{
    return &exchange->arrival.request;
}

enum http_method exchange_method(const px_exchange *exchange)
{
    return (enum http_method)exchange->arrival.method;
}

px_str exchange_method_received(const px_exchange *exchange)
{
    return PX_UNLIKELY(exchange->arrival.method_received.ptr != NULL)
               ? exchange->arrival.method_received
               : exchange->arrival.request.method;
}

uint64_t exchange_started_ms(const px_exchange *exchange)
{
    return exchange->arrival.started_ms;
}

void exchange_set_https(px_exchange *exchange, bool https, bool scheme_https)
{
    exchange->arrival.https = https;
    exchange->arrival.scheme_https = scheme_https;
}

bool exchange_is_secure(const px_exchange *exchange)
{
    return exchange->arrival.https;
}

px_str exchange_client(const px_exchange *exchange)
{
    return exchange->arrival.client;
}

void exchange_set_client(px_exchange *exchange, px_str client)
{
    exchange->arrival.client = arena_copy(&exchange->arena, client);
}

void exchange_set_client_unknown(px_exchange *exchange)
{
    exchange->arrival.client_unknown = true;
}

void exchange_set_trusted(px_exchange *exchange)
{
    exchange->arrival.trusted = true;
}

void exchange_set_scheme(px_exchange *exchange, bool https)
{
    exchange->arrival.scheme_https = https;
}

bool exchange_serves(px_exchange *exchange, px_str host)
{
    const struct exchange_transport *transport = exchange->transport;

    return !transport || !transport->serves || transport->serves(exchange, host);
}

/* --- Dispatch --------------------------------------------------------------------------------- */

struct exchange_dispatch *exchange_dispatch(px_exchange *exchange)
{
    return &exchange->handling.dispatch;
}

void exchange_set_handler(px_exchange *exchange, const char *pattern, px_handler handler,
                          void *context)
{
    exchange->handling.pattern = pattern;
    exchange->handling.is_aside = false;
    exchange->handling.handler = handler;
    exchange->handling.handler_context = context;
}

px_err exchange_set_params(px_exchange *exchange, const px_str *names, const px_str *values,
                           uint32_t count)
{
    px_str *copy;

    if (PX_LIKELY(count == 0))
        return PX_OK;
    copy = arena_take(&exchange->arena, count * sizeof(*copy));
    if (!copy)
        return PX_ERR_MEMORY;
    memcpy(copy, values, count * sizeof(*copy));
    exchange->handling.param_values = copy;
    exchange->handling.param_names = names;
    exchange->handling.param_count = count;
    return PX_OK;
}

void exchange_set_content_max(px_exchange *exchange, uint64_t bytes_max)
{
    exchange->input.bytes_max = bytes_max;
}

bool exchange_content_is_over(const px_exchange *exchange)
{
    return exchange->input.length != PX_LENGTH_UNKNOWN &&
           exchange->input.length > exchange->input.bytes_max;
}

bool exchange_is_ahead(const px_exchange *exchange)
{
    return exchange->handling.progress == HANDLER_AHEAD;
}

bool exchange_is_settled(const px_exchange *exchange)
{
    return exchange->answer.state != ANSWER_NONE || exchange->broken ||
           exchange->handling.detour == DETOUR_AHEAD;
}

bool exchange_is_detour(const px_exchange *exchange)
{
    return exchange->handling.detour == DETOUR_TAKEN;
}

int px_exchange_is_error_page(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->handling.detour != DETOUR_NONE && exchange->handling.detour_status >= 400;
}

/* --- The answer ------------------------------------------------------------------------------- */

enum answer_state exchange_answer_state(const px_exchange *exchange)
{
    return (enum answer_state)exchange->answer.state;
}

bool exchange_is_broken(const px_exchange *exchange)
{
    return exchange->broken;
}

uint64_t exchange_content_bytes(const px_exchange *exchange)
{
    return exchange->answer.head_only ? 0 : exchange->output.passed;
}

bool exchange_handler_ms(const px_exchange *exchange, uint32_t *out_ms)
{
    if (exchange->answer.state < ANSWER_READY)
        return false;
    *out_ms = exchange->answer.ready_ms;
    return true;
}

bool exchange_first_byte_ms(const px_exchange *exchange, uint32_t *out_ms)
{
    if (exchange->answer.state < ANSWER_TAKEN)
        return false;
    *out_ms = exchange->answer.taken_ms;
    return true;
}

uint64_t exchange_mark_sent(const px_exchange *exchange)
{
    return exchange->answer.mark_sent;
}

void exchange_outcome(const px_exchange *exchange, struct exchange_outcome *out_outcome)
{
    *out_outcome = (struct exchange_outcome){
        .started_ms = exchange->arrival.started_ms,
        .received = exchange->input.received,
        .sent = exchange->answer.head_only ? 0 : exchange->output.passed,
        .status = (uint16_t)exchange_counted_status(exchange),
        .method = exchange->arrival.method,
        .version = exchange->arrival.version,
        .scheme_https = exchange->arrival.scheme_https,
        .is_named = exchange->arrival.identity != NULL,
        .route = exchange->handling.dispatch.route,
        .pattern = exchange->handling.pattern,
    };
}

/* --- What lasts ------------------------------------------------------------------------------- */

void exchange_offer_upgrade(px_exchange *exchange, px_str protocol)
{
    struct output_more *output = exchange_output_more(exchange);

    if (output)
        output->upgrade = protocol;
}

void *exchange_tunnel_context(const px_exchange *exchange, const px_tunnel_callbacks *callbacks)
{
    const struct output_more *output = exchange->output.more;

    if (exchange->output.kind != CONTENT_TUNNEL || output->tunnel != callbacks)
        return NULL;
    return output->tunnel_context;
}

uint32_t px_exchange_drain_left_ms(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->handling.drain_left_ms;
}

void exchange_tell_drain(px_exchange *exchange, uint32_t in_ms, uint32_t left_ms)
{
    const px_exchange_callbacks *callbacks = exchange->handling.callbacks;

    exchange->handling.drain_left_ms = left_ms;
    if (exchange_alive(exchange) && callbacks && TABLE_MEMBER(callbacks, on_server_drain))
        callbacks->on_server_drain(exchange, in_ms, exchange->handling.callbacks_context);
}
