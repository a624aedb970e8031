/*
 * Streams of events: text in an outbox, which the transport pulls as a producer.
 *
 * A producer that says LATER has compression flushed, so each event leaves at once.  A heartbeat
 * keeps the way open and finds peers that have gone; a timer for it is all that an idle stream
 * costs beside its exchange.
 */
#include <string.h>

#include "base/options.h"
#include "exchange/exchange.h"
#include "pollux/request.h"
#include "pollux/response.h"
#include "realtime/event_text.h"
#include "realtime/events.h"
#include "realtime/topic_message.h"

enum { HEARTBEAT_MS_DEFAULT = 15 * 1000, BACKLOG_BYTES_DEFAULT = 1024 * 1024 };

struct px_events {
    px_exchange *exchange; /* borrowed: outlives it */
    px_loop *loop;         /* likewise */
    px_events_options options;
    px_str last_id; /* the request's */
    void *user_data;
    struct outbox outbox;
    struct subscriber subscriber;
    struct io_timer timer;
    uint64_t spoke_ms;   /* when something was last sent */
    uint64_t end_due_ms; /* UINT64_MAX: never */
    bool full_told;      /* on_drain is due */
    bool ending;         /* it ends when what waits has gone out */
};

static bool is_full(const px_events *stream)
{
    return stream->outbox.bytes >= stream->options.backlog_bytes_max;
}

static void schedule(px_events *stream)
{
    uint64_t due_ms = stream->end_due_ms;
    uint64_t beat_ms = stream->options.heartbeat_ms == PX_OFF
                           ? UINT64_MAX
                           : stream->spoke_ms + stream->options.heartbeat_ms;

    due_ms = beat_ms < due_ms ? beat_ms : due_ms;
    if (due_ms == UINT64_MAX || stream->ending)
        timer_stop(&stream->loop->timers, &stream->timer);
    else
        timer_start(&stream->loop->timers, &stream->timer, due_ms);
}

/* What waits was not read for long: an event that was begun is not finished. */
static void outbox_gives_way(struct budget_holder *holder)
{
    px_events *stream = CONTAINER_OF(holder, struct outbox, holder)->owner;

    outbox_give_way(&stream->outbox);
    stream->ending = true;
    schedule(stream);
    px_exchange_abort(stream->exchange);
}

static px_err text_append(px_events *stream, const char *text, size_t len)
{
    char *out = outbox_room(&stream->outbox, len);

    if (!out)
        return PX_ERR_MEMORY;
    memcpy(out, text, len);
    outbox_add(&stream->outbox, len);
    stream->spoke_ms = loop_now_ms(stream->loop);
    px_resume(stream->exchange);
    return PX_OK;
}

static void on_due(struct io_timer *timer)
{
    px_events *stream = CONTAINER_OF(timer, px_events, timer);

    if (stream->loop->now_ms >= stream->end_due_ms) {
        px_events_close(stream);
        return;
    }
    /* A peer that does not read what waits needs no more of it. */
    if (stream->loop->now_ms >= stream->spoke_ms + stream->options.heartbeat_ms) {
        if (stream->outbox.head || text_append(stream, ":\n\n", 3) != PX_OK)
            stream->spoke_ms = stream->loop->now_ms;
    }
    schedule(stream);
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* Whether an event may begin: PX_OK, or what px_events_send returns. */
static px_err send_begin(px_events *stream)
{
    if (stream->ending)
        return PX_ERR_CLOSED;
    if (!is_full(stream))
        return PX_OK;
    if (stream->options.backlog == PX_BACKLOG_CLOSE) {
        outbox_drop(&stream->outbox);
        px_events_close(stream);
    } else {
        stream->full_told = true;
    }
    return PX_FULL;
}

px_err px_events_send(px_events *stream, px_str id, px_str event, px_str data)
{
    px_err err = stream ? send_begin(stream) : PX_ERR_INVALID;

    if (err != PX_OK)
        return err;
    if (!event_word_valid(id) || !event_word_valid(event))
        return PX_ERR_INVALID;
    if (data.len > SIZE_MAX / 16)
        return PX_ERR_MEMORY;
    size_t len = event_bytes(id, event, data);
    char *out = outbox_room(&stream->outbox, len);

    if (!out)
        return PX_ERR_MEMORY;
    event_write(out, id, event, data);
    outbox_add(&stream->outbox, len);
    stream->spoke_ms = loop_now_ms(stream->loop);
    px_resume(stream->exchange);
    return PX_OK;
}

static px_err events_give(struct subscriber *subscriber, struct topic_message *message)
{
    px_events *stream = CONTAINER_OF(subscriber, px_events, subscriber);

    if (message->kind != PX_WEBSOCKET_TEXT)
        return PX_OK;
    px_err err = send_begin(stream);

    if (err != PX_OK)
        return err;
    struct shared_bytes *event = topic_message_event(message);

    if (!event)
        return PX_ERR_MEMORY;
    err = outbox_share(&stream->outbox, event, false);
    if (err != PX_OK)
        return err;
    stream->spoke_ms = loop_now_ms(stream->loop);
    px_resume(stream->exchange);
    return PX_OK;
}

static const struct subscriber_kind events_kind = {.give = events_give};

struct subscriber *events_subscriber(px_events *stream)
{
    return stream->ending ? NULL : &stream->subscriber;
}

void px_events_close(px_events *stream)
{
    if (!stream || stream->ending)
        return;
    stream->ending = true;
    subscriber_deinit(&stream->subscriber);
    schedule(stream);
    px_resume(stream->exchange);
}

/* --- For the exchange ------------------------------------------------------------------------- */

static px_pull on_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    px_events *stream = context;

    (void)exchange;
    if (stream->outbox.gave_way)
        return PX_PULL_ERROR;
    *out_bytes = outbox_pull(&stream->outbox, out, room);
    if (stream->full_told && stream->outbox.bytes <= stream->options.backlog_bytes_max / 2) {
        stream->full_told = false;
        if (!stream->ending && stream->options.on_drain)
            stream->options.on_drain(stream, stream->options.context);
    }
    if (stream->ending && !stream->outbox.head)
        return stream->outbox.gave_way ? PX_PULL_ERROR : PX_PULL_END;
    return *out_bytes > 0 ? PX_PULL_MORE : PX_PULL_LATER;
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    px_events *stream = context;
    px_loop *loop = stream->loop;

    (void)exchange;
    stream->ending = true;
    subscriber_deinit(&stream->subscriber);
    if (stream->options.on_close)
        stream->options.on_close(stream, end, stream->options.context);
    timer_deinit(&loop->timers, &stream->timer);
    outbox_clear(&stream->outbox);
    socket_free(loop, stream, sizeof(*stream));
}

