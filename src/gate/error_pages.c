/*
 * Pages of errors: a target for each status, asked of the same host.
 *
 * Where the page itself cannot be asked for, nothing is answered here, and pollux's line of text
 * is.
 */
#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "pollux/reshape.h"
#include "pollux/response.h"

enum { STATUS_FIRST = 400, STATUS_LAST = 599, STATUS_COUNT = STATUS_LAST - STATUS_FIRST + 1 };

struct px_error_pages {
    px_allocator allocator;
    px_str targets[STATUS_COUNT]; /* owned; absent: none */
};

px_error_pages *px_error_pages_create(const px_allocator *allocator, px_error *out_error)
{
    const px_allocator *used = allocator ? allocator : &alloc_libc;
    px_error_pages *pages = alloc_take_zeroed(used, sizeof(*pages));

    if (!pages) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    pages->allocator = *used;
    error_clear(out_error);
    return pages;
}

px_err px_error_pages_add(px_error_pages *pages, unsigned status, px_str target,
                          px_error *out_error)
{
    if (status < STATUS_FIRST || status > STATUS_LAST)
        return error_set(out_error, PX_ERR_INVALID, 0, "%u is no status of an error", status);
    if (target.len == 0 || target.ptr[0] != '/')
        return error_set(out_error, PX_ERR_INVALID, 0, "a page's path begins with a slash");
    char *copy = alloc_take(&pages->allocator, target.len + 1);

    if (!copy)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    *text_write_str(copy, target) = '\0';
    px_str *place = &pages->targets[status - STATUS_FIRST];

    alloc_put(&pages->allocator, (void *)(uintptr_t)place->ptr);
    *place = px_str_make(copy, target.len);
    return error_clear(out_error);
}

void px_error_pages_answer(px_exchange *exchange, unsigned status, void *pages)
{
    const px_error_pages *self = pages;
    px_str target = status >= STATUS_FIRST && status <= STATUS_LAST
                        ? self->targets[status - STATUS_FIRST]
                        : px_str_make(NULL, 0);

    ASSERT(!target.ptr || target.ptr[0] == '/');
    if (target.ptr && px_respond_from(exchange, status, target) != PX_OK)
        return;
}

void px_error_pages_destroy(void *pages)
{
    px_error_pages *self = pages;

    if (!self)
        return;
    px_allocator allocator = self->allocator;

    for (size_t index = 0; index < STATUS_COUNT; index++)
        alloc_put(&allocator, (void *)(uintptr_t)self->targets[index].ptr);
    alloc_put(&allocator, self);
}
