/*
 * Putting a status together.
 *
 * Happy path: a sum, then one pass over its series for the routes, one over the blocks for the
 * workers, one over the samples for the rates.  It can fail by memory.
 */
#include "handlers/metrics/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

/* --- Labels and rows -------------------------------------------------------------------------- */

px_str status_label(px_str labels, const char *name)
{
    size_t len = strlen(name);

    for (size_t at = 0; at + len + 2 <= labels.len; at++) {
        bool is_start = at == 0 || labels.ptr[at - 1] == ',';

        if (!is_start || memcmp(labels.ptr + at, name, len) != 0 || labels.ptr[at + len] != '=' ||
            labels.ptr[at + len + 1] != '"')
            continue;
        size_t begin = at + len + 2, end = begin;

        while (end < labels.len && labels.ptr[end] != '"')
            end += labels.ptr[end] == '\\' ? 2 : 1;
        if (end < labels.len)
            return px_str_make(labels.ptr + begin, end - begin);
    }
    return px_str_make(NULL, 0);
}

static uint32_t row_at(const struct status *status, const char *name)
{
    const px_metrics *metrics = status->sum.metrics;
    uint32_t at = 0;

    while (at < metrics->row_count && strcmp(metrics->rows[at].name, name) != 0)
        at++;
    return at;
}

const struct metric_row *status_row(const struct status *status, const char *name)
{
    uint32_t at = row_at(status, name);

    return at < status->sum.metrics->row_count ? &status->sum.metrics->rows[at] : NULL;
}

uint64_t status_value(const struct status *status, const char *name)
{
    const struct metric_row *row = status_row(status, name);

    return row && !row->bounds && row->cell_count > 0
               ? cells_total(status->sum.block->cells + row->cells_at, row->cell_count)
               : 0;
}

void status_each_series(const struct status *status, const struct metric_row *row,
                        void (*visit)(px_str labels, uint64_t value, void *context), void *context)
{
    const struct metrics_block *block = status->sum.block;
    uint32_t wanted = (uint32_t)(row - status->sum.metrics->rows);
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    CHECK(wanted < status->sum.metrics->row_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &block->series[i];
        uint64_t value = block->series_cells[series->cells_at];

        if (series->row == wanted)
            visit(px_str_make(block->text + series->text_at, series->text_len), value, context);
    }
}

uint64_t status_quantile_us(const uint64_t *cells, unsigned percent)
{
    const struct metric_bounds *bounds = &metric_bounds_duration;
    uint64_t count = cells_total(cells, bounds->count + 1);
    uint64_t wanted = (count * percent + 99) / 100, below = 0;

    CHECK(percent > 0 && percent <= 100);
    for (uint32_t i = 0; i < bounds->count && count > 0; i++) {
        uint64_t from = i > 0 ? bounds->at[i - 1] : 0;

        if (below + cells[i] >= wanted)
            return from * 1000 +
                   (bounds->at[i] - from) * 1000 * (wanted - below) / (cells[i] > 0 ? cells[i] : 1);
        below += cells[i];
    }
    return count > 0 ? bounds->at[bounds->count - 1] * 1000 : 0;
}

/* --- Routes ----------------------------------------------------------------------------------- */

static struct status_route *route_of(struct status *status, px_str host, px_str route)
{
    CHECK(status->route_count <= STATUS_ROUTES_MAX);
    for (uint32_t i = 0; i < status->route_count; i++)
        if (px_str_equal(status->routes[i].route, route) &&
            px_str_equal(status->routes[i].host, host))
            return &status->routes[i];
    if (status->route_count == STATUS_ROUTES_MAX)
        return &status->routes[STATUS_ROUTES_MAX - 1];
    status->routes[status->route_count] = (struct status_route){.host = host, .route = route};
    return &status->routes[status->route_count++];
}

static void route_add(struct status_route *route, const uint64_t *cells, bool is_error)
{
    uint64_t count = cells_total(cells, DURATION_BOUNDS + 1);

    for (uint32_t i = 0; i < DURATION_BOUNDS + HISTOGRAM_EXTRA; i++)
        route->cells[i] += cells[i];
    route->count += count;
    route->errors += is_error ? count : 0;
}

static int route_compare(const void *one, const void *other)
{
    const struct status_route *a = one, *b = other;

    return (a->count < b->count) - (a->count > b->count);
}

