/*
 * The life of an engine, its streams, and what becomes of them.
 *
 * Streams are found by their numbers in a table of chains; since numbers of a connection follow one
 * another, the chains are of one length.  A stream is on one list at most: of heads, of resets, or
 * of those of its urgency that have content to be pulled.
 */
#include "http/h2/h2_engine.h"

#include <string.h>

#include "base/limits.h"

enum { STREAM_WORK = 4 /* a look at one, in bytes of work */ };

_Static_assert(H2_STREAM_WINDOW <= H2_CONN_WINDOW, "one stream may fill its window");
_Static_assert(H2_CONN_WINDOW <= INT32_MAX, "RFC 9113 section 6.9.1");
_Static_assert((int)H2_CONN_WINDOW >= (int)H2_WINDOW_FIRST, "it is only opened");

/* --- Life ------------------------------------------------------------------------------------- */

/* What is said first: a client's preface (RFC 9113 section 3.4), and SETTINGS (section 6.5.2). */
static void settings_put(struct h2_engine *engine, const struct h2_setting_pair *settings,
                         uint32_t count)
{
    size_t preface = engine->walk.answers ? H2_PREFACE_BYTES : 0;
    char *out = h2_control_take(engine, preface + H2_HEAD_BYTES + count * (size_t)H2_SETTING_BYTES);

    if (!out)
        return;
    memcpy(out, H2_PREFACE, preface);
    out += preface;
    out = h2_frame_put(out, count * (size_t)H2_SETTING_BYTES, H2_SETTINGS, 0, 0);
    for (uint32_t index = 0; index < count; index++) {
        *out++ = (char)(settings[index].id >> 8);
        *out++ = (char)settings[index].id;
        *out++ = (char)(settings[index].value >> 24);
        *out++ = (char)(settings[index].value >> 16);
        *out++ = (char)(settings[index].value >> 8);
        *out++ = (char)settings[index].value;
    }
    engine->settings_open++;
}

px_err h2_engine_init(struct h2_engine *engine, const struct h2_engine_options *options,
                      const struct h2_setting_pair *settings, uint32_t count)
{
    memset(engine, 0, sizeof(*engine));
    engine->role = options->role;
    h2_memory_init(&engine->memory, options->spares, H2_SESSION_BYTES_MAX);
    engine->memory.give_way = h2_carry_give_way;
    h2_walk_init(&engine->walk, options->head_bytes_max);
    if (options->client)
        h2_walk_answers(&engine->walk);
    hpack_decoder_init(&engine->decoder, &engine->memory, options->scratch,
                       engine->walk.block_bytes_max);
    hpack_encoder_init(&engine->encoder, &engine->memory);
    list_init(&engine->heads);
    list_init(&engine->resets);
    for (uint32_t urgency = 0; urgency <= H2_URGENCY_MAX; urgency++)
        list_init(&engine->ready[urgency]);
    engine->send_window = H2_WINDOW_FIRST;
    engine->stream_window = H2_WINDOW_FIRST;
    engine->recv_window = H2_CONN_WINDOW;
    engine->peer_streams_max = UINT32_MAX;
    engine->peer_priorities = -1;
    settings_put(engine, settings, count);
    h2_control_window(engine, 0, H2_CONN_WINDOW - H2_WINDOW_FIRST);
    return engine->failed ? PX_ERR_MEMORY : PX_OK;
}

void h2_engine_deinit(struct h2_engine *engine)
{
    hpack_decoder_deinit(&engine->decoder);
    hpack_encoder_deinit(&engine->encoder);
    h2_memory_deinit(&engine->memory);
}

void h2_engine_terminate(struct h2_engine *engine, uint32_t error)
{
    if (engine->last_word || engine->failed)
        return;
    engine->last_word = true;
    engine->last_word_code = error;
}

/* --- Streams ---------------------------------------------------------------------------------- */

static uint32_t bucket_of(uint32_t id)
{
    return id / 2 % H2_BUCKETS;
}

struct h2_stream *h2_engine_find(const struct h2_engine *engine, uint32_t id)
{
    struct h2_stream *stream = engine->buckets[bucket_of(id)];

    while (stream && stream->id != id)
        stream = stream->next;
    return stream;
}

