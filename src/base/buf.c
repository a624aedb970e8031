/*
 * The growing buffer.  The happy path is a memcpy into room that is there already.
 */
#include "base/buf.h"

#include <string.h>

#include "base/check.h"

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *buf, const px_allocator *allocator, size_t bytes_max)
{
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->bytes_max = bytes_max;
    buf->allocator = allocator;
    buf->budget = NULL;
    buf->kind = BUDGET_EXCHANGES;
}

void buf_deinit(struct buf *buf)
{
    alloc_put(buf->allocator, buf->ptr);
    if (buf->budget)
        budget_give(buf->budget, buf->kind, buf->cap);
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
}

px_err buf_reserve(struct buf *buf, size_t bytes)
{
    if (bytes <= buf->cap - buf->len)
        return PX_OK;
    if (bytes > buf->bytes_max - buf->len)
        return PX_ERR_LIMIT;

    size_t cap = buf->cap ? buf->cap : BUF_FIRST_BYTES;

    if (cap > buf->bytes_max)
        cap = buf->bytes_max;
    while (cap - buf->len < bytes)
        cap = cap > buf->bytes_max / 2 ? buf->bytes_max : cap * 2;
    if (buf->budget && !budget_take_fair(buf->budget, buf->kind, buf->cap, cap - buf->cap))
        return PX_ERR_MEMORY;
    char *ptr = alloc_resize(buf->allocator, buf->ptr, cap);

    if (!ptr) {
        if (buf->budget)
            budget_give(buf->budget, buf->kind, cap - buf->cap);
        return PX_ERR_MEMORY;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return PX_OK;
}

px_err buf_append(struct buf *buf, px_str str)
{
    px_err err = buf_reserve(buf, str.len);

    if (err != PX_OK)
        return err;
    if (str.len > 0)
        memcpy(buf->ptr + buf->len, str.ptr, str.len);
    buf->len += str.len;
    return PX_OK;
}

void buf_consume(struct buf *buf, size_t bytes)
{
    CHECK(bytes <= buf->len);
    buf->len -= bytes;
    if (bytes > 0 && buf->len > 0)
        memmove(buf->ptr, buf->ptr + bytes, buf->len);
}

void buf_check(const struct buf *buf)
{
    ASSERT(buf->allocator);
    ASSERT((buf->ptr == NULL) == (buf->cap == 0));
    ASSERT(buf->len <= buf->cap && buf->cap <= buf->bytes_max);
}
