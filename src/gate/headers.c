/*
 * The filter that changes fields of answers.
 */
#include "pollux/headers.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "gate/edits.h"
#include "pollux/response.h"

enum { HSTS_BYTES = 64 };

struct px_headers {
    struct edits edits;
};

px_headers *px_headers_create(const px_allocator *allocator, px_error *out_error)
{
    px_headers *headers = alloc_take_zeroed(allocator ? allocator : &alloc_libc, sizeof(*headers));

    if (!headers) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    edits_init(&headers->edits, allocator);
    error_clear(out_error);
    return headers;
}

px_err px_headers_add(px_headers *headers, px_header_edit edit, px_str name, px_str value,
                      px_matcher *when, px_error *out_error)
{
    return edits_add(&headers->edits, edit, name, value, when, out_error);
}

px_err px_headers_add_hsts(px_headers *headers, uint64_t max_age_s, int subdomains,
                           px_matcher *when, px_error *out_error)
{
    char value[HSTS_BYTES];
    struct text text;

    text_init(&text, value, sizeof(value));
    text_put_words(&text, "max-age=");
    text_put_number(&text, max_age_s);
    text_put_words(&text, subdomains ? "; includeSubDomains" : "");
    CHECK(!text.cut);
    px_err err = px_headers_add(headers, PX_HEADER_SET, px_str_of("Strict-Transport-Security"),
                                text_str(&text), when, out_error);

    CHECK(err != PX_OK || !list_empty(&headers->edits.list));
    if (err == PX_OK) /* RFC 6797 section 7.2: not where it came in the clear */
        CONTAINER_OF(headers->edits.list.prev, struct edit, node)->https_only = true;
    return err;
}

static void change(px_exchange *exchange, const struct edit *edit, px_str value)
{
    if (edit->what == PX_HEADER_ADD)
        px_response_add_field(exchange, edit->name, value);
    else
        px_response_set_field(exchange, edit->name, value);
}

static int on_head(px_exchange *exchange, void *context, void **out_state)
{
    const px_headers *headers = context;

    (void)out_state;
    edits_run(&headers->edits, exchange, change);
    return 0;
}

static const px_filter filter = {.struct_size = sizeof(px_filter), .on_head = on_head};

const px_filter *px_headers_filter(void)
{
    return &filter;
}

void px_headers_destroy(void *headers)
{
    px_headers *self = headers;

    if (!self)
        return;
    px_allocator allocator = self->edits.allocator;

    edits_deinit(&self->edits);
    alloc_put(&allocator, self);
}
