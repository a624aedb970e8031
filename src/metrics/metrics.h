/*
 * A px_metrics from inside: its table, the block that it counts in, the blocks that it sees.
 */
#ifndef PX_METRICS_METRICS_H
#define PX_METRICS_METRICS_H

#include "metrics/block.h"
#include "pollux/alloc.h"
#include "pollux/metrics.h"

enum { METRIC_BOUNDS_MAX = 32 };

/* A block that is shown. */
struct metrics_seen {
    const struct metrics_block *block; /* borrowed */
    bool is_past;                      /* of another program: without gauges */
};

struct px_metrics {
    px_allocator allocator;
    struct metric_row rows[BLOCK_ROWS_MAX];
    struct metric_bounds bounds[BLOCK_ROWS_MAX]; /* of rows that were defined */
    bool hides_zero[BLOCK_ROWS_MAX];             /* ... a series that is 0 is not shown */
    uint32_t row_count;
    uint32_t cells_used;
    struct metrics_block *block; /* counted in: `own`, or borrowed */
    struct metrics_block *own;   /* owned; NULL once another is used */
    struct block_index *index;   /* owned: of `block` */
    struct metrics_seen *seen;   /* owned: none: `block` is shown */
    uint32_t seen_count, seen_room;
    uint64_t ticks_seen; /* of the loop whose servers count here */
    uint32_t views;      /* jobs of helper threads that show it: not counted as jobs */
    uint64_t kept_bytes; /* of texts that are answered, and that peers have not taken yet */
};

/* Where a server counts. */
static inline struct metrics_cells *metrics_cells_of(px_metrics *metrics)
{
    return (struct metrics_cells *)(void *)metrics->block->cells;
}

/* The labels of a request's series. */
struct metrics_request {
    px_str method;
    unsigned status;
    px_str route; /* absent: none */
    px_str host;
    const char *version;
    const char *scheme;
    px_str error;    /* absent: none */
    uint32_t routes; /* that there are, hosts with them: each has a share of the series */
    bool *is_full;   /* of the route: it has had its share, as was found out before */
};

/* Its cells, of metric_bounds_duration; the series is made when it is new.  Slow. */
uint64_t *metrics_request_cells(px_metrics *metrics, const struct metrics_request *request);

/* The trace of a request that took so long, whose series these are.  `trace_id` as
 * px_request_trace_id has it. */
void metrics_exemplify(px_metrics *metrics, uint64_t *series, uint64_t duration_ms,
                       int64_t unix_time, px_str trace_id);

/* A sum over all blocks that are shown. */
struct metrics_sum {
    const px_metrics *metrics;   /* borrowed: whose table it is */
    struct metrics_block *block; /* owned */
    struct block_index *index;   /* owned */
};

/* PX_OK or PX_ERR_MEMORY.  Any thread, while the table does not change. */
PX_MUST_CHECK px_err metrics_sum_init(struct metrics_sum *sum, const px_metrics *metrics);
void metrics_sum_deinit(struct metrics_sum *sum);

/* A cell of the library's. */
static inline const struct metrics_cells *metrics_sum_cells(const struct metrics_sum *sum)
{
    return (const struct metrics_cells *)(const void *)sum->block->cells;
}

/* The counters as px_server_counters has them; struct_size stays. */
struct px_counters;
void metrics_counters_of(const struct metrics_cells *cells, struct px_counters *out_counters);

/* What a number of cells is together. */
uint64_t cells_total(const uint64_t *cells, uint32_t count);

#endif
