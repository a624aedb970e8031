/*
 * What leaves: control frames, resets, heads, and then content by urgency.
 *
 * Happy path: the head of an answer is encoded straight into the caller's bytes, and its content is
 * pulled to nine bytes behind that.  A head for which there is too little room waits for the next
 * block, or goes through the control frames in pieces where no block is large enough.
 */
#include "http/h2/h2_engine.h"

#include <string.h>

#include "base/text.h"

/* Beside its fields: what a block begins with, :status, and the frame's head. */
enum { RESPONSE_BYTES = HPACK_BEGIN_BYTES + 16 + H2_HEAD_BYTES, NUMBER_BYTES = 20 };

static size_t room_left(const struct h2_engine *engine)
{
    return engine->out_room - engine->out_len;
}

/* --- Heads ------------------------------------------------------------------------------------ */

static size_t fields_bytes(const px_field *fields, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t index = 0; index < count; index++)
        bytes += fields[index].name.len + fields[index].value.len + HPACK_FIELD_BYTES;
    return bytes;
}

static size_t response_bytes(const struct h2_response *response)
{
    return RESPONSE_BYTES + NUMBER_BYTES + 4 * (size_t)HPACK_FIELD_BYTES + response->type.len +
           response->server.len + response->date.len +
           fields_bytes(response->fields, response->field_count);
}

static char *known_put(struct hpack_encoder *encoder, char *out, uint32_t name, px_str value)
{
    return value.len > 0 ? hpack_encode_known(encoder, out, name, value) : out;
}

/* Writes the block of an answer. */
static char *response_put(struct hpack_encoder *encoder, char *out,
                          const struct h2_response *response)
{
    out = hpack_encode_status(encoder, hpack_begin(encoder, out), response->status);
    out = known_put(encoder, out, HPACK_SERVER, response->server);
    out = known_put(encoder, out, HPACK_DATE, response->date);
    out = known_put(encoder, out, HPACK_CONTENT_TYPE, response->type);
    for (uint32_t index = 0; index < response->field_count; index++)
        out =
            hpack_encode(encoder, out, response->fields[index].name, response->fields[index].value);
    if (response->has_length) {
        char number[TEXT_NUMBER_BYTES];
        size_t len = (size_t)(text_write_number(number, response->length) - number);

        out = hpack_encode_known(encoder, out, HPACK_CONTENT_LENGTH, px_str_make(number, len));
    }
    return out;
}

static char *trailers_put(struct hpack_encoder *encoder, char *out,
                          const struct h2_response *response)
{
    out = hpack_begin(encoder, out);
    for (uint32_t index = 0; index < response->field_count; index++)
        out =
            hpack_encode(encoder, out, response->fields[index].name, response->fields[index].value);
    return out;
}

/* Writes a block and the heads of its frames, and returns the end. */
static char *block_put(struct h2_engine *engine, char *out, uint32_t id,
                       const struct h2_response *response, bool ends)
{
    const char *end = response->status > 0
                          ? response_put(&engine->encoder, out + H2_HEAD_BYTES, response)
                          : trailers_put(&engine->encoder, out + H2_HEAD_BYTES, response);

    return h2_block_put(out, (size_t)(end - out) - H2_HEAD_BYTES, id, ends);
}

/* The block goes with the control frames. */
static void block_control(struct h2_engine *engine, uint32_t id, const struct h2_response *response,
                          bool ends)
{
    size_t bytes = response_bytes(response);

    bytes += h2_block_heads(bytes);
    char *out = h2_control_take(engine, bytes);

    if (out) /* else the engine has failed */
        h2_control_give(engine, bytes - (size_t)(block_put(engine, out, id, response, ends) - out));
}

/* The block goes where there is room, and behind those that wait with the control frames: they are
 * decoded in the order in which they were encoded.  False where it has to wait for more, or the
 * engine has failed. */
static bool block_render(struct h2_engine *engine, const struct h2_stream *stream,
                         const struct h2_response *response, bool ends, bool waits)
{
    size_t bytes = response_bytes(response);
    char *out = engine->out + engine->out_len;

    if (PX_LIKELY(bytes <= room_left(engine) && bytes <= H2_FRAME_BYTES_MAX &&
                  engine->control.len == 0))
        engine->out_len += (size_t)(block_put(engine, out, stream->id, response, ends) - out);
    else if (waits && engine->out_len > 0)
        return false;
    else
        block_control(engine, stream->id, response, ends);
    return !engine->failed;
}

/* Its block goes with the control frames, in front of the final head.  It is left out where memory
 * is short: growing takes the old and the new at once, and without memory the connection ends. */