void h2_engine_open(struct h2_engine *engine, struct h2_stream *stream, uint32_t id)
{
    struct h2_stream **bucket = &engine->buckets[bucket_of(id)];

    memset(stream, 0, sizeof(*stream));
    list_init(&stream->node);
    stream->id = id;
    stream->content_left = stream->answer_left = UINT64_MAX;
    stream->send_window = engine->stream_window;
    stream->recv_window = H2_STREAM_WINDOW;
    stream->priority.urgency = H2_URGENCY_DEFAULT;
    stream->next = *bucket;
    *bucket = stream;
    engine->stream_count++;
}

void h2_engine_unqueue(struct h2_engine *engine, struct h2_stream *stream)
{
    uint32_t urgency = stream->priority.urgency;

    list_remove(&stream->node);
    if (stream->queue == H2_QUEUE_READY && list_empty(&engine->ready[urgency]))
        engine->ready_mask = (uint8_t)(engine->ready_mask & ~(1U << urgency));
    stream->queue = H2_QUEUE_NONE;
}

static void queue(struct h2_stream *stream, enum h2_queue which, struct list *list)
{
    CHECK(stream->queue == H2_QUEUE_NONE);
    stream->queue = (uint8_t)which;
    list_append(list, &stream->node);
}

static void forget(struct h2_engine *engine, struct h2_stream *stream)
{
    struct h2_stream **at = &engine->buckets[bucket_of(stream->id)];

    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    h2_engine_unqueue(engine, stream);
    if (engine->in.stream == stream)
        engine->in.stream = NULL;
    engine->stream_count--;
    /* What was not read may be sent again by other streams. */
    h2_engine_give(engine, NULL, stream->unread);
    stream->unread = 0;
    stream->id = 0;
}

void h2_engine_close(struct h2_engine *engine, struct h2_stream *stream, uint32_t error)
{
    forget(engine, stream);
    engine->role->closed(engine, stream, error);
}

void h2_engine_drop(struct h2_engine *engine, struct h2_stream *stream, uint32_t error)
{
    uint32_t id = stream->id;
    bool over = stream->local_ended && stream->remote_ended;

    if (stream->dead)
        error = stream->reset_code;
    over = over && !stream->dead;
    forget(engine, stream);
    if (!over)
        h2_control_reset(engine, id, error);
}

void h2_engine_reset(struct h2_engine *engine, struct h2_stream *stream, uint32_t error)
{
    if (stream->id == 0 || stream->dead)
        return;
    stream->dead = true;
    stream->reset_code = error;
    h2_engine_unqueue(engine, stream);
    queue(stream, H2_QUEUE_RESETS, &engine->resets);
}

void h2_engine_respond(struct h2_engine *engine, struct h2_stream *stream)
{
    stream->responded = true;
    queue(stream, H2_QUEUE_HEADS, &engine->heads);
}

void h2_engine_ready(struct h2_engine *engine, struct h2_stream *stream)
{
    uint32_t urgency = stream->priority.urgency;

    if (stream->queue != H2_QUEUE_NONE || !stream->pulls || stream->waiting || stream->dead ||
        (stream->send_window <= 0 && !h2_stream_may_be_over(stream)))
        return;
    queue(stream, H2_QUEUE_READY, &engine->ready[urgency]);
    engine->ready_mask = (uint8_t)(engine->ready_mask | 1U << urgency);
}

void h2_engine_prioritize(struct h2_engine *engine, struct h2_stream *stream,
                          struct h2_priority priority)
{
    bool ready = stream->queue == H2_QUEUE_READY;

    if (ready)
        h2_engine_unqueue(engine, stream);
    stream->priority = priority;
    if (ready)
        h2_engine_ready(engine, stream);
}

void h2_engine_remote_end(struct h2_engine *engine, struct h2_stream *stream)
{
    stream->remote_ended = true;
    if (stream->local_ended && !stream->dead)
        h2_engine_close(engine, stream, H2_NO_ERROR);
}

struct h2_stream *h2_engine_find_above(const struct h2_engine *engine, uint32_t id)
{
    for (uint32_t bucket = 0; bucket < H2_BUCKETS; bucket++)
        for (struct h2_stream *stream = engine->buckets[bucket]; stream; stream = stream->next)
            if (stream->id > id)
                return stream;
    return NULL;
}

