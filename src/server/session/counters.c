/*
 * Counting.
 *
 * Happy path: what happens is counted in cells, which are the server's own or those of a
 * px_metrics, so that they are whole there whenever this process ends.  What is there now
 * (connections, memory) is written at the end of a tick in which connections came or went, and once
 * a second, as what it has changed by, since several
 * servers may count in one place.  What connections send is counted when they begin to wait for
 * something else; a call on the loop's thread is told the rest too.
 */
#include "server/session/counters.h"

#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "metrics/metrics.h"

/* An older program has a shorter struct. */
static size_t memory_bytes(const px_counters *memory)
{
    return memory->struct_size < sizeof(*memory) ? memory->struct_size : sizeof(*memory);
}

/* Goes on from what was counted elsewhere, where reasons are not told apart. */
static void cells_take_up(struct metrics_cells *cells, const px_counters *from)
{
    cells->accepts = from->accepted;
    cells->requests = from->requests;
    memcpy(cells->responses, &from->responses[1], sizeof(cells->responses));
    cells->refused[REFUSAL_OTHER] = from->refused;
    cells->refused[REFUSAL_CONNECTIONS] = from->turned_away;
    cells->shed = from->shed;
    cells->timeouts[TIMEOUT_RATE] = from->timed_out;
    cells->received = from->bytes_received;
    cells->sent = from->bytes_sent;
    cells->accept_errors = from->accept_errors;
    cells->aborted = from->aborted;
    cells->cut = from->cut;
    cells->handshakes[HANDSHAKE_13] = from->handshakes - from->handshakes_resumed;
    cells->handshakes[HANDSHAKE_13_RESUMED] = from->handshakes_resumed;
    cells->handshakes[HANDSHAKE_FAILED] = from->handshakes_failed;
    cells->ticks[0] = from->ticks;
    cells->longest_us = from->longest_tick_us;
    cells->longest_callbacks = from->longest_tick_callbacks;
    cells->longest_bytes = from->longest_tick_bytes;
}

px_err counters_init(px_server *server, px_error *out_error)
{
    const px_counters *memory = server->options.counters_memory;
    px_metrics *metrics = server->options.metrics;
    px_counters counters = {0};

    if (metrics)
        server->count.cells = metrics_cells_of(metrics);
    if (!memory)
        return PX_OK;
    if (memory->struct_size < offsetof(px_counters, accepted))
        return error_set(out_error, PX_ERR_INVALID, 0, "counters_memory has no struct_size");
    memcpy(&counters, memory, memory_bytes(memory));
    if (!metrics)
        cells_take_up(server->count.cells, &counters);
    return PX_OK;
}

/* --- At the end of a tick --------------------------------------------------------------------- */

static inline void gauge_move(uint64_t *cell, uint64_t *shown, uint64_t value)
{
    *cell += value - *shown;
    *shown = value;
}

static void states_show(px_server *server)
{
    struct metrics_cells *cells = server->count.cells, *shown = &server->count.shown;
    uint32_t idle = server->idle_count, head = server->head_count;
    uint32_t ending = server->linger_count + server->closing_count;
    uint32_t rest = server->conn_count - idle - head;

    ending = ending < rest ? ending : rest;
    gauge_move(&cells->connections[STATE_IDLE], &shown->connections[STATE_IDLE], idle);
    gauge_move(&cells->connections[STATE_HEAD], &shown->connections[STATE_HEAD], head);
    gauge_move(&cells->connections[STATE_CLOSING], &shown->connections[STATE_CLOSING], ending);
    gauge_move(&cells->connections[STATE_ACTIVE], &shown->connections[STATE_ACTIVE], rest - ending);
    gauge_move(&cells->active, &shown->active, server->service.exchanges.taken);
    server->count.shown_conns = server->conn_count;
}

/* Which exchanges did not complete. */
static void aborted_show(px_server *server)
{
    struct metrics_cells *cells = server->count.cells, *shown = &server->count.shown;

    gauge_move(&cells->aborted, &shown->aborted, server->service.aborted);
    gauge_move(&cells->cut, &shown->cut, server->service.cut);
}

static uint64_t pool_bytes(const struct pool *pool)
{
    return (uint64_t)pool->taken * pool->object_bytes;
}

/* Those that show what is counted are not counted, or each scrape would see itself. */
static uint64_t helper_jobs(const px_server *server)
{
    uint32_t jobs = server->loop->helper_jobs;
    uint32_t views = server->options.metrics ? server->options.metrics->views : 0;

    return jobs > views ? jobs - views : 0;
}

/* What moves slowly, or is for the eye: once a second. */
static void memory_show(px_server *server)
{
    struct metrics_cells *cells = server->count.cells, *shown = &server->count.shown;
    const struct budget *budget = &server->loop->memory;
    const uint64_t bytes[MEMORY_COUNT] = {
        [MEMORY_CONNECTIONS] = pool_bytes(&server->conns),
        [MEMORY_EXCHANGES] = pool_bytes(&server->service.exchanges),
        [MEMORY_OUTPUT] = pool_bytes(&server->blocks.outs),
        [MEMORY_INBOX] = budget->shares[BUDGET_INBOX].bytes,
        [MEMORY_HEADS] = budget->shares[BUDGET_HEADS].bytes,
        [MEMORY_COPIED] = server->service.copied_bytes,
    };

    for (int pool = 0; pool < MEMORY_COUNT; pool++)
        gauge_move(&cells->memory[pool], &shown->memory[pool], bytes[pool]);
    gauge_move(&cells->helper_queue, &shown->helper_queue, helper_jobs(server));
    server->count.shown_time = server->loop->unix_time;
    if (server->options.metrics && server->options.metrics->block->begun == 0)
        server->options.metrics->block->begun = server->loop->unix_time;
}

