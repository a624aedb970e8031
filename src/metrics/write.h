/*
 * Metrics as text: Prometheus 0.0.4 and OpenMetrics 1.0, a metric's set of labels at a time.
 */
#ifndef PX_METRICS_WRITE_H
#define PX_METRICS_WRITE_H

#include "base/text.h"
#include "metrics/metrics.h"

enum {
    /* The longest piece: a histogram of METRIC_BOUNDS_MAX bounds, or a help text. */
    WRITE_PIECE_BYTES = (METRIC_BOUNDS_MAX + 3) *
                        (BLOCK_NAME_BYTES + BLOCK_LABELS_BYTES_MAX + 64 + EXEMPLAR_BYTES_MAX),
};

/* How far the writing is. */
struct metrics_writer {
    const struct metrics_sum *sum; /* borrowed: outlives it */
    px_metrics_format format;
    uint32_t row;
    uint32_t set;    /* 0: the head of the row; of a closed list the sets, from 1 */
    uint32_t series; /* where the next series of the row is looked for */
    bool is_ended;
};

/* The next lines into `out`, which has room for WRITE_PIECE_BYTES; false when there are no more. */
bool metrics_write_next(struct metrics_writer *writer, struct text *out);

/* A cell in its unit, as decimal. */
void metrics_put_value(struct text *out, uint64_t value, uint32_t divisor);

#endif
