/*
 * Sending spans.
 *
 * The happy path: tracer_add writes a span behind others; each BATCH_MS, or when there are
 * BATCH_SPANS or half of the bytes, they are sent as one message while the next ones are written.
 * What can go wrong: a collector that does not answer, or says that it has too much to do (429,
 * 502, 503, 504): the same message is sent again, later each time, TRIES_MAX times in all; whatever
 * else it says, its spans are dropped.  Meanwhile BATCH_BYTES_MAX of spans wait, and no more.
 */
#include "main/observe/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/observe/span.h"
#include "pollux/pollux.h"

enum {
    BATCH_MS = 1000,
    BATCH_SPANS = 512,
    BATCH_BYTES_MAX = 1024 * 1024, /* some 1,000 spans; twice that is the most memory taken */
    TRIES_MAX = 5,
    PAUSE_MS = 1000, /* before a message is sent again; twice as long each time */
    PATIENCE_MS = 10 * 1000,
    REPORT_PAUSE_MS = 10 * 1000,
    NS_PER_S = 1000000000,
    RESULT_SENT = 0, /* in pollux_trace_spans */
    RESULT_DROPPED = 1,
};

struct tracer {
    px_loop *loop;         /* borrowed */
    struct counts *counts; /* borrowed */
    px_client *client;     /* owned */
    px_tls_trust *trust;   /* owned, or NULL */
    px_timer *timer;       /* owned: when the next message is due */
    px_fetch *fetch;       /* that is under way; NULL: none */
    const char *url;       /* borrowed: the options' */
    px_field header;       /* borrowed: likewise; an absent name: none */
    bool has_path;         /* in it */
    bool is_ending;
    struct buf begin; /* of each message; made before the sandbox */
    struct buf filling;
    struct buf sending; /* a message; empty: none */
    uint32_t filling_count;
    uint32_t sending_count;
    uint32_t tries; /* of that message */
    uint64_t reported_ms;
};

/* Whether what waits leaves before its time is over: by count, or by bytes where targets and agents
 * are long. */
static bool is_ripe(const struct tracer *tracer)
{
    return tracer->filling_count >= BATCH_SPANS ||
           (tracer->filling_count > 0 && tracer->filling.len >= BATCH_BYTES_MAX / 2);
}

/* What holds between two events: a message is at hand, whole, or none is. */
static void tracer_check(const struct tracer *tracer)
{
    CHECK((tracer->sending_count > 0) == (tracer->sending.len > 0));
    CHECK(!tracer->fetch || tracer->sending_count > 0);
    CHECK(tracer->tries < TRIES_MAX && (tracer->tries == 0 || tracer->sending_count > 0));
    CHECK(tracer->filling_count == 0 || tracer->filling.len > tracer->begin.len);
    CHECK(tracer->filling.len <= BATCH_BYTES_MAX && tracer->sending.len <= BATCH_BYTES_MAX);
}

/* --- What becomes of spans -------------------------------------------------------------------- */

static void count(struct tracer *tracer, int result, uint32_t spans)
{
    px_metric_add(tracer->counts->metrics, tracer->counts->at[COUNT_SPANS], (uint32_t)result,
                  spans);
}

static void drop(struct tracer *tracer, uint32_t spans, const char *why)
{
    uint64_t now_ms = px_loop_now_ms(tracer->loop);

    count(tracer, RESULT_DROPPED, spans);
    if (tracer->reported_ms != 0 && now_ms - tracer->reported_ms < REPORT_PAUSE_MS)
        return;
    tracer->reported_ms = now_ms;
    diagnostics_tell(LEVEL_WARNING, "spans are dropped: %s", why);
}

static void message_end(struct tracer *tracer)
{
    CHECK(!tracer->fetch);
    tracer->sending.len = 0;
    tracer->sending_count = 0;
    tracer->tries = 0;
}

/* --- Messages --------------------------------------------------------------------------------- */

static bool is_worth_again(unsigned status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void send_next(struct tracer *tracer);

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct tracer *tracer = context;
    unsigned status = px_fetch_status(fetch);
    bool is_answered = error->code == PX_OK;
    char why[PX_ERROR_TEXT_BYTES];

    CHECK(tracer->fetch == fetch && tracer->sending_count > 0);
    tracer->fetch = NULL;
    if (is_answered && status >= 200 && status <= 299) {
        count(tracer, RESULT_SENT, tracer->sending_count);
        message_end(tracer);
        if (tracer->is_ending || is_ripe(tracer))
            send_next(tracer);
        return;
    }
    if (is_answered)
        snprintf(why, sizeof(why), "the collector answers %u", status);
    else
        snprintf(why, sizeof(why), "%s", error->text);
    tracer->tries++;
    if (tracer->is_ending || tracer->tries >= TRIES_MAX ||
        (is_answered && !is_worth_again(status))) {
        drop(tracer, tracer->sending_count, why);
        message_end(tracer);
        if (tracer->is_ending && error->code != PX_ERR_CANCELLED)
            send_next(tracer);
        return;
    }
    px_timer_start(tracer->timer, (uint32_t)PAUSE_MS << (tracer->tries - 1));
}

static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks), .on_end = on_end};

