/*
 * Another target for a request: written by a template, or with a prefix taken off.
 *
 * It can fail by a template that writes no target, and for want of the exchange's memory.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/number.h"
#include "base/options.h"
#include "base/text.h"
#include "gate/matcher.h"
#include "pollux/request.h"
#include "pollux/reshape.h"
#include "pollux/response.h"
#include "pollux/template.h"

struct px_rewrite {
    px_allocator allocator;
    px_template *target; /* owned; NULL: the prefix is taken off */
    px_matcher *when;    /* a hold, or NULL */
    px_str prefix;       /* behind it; without a slash at its end */
};

px_rewrite *px_rewrite_create(const px_rewrite_options *options, px_error *out_error)
{
    px_rewrite_options known;

    if (options_take(&known, sizeof(known), options, "rewrite options", out_error) != PX_OK)
        return NULL;
    if (!known.target == !known.prefix || (known.prefix && known.prefix[0] != '/')) {
        error_set(out_error, PX_ERR_INVALID, 0,
                  "a rewrite has a target, or a prefix that begins with a slash");
        return NULL;
    }
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    px_str prefix = px_str_of(known.prefix);
    px_rewrite *rewrite = alloc_take_zeroed(used, sizeof(*rewrite) + prefix.len + 1);

    if (!rewrite) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    rewrite->allocator = *used;
    text_write_str((char *)(rewrite + 1), prefix);
    rewrite->prefix = px_str_make((const char *)(rewrite + 1), prefix.len);
    while (rewrite->prefix.len > 0 && rewrite->prefix.ptr[rewrite->prefix.len - 1] == '/')
        rewrite->prefix.len--;
    rewrite->when = matcher_hold(known.when);
    if (known.target) {
        rewrite->target = px_template_create(px_str_of(known.target), used, NULL, out_error);
        if (!rewrite->target) {
            px_rewrite_destroy(rewrite);
            return NULL;
        }
    }
    error_clear(out_error);
    return rewrite;
}

void px_rewrite_destroy(void *rewrite)
{
    px_rewrite *self = rewrite;

    if (!self)
        return;
    px_allocator allocator = self->allocator;

    px_template_destroy(self->target);
    px_matcher_destroy(self->when);
    alloc_put(&allocator, self);
}

/* Where the path goes on behind the prefix: at a slash or its end.  0: it does not begin with it.
 * An encoded slash divides no segments. */
static size_t behind_prefix(px_str raw, px_str prefix)
{
    size_t at = 0;

    for (size_t index = 0; index < prefix.len; index++) {
        char byte = at < raw.len ? raw.ptr[at] : '\0';
        int high = byte == '%' && raw.len - at > 2 ? number_hex_digit(raw.ptr[at + 1]) : -1;
        int low = high >= 0 ? number_hex_digit(raw.ptr[at + 2]) : -1;

        if (low >= 0)
            byte = (char)(high << 4 | low);
        if (byte != prefix.ptr[index] || (low >= 0 && byte == '/') || at == raw.len)
            return 0;
        at += low >= 0 ? 3 : 1;
    }
    return at == raw.len || raw.ptr[at] == '/' ? at : 0;
}

/* The path and, if there is one, a query; absent without memory. */
static px_str target_join(px_exchange *exchange, px_str path, px_str query)
{
    size_t bytes = path.len + (query.ptr ? 1 + query.len : 0);
    char *text = px_exchange_alloc(exchange, bytes + 1);

    if (!text)
        return px_str_make(NULL, 0);
    char *at = text_write_str(text, path);

    if (query.ptr) {
        *at++ = '?';
        at = text_write_str(at, query);
    }
    *at = '\0';
    ASSERT(at == text + bytes);
    return px_str_make(text, bytes);
}

static px_str target_of(const px_rewrite *rewrite, px_exchange *exchange)
{
    px_str query = px_request_query(exchange), raw = px_request_raw_path(exchange);

    CHECK(rewrite->target || rewrite->prefix.ptr);
    if (rewrite->target) {
        px_str text = px_template_text(rewrite->target, exchange, PX_TEMPLATE_TARGET);

        if (!text.ptr || !query.ptr || memchr(text.ptr, '?', text.len))
            return text;
        return target_join(exchange, text, query);
    }
    size_t at = behind_prefix(raw, rewrite->prefix);

    return target_join(
        exchange, at == raw.len ? px_str_of("/") : px_str_make(raw.ptr + at, raw.len - at), query);
}

px_verdict px_rewrite_run(px_exchange *exchange, void *rewrite)
{
    const px_rewrite *self = rewrite;
    px_str raw = px_request_raw_path(exchange);

    if (!raw.ptr || !matcher_applies(self->when, exchange) ||
        (!self->target && behind_prefix(raw, self->prefix) == 0))
        return PX_NEXT;
    px_str target = target_of(self, exchange);
    px_err err = target.ptr ? px_request_rewrite(exchange, target) : PX_ERR_MEMORY;

    if (err == PX_OK)
        return PX_NEXT;
    px_respond_error(exchange, err == PX_ERR_INVALID ? 500 : 503);
    return PX_STOP;
}
