/*
 * A block: what one process counts, in memory that others may see.
 *
 * It says itself what is in it: rows name the metrics and where their cells are, series name the
 * labels that came, so a reader of another release takes what it knows.  One process writes; what
 * is in use is published by the counts, which only grow.  A reader believes nothing: every number
 * that it uses as a place is read once and looked at first.
 */
#ifndef PX_METRICS_BLOCK_H
#define PX_METRICS_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "metrics/exemplar.h"
#include "metrics/table.h"
#include "pollux/str.h"

enum {
    BLOCK_NAME_BYTES = 64,
    BLOCK_ROWS_MAX = 96,
    BLOCK_CELLS_MAX = 2048,
    /* 500 routes with eight methods, versions and answers each; then `_other` counts. */
    BLOCK_SERIES_MAX = 4096,
    /* ... of which so many stay for series without what is many: routes, hosts. */
    BLOCK_SERIES_RESERVED = 512,
    BLOCK_SERIES_CELLS_MAX = BLOCK_SERIES_MAX * (DURATION_BOUNDS + HISTOGRAM_EXTRA),
    /* Peers choose methods, versions and, where a server behind us lets them, statuses: a route has
     * so many series of its own while the first half is not used up, then its part of the other
     * half, and then one for each class of status. */
    BLOCK_SERIES_ROUTE = 64,
    BLOCK_SERIES_ROUTE_LEAST = 2,
    BLOCK_LABELS_BYTES_MAX = 512, /* of one series */
    BLOCK_TEXT_BYTES_MAX = BLOCK_SERIES_MAX * 192,
    BLOCK_INDEX_SLOTS = 2 * BLOCK_SERIES_MAX, /* a power of two */
    BLOCK_SAMPLES = 120,                      /* ten minutes of PX_METRICS_SAMPLE_S */
};

struct block_row {
    char name[BLOCK_NAME_BYTES]; /* ends in NUL */
    uint32_t kind;
    uint32_t cells_at;
    uint32_t cell_count; /* 0: series */
    uint32_t set_cells;  /* of one set of labels */
};

struct block_series {
    uint32_t row;
    uint32_t text_at;
    uint32_t text_len;
    uint32_t cells_at; /* in series_cells */
};

/* What was counted in all, at a time. */
struct block_sample {
    int64_t unix_time;
    uint64_t requests;
    uint64_t errors; /* answers of 5xx */
};

struct metrics_block {
    _Atomic uint64_t mark; /* BLOCK_MARK once it is begun */
    int64_t begun;         /* when its process began to count, in unix time; 0: it has ended */
    _Atomic uint32_t row_count;
    _Atomic uint32_t series_count;
    uint32_t text_bytes; /* in use */
    uint32_t series_cells_count;
    _Atomic uint64_t sample_count; /* since the beginning; the last are kept */
    struct block_row rows[BLOCK_ROWS_MAX];
    struct block_sample samples[BLOCK_SAMPLES];
    uint64_t cells[BLOCK_CELLS_MAX]; /* the first are a struct metrics_cells */
    struct block_series series[BLOCK_SERIES_MAX];
    uint64_t series_cells[BLOCK_SERIES_CELLS_MAX];
    char text[BLOCK_TEXT_BYTES_MAX];
    struct exemplars exemplars; /* of cells of series */
};

/* Finds series; the writer's own. */
struct block_index {
    uint16_t slots[BLOCK_INDEX_SLOTS]; /* a series, from 1; 0: free */
};

/* An empty block. */
void block_begin(struct metrics_block *block);

/* Whether all that its counts and places say is inside of it, so that a writer can go on. */
bool block_is_sound(const struct metrics_block *block);

/* Enters the series that are there. */
void block_index_fill(struct block_index *index, const struct metrics_block *block);

/* A row of that table at its cells, where it is not there yet: false when it does not fit. */
bool block_put_row(struct metrics_block *block, const struct metric_row *row);

/* The cells of a series that is there, or NULL. */
uint64_t *block_find(struct metrics_block *block, const struct block_index *index, uint32_t row,
                     px_str labels);

/* The cells of a series, made when it is new; NULL when there is no room. */
uint64_t *block_series(struct metrics_block *block, struct block_index *index, uint32_t row,
                       px_str labels);

/* Adds to the first `count` cells of what has the rows of `table`, without series. */
void block_add_cells(uint64_t *cells, uint32_t count, const struct metrics_block *table,
                     const struct metrics_block *from, bool with_gauges);

/* Adds what is in `from` to what is in `into`, which has the rows already; rows that it does not
 * have are left out.  Series without room go to the first series of their row.  Without gauges
 * those are left out. */
void block_add(struct metrics_block *into, struct block_index *index,
               const struct metrics_block *from, bool with_gauges);

/* Raises every cell of `into` to that of `from`, both of one process's table. */
void block_raise(struct metrics_block *into, struct block_index *index,
                 const struct metrics_block *from);

/* Gauges become zero. */
void block_vacate(struct metrics_block *block);

/* A cell that another process may be writing. */
static inline uint64_t block_load(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

#endif