void h2_engine_inform(struct h2_engine *engine, const struct h2_stream *stream,
                      const struct h2_response *response)
{
    size_t wanted = 2 * ((size_t)engine->control.len + response_bytes(response));

    if (wanted <= engine->memory.bytes_max - engine->memory.bytes)
        block_control(engine, stream->id, response, false);
}

/* Our side has ended. */
static void ended(struct h2_engine *engine, struct h2_stream *stream)
{
    stream->local_ended = true;
    stream->pulls = false;
    engine->role->sent(engine, stream);
    if (stream->id != 0 && stream->remote_ended && !stream->dead)
        h2_engine_close(engine, stream, H2_NO_ERROR);
}

static bool head_render(struct h2_engine *engine)
{
    struct h2_stream *stream = LIST_ENTRY(engine->heads.next, struct h2_stream, node);
    bool ends = stream->response.ends;

    if (room_left(engine) < H2_RENDER_ROOM ||
        !block_render(engine, stream, &stream->response, ends, true))
        return false;
    h2_engine_unqueue(engine, stream);
    stream->answer_left = stream->response.has_length ? stream->response.length : UINT64_MAX;
    stream->pulls = !ends;
    if (ends)
        ended(engine, stream);
    else
        h2_engine_ready(engine, stream);
    return true;
}

/* --- Content ---------------------------------------------------------------------------------- */

/* The last of it is there. */
static void content_over(struct h2_engine *engine, struct h2_stream *stream, size_t bytes)
{
    struct h2_response trailers = {.status = 0};

    h2_engine_unqueue(engine, stream);
    trailers.fields = engine->role->trailers(engine, stream, &trailers.field_count);
    char *frame = engine->out + engine->out_len;

    if (trailers.field_count == 0 || bytes > 0) {
        h2_frame_put(frame, bytes, H2_DATA, trailers.field_count == 0 ? H2_FLAG_END_STREAM : 0,
                     stream->id);
        engine->out_len += H2_HEAD_BYTES + bytes;
    }
    if (trailers.field_count == 0 || block_render(engine, stream, &trailers, true, false))
        ended(engine, stream);
}

/* RFC 9218 section 10: urgent ones first; of those that are alike one after the other, or in turns
 * where they are of use in pieces.  Where no window is open, one that may be over; or NULL. */
static struct h2_stream *content_next(const struct h2_engine *engine)
{
    for (uint32_t mask = engine->ready_mask; mask != 0; mask &= mask - 1) {
        const struct list *ready = &engine->ready[__builtin_ctz(mask)];

        for (struct list *at = ready->next; at != ready; at = at->next) {
            struct h2_stream *stream = LIST_ENTRY(at, struct h2_stream, node);

            if (engine->send_window > 0 || h2_stream_may_be_over(stream))
                return stream;
        }
    }
    return NULL;
}

static size_t window_left(const struct h2_engine *engine, const struct h2_stream *stream)
{
    int64_t left =
        stream->send_window < engine->send_window ? stream->send_window : engine->send_window;

    return left > 0 ? (size_t)left : 0;
}

/* Pulls content, behind the byte of it that is there. */
static px_pull content_pull(struct h2_engine *engine, struct h2_stream *stream, char *out,
                            size_t room, size_t *out_bytes)
{
    bool last = stream->ahead == H2_AHEAD_LAST;
    size_t held = stream->ahead >= H2_AHEAD_BYTE, more = 0;
    px_pull pull = last ? PX_PULL_END : PX_PULL_MORE;

    out[0] = stream->held;
    if (held < room && !last) {
        pull = engine->role->pull(engine, stream, out + held, room - held, &more);
        if (stream->id == 0 || stream->dead)
            return pull;
        stream->waiting = pull != PX_PULL_END && pull != PX_PULL_ERROR && more == 0;
    }
    if (held > 0)
        stream->ahead = H2_AHEAD_NONE;
    *out_bytes = held + more;
    return pull;
}

/* No window is open: is there more at all?  One byte of it is kept until one is. */
static void look_ahead(struct h2_engine *engine, struct h2_stream *stream)
{
    size_t bytes = 0;
    px_pull pull = engine->role->pull(engine, stream, &stream->held, 1, &bytes);

    if (stream->id == 0 || stream->dead)
        return;
    if (pull == PX_PULL_ERROR) {
        h2_engine_reset(engine, stream, H2_INTERNAL_ERROR);
    } else if (pull == PX_PULL_END && bytes == 0) {
        content_over(engine, stream, 0);
    } else {
        if (bytes > 0)
            stream->ahead = pull == PX_PULL_END ? H2_AHEAD_LAST : H2_AHEAD_BYTE;
        stream->waiting = bytes == 0;
        if (stream->waiting || stream->send_window <= 0)
            h2_engine_unqueue(engine, stream);
    }
}

