/*
 * The inbox.  Its memory is counted against the loop's budget.
 */
#include "io/inbox.h"

#include <string.h>

#include "io/io.h"

bool inbox_share_take(px_loop *loop, uint64_t has_bytes, uint64_t more_bytes)
{
    return budget_take_fair(&loop->memory, BUDGET_INBOX, has_bytes, more_bytes);
}

void inbox_free(struct inbox *inbox, px_loop *loop)
{
    if (!inbox->ptr)
        return;
    budget_give(&loop->memory, BUDGET_INBOX, inbox->cap);
    alloc_put(&loop->allocator, inbox->ptr);
    inbox->ptr = NULL;
    inbox->at = 0;
    inbox->len = 0;
    inbox->cap = 0;
}

/* Room for `bytes` more at the end: moves what is there to the front, or grows. */
static px_err inbox_reserve(struct inbox *inbox, px_loop *loop, size_t bytes)
{
    size_t need = inbox->len + bytes;

    if (inbox->at + need <= inbox->cap)
        return PX_OK;
    if (inbox->at > 0 && need <= inbox->cap) {
        memmove(inbox->ptr, inbox->ptr + inbox->at, inbox->len);
        inbox->at = 0;
        return PX_OK;
    }
    if (need > inbox->max)
        return PX_ERR_LIMIT;
    size_t cap = inbox->cap ? inbox->cap : INBOX_BYTES_FIRST;

    while (cap < need)
        cap *= 2;
    if (cap > inbox->max)
        cap = inbox->max;
    if (!inbox_share_take(loop, inbox->cap, cap - inbox->cap))
        return PX_ERR_LIMIT;
    char *ptr = alloc_take(&loop->allocator, cap);

    if (!ptr) {
        budget_give(&loop->memory, BUDGET_INBOX, cap - inbox->cap);
        return PX_ERR_MEMORY;
    }
    if (inbox->len > 0)
        memcpy(ptr, inbox->ptr + inbox->at, inbox->len);
    alloc_put(&loop->allocator, inbox->ptr);
    inbox->ptr = ptr;
    inbox->at = 0;
    inbox->cap = (uint32_t)cap;
    return PX_OK;
}

size_t inbox_room(struct inbox *inbox, px_loop *loop, char **out_ptr)
{
    size_t end = inbox->at + inbox->len;

    if (end == inbox->cap) {
        size_t left = inbox->max - inbox->len;
        size_t want = left < inbox->len ? left : inbox->len;

        if (want == 0 || inbox_reserve(inbox, loop, want) != PX_OK)
            return 0;
        end = inbox->at + inbox->len;
    }
    *out_ptr = inbox->ptr + end;
    return inbox->cap - end;
}

px_err inbox_keep(struct inbox *inbox, px_loop *loop, const char *bytes, size_t count, bool wanted)
{
    uint64_t least = count > INBOX_BYTES_FIRST ? count : INBOX_BYTES_FIRST;

    if (!wanted && budget_is_at_reserve(&loop->memory, BUDGET_INBOX, least))
        return PX_ERR_LIMIT;
    px_err err = inbox_reserve(inbox, loop, count);

    if (err != PX_OK)
        return err;
    memcpy(inbox->ptr, bytes, count);
    inbox->len = (uint32_t)count;
    return PX_OK;
}

px_str inbox_lend(struct inbox *inbox)
{
    px_str bytes = px_str_make(inbox->ptr + inbox->at, inbox->len);

    inbox->len = 0;
    return bytes;
}

void inbox_put_back(struct inbox *inbox, px_loop *loop, px_str lent, size_t used)
{
    inbox->at += (uint32_t)used;
    inbox->len = (uint32_t)(lent.len - used);
    if (inbox->len == 0)
        inbox_free(inbox, loop);
}

void inbox_check(const struct inbox *inbox)
{
    ASSERT((inbox->ptr == NULL) == (inbox->cap == 0));
    ASSERT(inbox->cap <= inbox->max);
    ASSERT(inbox->at <= inbox->cap && inbox->len <= inbox->cap - inbox->at);
    ASSERT(inbox->len > 0 || inbox->cap == 0); /* empty, it holds no memory */
}
