/*
 * Counting of an upstream.
 */
#include "proxy/upstream.h"

#include "base/check.h"
#include "metrics/table.h"

enum { SHOW_MS = 1000 };

static const char *const reasons[RETRY_COUNT] = {
    [RETRY_UNSENT] = "unsent",
    [RETRY_UNPROCESSED] = "unprocessed",
    [RETRY_REUSED] = "reused",
    [RETRY_DISCONNECT] = "disconnect",
};

static uint32_t set_of(px_metrics *metrics, px_metric row, px_str upstream, px_str second)
{
    const px_str values[] = {upstream, second};

    return px_metric_labels(metrics, row, values);
}

/* As it is named in the configuration, or by its first server. */
static px_str name_of(const px_upstream *upstream)
{
    const char *name = upstream->options.name;

    return px_str_of(name && name[0] ? name : upstream->servers[0].url);
}

static void on_show(px_timer *timer, void *context)
{
    upstream_counts_show(context);
    px_timer_start(timer, SHOW_MS);
}

px_err upstream_counts_open(px_upstream *upstream, px_metrics *metrics)
{
    struct upstream_counts *counts = &upstream->counts;
    px_str name = name_of(upstream), none = {NULL, 0};

    CHECK(!counts->metrics && upstream->server_count > 0);
    if (!metrics)
        return PX_OK;
    counts->timer = px_timer_create(upstream->loop, on_show, upstream);
    if (!counts->timer)
        return PX_ERR_MEMORY;
    counts->metrics = metrics;
    counts->reuses = set_of(metrics, METRIC_UPSTREAM_REUSES, name, none);
    counts->queue = set_of(metrics, METRIC_UPSTREAM_QUEUE, name, none);
    counts->panic = set_of(metrics, METRIC_UPSTREAM_PANIC, name, none);
    counts->available = set_of(metrics, METRIC_UPSTREAM_AVAILABLE, name, none);
    counts->connect = set_of(metrics, METRIC_UPSTREAM_CONNECT, name, none);
    counts->first_byte = set_of(metrics, METRIC_UPSTREAM_FIRST_BYTE, name, none);
    for (int index = 0; index < RETRY_COUNT; index++)
        counts->retries[index] =
            set_of(metrics, METRIC_UPSTREAM_RETRIES, name, px_str_of(reasons[index]));
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];
        px_str url = px_str_of(server->url);

        server->counts.requests = set_of(metrics, METRIC_UPSTREAM_REQUESTS, name, url);
        server->counts.failures = set_of(metrics, METRIC_UPSTREAM_FAILURES, name, url);
        server->counts.up = set_of(metrics, METRIC_UPSTREAM_UP, name, url);
        server->counts.active = set_of(metrics, METRIC_UPSTREAM_ACTIVE, name, url);
    }
    upstream_counts_show(upstream);
    px_timer_start(counts->timer, SHOW_MS);
    return PX_OK;
}

/* Another upstream of the same name may show there too, so a gauge is moved and not set. */
static void gauge_move(px_metrics *metrics, px_metric row, uint32_t set, uint32_t *shown,
                       uint32_t value)
{
    px_metric_add(metrics, row, set, (uint64_t)value - *shown);
    *shown = value;
}

void upstream_counts_show(px_upstream *upstream)
{
    struct upstream_counts *counts = &upstream->counts;

    bool is_available = false;

    if (!counts->metrics)
        return;
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];
        bool is_up = server_is_up(upstream, server);

        is_available = is_available || is_up;
        px_metric_set(counts->metrics, METRIC_UPSTREAM_UP, server->counts.up, is_up);
    }
    px_metric_set(counts->metrics, METRIC_UPSTREAM_PANIC, counts->panic,
                  upstream_is_in_panic(upstream));
    if (upstream->proxies > 0)
        px_metric_set(counts->metrics, METRIC_UPSTREAM_AVAILABLE, counts->available, is_available);
    else
        px_metric_forget(counts->metrics, METRIC_UPSTREAM_AVAILABLE, counts->available);
}

void upstream_counts_close(px_upstream *upstream)
{
    struct upstream_counts *counts = &upstream->counts;

    if (!counts->metrics)
        return;
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        gauge_move(counts->metrics, METRIC_UPSTREAM_ACTIVE, server->counts.active,
                   &server->counts.shown, 0);
        px_metric_forget(counts->metrics, METRIC_UPSTREAM_UP, server->counts.up);
    }
    gauge_move(counts->metrics, METRIC_UPSTREAM_QUEUE, counts->queue, &counts->queue_shown, 0);
    px_metric_forget(counts->metrics, METRIC_UPSTREAM_PANIC, counts->panic);
    px_metric_forget(counts->metrics, METRIC_UPSTREAM_AVAILABLE, counts->available);
    px_timer_destroy(counts->timer);
    counts->metrics = NULL;
}

void upstream_counts_request(px_upstream *upstream, const struct server *server)
{
    if (upstream->counts.metrics)
        px_metric_add(upstream->counts.metrics, METRIC_UPSTREAM_REQUESTS, server->counts.requests,
                      1);
}

void upstream_counts_active(px_upstream *upstream, struct server *server)
{
    if (upstream->counts.metrics)
        gauge_move(upstream->counts.metrics, METRIC_UPSTREAM_ACTIVE, server->counts.active,
                   &server->counts.shown, server->busy);
}

void upstream_counts_failure(px_upstream *upstream, const struct server *server)
{
    if (upstream->counts.metrics)
        px_metric_add(upstream->counts.metrics, METRIC_UPSTREAM_FAILURES, server->counts.failures,
                      1);
}

void upstream_counts_waiting(px_upstream *upstream)
{
    if (upstream->counts.metrics)
        gauge_move(upstream->counts.metrics, METRIC_UPSTREAM_QUEUE, upstream->counts.queue,
                   &upstream->counts.queue_shown, upstream->queue.count);
}

void upstream_counts_retry(px_upstream *upstream, enum retry_reason reason)
{
    CHECK(reason < RETRY_COUNT);
    if (upstream->counts.metrics)
        px_metric_add(upstream->counts.metrics, METRIC_UPSTREAM_RETRIES,
                      upstream->counts.retries[reason], 1);
}

void upstream_counts_first_byte(px_upstream *upstream, uint64_t took_ms)
{
    if (upstream->counts.metrics)
        px_metric_observe(upstream->counts.metrics, METRIC_UPSTREAM_FIRST_BYTE,
                          upstream->counts.first_byte, took_ms);
}

void upstream_counts_connection(px_upstream *upstream, bool is_reused, uint32_t took_ms)
{
    struct upstream_counts *counts = &upstream->counts;

    if (!counts->metrics)
        return;
    if (is_reused)
        px_metric_add(counts->metrics, METRIC_UPSTREAM_REUSES, counts->reuses, 1);
    else
        px_metric_observe(counts->metrics, METRIC_UPSTREAM_CONNECT, counts->connect, took_ms);
}
