/*
 * Memory that the master shares with its workers: a block for each place of a worker, where it
 * shows life and counts, and one for what the master counts itself.
 *
 * A worker writes in its own block and reads all of them, so each can answer for all.  What a dead
 * worker has counted stays where it is, and the next one in its place goes on from there: sums
 * never go backwards.  Each block is a mapping of its own: one mapping's pages could be made longer
 * by mremap, over the pages beside it.
 *
 * A program that takes over (USR2) is given one more block, the sum of all, which is kept up to
 * date until this program ends.
 */
#ifndef PX_PROCESS_BOARD_H
#define PX_PROCESS_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/metrics.h"

/* Environment of a program that takes over: the number of the descriptor of the sum. */
#define BOARD_VARIABLE "POLLUX_COUNTS"

/* Written by its worker alone, but for the master's clearing between two workers. */
struct board_block {
    _Atomic uint64_t alive_ms;           /* when its loop last turned, on the monotonic clock */
    _Alignas(64) unsigned char counts[]; /* of px_metrics */
};

struct board {
    px_metrics *metrics;         /* borrowed: outlives the board */
    struct board_block **blocks; /* owned: each shared with the worker of its place */
    const void **seen;           /* owned: the same memory, where nothing can be written */
    uint32_t count;
    struct board_block *own;        /* owned: the master's */
    const void *own_seen;           /* owned: the same memory */
    struct board_block *sum;        /* owned: for a program that takes over; NULL: none does */
    const void *sum_seen;           /* owned */
    int sum_fd;                     /* owned: of `sum`; -1: there is none */
    const struct board_block *past; /* owned: what our predecessor counted; NULL: nobody did */
};

/* Makes the blocks, for metrics that are defined; the master counts in its own from now on.
 *  past_fd: owned, of the predecessor's sum (board_take), or -1.
 * PX_OK, or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err board_init(struct board *board, uint32_t count, px_metrics *metrics,
                                int past_fd);
void board_deinit(struct board *board);

/* In a worker: it counts in its own block, and can write in no other. */
void board_keep(struct board *board, uint32_t index);

/* A worker has ended: its block is free for the next. */
void board_retire(struct board *board, uint32_t index);

/* The descriptor of the sum, which is as of now; -1 without the means for one. */
int board_give(struct board *board);

/* Brings the sum up to date, where it was given. */
void board_renew(struct board *board);

#endif
