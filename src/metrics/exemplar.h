/*
 * Exemplars: for a bucket of a histogram, the trace of a request that was counted in it last
 * (OpenMetrics 1.0, "Exemplars").
 *
 * Happy path: exemplar_put by the process that counts, exemplar_find by one that shows. The table
 * is small: a bucket's place may be taken by another one's, and then it has none. Nothing here can
 * fail, and a reader believes nothing: all that it takes are numbers.
 */
#ifndef PX_METRICS_EXEMPLAR_H
#define PX_METRICS_EXEMPLAR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "pollux/str.h"

enum {
    EXEMPLARS = 512, /* a power of two */
    EXEMPLAR_TRACE_BYTES = 32,
    EXEMPLAR_BYTES_MAX = 128, /* in a line */
};

struct exemplar {
    _Atomic uint32_t turn; /* odd while it is written */
    _Atomic uint32_t cell; /* of the block's series, from 1; 0: none */
    _Atomic uint64_t value;
    _Atomic uint64_t unix_time;
    _Atomic uint64_t trace[2]; /* the id, most significant digits first */
};

struct exemplars {
    _Atomic uint32_t is_used;
    struct exemplar slots[EXEMPLARS];
};

/* One as it was read. */
struct exemplar_seen {
    uint64_t value;
    uint64_t unix_time;
    uint64_t trace[2];
};

void exemplars_clear(struct exemplars *exemplars);

/* `trace_id` is EXEMPLAR_TRACE_BYTES of hexadecimal digits. */
struct exemplar_seen exemplar_make(uint64_t value, int64_t unix_time, px_str trace_id);

void exemplar_put(struct exemplars *exemplars, uint32_t cell, const struct exemplar_seen *seen);

/* That of a cell: false when there is none. */
bool exemplar_find(const struct exemplars *exemplars, uint32_t cell,
                   struct exemplar_seen *out_seen);

/* " # {trace_id=...} value time", at most EXEMPLAR_BYTES_MAX. */
void exemplar_write(struct text *out, const struct exemplar_seen *seen, uint32_t divisor);

#endif