static void content_sent(struct h2_engine *engine, struct h2_stream *stream, size_t bytes)
{
    h2_walk_count(&engine->walk, H2_BUDGET_SENT);
    stream->ahead = H2_AHEAD_NONE;
    stream->send_window -= (int64_t)bytes;
    engine->send_window -= (int64_t)bytes;
    if (stream->answer_left != UINT64_MAX)
        stream->answer_left -= bytes < stream->answer_left ? bytes : stream->answer_left;
}

static bool data_render(struct h2_engine *engine, struct h2_stream *stream)
{
    char *out = engine->out + engine->out_len;
    size_t bytes = 0, room = room_left(engine);

    if (room < H2_RENDER_ROOM)
        return false;
    room -= H2_HEAD_BYTES;
    room = room < H2_FRAME_BYTES_MAX ? room : H2_FRAME_BYTES_MAX;
    if (room > window_left(engine, stream))
        room = window_left(engine, stream);
    if (room == 0) {
        look_ahead(engine, stream);
        return true;
    }
    px_pull pull = content_pull(engine, stream, out + H2_HEAD_BYTES, room, &bytes);

    if (stream->id == 0 || stream->dead)
        return true;
    if (pull == PX_PULL_ERROR) {
        h2_engine_reset(engine, stream, H2_INTERNAL_ERROR);
        return true;
    }
    if (pull == PX_PULL_END) {
        content_sent(engine, stream, bytes);
        content_over(engine, stream, bytes);
        return true;
    }
    if (bytes > 0) {
        content_sent(engine, stream, bytes);
        h2_frame_put(out, bytes, H2_DATA, 0, stream->id);
        engine->out_len += H2_HEAD_BYTES + bytes;
    }
    if (stream->waiting || stream->send_window <= 0 || stream->priority.incremental) {
        h2_engine_unqueue(engine, stream);
        h2_engine_ready(engine, stream);
    }
    return true;
}

/* --- All of it -------------------------------------------------------------------------------- */

/* Copies control frames: false when some are left. */
static bool control_render(struct h2_engine *engine)
{
    size_t bytes = engine->control.len - engine->control.at;

    if (bytes > room_left(engine))
        bytes = room_left(engine);
    memcpy(engine->out + engine->out_len, engine->control.bytes + engine->control.at, bytes);
    engine->out_len += bytes;
    engine->control.at += (uint32_t)bytes;
    if (engine->control.at < engine->control.len)
        return false;
    h2_memory_put(&engine->memory, engine->control.bytes);
    engine->control.bytes = NULL;
    engine->control.room = engine->control.len = engine->control.at = engine->control.count = 0;
    return true;
}

static void reset_render(struct h2_engine *engine)
{
    struct h2_stream *stream = LIST_ENTRY(engine->resets.next, struct h2_stream, node);

    h2_control_reset(engine, stream->id, stream->reset_code);
    h2_engine_close(engine, stream, stream->reset_code);
}

/* The next thing to be rendered: false where there is none, or no room. */
static bool render_next(struct h2_engine *engine)
{
    if (engine->control.len > 0)
        return control_render(engine);
    if (engine->last_word_said)
        return false;
    if (PX_UNLIKELY(!list_empty(&engine->resets))) {
        reset_render(engine);
        return true;
    }
    if (PX_UNLIKELY(engine->last_word)) {
        h2_control_goaway(engine, engine->last_begun, engine->last_word_code);
        engine->last_word_said = true;
        return true;
    }
    if (!list_empty(&engine->heads))
        return head_render(engine);
    struct h2_stream *stream = content_next(engine);

    return stream && data_render(engine, stream);
}

size_t h2_engine_render(struct h2_engine *engine, char *out, size_t room)
{
    engine->out = out;
    engine->out_len = 0;
    engine->out_room = room;
    while (!engine->failed && render_next(engine)) {
    }
    engine->out = NULL;
    if (PX_UNLIKELY(engine->walk.resets_over))
        h2_engine_terminate(engine, H2_ENHANCE_YOUR_CALM);
    return engine->out_len;
}

bool h2_engine_has_output(const struct h2_engine *engine)
{
    if (engine->failed)
        return false;
    if (engine->control.len > 0)
        return true;
    if (engine->last_word_said)
        return false;
    return engine->last_word || !list_empty(&engine->resets) || !list_empty(&engine->heads) ||
           content_next(engine);
}
