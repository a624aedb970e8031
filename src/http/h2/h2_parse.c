/*
 * What comes: each frame is looked at once its head is there, its payload as it arrives, and what
 * it means is done at its end.
 *
 * Happy path: a HEADERS frame whose block is decoded field by field from where it lies; content
 * that is handed on from where it lies.  Of a field that is not whole what there is of it is
 * carried; small payloads are gathered.  What breaks a rule of the connection is a code, with which
 * it ends.
 */
#include <string.h>

#include "base/limits.h"
#include "base/work.h"
#include "http/h2/h2_engine.h"

enum {
    FRAME_WORK = 150,    /* of one that asks for nothing, in bytes */
    BLOCK_BYTES = 512,   /* of a header block, decoded at once: it may say much more */
    CONTENT_BYTES = 4096 /* of content, handed on at once */
};

/* Whether a number is none that a stream has had. */
static bool is_idle(const struct h2_engine *engine, uint32_t id)
{
    if (!engine->walk.answers)
        return h2_walk_is_idle(&engine->walk, id);
    return !(id & 1) || id > engine->last_asked;
}

/* --- Frames as they begin --------------------------------------------------------------------- */

static uint32_t begin_data(struct h2_engine *engine, const struct h2_frame *frame)
{
    bool padded = frame->flags & H2_FLAG_PADDED;

    if (is_idle(engine, frame->stream))
        return H2_PROTOCOL_ERROR;
    if (padded && frame->bytes == 0)
        return H2_FRAME_SIZE_ERROR;
    /* RFC 9113 section 6.9: the whole payload counts, whatever becomes of it. */
    if (frame->bytes > engine->recv_window)
        return H2_FLOW_CONTROL_ERROR;
    engine->recv_window -= frame->bytes;
    engine->in.payload = PAYLOAD_CONTENT;
    engine->in.prefix_bytes = padded;
    engine->in.content_bytes = frame->bytes;
    engine->in.stream = h2_engine_find(engine, frame->stream);
    if (!engine->in.stream || engine->in.stream->dead) {
        engine->in.stream = NULL;
        return H2_NO_ERROR;
    }
    if (engine->in.stream->remote_ended)
        return H2_STREAM_CLOSED;
    if (frame->bytes > engine->in.stream->recv_window) {
        h2_walk_count(&engine->walk, H2_BUDGET_RESETS);
        h2_engine_reset(engine, engine->in.stream, H2_FLOW_CONTROL_ERROR);
        engine->in.stream = NULL;
        return H2_NO_ERROR;
    }
    engine->in.stream->recv_window -= frame->bytes;
    return H2_NO_ERROR;
}

static uint32_t begin_headers(struct h2_engine *engine, const struct h2_frame *frame)
{
    engine->in.prefix_bytes = (uint8_t)((frame->flags & H2_FLAG_PADDED ? 1 : 0) +
                                        (frame->flags & H2_FLAG_PRIORITY ? H2_PRIORITY_BYTES : 0));
    if (frame->stream == 0)
        return H2_PROTOCOL_ERROR;
    if (frame->bytes < engine->in.prefix_bytes)
        return H2_FRAME_SIZE_ERROR;
    engine->in.payload = PAYLOAD_BLOCK;
    engine->in.block_open = true;
    engine->in.block_ends = frame->flags & H2_FLAG_END_STREAM;
    engine->work += WORK_REQUEST * WORK_BYTES;
    hpack_decode_begin(&engine->decoder);
    return engine->role->begin(engine, &engine->in.stream);
}

/* A small frame of that length alone (RFC 9113 section 6). */
static uint32_t begin_small(struct h2_engine *engine, const struct h2_frame *frame, uint32_t bytes,
                            bool on_stream)
{
    if ((frame->stream != 0) != on_stream)
        return H2_PROTOCOL_ERROR;
    if (frame->bytes != bytes)
        return H2_FRAME_SIZE_ERROR;
    if (on_stream && frame->type != H2_PRIORITY && is_idle(engine, frame->stream))
        return H2_PROTOCOL_ERROR;
    engine->in.payload = PAYLOAD_SMALL;
    return H2_NO_ERROR;
}

static uint32_t begin_window(struct h2_engine *engine, const struct h2_frame *frame)
{
    return begin_small(engine, frame, sizeof(uint32_t), frame->stream != 0);
}

