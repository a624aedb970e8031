/*
 * Directives in limits, timeouts and minimum_rate: what the flags of those names say.
 */
#include "base/limits.h"
#include "config/schema/schema.h"

#define LIMITS_EXAMPLE(line) "limits {\n    " line "\n}\nrespond"
#define TIMEOUTS_EXAMPLE(line) "timeouts {\n    " line "\n}\nrespond"
#define RATES_EXAMPLE(line) "minimum_rate {\n    " line "\n}\nrespond"

/* One value, one default. */
#define ROW(text, place, use, fallback, line, sample)                                      \
    {                                                                                      \
        .name = (text), .where = (place), .uses = {use}, .values_min = 1, .values_max = 1, \
        .defaults = (fallback), .help = (line), .example = (sample)                        \
    }
/* The same, for what a reload cannot change. */
#define ROW_RESTART(text, place, use, fallback, line, sample)                              \
    {                                                                                      \
        .name = (text), .where = (place), .uses = {use}, .values_min = 1, .values_max = 1, \
        .needs_restart = true, .defaults = (fallback), .help = (line), .example = (sample) \
    }
#define COUNT_OR_OFF                                                            \
    {                                                                           \
        TYPE_COUNT, "N", .least = 1, .most = UINT32_MAX - 1, .may_be_off = true \
    }
#define BYTES                                                  \
    {                                                          \
        TYPE_BYTES, "SIZE", .least = 1, .most = UINT32_MAX - 1 \
    }
/* What the library takes of a head. */
#define HEAD_BYTES(fewest)                                              \
    {                                                                   \
        TYPE_BYTES, "SIZE", .least = (fewest), .most = HEAD_BYTES_LIMIT \
    }
#define FIELDS                                                 \
    {                                                          \
        TYPE_COUNT, "N", .least = 1, .most = FIELD_COUNT_LIMIT \
    }
#define BYTES_OR_OFF                                       \
    {                                                      \
        TYPE_BYTES, "SIZE", .least = 1, .may_be_off = true \
    }
/* Less would not hold one exchange of each kind. */
#define MEMORY_OR_OFF                                                     \
    {                                                                     \
        TYPE_BYTES, "SIZE", .least = 16 * 1024 * 1024, .may_be_off = true \
    }
#define TIME_OR_OFF                                           \
    {                                                         \
        TYPE_DURATION, "TIME", .least = 1, .may_be_off = true \
    }

#define RATE_OR_OFF                                                                \
    {                                                                              \
        TYPE_BYTES, "SIZE", .least = 1, .most = UINT32_MAX - 1, .may_be_off = true \
    }

const struct config_directive schema_limits[] = {
    ROW("connections", IN_LIMITS, COUNT_OR_OFF, NULL,
        "connections of a worker; default: what descriptors allow",
        LIMITS_EXAMPLE("connections 10000")),
    ROW("handshakes", IN_LIMITS, COUNT_OR_OFF, "1024", "TLS handshakes in flight, of a worker",
        LIMITS_EXAMPLE("handshakes 256")),
    ROW("head", IN_LIMITS, HEAD_BYTES(256), "32k", "a request's head; above it is answered 431",
        LIMITS_EXAMPLE("head 16k")),
    ROW("fields", IN_LIMITS, FIELDS, "100", "fields of a head; above it is answered 431",
        LIMITS_EXAMPLE("fields 50")),
    ROW("target", IN_LIMITS, HEAD_BYTES(1), "8k", "a request's target; above it is answered 414",
        LIMITS_EXAMPLE("target 4k")),
    ROW("content", IN_LIMITS, BYTES_OR_OFF, "1m", "a request's content; above it is answered 413",
        LIMITS_EXAMPLE("content 10m")),
    ROW("exchange", IN_LIMITS, BYTES, "1m", "memory of one request and its answer",
        LIMITS_EXAMPLE("exchange 256k")),
    ROW("output", IN_LIMITS, BYTES, "1m", "bytes of an answer that are written and not taken yet",
        LIMITS_EXAMPLE("output 256k")),
    ROW("inbox", IN_LIMITS, BYTES_OR_OFF, "64m",
        "bytes that were received and not read, of a worker", LIMITS_EXAMPLE("inbox 16m")),
    ROW("memory", IN_LIMITS, MEMORY_OR_OFF, NULL,
        "what a worker keeps for peers in all; default: a share of the machine's memory, or of "
        "its control group's",
        LIMITS_EXAMPLE("memory 256m")),
    ROW("pipeline", IN_LIMITS, COUNT_OR_OFF, "64",
        "requests of a connection that are answered before other connections go on",
        LIMITS_EXAMPLE("pipeline 16")),
    ROW("head", IN_TIMEOUTS, TIME_OR_OFF, "10s", "from the first byte of a head to its end",
        TIMEOUTS_EXAMPLE("head 5s")),
    ROW("idle", IN_TIMEOUTS, TIME_OR_OFF, "60s", "between the requests of a connection",
        TIMEOUTS_EXAMPLE("idle 2m")),
    ROW("total", IN_TIMEOUTS, TIME_OR_OFF, "off", "a request and its answer",
        TIMEOUTS_EXAMPLE("total 10m")),
    ROW("linger", IN_TIMEOUTS, TIME_OR_OFF, "5s", "reading on after a refusal",
        TIMEOUTS_EXAMPLE("linger 2s")),
    ROW("handshake", IN_TIMEOUTS, TIME_OR_OFF, "10s", "a TLS handshake",
        TIMEOUTS_EXAMPLE("handshake 5s")),
    ROW_RESTART("drain", IN_TIMEOUTS, TIME_OR_OFF, "30s", "answers in flight, at the end",
                TIMEOUTS_EXAMPLE("drain 1m")),
    ROW_RESTART("start", IN_TIMEOUTS, TIME_OR_OFF, "60s", "a new worker, until it is ready",
                TIMEOUTS_EXAMPLE("start 10s")),
    ROW_RESTART("hung", IN_TIMEOUTS, TIME_OR_OFF, "10s",
                "a worker that does not move, until it is killed", TIMEOUTS_EXAMPLE("hung 30s")),
    ROW("window", IN_RATES, TIME_OR_OFF, "20s", "the time over which rates are taken",
        RATES_EXAMPLE("window 10s")),
    ROW("content", IN_RATES, RATE_OR_OFF, "240", "least bytes a second of request content",
        RATES_EXAMPLE("content 1000")),
    ROW("send", IN_RATES, RATE_OR_OFF, "240", "least bytes a second that a peer reads",
        RATES_EXAMPLE("send 1000")),
    {0},
};
