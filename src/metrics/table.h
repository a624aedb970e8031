/*
 * The metrics of the library: each is one row of a table, which the struct of cells, the sum over
 * workers, every form of output and the manual come from.
 *
 * A cell is a number of 64 bits.  A counter or gauge has one for each set of labels; a histogram
 * has, for each set, one for each bound, one for what is above, and one for the sum.  A metric
 * whose labels are not a closed list has no cells here: its series are made as they come (block.h).
 */
#ifndef PX_METRICS_TABLE_H
#define PX_METRICS_TABLE_H

#include <stdint.h>

#include "pollux/metrics.h"

/* What the cells of a metric with labels stand for, in the order of their texts in table.c. */
enum metric_state { STATE_IDLE, STATE_HEAD, STATE_ACTIVE, STATE_CLOSING, STATE_COUNT };

enum metric_refusal {
    REFUSAL_SYNTAX,    /* 400 */
    REFUSAL_CONTENT,   /* 413 */
    REFUSAL_TARGET,    /* 414 */
    REFUSAL_HEAD,      /* 431 */
    REFUSAL_METHOD,    /* 501 */
    REFUSAL_VERSION,   /* 505 */
    REFUSAL_RESOURCES, /* 503: memory, or a limit of ours */
    REFUSAL_OTHER,
    REFUSAL_CONNECTIONS, /* a newcomer above the limit of connections, told 503 */
    REFUSAL_COUNT
};

enum metric_timeout {
    TIMEOUT_IDLE,
    TIMEOUT_HEAD,
    TIMEOUT_RATE, /* content, or the reading of an answer, too slow; or a total */
    TIMEOUT_LINGER,
    TIMEOUT_HANDSHAKE,
    TIMEOUT_STREAM, /* of HTTP/2 */
    TIMEOUT_COUNT
};

enum metric_handshake {
    HANDSHAKE_12,
    HANDSHAKE_12_RESUMED,
    HANDSHAKE_13,
    HANDSHAKE_13_RESUMED,
    HANDSHAKE_FAILED,
    HANDSHAKE_COUNT
};

/* As io has them: served, proxied; in, out; and how they ended. */
enum { WEBSOCKET_KINDS = 2, WEBSOCKET_WAYS = 2, WEBSOCKET_ENDS = 7 };

enum metric_memory {
    MEMORY_CONNECTIONS,
    MEMORY_EXCHANGES,
    MEMORY_OUTPUT,
    MEMORY_INBOX,
    MEMORY_HEADS,
    MEMORY_COPIED,
    MEMORY_COUNT
};

enum {
    DURATION_BOUNDS = 14, /* the OpenTelemetry ones of http.server.request.duration */
    SIZE_BOUNDS = 11,     /* powers of four, from 64 bytes to 64 MiB */
    TICK_BOUNDS = 13,
    HISTOGRAM_EXTRA = 2, /* what is above every bound, and the sum */
    RESPONSE_CLASSES = 5,
};

/* clang-format off */

/* X(member, [cells], kind, divisor, labels, bounds, name, unit, help): the name has no _total, which
 * every counter gets when it is written; a cell divided by the divisor is in the unit. */
#define METRICS_HTTP(X) \
    X(requests, , COUNTER, 1, NULL, NULL, "pollux_requests", "", "Request heads that were accepted.") \
    X(responses, [RESPONSE_CLASSES], COUNTER, 1, labels_class, NULL, "pollux_responses", "", "Final answers, by class of status.") \
    X(aborted, , COUNTER, 1, NULL, NULL, "pollux_aborted", "", "Exchanges that did not complete.") \
    X(cut, , COUNTER, 1, NULL, NULL, "pollux_cut", "", "Exchanges that were cut by a drain's deadline, or by the server's end.") \
    X(active, , GAUGE, 1, NULL, NULL, "http_server_active_requests", "", "Exchanges in progress.") \
    X(request_bytes, [SIZE_BOUNDS + HISTOGRAM_EXTRA], HISTOGRAM, 1, NULL, &bounds_size, "http_server_request_body_size_bytes", "bytes", "Content of requests.") \
    X(response_bytes, [SIZE_BOUNDS + HISTOGRAM_EXTRA], HISTOGRAM, 1, NULL, &bounds_size, "http_server_response_body_size_bytes", "bytes", "Content of answers, as sent.")

