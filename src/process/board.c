/*
 * The board: anonymous shared memory, made before the first fork.
 *
 * It can fail by memory alone.  What a worker writes there is numbers, and the master does nothing
 * with them but add and print, so that a worker gone wrong can only lie about itself.  Pages of one
 * mapping would not do: mremap makes what is left of it longer, over the pages beside it.
 */
#include "process/board.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void block_unmap(struct board *board, uint32_t index)
{
    if (board->blocks[index])
        munmap(board->blocks[index], sizeof(*board->blocks[index]));
    board->blocks[index] = NULL;
}

px_err board_init(struct board *board, uint32_t count)
{
    *board = (struct board){.blocks = calloc(count, sizeof(board->blocks[0]))};
    if (!board->blocks)
        return PX_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        void *memory = mmap(NULL, sizeof(*board->blocks[i]), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED) {
            board_deinit(board);
            return PX_ERR_MEMORY;
        }
        board->blocks[i] = memory;
        board->count = i + 1;
    }
    return PX_OK;
}

void board_deinit(struct board *board)
{
    for (uint32_t i = 0; i < board->count; i++)
        block_unmap(board, i);
    free(board->blocks);
    *board = (struct board){0};
}

void board_keep(struct board *board, uint32_t index)
{
    for (uint32_t i = 0; i < board->count; i++)
        if (i != index)
            block_unmap(board, i);
}

/* All are sums, but for the longest tick. */
static void counters_add(px_counters *sum, const px_counters *counters)
{
    sum->accepted += counters->accepted;
    sum->open += counters->open;
    sum->requests += counters->requests;
    for (size_t i = 0; i < sizeof(sum->responses) / sizeof(sum->responses[0]); i++)
        sum->responses[i] += counters->responses[i];
    sum->refused += counters->refused;
    sum->shed += counters->shed;
    sum->timed_out += counters->timed_out;
    sum->bytes_received += counters->bytes_received;
    sum->bytes_sent += counters->bytes_sent;
    sum->accept_errors += counters->accept_errors;
    sum->aborted += counters->aborted;
    sum->cut += counters->cut;
    sum->turned_away += counters->turned_away;
    sum->handshakes += counters->handshakes;
    sum->handshakes_resumed += counters->handshakes_resumed;
    sum->handshakes_failed += counters->handshakes_failed;
    sum->ticks += counters->ticks;
    if (counters->longest_tick_us <= sum->longest_tick_us)
        return;
    sum->longest_tick_us = counters->longest_tick_us;
    sum->longest_tick_callbacks = counters->longest_tick_callbacks;
    sum->longest_tick_bytes = counters->longest_tick_bytes;
}

void board_retire(struct board *board, uint32_t index)
{
    struct board_block *block = board->blocks[index];

    block->counters.open = 0; /* they went with it */
    counters_add(&board->ended, &block->counters);
    memset(block, 0, sizeof(*block));
}

void board_sum(const struct board *board, px_counters *out_counters)
{
    *out_counters = board->ended;
    out_counters->struct_size = sizeof(*out_counters);
    for (uint32_t i = 0; i < board->count; i++)
        counters_add(out_counters, &board->blocks[i]->counters);
}
