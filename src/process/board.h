/*
 * Memory that the master shares with its workers: a block for each place of a worker, and a total
 * of those that have ended.  It outlives a worker, so that what a dead one has counted can
 * still be read.  Each block is a mapping of its own, and a worker keeps its own alone.
 */
#ifndef PX_PROCESS_BOARD_H
#define PX_PROCESS_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/server.h"

/* A block is written by its worker alone, but for the master's zeroing between two workers. */
struct board_block {
    _Atomic uint64_t alive_ms; /* when its loop last turned, on the monotonic clock */
    px_counters counters;      /* as of the end of its last tick */
};

struct board {
    struct board_block **blocks; /* owned: each shared with the worker of its place */
    uint32_t count;
    px_counters ended; /* of workers that have ended; the master's alone */
};

/* PX_OK, or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err board_init(struct board *board, uint32_t count);
void board_deinit(struct board *board);

/* In a worker: the blocks of all others are mapped no longer. */
void board_keep(struct board *board, uint32_t index);

/* A worker has ended: its counters join the total, its block is free for the next. */
void board_retire(struct board *board, uint32_t index);

/* The sum over all workers, those that have ended too. */
void board_sum(const struct board *board, px_counters *out_counters);

#endif