#define METRICS_CONNECTIONS(X) \
    X(accepts, , COUNTER, 1, NULL, NULL, "pollux_accepts", "", "Connections accepted.") \
    X(accept_errors, , COUNTER, 1, NULL, NULL, "pollux_accept_errors", "", "Accepts that failed, for descriptors or memory.") \
    X(connections, [STATE_COUNT], GAUGE, 1, labels_state, NULL, "pollux_connections", "", "Open connections, by state.") \
    X(refused, [REFUSAL_COUNT], COUNTER, 1, labels_refusal, NULL, "pollux_refused", "", "Requests refused for syntax, framing or a limit, and connections turned away.") \
    X(shed, , COUNTER, 1, NULL, NULL, "pollux_shed", "", "Connections closed to make room.") \
    X(timeouts, [TIMEOUT_COUNT], COUNTER, 1, labels_timeout, NULL, "pollux_timeouts", "", "Connections and streams ended by a deadline or a least rate.") \
    X(received, , COUNTER, 1, NULL, NULL, "pollux_received_bytes", "bytes", "Bytes read from peers.") \
    X(sent, , COUNTER, 1, NULL, NULL, "pollux_sent_bytes", "bytes", "Bytes that the system took for peers.")

#define METRICS_TLS(X) \
    X(handshakes, [HANDSHAKE_COUNT], COUNTER, 1, labels_handshake, NULL, "pollux_tls_handshakes", "", "TLS handshakes that ended.")

#define METRICS_REALTIME(X) \
    X(websocket_open, [WEBSOCKET_KINDS], GAUGE, 1, labels_socket_kind, NULL, "pollux_websocket_open", "", "Open WebSockets: those that are served here, and those that a proxy passes on.") \
    X(websocket_opened, [WEBSOCKET_KINDS], COUNTER, 1, labels_socket_kind, NULL, "pollux_websocket_opened", "", "WebSockets that were opened.") \
    X(websocket_messages, [WEBSOCKET_WAYS], COUNTER, 1, labels_way, NULL, "pollux_websocket_messages", "", "Messages of WebSockets that are served here.") \
    X(websocket_bytes, [WEBSOCKET_WAYS], COUNTER, 1, labels_way, NULL, "pollux_websocket_bytes", "bytes", "Content of those messages, not compressed.") \
    X(websocket_closes, [WEBSOCKET_ENDS], COUNTER, 1, labels_socket_end, NULL, "pollux_websocket_closes", "", "WebSockets served here that ended, by class of the code of their Close frame.")

#define METRICS_LOOP(X) \
    X(ticks, [TICK_BOUNDS + HISTOGRAM_EXTRA], HISTOGRAM, 1000000, NULL, &metric_bounds_tick, "pollux_tick_seconds", "seconds", "Turns of event loops, from the end of a wait to the next wait.") \
    X(longest_us, , MAX, 1000000, NULL, NULL, "pollux_longest_tick_seconds", "seconds", "The longest turn of an event loop.") \
    X(longest_callbacks, , MAX, 1, NULL, NULL, "pollux_longest_tick_callbacks", "", "Streams run, connections accepted and tasks in the longest turn of its loop.") \
    X(longest_bytes, , MAX, 1, NULL, NULL, "pollux_longest_tick_bytes", "bytes", "Bytes received and sent in the longest turn of its loop.") \
    X(memory, [MEMORY_COUNT], GAUGE, 1, labels_memory, NULL, "pollux_memory_bytes", "bytes", "Memory that is held for peers, by pool.") \
    X(helper_queue, , GAUGE, 1, NULL, NULL, "pollux_helper_queue", "", "Jobs of helper threads, those that wait and those that run.")

