/*
 * A buffer that owns its bytes and grows up to a stated maximum.
 *
 * Growing doubles; passing the maximum or running out of memory fails and leaves the buffer as it
 * was.  An empty buffer that was never written holds no memory.
 */
#ifndef PX_BASE_BUF_H
#define PX_BASE_BUF_H

#include "base/alloc.h"
#include "base/budget.h"
#include "pollux/error.h"
#include "pollux/str.h"

struct buf {
    char *ptr; /* owned */
    size_t len;
    size_t cap;
    size_t bytes_max;
    const px_allocator *allocator; /* borrowed: outlives the buffer */
    struct budget *budget;         /* borrowed, or NULL: what its memory is taken from ... */
    enum budget_kind kind;         /* ... and as what */
};

void buf_init(struct buf *buf, const px_allocator *allocator, size_t bytes_max);
void buf_deinit(struct buf *buf);

/* Its memory is taken from a budget from now on; before the first byte.  A full one is
 * PX_ERR_MEMORY. */
static inline void buf_use_budget(struct buf *buf, struct budget *budget, enum budget_kind kind)
{
    buf->budget = budget;
    buf->kind = kind;
}

/* Makes room for `bytes` more: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err buf_reserve(struct buf *buf, size_t bytes);

/* Appends a copy of `str`: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err buf_append(struct buf *buf, px_str str);

/* Drops the first `bytes` bytes and moves the rest to the front. */
void buf_consume(struct buf *buf, size_t bytes);

/* States what must hold; for tests. */
void buf_check(const struct buf *buf);

static inline px_str buf_str(const struct buf *buf)
{
    return px_str_make(buf->ptr, buf->len);
}

#endif
