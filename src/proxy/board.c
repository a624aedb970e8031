/*
 * Places in shared memory.  Two processes that look for one server at once find one place: it is
 * taken by a compare-and-swap of its key.
 */
#include "proxy/board.h"

#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "io/random.h"

_Static_assert(sizeof(struct health) == 64, "a place is a cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share no lock");

px_upstream_board *px_upstream_board_create(const px_allocator *allocator, px_error *out_error)
{
    const px_allocator *used = allocator ? allocator : &alloc_libc;
    px_upstream_board *board = alloc_take_zeroed(used, sizeof(*board));

    if (!board) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    board->allocator = *used;
    atomic_init(&board->holds, 1);
    board->places = mmap(NULL, BOARD_PLACES * sizeof(struct health), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board->places == MAP_FAILED) {
        board->places = NULL;
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a board of servers");
        goto fail;
    }
    if (random_bytes(&board->key, sizeof(board->key)) != PX_OK) {
        error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
        goto fail;
    }
    error_clear(out_error);
    return board;
fail:
    px_upstream_board_destroy(board);
    return NULL;
}

px_upstream_board *board_hold(px_upstream_board *board)
{
    CHECK(atomic_fetch_add(&board->holds, 1) > 0);
    return board;
}

void px_upstream_board_destroy(px_upstream_board *board)
{
    if (!board || atomic_fetch_sub(&board->holds, 1) != 1)
        return;
    px_allocator allocator = board->allocator;

    if (board->places)
        munmap(board->places, BOARD_PLACES * sizeof(struct health));
    alloc_put(&allocator, board);
}

static bool is_free(const struct health *health, uint64_t now_ms)
{
    return atomic_load(&health->key) == 0 ||
           atomic_load(&health->seen_ms) + BOARD_FORGET_MS < now_ms;
}

/* False: another process was faster. */
static bool place_take(struct health *health, uint64_t key, uint64_t now_ms)
{
    uint64_t old = atomic_load(&health->key);

    CHECK(key != 0);
    if (!is_free(health, now_ms) || !atomic_compare_exchange_strong(&health->key, &old, key))
        return old == key;
    atomic_store(&health->seen_ms, now_ms);
    if (old != 0) { /* what is there is of another server */
        atomic_store(&health->out_ms, 0);
        atomic_store(&health->back_ms, 0);
        atomic_store(&health->check_ms, 0);
        atomic_store(&health->fails, 0);
        atomic_store(&health->backoff_ms, 0);
        atomic_store(&health->check_row, 0);
        atomic_store(&health->down, 0);
    }
    return true;
}

struct health *board_find(px_upstream_board *board, px_str description, uint64_t now_ms)
{
    uint64_t key = siphash(&board->key, description.ptr, description.len) | 1;
    struct health *vacant = NULL;

    CHECK(board->places && description.len > 0);
    for (uint32_t probe = 0; probe < BOARD_PROBES_MAX; probe++) {
        struct health *health = &board->places[(key / 2 + probe) % BOARD_PLACES];

        if (atomic_load(&health->key) == key) {
            atomic_store(&health->seen_ms, now_ms);
            return health;
        }
        if (!vacant && is_free(health, now_ms))
            vacant = health;
    }
    return vacant && place_take(vacant, key, now_ms) ? vacant : NULL;
}