static uint32_t frame_begin(struct h2_engine *engine)
{
    const struct h2_frame *frame = &engine->walk.frame;

    engine->in.payload = PAYLOAD_SKIP;
    engine->in.prefix_bytes = engine->in.small_len = 0;
    engine->in.pad_left = 0;
    engine->work += FRAME_WORK;
    switch (frame->type) {
    case H2_DATA:
        return begin_data(engine, frame);
    case H2_HEADERS:
        return begin_headers(engine, frame);
    case H2_CONTINUATION:
        /* RFC 9113 section 6.10. */
        engine->in.payload = PAYLOAD_BLOCK;
        return engine->in.block_open ? H2_NO_ERROR : H2_PROTOCOL_ERROR;
    case H2_PRIORITY:
        return begin_small(engine, frame, H2_PRIORITY_BYTES, true);
    case H2_RST_STREAM:
        return begin_small(engine, frame, sizeof(uint32_t), true);
    case H2_SETTINGS:
        return h2_settings_begin(engine, frame);
    case H2_PUSH_PROMISE:
        /* RFC 9113 section 8.4: clients cannot push, and we let no server. */
        return H2_PROTOCOL_ERROR;
    case H2_PING:
        return begin_small(engine, frame, 8, false);
    case H2_GOAWAY:
        if (frame->stream != 0)
            return H2_PROTOCOL_ERROR;
        engine->in.payload = PAYLOAD_SMALL; /* what is behind its numbers is for people */
        return frame->bytes < 8 ? H2_FRAME_SIZE_ERROR : H2_NO_ERROR;
    case H2_WINDOW_UPDATE:
        return begin_window(engine, frame);
    case H2_PRIORITY_UPDATE:
        engine->in.payload = PAYLOAD_SMALL;
        break;
    }
    return H2_NO_ERROR; /* RFC 9113 section 5.5: unknown ones are skipped */
}

/* RFC 7540 section 5.3.1: a stream that depends on itself, wherever it is said, ends the
 * connection; RFC 9113 lets the rest of what dependencies say have no meaning. */
static uint32_t look_dependency(const struct h2_engine *engine, const uint8_t *priority)
{
    return (h2_number_at(priority) & INT32_MAX) == engine->walk.frame.stream ? H2_PROTOCOL_ERROR
                                                                             : H2_NO_ERROR;
}

/* --- Frames as they end ----------------------------------------------------------------------- */

static uint32_t window_over(struct h2_engine *engine, uint32_t id)
{
    uint32_t more = h2_number_at(engine->in.small) & INT32_MAX;

    if (more == 0)
        return H2_PROTOCOL_ERROR;
    if (id == 0) {
        if (engine->send_window + more > INT32_MAX)
            return H2_FLOW_CONTROL_ERROR;
        engine->send_window += more;
        return H2_NO_ERROR;
    }
    struct h2_stream *stream = h2_engine_find(engine, id);

    if (!stream || stream->dead)
        return H2_NO_ERROR;
    stream->send_window += more;
    if (stream->send_window > INT32_MAX) {
        stream->send_window = INT32_MAX;
        h2_walk_count(&engine->walk, H2_BUDGET_RESETS);
        h2_engine_reset(engine, stream, H2_FLOW_CONTROL_ERROR);
        return H2_NO_ERROR;
    }
    h2_engine_ready(engine, stream);
    return H2_NO_ERROR;
}

static uint32_t data_over(struct h2_engine *engine, const struct h2_frame *frame)
{
    bool ends = frame->flags & H2_FLAG_END_STREAM;
    struct h2_stream *stream = engine->in.stream;

    engine->in.stream = NULL;
    if (!ends)
        /* The walk has counted those that are empty without padding. */
        return engine->in.content_bytes == 0 && frame->bytes > 0
                   ? h2_walk_spend(&engine->walk, H2_BUDGET_EMPTY)
                   : H2_NO_ERROR;
    if (stream && !stream->dead)
        engine->role->content_end(engine, stream);
    return H2_NO_ERROR;
}

