/*
 * Requests, measured: how long each took and how much it carried, by route and outcome.
 *
 * Happy path: a route is asked with the same method and answered with the same status again, and
 * the series is the one that its route keeps; else it is looked up by its labels.
 */
#ifndef PX_SERVER_MEASURE_H
#define PX_SERVER_MEASURE_H

#include "exchange/upstream.h"
#include "metrics/metrics.h"
#include "server/session/session.h"

/* What requests of one route are told apart by; never 0. */
static inline uint64_t measure_key(const struct exchange_outcome *outcome, px_end end,
                                   bool upstream_broke)
{
    return (uint64_t)1 << 63 | (uint64_t)upstream_broke << 41 |
           (uint64_t)outcome->scheme_https << 40 | (uint64_t)end << 32 |
           (uint64_t)outcome->status << 16 | (uint64_t)outcome->version << 8 | outcome->method;
}

/* The cells of its series, which its route then keeps. */
uint64_t *measure_find(px_metrics *metrics, const px_exchange *exchange, px_end end,
                       struct site_measure *measure);

/* Keeps its trace beside what is counted of it, if the trace is sampled. */
void measure_exemplify(px_server *server, const px_exchange *exchange, uint64_t *series);

/* Most take less than a tick, and have no content. */
static inline void measure_duration(uint64_t *series, uint64_t duration_ms)
{
    if (PX_LIKELY(duration_ms == 0))
        series[0]++;
    else
        metric_observe(series, &metric_bounds_duration, duration_ms);
}

static inline void measure_size(uint64_t *cells, uint64_t bytes)
{
    if (bytes == 0)
        cells[0]++;
    else
        metric_observe_size(cells, bytes);
}

/* Counts an exchange that ends now. */
static inline void measure_request(px_server *server, const px_exchange *exchange, px_end end)
{
    struct metrics_cells *cells = server->count.cells;
    struct exchange_outcome outcome;

    exchange_outcome(exchange, &outcome);
    const struct site_route *route = outcome.route;
    struct site_measure *measure = route ? route->measure : site_rules_of(exchange)->measure;
    uint64_t *series =
        PX_LIKELY(end == PX_END_COMPLETE && measure->keys[0] == measure_key(&outcome, end, false))
            ? measure->cells[0]
            : measure_find(server->options.metrics, exchange, end, measure);

    measure_duration(series, server->loop->now_ms - outcome.started_ms);
    if (PX_UNLIKELY(outcome.is_named))
        measure_exemplify(server, exchange, series);
    measure_size(cells->request_bytes, outcome.received);
    measure_size(cells->response_bytes, outcome.sent);
}

#endif
