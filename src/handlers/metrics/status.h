/*
 * The status page: what a sum of metrics says, put together for the eye, and written as JSON and as
 * HTML.
 */
#ifndef PX_HANDLERS_STATUS_H
#define PX_HANDLERS_STATUS_H

#include "base/buf.h"
#include "metrics/metrics.h"

enum {
    STATUS_ROUTES_MAX = 1024, /* those asked most come first; a page of more is no help */
    STATUS_WORKERS_MAX = 1024,
    STATUS_SERVERS_MAX = 1024,
    STATUS_BYTES_MAX = 8 * 1024 * 1024, /* of a page: routes at their longest */
};

/* A route of a host, over all methods and answers. */
struct status_route {
    px_str host, route; /* borrowed: of the sum; quoted as in labels; route absent: none matched */
    uint64_t count;
    uint64_t errors; /* answers of 5xx, and exchanges that were cut */
    uint64_t cells[DURATION_BOUNDS + HISTOGRAM_EXTRA];
};

/* A server of an upstream; one that a reload has taken out is not among them. */
struct status_server {
    px_str labels;         /* borrowed: of the sum */
    px_str upstream, name; /* in them, quoted as there */
    uint64_t state;        /* 0: not known (any more); 1: it is down; 2: it is up */
    uint64_t active;
    uint64_t requests;
    uint64_t failures;
    const uint64_t *first_byte; /* borrowed: durations of its upstream; NULL: none */
};

/* A process that counts now. */
struct status_worker {
    int64_t begun; /* unix time */
    uint64_t requests;
    uint64_t connections;
    uint64_t ticks;
    uint64_t longest_us;
    uint64_t resident_bytes;
};

/* Between two samples. */
struct status_rate {
    int64_t unix_time;
    uint64_t requests_milli; /* a second, in thousandths */
    uint64_t errors_milli;
};

struct status {
    struct metrics_sum sum;
    int64_t now;
    struct status_route *routes; /* owned */
    uint32_t route_count;
    struct status_route all;       /* of all routes */
    struct status_worker *workers; /* owned */
    uint32_t worker_count;
    struct status_server *servers; /* owned */
    uint32_t server_count;
    struct status_rate rates[BLOCK_SAMPLES];
    uint32_t rate_count;
};

/* PX_OK or PX_ERR_MEMORY.  Any thread, as metrics_sum_init. */
PX_MUST_CHECK px_err status_init(struct status *status, const px_metrics *metrics, int64_t now);
void status_deinit(struct status *status);

/* Fills them in (status_servers.c). */
void status_servers_take(struct status *status);

/* The row of that name, or NULL; and the one value of it, or of all its sets together. */
const struct metric_row *status_row(const struct status *status, const char *name);
uint64_t status_value(const struct status *status, const char *name);

/* The value below which `percent` of what the cells hold is, in microseconds; 0 of nothing. */
uint64_t status_quantile_us(const uint64_t *cells, unsigned percent);

/* Calls for each series of a row with labels that come as they come. */
void status_each_series(const struct status *status, const struct metric_row *row,
                        void (*visit)(px_str labels, uint64_t value, void *context), void *context);

/* The value of a label in the text of a series, quoted as there; absent without it. */
px_str status_label(px_str labels, const char *name);

/* PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err status_write_json(const struct status *status, struct buf *out);
PX_MUST_CHECK px_err status_write_page(const struct status *status, struct buf *out);

/* What is the same on every page: style and script. */
extern const char status_style[];
extern const char status_script[];

#endif
