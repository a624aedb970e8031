/*
 * The status as an answer.
 *
 * Happy path: a helper thread puts it together and writes it whole, since a page is small; then it
 * is the content.  It can fail by memory and by a helper queue that is full, with 503; a request
 * that ends meanwhile is let go of.
 */
#include "base/alloc.h"
#include "base/check.h"
#include "handlers/metrics/status.h"
#include "http/fields/accept.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* An answer in the making; then what its content is released by. */
struct view {
    px_metrics *metrics; /* borrowed */
    px_ref ref;
    px_err err;
    bool is_json;
    int64_t now;
    struct buf out;
};

static void view_free(void *context)
{
    struct view *view = context;

    buf_deinit(&view->out);
    px_ref_release(&view->ref);
    alloc_put(&view->metrics->allocator, view);
}

static void view_work(void *context)
{
    struct view *view = context;
    struct status status;

    view->err = status_init(&status, view->metrics, view->now);
    if (view->err != PX_OK)
        return;
    view->err = view->is_json ? status_write_json(&status, &view->out)
                              : status_write_page(&status, &view->out);
    status_deinit(&status);
}

static void view_done(px_err result, void *context)
{
    struct view *view = context;
    px_exchange *exchange = result == PX_OK ? px_ref_get(&view->ref) : NULL;

    CHECK(view->metrics->views > 0);
    view->metrics->views--;
    if (!exchange || view->err != PX_OK) {
        if (exchange)
            px_respond_error(exchange, 503);
        view_free(view);
        return;
    }
    const px_body body = {.struct_size = sizeof(px_body),
                          .bytes = buf_str(&view->out),
                          .release = view_free,
                          .context = view};

    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    px_response_set_field(exchange, px_str_of("Vary"), px_str_of("Accept"));
    if (!view->is_json)
        px_response_set_field(exchange, px_str_of("Content-Security-Policy"),
                              px_str_of("default-src 'none'; style-src 'unsafe-inline'; "
                                        "script-src 'unsafe-inline'; connect-src 'self'; "
                                        "frame-ancestors 'none'"));
    px_respond_body(exchange, 200,
                    px_str_of(view->is_json ? "application/json" : "text/html; charset=utf-8"),
                    &body);
}

static void view_begin(px_exchange *exchange, px_metrics *metrics, bool is_json)
{
    struct view *view = alloc_take_zeroed(&metrics->allocator, sizeof(*view));
    px_loop *loop = px_exchange_loop(exchange);

    if (!view) {
        px_respond_error(exchange, 503);
        return;
    }
    view->metrics = metrics;
    view->is_json = is_json;
    view->now = px_loop_unix_time(loop);
    view->ref = px_exchange_ref(exchange);
    buf_init(&view->out, &metrics->allocator, STATUS_BYTES_MAX);
    if (px_loop_work(loop, view_work, view_done, view) != PX_OK) {
        px_respond_error(exchange, 503);
        view_free(view);
        return;
    }
    metrics->views++;
}

void px_status_handle(px_exchange *exchange, void *metrics)
{
    px_str accept = px_request_field(exchange, "Accept");
    struct accept_type json, html;

    accept_type_init(&json, "application", "json");
    accept_type_init(&html, "text", "html");
    if (accept.ptr) {
        accept_type_add(&json, accept);
        accept_type_add(&html, accept);
    }
    view_begin(exchange, metrics, accept_type_weight(&json) > accept_type_weight(&html));
}

void px_status_json_handle(px_exchange *exchange, void *metrics)
{
    view_begin(exchange, metrics, true);
}
