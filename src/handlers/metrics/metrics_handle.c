/*
 * Metrics as an answer.
 *
 * Happy path: a helper thread makes the sum over all blocks, so that the loop does not stand still
 * for it, and a producer writes it as the peer takes it, a piece at a time.  It can fail by memory
 * and by a helper queue that is full, with 503; a request that ends meanwhile is let go of.
 */
#include <string.h>

#include "base/alloc.h"
#include "http/fields/accept.h"
#include "metrics/write.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* An answer in the making. */
struct scrape {
    px_metrics *metrics; /* borrowed */
    px_ref ref;
    px_err err;
    struct metrics_sum sum;
    struct metrics_writer writer;
    struct text piece;
    size_t piece_at; /* what of it was taken */
    char room[WRITE_PIECE_BYTES];
};

static void scrape_free(struct scrape *scrape)
{
    if (scrape->sum.metrics)
        metrics_sum_deinit(&scrape->sum);
    px_ref_release(&scrape->ref);
    alloc_put(&scrape->metrics->allocator, scrape);
}

static void scrape_release(void *context)
{
    scrape_free(context);
}

static px_pull scrape_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    struct scrape *scrape = context;
    size_t bytes = 0;

    (void)exchange;
    while (bytes < room) {
        size_t left = scrape->piece.len - scrape->piece_at;
        size_t taken = left < room - bytes ? left : room - bytes;

        if (taken > 0)
            memcpy(out + bytes, scrape->room + scrape->piece_at, taken);
        bytes += taken;
        scrape->piece_at += taken;
        if (left > taken)
            break;
        text_init(&scrape->piece, scrape->room, sizeof(scrape->room));
        scrape->piece_at = 0;
        if (!metrics_write_next(&scrape->writer, &scrape->piece)) {
            *out_bytes = bytes;
            return PX_PULL_END;
        }
    }
    *out_bytes = bytes;
    return PX_PULL_MORE;
}

static void scrape_work(void *context)
{
    struct scrape *scrape = context;

    scrape->err = metrics_sum_init(&scrape->sum, scrape->metrics);
}

static void scrape_done(px_err status, void *context)
{
    struct scrape *scrape = context;
    px_exchange *exchange = status == PX_OK ? px_ref_get(&scrape->ref) : NULL;
    px_producer producer = {scrape_pull, scrape_release, scrape};

    scrape->metrics->views--;
    if (!exchange || scrape->err != PX_OK) {
        if (exchange)
            px_respond_error(exchange, 503);
        scrape_free(scrape);
        return;
    }
    scrape->writer.sum = &scrape->sum;
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    px_response_set_field(exchange, px_str_of("Vary"), px_str_of("Accept"));
    px_respond_producer(exchange, 200,
                        px_str_of(scrape->writer.format == PX_METRICS_OPENMETRICS
                                      ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                      : "text/plain; version=0.0.4; charset=utf-8"),
                        PX_LENGTH_UNKNOWN, &producer);
}

/* OpenMetrics where it is asked for by its name, and plain text is not liked better. */
static px_metrics_format format_asked(const px_exchange *exchange)
{
    px_str accept = px_request_field(exchange, "Accept");
    struct accept_type open, plain;

    accept_type_init(&open, "application", "openmetrics-text");
    accept_type_init(&plain, "text", "plain");
    if (accept.ptr) {
        accept_type_add(&open, accept);
        accept_type_add(&plain, accept);
    }
    return accept_type_is_named(&open) && accept_type_weight(&open) > 0 &&
                   accept_type_weight(&open) >= accept_type_weight(&plain)
               ? PX_METRICS_OPENMETRICS
               : PX_METRICS_PROMETHEUS;
}

void px_metrics_handle(px_exchange *exchange, void *context)
{
    px_metrics *metrics = context;
    struct scrape *scrape = alloc_take_zeroed(&metrics->allocator, sizeof(*scrape));

    if (!scrape) {
        px_respond_error(exchange, 503);
        return;
    }
    scrape->metrics = metrics;
    scrape->writer.format = format_asked(exchange);
    scrape->ref = px_exchange_ref(exchange);
    text_init(&scrape->piece, scrape->room, sizeof(scrape->room));
    if (px_loop_work(px_exchange_loop(exchange), scrape_work, scrape_done, scrape) != PX_OK) {
        px_respond_error(exchange, 503);
        scrape_free(scrape);
        return;
    }
    metrics->views++;
}
