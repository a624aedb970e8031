/*
 * Counters.
 *
 * Happy path: what happens on a connection adds to the server's own struct, and a copy of that goes
 * to the embedder's memory once a tick, so that it is whole there whenever this process ends.  What
 * connections send is counted when they begin to wait for something else; who asks on the loop's
 * thread is told the rest too.
 */
#include "server/session/counters.h"

#include <string.h>

#include "base/error.h"

/* An older program has a shorter struct. */
static size_t memory_bytes(const px_counters *memory)
{
    return memory->struct_size < sizeof(*memory) ? memory->struct_size : sizeof(*memory);
}

px_err counters_init(px_server *server, px_error *out_error)
{
    const px_counters *memory = server->options.counters_memory;

    if (!memory)
        return PX_OK;
    if (memory->struct_size < offsetof(px_counters, accepted))
        return error_set(out_error, PX_ERR_INVALID, 0, "counters_memory has no struct_size");
    memcpy(&server->counters, memory, memory_bytes(memory));
    server->service.aborted = server->counters.aborted;
    server->service.cut = server->counters.cut;
    return PX_OK;
}

static void counters_take(px_server *server)
{
    px_counters *counters = &server->counters;
    const struct loop_load *longest = &server->loop->longest;

    counters->open = server->conn_count;
    counters->aborted = server->service.aborted;
    counters->cut = server->service.cut;
    counters->ticks++;
    if (PX_LIKELY(longest->duration_us <= counters->longest_tick_us))
        return;
    counters->longest_tick_us = longest->duration_us;
    counters->longest_tick_callbacks = longest->callbacks;
    counters->longest_tick_bytes = longest->bytes;
}

void counters_publish(px_server *server)
{
    px_counters *memory = server->options.counters_memory;

    counters_take(server);
    if (!memory)
        return;
    size_t head = offsetof(px_counters, accepted), bytes = memory_bytes(memory);

    memcpy(&memory->accepted, &server->counters.accepted, bytes - head);
}

/* What open connections have sent since that was last counted. */
static void sent_visit(void *object, void *context)
{
    const struct session *session = object;
    px_counters *counters = context;

    counters->bytes_sent += session_carrier(session)->sent_bytes(session) - session->mark_sent;
}

void px_server_counters(const px_server *server, px_counters *out_counters)
{
    px_counters counters = server->counters;
    size_t bytes = out_counters->struct_size;

    counters.struct_size = bytes;
    counters.open = server->conn_count;
    counters.aborted = server->service.aborted;
    counters.cut = server->service.cut;
    pool_each((struct pool *)(uintptr_t)&server->conns, sent_visit, &counters);
    memcpy(out_counters, &counters, bytes < sizeof(counters) ? bytes : sizeof(counters));
}
