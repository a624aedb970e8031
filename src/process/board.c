/*
 * The board: shared memory, made before the first fork.
 *
 * Happy path: a file of memory for each block, mapped twice, and sealed in between, so that the
 * second mapping cannot be made writable by any process that inherits it.  Where the kernel has no
 * such files the second is the first one's double, of which a worker gone wrong could make a
 * writable one; and nothing can be given to a program that takes over.  It can fail by memory
 * alone.
 */
#include "process/board.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

static size_t block_bytes(void)
{
    return sizeof(struct board_block) + px_metrics_block_bytes();
}

static void *or_null(void *memory)
{
    return memory == MAP_FAILED ? NULL : memory;
}

/* From then on nothing is mapped for writing that is not yet, and the size stays. */
static bool seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0;
}

/* Memory of a file: NULL where that cannot be had. */
static struct board_block *map_file(int *out_fd, const void **out_seen)
{
    int fd = memfd_create("pollux-counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct board_block *block = NULL;
    const void *seen = NULL;

    if (fd >= 0 && ftruncate(fd, (off_t)block_bytes()) == 0)
        block = or_null(mmap(NULL, block_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    if (block && seal(fd))
        seen = or_null(mmap(NULL, block_bytes(), PROT_READ, MAP_SHARED, fd, 0));
    if (!seen) {
        if (block)
            munmap(block, block_bytes());
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    *out_fd = fd;
    *out_seen = seen;
    return block;
}

static struct board_block *map_double(const void **out_seen)
{
    struct board_block *block = or_null(
        mmap(NULL, block_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    void *seen = block ? or_null(mremap(block, 0, block_bytes(), MREMAP_MAYMOVE)) : NULL;

    if (!seen || mprotect(seen, block_bytes(), PROT_READ) != 0) {
        if (seen)
            munmap(seen, block_bytes());
        if (block)
            munmap(block, block_bytes());
        return NULL;
    }
    *out_seen = seen;
    return block;
}

static struct board_block *block_make(const void **out_seen)
{
    int fd;
    struct board_block *block = map_file(&fd, out_seen);

    if (!block)
        return map_double(out_seen);
    close(fd);
    return block;
}

static void block_end(struct board_block **block, const void **seen)
{
    if (*block)
        munmap(*block, block_bytes());
    if (*seen)
        munmap((void *)(uintptr_t)*seen, block_bytes());
    *block = NULL;
    *seen = NULL;
}

static const void *counts_of(const void *seen)
{
    return ((const struct board_block *)seen)->counts;
}

/* What a predecessor counted; of another size it is of another layout. */
static const struct board_block *past_map(int fd)
{
    const void *past = NULL;

    if (fd < 0)
        return NULL;
    if (lseek(fd, 0, SEEK_END) == (off_t)block_bytes())
        past = or_null(mmap(NULL, block_bytes(), PROT_READ, MAP_SHARED, fd, 0));
    close(fd);
    return past;
}

static px_err blocks_make(struct board *board, uint32_t count)
{
    px_error error;
    px_err err = PX_OK;

    board->blocks = calloc(count, sizeof(board->blocks[0]));
    board->seen = calloc(count, sizeof(board->seen[0]));
    board->own = block_make(&board->own_seen);
    if (!board->blocks || !board->seen || !board->own)
        return PX_ERR_MEMORY;
    for (; board->count < count && err == PX_OK; board->count++) {
        uint32_t at = board->count;

        board->blocks[at] = block_make(&board->seen[at]);
        err = board->blocks[at] ? px_metrics_see(board->metrics, counts_of(board->seen[at]), &error)
                                : PX_ERR_MEMORY;
    }
    if (err == PX_OK)
        err = px_metrics_see(board->metrics, counts_of(board->own_seen), &error);
    if (err == PX_OK)
        err = px_metrics_use(board->metrics, board->own->counts, &error);
    return err;
}

px_err board_init(struct board *board, uint32_t count, px_metrics *metrics, int past_fd)
{
    px_error error;

    *board = (struct board){.metrics = metrics, .sum_fd = -1, .past = past_map(past_fd)};
    px_err err = blocks_make(board, count);

    if (err == PX_OK && board->past)
        err = px_metrics_see(metrics, board->past->counts, &error);
    if (err != PX_OK)
        board_deinit(board);
    return err;
}

void board_deinit(struct board *board)
{
    const void *past = board->past;

    for (uint32_t i = 0; i < board->count; i++)
        block_end(&board->blocks[i], &board->seen[i]);
    block_end(&board->own, &board->own_seen);
    if (board->sum && board->sum_fd >= 0)
        close(board->sum_fd);
    block_end(&board->sum, &board->sum_seen);
    if (past)
        munmap((void *)(uintptr_t)past, block_bytes());
    free(board->blocks);
    free(board->seen);
    *board = (struct board){.sum_fd = -1};
}

void board_keep(struct board *board, uint32_t index)
{
    const void *nothing = NULL;
    px_error error;
    px_err err = px_metrics_use(board->metrics, board->blocks[index]->counts, &error);

    CHECK(err == PX_OK); /* nothing is allocated */
    for (uint32_t i = 0; i < board->count; i++)
        if (i != index)
            block_end(&board->blocks[i], &nothing);
    block_end(&board->own, &nothing);
    block_end(&board->sum, &nothing);
    if (board->sum_fd >= 0)
        close(board->sum_fd);
    board->sum_fd = -1;
}

void board_retire(struct board *board, uint32_t index)
{
    atomic_store(&board->blocks[index]->alive_ms, 0);
    px_metrics_vacate(board->blocks[index]->counts);
}

void board_renew(struct board *board)
{
    px_error error;

    /* Without memory the next time does as well. */
    if (board->sum)
        (void)!(px_metrics_hand_over(board->metrics, board->sum->counts, &error) == PX_OK);
}

int board_give(struct board *board)
{
    if (!board->sum)
        board->sum = map_file(&board->sum_fd, &board->sum_seen);
    board_renew(board);
    return board->sum ? board->sum_fd : -1;
}
