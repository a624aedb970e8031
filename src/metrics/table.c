/*
 * The table of the library's metrics: texts of labels, bounds of histograms, rows.
 *
 * Nothing here can fail; a test holds that each row has a text for each of its cells.
 */
#include "metrics/table.h"

#include <stddef.h>

static const char *const labels_class[] = {"class=\"1xx\"", "class=\"2xx\"", "class=\"3xx\"",
                                           "class=\"4xx\"", "class=\"5xx\"", NULL};
static const char *const labels_state[] = {"state=\"idle\"", "state=\"head\"", "state=\"active\"",
                                           "state=\"closing\"", NULL};
static const char *const labels_refusal[] = {"reason=\"syntax\"",      "reason=\"content\"",
                                             "reason=\"target\"",      "reason=\"head\"",
                                             "reason=\"method\"",      "reason=\"version\"",
                                             "reason=\"resources\"",   "reason=\"other\"",
                                             "reason=\"connections\"", NULL};
static const char *const labels_timeout[] = {"what=\"idle\"",
                                             "what=\"head\"",
                                             "what=\"rate\"",
                                             "what=\"linger\"",
                                             "what=\"handshake\"",
                                             "what=\"stream\"",
                                             NULL};
static const char *const labels_handshake[] = {"version=\"1.2\",resumed=\"false\",result=\"ok\"",
                                               "version=\"1.2\",resumed=\"true\",result=\"ok\"",
                                               "version=\"1.3\",resumed=\"false\",result=\"ok\"",
                                               "version=\"1.3\",resumed=\"true\",result=\"ok\"",
                                               "version=\"\",resumed=\"false\",result=\"failed\"",
                                               NULL};
static const char *const labels_socket_kind[] = {"kind=\"served\"", "kind=\"proxied\"", NULL};
static const char *const labels_way[] = {"direction=\"in\"", "direction=\"out\"", NULL};
static const char *const labels_socket_end[] = {
    "code=\"normal\"", "code=\"protocol\"",    "code=\"policy\"",   "code=\"too_big\"",
    "code=\"error\"",  "code=\"application\"", "code=\"abnormal\"", NULL};
static const char *const labels_memory[] = {"pool=\"connections\"",
                                            "pool=\"exchanges\"",
                                            "pool=\"output\"",
                                            "pool=\"inbox\"",
                                            "pool=\"heads\"",
                                            "pool=\"copied\"",
                                            NULL};

/* OpenTelemetry's advice for http.server.request.duration, in milliseconds. */
static const uint64_t duration_ms[DURATION_BOUNDS] = {5,   10,  25,   50,   75,   100,  250,
                                                      500, 750, 1000, 2500, 5000, 7500, 10000};
const struct metric_bounds metric_bounds_duration = {duration_ms, DURATION_BOUNDS};

static const uint64_t size_bytes[SIZE_BOUNDS] = {64,     256,     1024,    4096,     16384,   65536,
                                                 262144, 1048576, 4194304, 16777216, 67108864};
static const struct metric_bounds bounds_size = {size_bytes, SIZE_BOUNDS};

static const uint64_t tick_us[TICK_BOUNDS] = {10,   25,   50,    100,   250,    500,    1000,
                                              2500, 5000, 10000, 25000, 100000, 1000000};
const struct metric_bounds metric_bounds_tick = {tick_us, TICK_BOUNDS};

/* clang-format off */
#define METRICS_ROW(member, cells, kind, divisor, labels, bounds, name, unit, help) \
    {name, unit, help, labels, bounds, PX_METRIC_##kind, divisor, \
     offsetof(struct metrics_cells, member) / sizeof(uint64_t), \
     sizeof(((struct metrics_cells *)0)->member) / sizeof(uint64_t), NULL},
/* clang-format on */

static const char *const names_request[] = {"http_request_method",
                                            "http_response_status_code",
                                            "http_route",
                                            "server_address",
                                            "network_protocol_version",
                                            "url_scheme",
                                            "error_type",
                                            NULL};
static const char *const names_upstream[] = {"upstream", NULL};
static const char *const names_server[] = {"upstream", "server", NULL};
static const char *const names_retry[] = {"upstream", "reason", NULL};

/* clang-format off */
#define SERIES_ROW(kind, divisor, unit, names, bounds, name, help) \
    {name, unit, help, NULL, bounds, PX_METRIC_##kind, divisor, 0, 0, names}

const struct metric_row metrics_library[] = {
    [METRIC_REQUEST_ROW] = SERIES_ROW(HISTOGRAM, 1000, "seconds", names_request, &metric_bounds_duration,
        "http_server_request_duration_seconds", "From the end of a request's head to the end of its answer."),
    [METRIC_UPSTREAM_REQUESTS] = SERIES_ROW(COUNTER, 1, "", names_server, NULL,
        "pollux_upstream_requests", "Requests that were given to a server, each try."),
    [METRIC_UPSTREAM_FAILURES] = SERIES_ROW(COUNTER, 1, "", names_server, NULL,
        "pollux_upstream_failures", "Of those, the ones that the server is blamed for."),
    [METRIC_UPSTREAM_UP] = SERIES_ROW(STATE, 1, "", names_server, NULL,
        "pollux_upstream_up", "1 while a server is up, 0 while it is out for failures or by its checks."),
    [METRIC_UPSTREAM_ACTIVE] = SERIES_ROW(GAUGE, 1, "", names_server, NULL,
        "pollux_upstream_active", "Requests that a server has now."),
    [METRIC_UPSTREAM_QUEUE] = SERIES_ROW(GAUGE, 1, "", names_upstream, NULL,
        "pollux_upstream_queue", "Requests that wait for a server to have room."),
    [METRIC_UPSTREAM_PANIC] = SERIES_ROW(STATE, 1, "", names_upstream, NULL,
        "pollux_upstream_panic", "1 while fewer than half of the servers are up, so that all are asked."),
    [METRIC_UPSTREAM_AVAILABLE] = SERIES_ROW(STATE, 1, "", names_upstream, NULL,
        "pollux_upstream_available", "1 while a server is up of an upstream that a proxy uses, 0 while none is."),
    [METRIC_UPSTREAM_RETRIES] = SERIES_ROW(COUNTER, 1, "", names_retry, NULL,
        "pollux_upstream_retries", "Requests that were sent to another try, by why that could be."),
    [METRIC_UPSTREAM_REUSES] = SERIES_ROW(COUNTER, 1, "", names_upstream, NULL,
        "pollux_upstream_reuses", "Requests that were sent over a kept connection."),
    [METRIC_UPSTREAM_CONNECT] = SERIES_ROW(HISTOGRAM, 1000, "seconds", names_upstream, &metric_bounds_duration,
        "pollux_upstream_connect_seconds", "From dialling to a connection that can be used, with its TLS handshake."),
    [METRIC_UPSTREAM_FIRST_BYTE] = SERIES_ROW(HISTOGRAM, 1000, "seconds", names_upstream, &metric_bounds_duration,
        "pollux_upstream_first_byte_seconds", "From when a server was chosen until the head of its answer had come."),
    METRICS_LIBRARY(METRICS_ROW)};
/* clang-format on */

_Static_assert(METRIC_REQUEST_ROW == 0, "series of requests are made first");

const uint32_t metrics_library_count = sizeof(metrics_library) / sizeof(metrics_library[0]);