static void routes_take(struct status *status)
{
    const struct metrics_block *block = status->sum.block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &block->series[i];
        px_str labels = px_str_make(block->text + series->text_at, series->text_len);
        const uint64_t *cells = block->series_cells + series->cells_at;

        if (series->row != METRIC_REQUEST_ROW || cells_total(cells, DURATION_BOUNDS + 1) == 0)
            continue;
        bool is_error = status_label(labels, "error_type").ptr != NULL;

        route_add(route_of(status, status_label(labels, "server_address"),
                           status_label(labels, "http_route")),
                  cells, is_error);
        route_add(&status->all, cells, is_error);
    }
    if (status->route_count > 1)
        qsort(status->routes, status->route_count, sizeof(status->routes[0]), route_compare);
}

/* --- Workers and rates ------------------------------------------------------------------------ */

static uint64_t block_value(const struct status *status, const struct metrics_block *block,
                            const char *name)
{
    const struct metric_row *row = status_row(status, name);

    /* All blocks of a program have its table; another's is no worker. */
    return row && row->cell_count > 0 ? block_load(&block->cells[row->cells_at]) : 0;
}

static void worker_take(struct status *status, const struct metrics_block *block)
{
    const struct metrics_cells *cells = (const void *)block->cells;
    int64_t begun = block->begun;

    CHECK(status->worker_count <= STATUS_WORKERS_MAX);
    if (begun == 0 || status->worker_count == STATUS_WORKERS_MAX)
        return;
    status->workers[status->worker_count++] = (struct status_worker){
        .begun = begun,
        .requests = block_load(&cells->requests),
        .connections = cells_total(cells->connections, STATE_COUNT),
        .ticks = cells_total(cells->ticks, TICK_BOUNDS + 1),
        .longest_us = block_load(&cells->longest_us),
        .resident_bytes = block_value(status, block, "process_resident_memory_bytes"),
    };
}

static void rates_take(struct status *status, const struct metrics_block *block)
{
    uint64_t count = atomic_load_explicit(&block->sample_count, memory_order_acquire);
    uint64_t first = count > BLOCK_SAMPLES ? count - BLOCK_SAMPLES : 0;

    if (count == 0)
        return;
    status->rate_count = 0;
    for (uint64_t i = first + 1; i < count; i++) {
        const struct block_sample *from = &block->samples[(i - 1) % BLOCK_SAMPLES];
        const struct block_sample *to = &block->samples[i % BLOCK_SAMPLES];
        int64_t seconds = to->unix_time - from->unix_time;

        if (seconds <= 0 || to->requests < from->requests || to->errors < from->errors)
            continue;
        CHECK(status->rate_count < BLOCK_SAMPLES);
        status->rates[status->rate_count++] = (struct status_rate){
            to->unix_time, (to->requests - from->requests) * 1000 / (uint64_t)seconds,
            (to->errors - from->errors) * 1000 / (uint64_t)seconds};
    }
}

static void block_take(struct status *status, const struct metrics_block *block)
{
    worker_take(status, block);
    rates_take(status, block);
}

px_err status_init(struct status *status, const px_metrics *metrics, int64_t now)
{
    memset(status, 0, sizeof(*status));
    px_err err = metrics_sum_init(&status->sum, metrics);

    if (err != PX_OK)
        return err;
    status->now = now;
    status->routes =
        alloc_take_zeroed(&metrics->allocator, STATUS_ROUTES_MAX * sizeof(status->routes[0]));
    status->workers =
        alloc_take_zeroed(&metrics->allocator, STATUS_WORKERS_MAX * sizeof(status->workers[0]));
    status->servers =
        alloc_take_zeroed(&metrics->allocator, STATUS_SERVERS_MAX * sizeof(status->servers[0]));
    if (!status->routes || !status->workers || !status->servers) {
        status_deinit(status);
        return PX_ERR_MEMORY;
    }
    routes_take(status);
    status_servers_take(status);
    if (metrics->seen_count == 0)
        block_take(status, metrics->block);
    for (uint32_t i = 0; i < metrics->seen_count; i++)
        block_take(status, metrics->seen[i].block);
    return PX_OK;
}

void status_deinit(struct status *status)
{
    if (!status->sum.metrics)
        return;
    alloc_put(&status->sum.metrics->allocator, status->routes);
    alloc_put(&status->sum.metrics->allocator, status->workers);
    alloc_put(&status->sum.metrics->allocator, status->servers);
    metrics_sum_deinit(&status->sum);
    memset(status, 0, sizeof(*status));
}