/* The last tick that was measured: of a loop, once for all servers that count in one place. */
static void tick_show(px_server *server)
{
    struct metrics_cells *cells = server->count.cells;
    const struct loop_load *longest = &server->loop->told.longest;
    uint64_t *seen =
        server->options.metrics ? &server->options.metrics->ticks_seen : &server->count.ticks_seen;

    if (*seen == server->loop->told.last.count)
        return;
    *seen = server->loop->told.last.count;
    metric_observe(cells->ticks, &metric_bounds_tick, server->loop->told.last.duration_us);
    if (PX_LIKELY(longest->duration_us <= cells->longest_us))
        return;
    cells->longest_us = longest->duration_us;
    cells->longest_callbacks = longest->callbacks;
    cells->longest_bytes = longest->bytes;
}

_Static_assert((int)SOCKET_KINDS == WEBSOCKET_KINDS && (int)SOCKET_WAYS == WEBSOCKET_WAYS &&
                   (int)SOCKET_ENDS == WEBSOCKET_ENDS,
               "the loop counts what the table has");

static void cells_move(uint64_t *cells, const uint64_t *now, const uint64_t *shown, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++)
        cells[index] += now[index] - shown[index];
}

/* What WebSockets of the loop have done since that was last counted, by whichever server of it. */
static void sockets_show(px_server *server)
{
    struct metrics_cells *cells = server->count.cells;
    const struct loop_sockets *now = &server->loop->told.sockets;
    struct loop_sockets *shown = &server->loop->told.sockets_shown;

    cells_move(cells->websocket_open, now->opened, shown->opened, WEBSOCKET_KINDS);
    cells_move(cells->websocket_open, shown->closed, now->closed, WEBSOCKET_KINDS);
    cells_move(cells->websocket_opened, now->opened, shown->opened, WEBSOCKET_KINDS);
    cells_move(cells->websocket_messages, now->messages, shown->messages, WEBSOCKET_WAYS);
    cells_move(cells->websocket_bytes, now->bytes, shown->bytes, WEBSOCKET_WAYS);
    cells_move(cells->websocket_closes, now->ends, shown->ends, WEBSOCKET_ENDS);
    *shown = *now;
}

void counters_publish(px_server *server)
{
    px_counters *memory = server->options.counters_memory;
    bool is_second = server->count.shown_time != server->loop->unix_time;
    px_counters counters;

    tick_show(server);
    if (PX_UNLIKELY(server->loop->told.sockets.changes !=
                    server->loop->told.sockets_shown.changes) &&
        server->options.metrics)
        sockets_show(server);
    if (PX_UNLIKELY(server->service.aborted != server->count.shown.aborted))
        aborted_show(server);
    if (PX_UNLIKELY(is_second || server->count.shown_conns != server->conn_count))
        states_show(server);
    if (PX_UNLIKELY(is_second))
        memory_show(server);
    if (!memory)
        return;
    size_t head = offsetof(px_counters, accepted), bytes = memory_bytes(memory);

    metrics_counters_of(server->count.cells, &counters);
    memcpy(&memory->accepted, &counters.accepted, bytes - head);
}

void counters_end(px_server *server)
{
    struct metrics_cells *cells = server->count.cells, *shown = &server->count.shown;

    for (int state = 0; state < STATE_COUNT; state++)
        gauge_move(&cells->connections[state], &shown->connections[state], 0);
    for (int pool = 0; pool < MEMORY_COUNT; pool++)
        gauge_move(&cells->memory[pool], &shown->memory[pool], 0);
    gauge_move(&cells->active, &shown->active, 0);
    gauge_move(&cells->helper_queue, &shown->helper_queue, 0);
}

/* --- Asked ------------------------------------------------------------------------------------ */

/* What an open connection has sent since that was last counted.  The window of its minimum rate
 * goes on. */
static void sent_visit(void *object, void *context)
{
    struct session *session = object;
    struct metrics_cells *cells = context;
    uint64_t ahead = session_carrier(session)->sent_bytes(session) - session->mark_sent;

    if (ahead > UINT32_MAX)
        ahead = UINT32_MAX;
    if (ahead <= session->counted_ahead)
        return;
    cells->sent += ahead - session->counted_ahead;
    session->counted_ahead = (uint32_t)ahead;
}

void px_server_counters(const px_server *server, px_counters *out_counters)
{
    px_counters counters = {0};

    pool_each((struct pool *)(uintptr_t)&server->conns, sent_visit, server->count.cells);
    metrics_counters_of(server->count.cells, &counters);
    counters.open = server->conn_count;
    counters.aborted += server->service.aborted - server->count.shown.aborted;
    counters.cut += server->service.cut - server->count.shown.cut;
    options_give(out_counters, &counters, sizeof(counters));
}