static uint32_t block_over(struct h2_engine *engine, const struct h2_frame *frame)
{
    struct h2_stream *stream = engine->in.stream;

    if (!(frame->flags & H2_FLAG_END_HEADERS))
        return H2_NO_ERROR;
    if (engine->in.carry_len > 0)
        return H2_COMPRESSION_ERROR; /* RFC 9113 section 4.3: it ends within a field */
    engine->in.block_open = false;
    engine->in.stream = NULL;
    engine->role->end(engine, stream && !stream->dead ? stream : NULL, engine->in.block_ends);
    return H2_NO_ERROR;
}

static uint32_t small_over(struct h2_engine *engine, const struct h2_frame *frame)
{
    struct h2_stream *stream;

    switch (frame->type) {
    case H2_RST_STREAM:
        stream = h2_engine_find(engine, frame->stream);
        if (stream)
            h2_engine_close(engine, stream, h2_number_at(engine->in.small));
        else if (engine->walk.answers)
            return h2_walk_spend(&engine->walk, H2_BUDGET_RESETS);
        return H2_NO_ERROR;
    case H2_PING:
        if (frame->flags & H2_FLAG_ACK)
            engine->role->heard(engine, H2_PING, engine->in.small, engine->in.small_len);
        else
            h2_control_ping(engine, engine->in.small, true);
        return H2_NO_ERROR;
    case H2_PRIORITY:
        return look_dependency(engine, engine->in.small);
    case H2_WINDOW_UPDATE:
        return window_over(engine, frame->stream);
    case H2_GOAWAY:
        engine->goaway_heard = true;
        engine->role->heard(engine, H2_GOAWAY, engine->in.small, engine->in.small_len);
        return H2_NO_ERROR;
    case H2_PRIORITY_UPDATE:
        /* RFC 9218 section 7.1: a stream of the client's, since we push none. */
        if (!(engine->in.small[3] & 1))
            return H2_PROTOCOL_ERROR;
        engine->role->heard(engine, H2_PRIORITY_UPDATE, engine->in.small, engine->in.small_len);
        return H2_NO_ERROR;
    }
    return H2_NO_ERROR;
}

static uint32_t frame_end(struct h2_engine *engine)
{
    const struct h2_frame *frame = &engine->walk.frame;

    switch ((enum h2_payload)engine->in.payload) {
    case PAYLOAD_SKIP:
        break;
    case PAYLOAD_SMALL:
        return small_over(engine, frame);
    case PAYLOAD_SETTINGS:
        return h2_settings_over(engine);
    case PAYLOAD_CONTENT:
        return data_over(engine, frame);
    case PAYLOAD_BLOCK:
        return block_over(engine, frame);
    }
    return H2_NO_ERROR;
}

/* --- Payloads --------------------------------------------------------------------------------- */

/* Pad length and priority are there: `left` bytes of the payload are behind them. */
static uint32_t prefix_over(struct h2_engine *engine, uint32_t left)
{
    const struct h2_frame *frame = &engine->walk.frame;
    const uint8_t *priority = engine->in.small;

    if (frame->flags & H2_FLAG_PADDED) {
        engine->in.pad_left = engine->in.small[0];
        priority++;
        /* RFC 9113 sections 6.1 and 6.2. */
        if (engine->in.pad_left > left)
            return H2_PROTOCOL_ERROR;
    }
    if (engine->in.payload == PAYLOAD_CONTENT) {
        uint32_t beside = engine->in.prefix_bytes + engine->in.pad_left;

        engine->in.content_bytes = left - engine->in.pad_left;
        h2_engine_give(engine, engine->in.stream, beside);
        return H2_NO_ERROR;
    }
    return frame->flags & H2_FLAG_PRIORITY ? look_dependency(engine, priority) : H2_NO_ERROR;
}

static void take_content(struct h2_engine *engine, px_str bytes)
{
    struct h2_stream *stream = engine->in.stream;

    engine->work += (uint32_t)bytes.len;
    if (!stream || stream->dead) {
        h2_engine_give(engine, NULL, (uint32_t)bytes.len);
        return;
    }
    stream->unread += (uint32_t)bytes.len;
    engine->role->content(engine, stream, bytes);
}

/* The next piece of a header block.  Without memory nothing more of it is told: a head that lacks a
 * field is another head. */
