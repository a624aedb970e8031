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

static struct board_block *block_make(int *out_fd, const void **out_seen)
{
    struct board_block *block = map_file(out_fd, out_seen);

    if (block)
        return block;
    *out_fd = -1;
    return map_double(out_seen);
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

/* Of another size it is of another layout. */
static const struct board_block *past_map(int fd)
{
    if (fd < 0 || lseek(fd, 0, SEEK_END) != (off_t)block_bytes())
        return NULL;
    return or_null(mmap(NULL, block_bytes(), PROT_READ, MAP_SHARED, fd, 0));
}

static px_err past_see(struct board *board, const int *fds, uint32_t count)
{
    px_err err = PX_OK;
    px_error error;

    CHECK(count <= BOARD_PAST_MAX);
    board->past = calloc(count + 1, sizeof(board->past[0]));
    for (uint32_t i = 0; i < count; i++) {
        const struct board_block *past = board->past ? past_map(fds[i]) : NULL;

        if (fds[i] >= 0)
            close(fds[i]);
        if (!past)
            continue;
        board->past[board->past_count++] = past;
        if (err == PX_OK)
            err = px_metrics_see_past(board->metrics, past->counts, &error);
    }
    return board->past ? err : PX_ERR_MEMORY;
}

static int *own_fd(struct board *board, uint32_t count)
{
    CHECK(board->fds);
    return &board->fds[count];
}

static int *sum_fd(struct board *board)
{
    return &board->fds[board->count + 1];
}

static px_err blocks_make(struct board *board, uint32_t count)
{
    px_error error;
    px_err err = PX_OK;

    board->blocks = calloc(count, sizeof(board->blocks[0]));
    board->seen = calloc(count, sizeof(board->seen[0]));
    board->fds = malloc((count + 2) * sizeof(board->fds[0]));
    if (board->fds)
        memset(board->fds, 0xff, (count + 2) * sizeof(board->fds[0])); /* each is -1 */
    if (!board->blocks || !board->seen || !board->fds)
        return PX_ERR_MEMORY;
    board->own = block_make(own_fd(board, count), &board->own_seen);
    if (!board->own)
        return PX_ERR_MEMORY;
    for (; board->count < count && err == PX_OK; board->count++) {
        uint32_t at = board->count;

        board->blocks[at] = block_make(&board->fds[at], &board->seen[at]);
        err = board->blocks[at] ? px_metrics_see(board->metrics, counts_of(board->seen[at]), &error)
                                : PX_ERR_MEMORY;
    }
    if (err == PX_OK)
        err = px_metrics_see(board->metrics, counts_of(board->own_seen), &error);
    if (err == PX_OK)
        err = px_metrics_use(board->metrics, board->own->counts, &error);
    return err;
}

px_err board_init(struct board *board, uint32_t count, px_metrics *metrics, const int *past_fds,
                  uint32_t past_count)
{
    *board = (struct board){.metrics = metrics};
    px_err err = past_see(board, past_fds, past_count);

    CHECK(metrics && count > 0);
    if (err == PX_OK)
        err = blocks_make(board, count);
    if (err != PX_OK)
        board_deinit(board);
    return err;
}

/* In a worker too: it gives nothing, and descriptors are few. */
static void fds_close(struct board *board)
{
    for (uint32_t i = 0; board->fds && i < board->count + 2; i++)
        if (board->fds[i] >= 0)
            close(board->fds[i]);
    free(board->fds);
    board->fds = NULL;
}

void board_deinit(struct board *board)
{
    fds_close(board);
    for (uint32_t i = 0; i < board->count; i++)
        block_end(&board->blocks[i], &board->seen[i]);
    block_end(&board->own, &board->own_seen);
    block_end(&board->sum, &board->sum_seen);
    for (uint32_t i = 0; i < board->past_count; i++)
        munmap((void *)(uintptr_t)board->past[i], block_bytes());
    free(board->past);
    free(board->blocks);
    free(board->seen);
    *board = (struct board){.metrics = NULL};
}

void board_keep(struct board *board, uint32_t index)
{
    const void *nothing = NULL;
    px_error error;
    px_err err = px_metrics_use(board->metrics, board->blocks[index]->counts, &error);

    CHECK(err == PX_OK); /* nothing is allocated */
    CHECK(index < board->count && board->blocks[index]);
    for (uint32_t i = 0; i < board->count; i++)
        if (i != index)
            block_end(&board->blocks[i], &nothing);
    block_end(&board->own, &nothing);
    block_end(&board->sum, &nothing);
    fds_close(board);
}

void board_retire(struct board *board, uint32_t index)
{
    CHECK(index < board->count && board->blocks[index]);
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

struct board_given board_give(struct board *board)
{
    if (!board->sum && board->past_count > 0)
        board->sum = map_file(sum_fd(board), &board->sum_seen);
    board_renew(board);
    return (struct board_given){board->fds, board->count + 2};
}