static void on_server_drain(px_exchange *exchange, uint32_t in_ms, void *context)
{
    px_events *stream = context;
    uint64_t end_ms = loop_now_ms(stream->loop) + in_ms;

    (void)exchange;
    if (end_ms < stream->end_due_ms)
        stream->end_due_ms = end_ms;
    schedule(stream);
}

/* A peer that reads events has no reason to end its side but leaving. */
static void on_peer_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_exchange_abort(exchange);
}

static const px_exchange_callbacks events_callbacks = {
    .struct_size = sizeof(events_callbacks),
    .on_end = on_end,
    .on_server_drain = on_server_drain,
    .on_peer_end = on_peer_end,
};

/* --- The beginning ---------------------------------------------------------------------------- */

static void put_retry(px_events *stream)
{
    char text[32] = "retry: ";
    char digits[16];
    size_t at = 7, count = 0;

    for (uint32_t left = stream->options.retry_ms; left > 0; left /= 10)
        digits[count++] = (char)('0' + left % 10);
    while (count > 0)
        text[at++] = digits[--count];
    text[at++] = '\n';
    text[at++] = '\n';
    (void)text_append(stream, text, at); /* without it the peer takes a time of its own */
}

static px_events *events_create(px_exchange *exchange, const px_events_options *options)
{
    px_loop *loop = px_exchange_loop(exchange);
    px_events *stream = socket_alloc(loop, sizeof(*stream));

    if (!stream)
        return NULL;
    memset(stream, 0, sizeof(*stream));
    if (timer_init(&loop->timers, &stream->timer, on_due) != PX_OK) {
        socket_free(loop, stream, sizeof(*stream));
        return NULL;
    }
    stream->exchange = exchange;
    stream->loop = loop;
    stream->options = *options;
    stream->last_id = px_request_field(exchange, "Last-Event-ID");
    stream->spoke_ms = loop_now_ms(loop);
    stream->end_due_ms =
        options->lifetime_ms ? stream->spoke_ms + options->lifetime_ms : UINT64_MAX;
    outbox_init(&stream->outbox, loop);
    outbox_own(&stream->outbox, stream, outbox_gives_way);
    subscriber_init(&stream->subscriber, &events_kind);
    schedule(stream);
    return stream;
}

px_events *px_events_accept(px_exchange *exchange, const px_events_options *given)
{
    px_events_options options;

    /* A second answer breaks the exchange before anything hangs on it. */
    if (exchange_is_settled(exchange)) {
        px_respond_error(exchange, 500);
        return NULL;
    }
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        exchange_break(exchange, PX_END_ABORTED, STRUCT_WITHOUT_SIZE);
        return NULL;
    }
    if (options.backlog > PX_BACKLOG_CLOSE) {
        exchange_break(exchange, PX_END_ABORTED, "options of a stream of events out of range");
        return NULL;
    }
    if (options.heartbeat_ms == 0)
        options.heartbeat_ms = HEARTBEAT_MS_DEFAULT;
    if (options.backlog_bytes_max == 0)
        options.backlog_bytes_max = BACKLOG_BYTES_DEFAULT;
    px_events *stream = events_create(exchange, &options);

    if (!stream) {
        px_respond_error(exchange, 503);
        return NULL;
    }
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-cache"));
    px_response_set_field(exchange, px_str_of("X-Accel-Buffering"), px_str_of("no"));
    px_exchange_set_callbacks(exchange, &events_callbacks, stream);
    px_producer producer = {.struct_size = sizeof(px_producer), .pull = on_pull, .context = stream};

    px_respond_producer(exchange, 200, px_str_of("text/event-stream"), PX_LENGTH_UNKNOWN,
                        &producer);
    if (options.retry_ms > 0)
        put_retry(stream);
    return stream;
}

px_str px_events_last_id(const px_events *stream)
{
    return stream->last_id;
}

px_exchange *px_events_exchange(px_events *stream)
{
    return stream->exchange;
}

void px_events_set_user_data(px_events *stream, void *user_data)
{
    stream->user_data = user_data;
}

void *px_events_user_data(const px_events *stream)
{
    return stream->user_data;
}
