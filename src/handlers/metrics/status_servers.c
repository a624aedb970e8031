/*
 * Servers of upstreams, of a status.
 *
 * Happy path: one pass over the series, which have a server's labels in common, and one for the
 * durations of upstreams.  Servers beyond STATUS_SERVERS_MAX are left out; /metrics has them.
 */
#include "base/check.h"
#include "handlers/metrics/status.h"

static struct status_server *server_of(struct status *status, px_str labels)
{
    for (uint32_t i = 0; i < status->server_count; i++)
        if (px_str_equal(status->servers[i].labels, labels))
            return &status->servers[i];
    if (status->server_count == STATUS_SERVERS_MAX)
        return NULL;
    struct status_server *server = &status->servers[status->server_count++];

    server->labels = labels;
    server->upstream = status_label(labels, "upstream");
    server->name = status_label(labels, "server");
    return server;
}

static uint64_t *cell_of(struct status_server *server, uint32_t row)
{
    switch (row) {
    case METRIC_UPSTREAM_REQUESTS:
        return &server->requests;
    case METRIC_UPSTREAM_FAILURES:
        return &server->failures;
    case METRIC_UPSTREAM_UP:
        return &server->state;
    case METRIC_UPSTREAM_ACTIVE:
        return &server->active;
    }
    return NULL;
}

static bool is_of_server(uint32_t row)
{
    struct status_server any;

    return cell_of(&any, row) != NULL;
}

static void durations_take(struct status *status, px_str upstream, const uint64_t *cells)
{
    for (uint32_t i = 0; i < status->server_count; i++)
        if (px_str_equal(status->servers[i].upstream, upstream))
            status->servers[i].first_byte = cells;
}

/* Of what was taken out counts stay, and no state. */
static void forget_gone(struct status *status)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < status->server_count; i++)
        if (status->servers[i].state != 0)
            status->servers[kept++] = status->servers[i];
    status->server_count = kept;
}

void status_servers_take(struct status *status)
{
    const struct metrics_block *block = status->sum.block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    CHECK(status->server_count == 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &block->series[i];
        px_str labels = px_str_make(block->text + series->text_at, series->text_len);

        if (!is_of_server(series->row) || labels.len == 0)
            continue;
        struct status_server *server = server_of(status, labels);

        if (server && server->name.ptr)
            *cell_of(server, series->row) = block->series_cells[series->cells_at];
    }
    forget_gone(status);
    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &block->series[i];
        px_str labels = px_str_make(block->text + series->text_at, series->text_len);

        if (series->row == METRIC_UPSTREAM_FIRST_BYTE)
            durations_take(status, status_label(labels, "upstream"),
                           block->series_cells + series->cells_at);
    }
}
