/*
 * Flags that bound what a peer may take: bytes, numbers, times and rates.
 */
#include <limits.h>

#include "base/budget.h"
#include "base/error.h"
#include "base/limits.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"

static px_err set_backlog(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    uint64_t count;

    if (!value_count(value, 1, INT_MAX, &count))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is a number from 1 on",
                         flag->name, value);
    options->backlog = (uint32_t)count;
    return PX_OK;
}

static px_err set_memory(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    px_err err = flag_set_bytes64(options, flag, value, out_error);

    if (err == PX_OK && options->server.memory_bytes_max < MEMORY_BYTES_MIN)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is at least 16m", flag->name,
                         value);
    return err;
}

const struct flag flags_limits[] = {
    {"max-connections", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(server.connections_max),
     "connections of a worker (default: what descriptors allow)"},
    {"backlog", 0, "N", FOR_SERVING, set_backlog, 0,
     "connections that wait at each socket (default 1024)"},
    {"max-fields", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(server.field_count_max),
     "fields of a head (default 100)"},
    {"max-pipeline", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(server.pipeline_count_max),
     "requests of one connection in a row (default 64)"},
    {"max-head", 0, "SIZE", FOR_SERVING, flag_set_bytes, FLAG_AT(server.head_bytes_max),
     "a request's head (default 32k)"},
    {"max-target", 0, "SIZE", FOR_SERVING, flag_set_bytes, FLAG_AT(server.target_bytes_max),
     "its target (default 8k)"},
    {"max-content", 0, "SIZE", FOR_SERVING, flag_set_bytes64, FLAG_AT(server.content_bytes_max),
     "its content (default 1m, of proxy off), or off"},
    {"max-exchange", 0, "SIZE", FOR_SERVING, flag_set_bytes, FLAG_AT(server.exchange_bytes_max),
     "memory of one exchange (default 1m)"},
    {"max-output", 0, "SIZE", FOR_SERVING, flag_set_bytes, FLAG_AT(server.output_bytes_max),
     "written in pieces and not taken yet (default 1m)"},
    {"max-inbox", 0, "SIZE", FOR_SERVING, flag_set_bytes64, FLAG_AT(inbox_bytes_max),
     "unread bytes of a worker (default 64m), or off"},
    {"max-memory", 0, "SIZE", FOR_SERVING, set_memory, FLAG_AT(server.memory_bytes_max),
     "what a worker keeps for peers (default: its part of all), or off"},
    {"timeout-head", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(server.head_timeout_ms),
     "first byte to end of a head (default 10s), or off"},
    {"timeout-idle", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(server.idle_timeout_ms),
     "between requests (default 60s), or off"},
    {"timeout-total", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(server.total_timeout_ms),
     "a whole exchange (default off)"},
    {"timeout-linger", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(server.linger_timeout_ms),
     "reading on after a refusal (default 5s), or off"},
    {"rate-window", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(server.rate_window_ms),
     "over which the least rates are taken (default 20s)"},
    {"rate-content", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(server.content_rate_min),
     "least bytes a second of content (default 240), or off"},
    {"rate-send", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(server.send_rate_min),
     "least bytes a second a peer reads (default 240), or off"},
    {0},
};
