/*
 * The series of a request, by its labels.
 */
#include "server/site/measure.h"

#include <string.h>

#include "base/text.h"
#include "server/site/log_fields.h"

/* Peers make methods up. */
static px_str method_label(const px_exchange *exchange, uint8_t method)
{
    return method != METHOD_OTHER ? exchange_request(exchange)->method : px_str_make("_OTHER", 6);
}

/* The path of a pattern, without the method in front of it. */
static px_str route_label(const char *pattern)
{
    const char *path = strchr(pattern, ' ');

    return path ? px_str_of(path + 1) : px_str_of(pattern);
}

static const char *version_label(uint8_t version)
{
    if (version == 10)
        return "1.0";
    return version == 11 ? "1.1" : "2";
}

/* A configured host; `*` stands for what clients make up. */
static px_str host_label(const px_host *host)
{
    static const px_str other = {"_other", 6};

    return host && host->name && strcmp(host->name, "*") != 0 ? px_str_of(host->name) : other;
}

static uint64_t *series_find(px_metrics *metrics, const px_exchange *exchange,
                             const struct exchange_outcome *outcome, px_end end,
                             struct site_measure *measure)
{
    char digits[TEXT_NUMBER_BYTES];
    struct metrics_request request = {
        .method = method_label(exchange, outcome->method),
        .status = outcome->status,
        .host = host_label(site_rules_of(exchange)->host),
        .version = version_label(outcome->version),
        .scheme = outcome->scheme_https ? "https" : "http",
        .routes = site_of(exchange_site_of(exchange))->measure_count,
        .is_full = &measure->is_full,
    };

    if (outcome->pattern)
        request.route = route_label(outcome->pattern);
    /* As OpenTelemetry has it: why it failed, or the status where the server says that it did. */
    if (end != PX_END_COMPLETE)
        request.error = px_str_of(exchange_end_name(exchange, end));
    else if (outcome->status >= 500)
        request.error =
            px_str_make(digits, (size_t)(text_write_number(digits, outcome->status) - digits));
    return metrics_request_cells(metrics, &request);
}

void measure_exemplify(px_server *server, const px_exchange *exchange, uint64_t *series)
{
    px_str trace_id = exchange_trace_sampled(exchange);

    if (trace_id.len > 0)
        metrics_exemplify(server->options.metrics, series,
                          server->loop->now_ms - exchange_started_ms(exchange),
                          server->loop->unix_time, trace_id);
}

uint64_t *measure_find(px_metrics *metrics, const px_exchange *exchange, px_end end,
                       struct site_measure *measure)
{
    struct exchange_outcome outcome;

    /* Read anew, so that the short cut keeps its own in registers. */
    exchange_outcome(exchange, &outcome);
    uint64_t key =
        measure_key(&outcome, end, end != PX_END_COMPLETE && exchange_upstream_broke(exchange));

    for (uint32_t index = 1; index < MEASURE_KEPT; index++)
        if (measure->keys[index] == key)
            return measure->cells[index];
    uint32_t at = measure->next++ % MEASURE_KEPT;

    measure->cells[at] = series_find(metrics, exchange, &outcome, end, measure);
    measure->keys[at] = key;
    return measure->cells[at];
}
