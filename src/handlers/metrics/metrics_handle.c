/*
 * Metrics as an answer.
 *
 * Happy path: a helper thread makes the sum over all blocks and writes it out, so that the loop
 * does not stand still for it, and the text is kept until the peer has taken it.  It can fail by
 * memory, by texts that peers do not take, and by a helper queue that is full, with 503; a request
 * that ends meanwhile is let go of.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "http/fields/accept.h"
#include "metrics/write.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum {
    SCRAPE_BYTES_MAX = 32 * 1024 * 1024,  /* a table that is full of series with histograms */
    SCRAPES_BYTES_MAX = 64 * 1024 * 1024, /* all texts that peers have not taken yet */
};

/* An answer in the making. */
struct scrape {
    px_metrics *metrics; /* borrowed */
    px_ref ref;
    px_err err;
    px_metrics_format format;
    struct buf text;
};

static void scrape_free(struct scrape *scrape)
{
    buf_deinit(&scrape->text);
    px_ref_release(&scrape->ref);
    alloc_put(&scrape->metrics->allocator, scrape);
}

/* All lines: PX_OK, PX_ERR_MEMORY or PX_ERR_LIMIT. */
static px_err lines_write(struct scrape *scrape, const struct metrics_sum *sum)
{
    struct metrics_writer writer = {.sum = sum, .format = scrape->format};
    char room[WRITE_PIECE_BYTES];
    struct text piece;
    px_err err = PX_OK;
    bool more = true;

    while (more && err == PX_OK) {
        text_init(&piece, room, sizeof(room));
        more = metrics_write_next(&writer, &piece);
        if (piece.len > 0)
            err = buf_append(&scrape->text, text_str(&piece));
    }
    return err;
}

/* The sum is large, and lives no longer than it takes a helper to write it. */
static void scrape_work(void *context)
{
    struct scrape *scrape = context;
    struct metrics_sum sum;

    scrape->err = metrics_sum_init(&sum, scrape->metrics);
    if (scrape->err != PX_OK)
        return;
    scrape->err = lines_write(scrape, &sum);
    metrics_sum_deinit(&sum);
}

static void scrape_release(void *context)
{
    struct scrape *scrape = context;

    CHECK(scrape->metrics->kept_bytes >= scrape->text.len);
    scrape->metrics->kept_bytes -= scrape->text.len;
    scrape_free(scrape);
}

static void scrape_answer(struct scrape *scrape, px_exchange *exchange)
{
    const px_body body = {sizeof(px_body), buf_str(&scrape->text), scrape_release, scrape};

    scrape->metrics->kept_bytes += scrape->text.len;
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    px_response_set_field(exchange, px_str_of("Vary"), px_str_of("Accept"));
    px_respond_body(exchange, 200,
                    px_str_of(scrape->format == PX_METRICS_OPENMETRICS
                                  ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                  : "text/plain; version=0.0.4; charset=utf-8"),
                    &body);
}

static void scrape_done(px_err status, void *context)
{
    struct scrape *scrape = context;
    px_exchange *exchange = status == PX_OK ? px_ref_get(&scrape->ref) : NULL;

    CHECK(scrape->metrics->views > 0);
    CHECK(scrape->metrics->kept_bytes <= SCRAPES_BYTES_MAX);
    scrape->metrics->views--;
    if (exchange && scrape->err == PX_OK &&
        scrape->text.len <= SCRAPES_BYTES_MAX - scrape->metrics->kept_bytes) {
        scrape_answer(scrape, exchange);
        return;
    }
    if (exchange) {
        px_response_set_field(exchange, px_str_of("Retry-After"), px_str_of("1"));
        px_respond_error(exchange, 503);
    }
    scrape_free(scrape);
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
    scrape->format = format_asked(exchange);
    buf_init(&scrape->text, &metrics->allocator, SCRAPE_BYTES_MAX);
    scrape->ref = px_exchange_ref(exchange);
    if (px_loop_work(px_exchange_loop(exchange), scrape_work, scrape_done, scrape) != PX_OK) {
        px_respond_error(exchange, 503);
        scrape_free(scrape);
        return;
    }
    metrics->views++;
}
