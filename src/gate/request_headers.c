/*
 * The middleware that changes fields of requests.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "gate/edits.h"
#include "http/fields/field.h"
#include "pollux/request.h"
#include "pollux/reshape.h"

struct px_request_headers {
    struct edits edits;
};

px_request_headers *px_request_headers_create(const px_allocator *allocator, px_error *out_error)
{
    px_request_headers *headers =
        alloc_take_zeroed(allocator ? allocator : &alloc_libc, sizeof(*headers));

    if (!headers) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    edits_init(&headers->edits, allocator);
    error_clear(out_error);
    return headers;
}

px_err px_request_headers_add(px_request_headers *headers, px_header_edit edit, px_str name,
                              px_str value, px_matcher *when, px_error *out_error)
{
    if (field_name_is(name, "host"))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "Host stays: rules were chosen by it before");
    return edits_add(&headers->edits, edit, name, value, when, out_error);
}

static void change(px_exchange *exchange, const struct edit *edit, px_str value)
{
    px_err err = edit->what == PX_HEADER_ADD ? px_request_add_field(exchange, edit->name, value)
                                             : px_request_set_field(exchange, edit->name, value);

    if (err != PX_OK)
        px_exchange_abort(exchange);
}

px_verdict px_request_headers_run(px_exchange *exchange, void *headers)
{
    const px_request_headers *self = headers;

    edits_run(&self->edits, exchange, change);
    return PX_NEXT;
}

void px_request_headers_destroy(void *headers)
{
    px_request_headers *self = headers;

    if (!self)
        return;
    px_allocator allocator = self->edits.allocator;

    edits_deinit(&self->edits);
    alloc_put(&allocator, self);
}