void h2_engine_move_windows(struct h2_engine *engine, uint32_t window)
{
    int64_t by = (int64_t)window - (int64_t)engine->stream_window;

    if (by == 0)
        return;
    engine->work += H2_BUCKETS + engine->stream_count * STREAM_WORK;
    for (uint32_t bucket = 0; bucket < H2_BUCKETS; bucket++) {
        for (struct h2_stream *stream = engine->buckets[bucket]; stream; stream = stream->next) {
            stream->send_window += by;
            if (stream->send_window <= 0 && stream->queue == H2_QUEUE_READY &&
                !h2_stream_may_be_over(stream))
                h2_engine_unqueue(engine, stream);
            else
                h2_engine_ready(engine, stream);
            if (stream->send_window > INT32_MAX) {
                stream->send_window = INT32_MAX;
                h2_engine_terminate(engine, H2_FLOW_CONTROL_ERROR);
            }
        }
    }
    engine->stream_window = window;
}

/* --- What the peer may send ------------------------------------------------------------------- */

/* A window is told when half of it was used, so that what tells it is a small part of what it
 * lets come. */
void h2_engine_give(struct h2_engine *engine, struct h2_stream *stream, uint32_t bytes)
{
    if (engine->failed)
        return;
    engine->given += bytes;
    if (engine->given >= H2_CONN_WINDOW / 2) {
        h2_control_window(engine, 0, engine->given);
        engine->recv_window += engine->given;
        engine->given = 0;
    }
    if (!stream || stream->id == 0 || stream->dead || stream->remote_ended)
        return;
    stream->given += bytes;
    if (stream->given >= H2_STREAM_WINDOW / 2) {
        h2_control_window(engine, stream->id, stream->given);
        stream->recv_window += stream->given;
        stream->given = 0;
    }
}

/* --- Invariants ------------------------------------------------------------------------------- */

static void stream_check(const struct h2_stream *stream)
{
    ASSERT(stream->id != 0 && stream->queue <= H2_QUEUE_RESETS);
    ASSERT((stream->queue == H2_QUEUE_NONE) == !list_linked(&stream->node));
    ASSERT(stream->send_window <= INT32_MAX);
    ASSERT(stream->unread <= H2_STREAM_WINDOW && stream->recv_window <= H2_STREAM_WINDOW);
    ASSERT(!stream->dead || stream->queue == H2_QUEUE_RESETS);
    ASSERT(stream->queue != H2_QUEUE_READY || (stream->pulls && !stream->waiting));
    ASSERT(stream->queue != H2_QUEUE_READY || stream->send_window > 0 ||
           h2_stream_may_be_over(stream));
    ASSERT(stream->ahead <= H2_AHEAD_LAST);
    ASSERT(stream->ahead < H2_AHEAD_BYTE || stream->pulls);
    ASSERT(!stream->local_ended || !stream->remote_ended || stream->dead);
}

void h2_engine_check(const struct h2_engine *engine)
{
    size_t queued = list_check(&engine->heads) + list_check(&engine->resets), found = 0;
    uint32_t count = 0, unread = 0;

    for (uint32_t urgency = 0; urgency <= H2_URGENCY_MAX; urgency++) {
        queued += list_check(&engine->ready[urgency]);
        ASSERT(list_empty(&engine->ready[urgency]) == !(engine->ready_mask & 1U << urgency));
    }
    for (uint32_t bucket = 0; bucket < H2_BUCKETS; bucket++) {
        for (const struct h2_stream *stream = engine->buckets[bucket]; stream;
             stream = stream->next) {
            ASSERT(bucket_of(stream->id) == bucket);
            stream_check(stream);
            found += stream->queue != H2_QUEUE_NONE;
            unread += stream->unread;
            count++;
        }
    }
    ASSERT(count == engine->stream_count && found == queued);
    ASSERT(engine->given < H2_CONN_WINDOW / 2 || engine->failed);
    ASSERT((uint64_t)unread + engine->given + engine->recv_window == H2_CONN_WINDOW ||
           engine->last_word || engine->failed || engine->walk.left > 0);
    ASSERT(engine->send_window <= INT32_MAX);
    ASSERT(engine->control.at <= engine->control.len);
    ASSERT(engine->control.len <= engine->control.room);
    ASSERT(engine->in.small_len <= H2_SMALL_BYTES);
    ASSERT(!engine->in.carry || engine->in.block_open);
    h2_walk_check(&engine->walk);
    hpack_table_check(&engine->decoder.table);
    hpack_table_check(&engine->encoder.table);
    h2_memory_check(&engine->memory);
}