static uint32_t take_block(struct h2_engine *engine, px_str bytes)
{
    bool carried = engine->in.carry_len > 0;
    size_t used = 0;

    if (PX_UNLIKELY(carried) && !h2_carry_add(engine, bytes))
        return H2_INTERNAL_ERROR;
    if (PX_UNLIKELY(carried))
        bytes = px_str_make(engine->in.carry, engine->in.carry_len);
    px_err err = hpack_decode(&engine->decoder, bytes, engine->role->field, engine, &used);

    switch (err) {
    case PX_OK:
        break;
    case PX_ERR_LIMIT:
        return H2_ENHANCE_YOUR_CALM;
    case PX_ERR_MEMORY:
        engine->failed = true;
        return H2_INTERNAL_ERROR;
    default:
        return H2_COMPRESSION_ERROR;
    }
    if (PX_UNLIKELY(carried))
        h2_carry_use(engine, used);
    else if (PX_UNLIKELY(used < bytes.len) &&
             !h2_carry_add(engine, px_str_make(bytes.ptr + used, bytes.len - used)))
        return H2_INTERNAL_ERROR;
    return H2_NO_ERROR;
}

/* What has a prefix in front and padding at its end: how many of these bytes were taken. */
static size_t take_padded(struct h2_engine *engine, px_str bytes, uint32_t *out_error)
{
    uint32_t left = engine->walk.left;

    if (engine->in.small_len < engine->in.prefix_bytes) {
        size_t part = h2_gather(engine, bytes, engine->in.prefix_bytes);

        if (engine->in.small_len == engine->in.prefix_bytes)
            *out_error = prefix_over(engine, left - (uint32_t)part);
        return part;
    }
    if (left <= engine->in.pad_left)
        return bytes.len;
    bool content = engine->in.payload == PAYLOAD_CONTENT;
    size_t most = content ? CONTENT_BYTES : BLOCK_BYTES;

    if (most > left - engine->in.pad_left)
        most = left - engine->in.pad_left;
    if (bytes.len > most)
        bytes.len = most;
    if (content)
        take_content(engine, bytes);
    else
        *out_error = take_block(engine, bytes);
    return bytes.len;
}

/* Takes some of the payload of the frame at hand. */
static size_t take(struct h2_engine *engine, px_str bytes, uint32_t *out_error)
{
    if (bytes.len > engine->walk.left)
        bytes.len = engine->walk.left;
    switch ((enum h2_payload)engine->in.payload) {
    case PAYLOAD_SKIP:
        break;
    case PAYLOAD_SMALL:
        h2_gather(engine, bytes, H2_SMALL_BYTES);
        break;
    case PAYLOAD_SETTINGS:
        *out_error = h2_settings_take(engine, bytes);
        break;
    case PAYLOAD_CONTENT:
    case PAYLOAD_BLOCK:
        return take_padded(engine, bytes, out_error);
    }
    return bytes.len;
}

/* --- All of it -------------------------------------------------------------------------------- */

/* The next head, or some of a payload. */
static size_t feed_next(struct h2_engine *engine, px_str bytes, uint32_t *out_error)
{
    size_t used = 0;

    if (engine->walk.left == 0) {
        if (h2_walk_next(&engine->walk, bytes, &used, out_error) != PX_OK)
            return used;
        *out_error = frame_begin(engine);
    } else {
        used = take(engine, bytes, out_error);
        h2_walk_pass(&engine->walk, (uint32_t)used);
    }
    if (engine->walk.left == 0 && *out_error == H2_NO_ERROR)
        *out_error = frame_end(engine);
    return used;
}

size_t h2_engine_feed(struct h2_engine *engine, uint64_t now_ms, px_str bytes)
{
    uint32_t work_max = engine->work + WORK_SLICE * WORK_BYTES;
    uint32_t error = H2_NO_ERROR;
    size_t at = 0;

    h2_walk_tick(&engine->walk, now_ms);
    while (at < bytes.len && engine->work < work_max) {
        if (h2_engine_is_over(engine))
            return bytes.len;
        at += feed_next(engine, px_str_make(bytes.ptr + at, bytes.len - at), &error);
        if (PX_UNLIKELY(error == H2_NO_ERROR && engine->walk.resets_over))
            error = H2_ENHANCE_YOUR_CALM;
        if (PX_UNLIKELY(error != H2_NO_ERROR)) {
            h2_engine_terminate(engine, error);
            return bytes.len;
        }
    }
    if (ASSERTS)
        h2_engine_check(engine);
    return at;
}
