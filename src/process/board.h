/*
 * Memory that the master shares with its workers: a block for each place of a worker, where it
 * shows life and counts, and one for what the master counts itself.
 *
 * A worker writes in its own block and reads all of them, so each can answer for all.  What a dead
 * worker has counted stays where it is, and the next one in its place goes on from there: sums
 * never go backwards.  Each block is a mapping of its own: one mapping's pages could be made longer
 * by mremap, over the pages beside it.
 *
 * A program that takes over (USR2) is given all of them to read, so that it shows what this one
 * counts as it counts, and when it has ended; and one more block with the sum of what this program
 * was given itself, so that what is given does not grow with each replacement.
 */
#ifndef PX_PROCESS_BOARD_H
#define PX_PROCESS_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/metrics.h"

/* Environment of a program that takes over: the numbers of the descriptors of blocks, with commas
 * between them. */
#define BOARD_VARIABLE "POLLUX_COUNTS"

enum { BOARD_PAST_MAX = 4096 /* blocks that are given: of more places than there are */ };

/* Written by its worker alone, but for the master's clearing between two workers. */
struct board_block {
    _Atomic uint64_t alive_ms;           /* when its loop last turned, on the monotonic clock */
    _Alignas(64) unsigned char counts[]; /* of px_metrics */
};

struct board {
    px_metrics *metrics;         /* borrowed: outlives the board */
    struct board_block **blocks; /* owned: each shared with the worker of its place */
    const void **seen;           /* owned: the same memory, where nothing can be written */
    int *fds;                    /* owned: of each, then of `own` and of `sum`; -1: there is none */
    uint32_t count;
    struct board_block *own;         /* owned: the master's */
    const void *own_seen;            /* owned: the same memory */
    struct board_block *sum;         /* owned: of `past`, for a program that takes over, or NULL */
    const void *sum_seen;            /* owned */
    const struct board_block **past; /* owned: what our predecessor counts or has counted */
    uint32_t past_count;
};

/* Descriptors of blocks; -1 may be among them. */
struct board_given {
    const int *fds; /* borrowed: the board's */
    uint32_t count;
};

/* Makes the blocks, for metrics that are defined; the master counts in its own from now on.
 *  past: owned descriptors of the predecessor's blocks (board_give); of another size they are
 *  of another layout, and left out.
 * PX_OK, or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err board_init(struct board *board, uint32_t count, px_metrics *metrics,
                                const int *past_fds, uint32_t past_count);
void board_deinit(struct board *board);

/* In a worker: it counts in its own block, and can write in no other. */
void board_keep(struct board *board, uint32_t index);

/* A worker has ended: its block is free for the next. */
void board_retire(struct board *board, uint32_t index);

/* What a program that takes over is given. */
struct board_given board_give(struct board *board);

/* Brings the sum of the past up to date, where it was given. */
void board_renew(struct board *board);

#endif
