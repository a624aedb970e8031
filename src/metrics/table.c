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

#define METRICS_ROW(member, cells, kind, divisor, labels, bounds, name, unit, help) \
    {name,                                                                          \
     unit,                                                                          \
     help,                                                                          \
     labels,                                                                        \
     bounds,                                                                        \
     PX_METRIC_##kind,                                                              \
     divisor,                                                                       \
     offsetof(struct metrics_cells, member) / sizeof(uint64_t),                     \
     sizeof(((struct metrics_cells *)0)->member) / sizeof(uint64_t)},

const struct metric_row metrics_library[] = {
    {"http_server_request_duration_seconds", "seconds",
     "From the end of a request's head to the end of its answer.", NULL, &metric_bounds_duration,
     PX_METRIC_HISTOGRAM, 1000, 0, 0},
    METRICS_LIBRARY(METRICS_ROW)};

const uint32_t metrics_library_count = sizeof(metrics_library) / sizeof(metrics_library[0]);