#define METRICS_LIBRARY(X) METRICS_HTTP(X) METRICS_CONNECTIONS(X) METRICS_TLS(X) METRICS_REALTIME(X) METRICS_LOOP(X)

/* clang-format on */

#define METRICS_MEMBER(member, cells, ...) uint64_t member cells;

/* The cells of the library's metrics: where a server counts. */
struct metrics_cells {
    METRICS_LIBRARY(METRICS_MEMBER)
};

enum { LIBRARY_CELLS = sizeof(struct metrics_cells) / sizeof(uint64_t) };

struct metric_bounds {
    const uint64_t *at; /* ascending, in cell units; a value that equals one belongs to it */
    uint32_t count;
};

/* A metric as it is told to others. */
struct metric_row {
    const char *name; /* without _total */
    const char *unit; /* of OpenMetrics; "": none */
    const char *help;
    const char *const
        *labels; /* a text for each set, ends in NULL; NULL: one set, or as they come */
    const struct metric_bounds *bounds; /* NULL: no histogram */
    uint32_t kind;                      /* px_metric_kind */
    uint32_t divisor;
    uint32_t cells_at;
    uint32_t cell_count;            /* 0: its series are made as they come */
    const char *const *label_names; /* of those, ends in NULL; else NULL */
};

/* The rows of the library: those of struct metrics_cells in its order, and those without cells. */
extern const struct metric_row metrics_library[];
extern const uint32_t metrics_library_count;

/* The rows whose series are made as they come, the first of the table.  Those of upstreams have
 * the labels `upstream`, and `server` or `reason`. */
enum metric_series_row {
    METRIC_REQUEST_ROW, /* http_server_request_duration_seconds */
    METRIC_UPSTREAM_REQUESTS,
    METRIC_UPSTREAM_FAILURES,
    METRIC_UPSTREAM_UP,
    METRIC_UPSTREAM_ACTIVE,
    METRIC_UPSTREAM_QUEUE,
    METRIC_UPSTREAM_PANIC,
    METRIC_UPSTREAM_AVAILABLE,
    METRIC_UPSTREAM_RETRIES,
    METRIC_UPSTREAM_REUSES,
    METRIC_UPSTREAM_CONNECT,
    METRIC_UPSTREAM_FIRST_BYTE,
    METRIC_SERIES_ROWS
};

/* The cell of a state, which is 0 while that is not known. */
#define METRIC_STATE_OF(value) ((value) + 1)

/* Cells of one set of labels. */
static inline uint32_t metric_set_cells(const struct metric_row *row)
{
    return row->bounds ? row->bounds->count + HISTOGRAM_EXTRA : 1;
}

/* Puts a value into a histogram's cells. */
static inline void metric_observe(uint64_t *cells, const struct metric_bounds *bounds,
                                  uint64_t value)
{
    uint32_t i = 0;

    while (i < bounds->count && value > bounds->at[i])
        i++;
    cells[i]++;
    cells[bounds->count + 1] += value;
}

extern const struct metric_bounds metric_bounds_duration; /* milliseconds */
extern const struct metric_bounds metric_bounds_tick;     /* microseconds */

/* The same for sizes, whose bounds are powers of four: 64 << 2i. */
static inline void metric_observe_size(uint64_t *cells, uint64_t bytes)
{
    uint32_t i = 0;

    if (bytes > 64) {
        i = (uint32_t)(64 - __builtin_clzll(bytes - 1) - 6 + 1) / 2;
        i = i > SIZE_BOUNDS ? SIZE_BOUNDS : i;
    }
    cells[SIZE_BOUNDS + 1] += bytes;
    cells[i]++;
}

#endif