static void send_message(struct tracer *tracer)
{
    const px_field fields[] = {{{"Content-Type", 12}, {"application/json", 16}},
                               {{"User-Agent", 10}, {"pollux", 6}},
                               tracer->header};
    px_fetch_options options = PX_FETCH_OPTIONS_DEFAULT;
    px_error error;

    ASSERT(tracer->sending.len > 0 && tracer->tries < TRIES_MAX);
    options.method = px_str_of("POST");
    options.url = px_str_of(tracer->url);
    if (!tracer->has_path)
        options.target = px_str_of("/v1/traces");
    options.fields = fields;
    options.field_count = ARRAY_COUNT(fields) - (tracer->header.name.len == 0);
    options.content = buf_str(&tracer->sending);
    options.total_timeout_ms = PATIENCE_MS;
    tracer->fetch = px_fetch_start(tracer->client, &options, &callbacks, tracer, &error);
    if (tracer->fetch)
        return;
    drop(tracer, tracer->sending_count, error.text);
    message_end(tracer);
}

/* Sends the message at hand again, or makes one of what was written since. */
static void send_next(struct tracer *tracer)
{
    if (tracer->fetch)
        return;
    if (tracer->sending_count == 0 && tracer->filling_count > 0) {
        struct buf empty = tracer->sending;

        tracer->sending = tracer->filling;
        tracer->sending_count = tracer->filling_count;
        tracer->filling = empty;
        tracer->filling_count = 0;
        if (span_put_end(&tracer->sending) != PX_OK) {
            drop(tracer, tracer->sending_count, "out of memory");
            message_end(tracer);
        }
    }
    if (tracer->sending_count > 0)
        send_message(tracer);
}

static void on_timer(px_timer *timer, void *context)
{
    struct tracer *tracer = context;

    CHECK(timer == tracer->timer);
    tracer_check(tracer);
    px_timer_start(timer, BATCH_MS);
    send_next(tracer);
}

static px_err span_add(struct tracer *tracer, px_exchange *exchange, const px_summary *summary)
{
    struct timespec now;
    px_err err = PX_OK;

    ASSERT(tracer->begin.len > 0 && tracer->filling.len <= BATCH_BYTES_MAX);
    clock_gettime(CLOCK_REALTIME, &now);
    if (tracer->filling_count == 0) {
        tracer->filling.len = 0;
        err = buf_append(&tracer->filling, buf_str(&tracer->begin));
    }
    if (err != PX_OK)
        return err;
    return span_put(&tracer->filling, exchange, summary,
                    (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec,
                    tracer->filling_count == 0);
}

void tracer_add(px_exchange *exchange, const px_summary *summary, void *context)
{
    struct tracer *tracer = context;

    CHECK(!tracer->is_ending);
    if (!px_request_is_sampled(exchange))
        return;
    bool was_ripe = is_ripe(tracer);

    if (span_add(tracer, exchange, summary) != PX_OK) {
        drop(tracer, 1, "the collector does not take them fast enough");
        return;
    }
    tracer->filling_count++;
    /* A message that waits to be sent again keeps its pause. */
    if (is_ripe(tracer) && !was_ripe && tracer->sending_count == 0)
        px_timer_start(tracer->timer, 0);
}

/* --- Making and ending ------------------------------------------------------------------------ */

static bool url_has_path(const char *url)
{
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;

    return path && path[1] != '\0';
}

px_err tracer_open(px_loop *loop, const struct trace_options *options, struct counts *counts,
                   px_server_options *server, struct tracer **out_tracer, px_error *out_error)
{
    px_client_options client = PX_CLIENT_OPTIONS_DEFAULT;

    *out_tracer = NULL;
    if (!options->url)
        return error_clear(out_error);
    struct tracer *tracer = calloc(1, sizeof(*tracer));

    if (!tracer)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    *tracer = (struct tracer){.loop = loop,
                              .counts = counts,
                              .url = options->url,
                              .header = options->header,
                              .has_path = url_has_path(options->url)};
    buf_init(&tracer->begin, &alloc_libc, BATCH_BYTES_MAX);
    buf_init(&tracer->filling, &alloc_libc, BATCH_BYTES_MAX);
    buf_init(&tracer->sending, &alloc_libc, BATCH_BYTES_MAX);
    if (strncmp(options->url, "https:", 6) == 0) {
        tracer->trust = px_tls_trust_create(NULL, out_error);
        if (!tracer->trust)
            goto fail;
    }
    client.trust = tracer->trust;
    client.connections_max = 1;
    tracer->client = px_client_create(loop, &client, out_error);
    if (!tracer->client)
        goto fail;
    tracer->timer = px_timer_create(loop, on_timer, tracer);
    if (!tracer->timer || span_put_begin(&tracer->begin) != PX_OK) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        goto fail;
    }
    px_timer_start(tracer->timer, BATCH_MS);
    server->on_done = tracer_add;
    server->done_context = tracer;
    server->trace_sample = options->sample;
    server->trace_restart = options->restart;
    *out_tracer = tracer;
    return error_clear(out_error);

fail:
    tracer_close(tracer, &(struct patience){0});
    return out_error->code;
}

void tracer_close(struct tracer *tracer, const struct patience *patience)
{
    px_error error;
    int left_ms;

    if (!tracer)
        return;
    tracer->is_ending = true;
    tracer_check(tracer);
    if (patience_left_ms(patience) > 0)
        send_next(tracer);
    while (tracer->fetch && (left_ms = patience_left_ms(patience)) > 0 &&
           px_loop_wait(tracer->loop, left_ms, &error) == PX_OK)
        continue;
    if (tracer->fetch)
        px_fetch_cancel(tracer->fetch);
    px_client_destroy(tracer->client);
    CHECK(!tracer->fetch); /* its end was reported */
    if (tracer->filling_count > 0)
        count(tracer, RESULT_DROPPED, tracer->filling_count);
    px_timer_destroy(tracer->timer);
    px_tls_trust_destroy(tracer->trust);
    buf_deinit(&tracer->begin);
    buf_deinit(&tracer->filling);
    buf_deinit(&tracer->sending);
    free(tracer);
}
