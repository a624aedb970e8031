/*
 * The table of numbers.
 */
#include "main/run/run_numbers.h"

#include <string.h>

#include "base/check.h"

const struct run_number run_numbers[] = {
    {"limits", "connections", CELL_32, offsetof(struct options, server.connections_max)},
    {"limits", "handshakes", CELL_32, offsetof(struct options, secure.tls.handshakes_max)},
    {"limits", "head", CELL_32, offsetof(struct options, server.head_bytes_max)},
    {"limits", "fields", CELL_32, offsetof(struct options, server.field_count_max)},
    {"limits", "target", CELL_32, offsetof(struct options, server.target_bytes_max)},
    {"limits", "content", CELL_64, offsetof(struct options, server.content_bytes_max)},
    {"limits", "exchange", CELL_32, offsetof(struct options, server.exchange_bytes_max)},
    {"limits", "output", CELL_32, offsetof(struct options, server.output_bytes_max)},
    {"limits", "inbox", CELL_64, offsetof(struct options, inbox_bytes_max)},
    {"limits", "memory", CELL_64, offsetof(struct options, server.memory_bytes_max)},
    {"limits", "pipeline", CELL_32, offsetof(struct options, server.pipeline_count_max)},
    {"timeouts", "head", CELL_32, offsetof(struct options, server.head_timeout_ms)},
    {"timeouts", "idle", CELL_32, offsetof(struct options, server.idle_timeout_ms)},
    {"timeouts", "total", CELL_32, offsetof(struct options, server.total_timeout_ms)},
    {"timeouts", "linger", CELL_32, offsetof(struct options, server.linger_timeout_ms)},
    {"timeouts", "handshake", CELL_32, offsetof(struct options, secure.tls.handshake_timeout_ms)},
    {"timeouts", "drain", CELL_32, offsetof(struct options, process.drain_timeout_ms)},
    {"timeouts", "start", CELL_32, offsetof(struct options, process.start_timeout_ms)},
    {"timeouts", "hung", CELL_32, offsetof(struct options, process.hung_timeout_ms)},
    {"minimum_rate", "window", CELL_32, offsetof(struct options, server.rate_window_ms)},
    {"minimum_rate", "content", CELL_32, offsetof(struct options, server.content_rate_min)},
    {"minimum_rate", "send", CELL_32, offsetof(struct options, server.send_rate_min)},
    {NULL, "drain_delay", CELL_32, offsetof(struct options, process.drain_delay_ms)},
    {NULL, "drain_spread", CELL_32, offsetof(struct options, process.drain_spread_ms)},
};

const size_t run_number_count = ARRAY_COUNT(run_numbers);

void run_number_store(const struct run_number *row, struct options *options, bool is_off,
                      uint64_t number)
{
    char *at = (char *)options + row->offset;
    uint32_t small = is_off ? PX_OFF : (uint32_t)number;
    uint64_t large = is_off ? PX_UNLIMITED_BYTES : number;

    if (row->cell == CELL_32)
        memcpy(at, &small, sizeof(small));
    else
        memcpy(at, &large, sizeof(large));
}

bool run_number_load(const struct run_number *row, const struct options *options, bool *out_is_off,
                     uint64_t *out_number)
{
    const char *at = (const char *)options + row->offset;
    uint32_t small = 0;
    uint64_t large = 0;

    if (row->cell == CELL_32)
        memcpy(&small, at, sizeof(small));
    else
        memcpy(&large, at, sizeof(large));
    *out_is_off = row->cell == CELL_32 ? small == PX_OFF : large == PX_UNLIMITED_BYTES;
    *out_number = row->cell == CELL_32 ? small : large;
    return *out_number != 0;
}
