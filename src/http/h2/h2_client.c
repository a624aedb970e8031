/*
 * The client's role: streams are ours, header blocks are answers and trailer sections.
 *
 * Happy path: a request is encoded as it is asked; fields of the answer are collected in one buffer
 * (header blocks of a connection come one after the other), checked, and told.  What a server may
 * make us keep: one head within its limits, content (its owner sees to that), and the engine's
 * memory within its cap.
 */
#include "http/h2/h2_client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/h2/h2_answer.h"
#include "http/h2/h2_engine.h"

enum { PSEUDO_BYTES = 6 * HPACK_FIELD_BYTES + 16 + TEXT_NUMBER_BYTES };

struct h2_client {
    struct h2_client_options options;
    void *context; /* borrowed: the owner's */
    struct h2_spares spares;
    struct hpack_scratch scratch; /* owned */
    struct h2_answer answer;      /* the head at hand */
    struct h2_engine engine;
};

bool h2_client_is_there(void)
{
    return true;
}

static struct h2_client *client_of(struct h2_engine *engine)
{
    return CONTAINER_OF(engine, struct h2_client, engine);
}

static struct h2_call *call_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct h2_call, stream);
}

/* --- Heads ------------------------------------------------------------------------------------ */

/* RFC 9113 section 8.1.1: what came is what content-length said. */
static void answer_over(struct h2_client *client, struct h2_call *call)
{
    struct h2_stream *stream = &call->stream;

    CHECK(stream->id != 0 && !stream->remote_ended);
    if (!stream->head_done || (stream->content_left != 0 && stream->content_left != UINT64_MAX)) {
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
        return;
    }
    stream->remote_ended = true;
    h2_answer_point(&client->answer);
    client->options.events->ended(call, client->answer.fields,
                                  client->answer.trailers ? client->answer.field_count : 0,
                                  client->context);
}

static void head_over(struct h2_client *client, struct h2_call *call, bool ends)
{
    struct http_response answer = {.reason = {NULL, 0}, .major = 2};

    CHECK(!call->stream.head_done); /* behind the head comes a trailer section */
    if (client->answer.status == 0 || client->answer.status == 101 ||
        (client->answer.status < 200 && ends)) {
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
        return;
    }
    h2_answer_point(&client->answer);
    answer.fields = client->answer.fields;
    answer.field_count = client->answer.field_count;
    answer.status = client->answer.status;
    answer.kind = (uint8_t)http_response_kind_of(client->answer.status);
    answer.length = client->answer.length;
    answer.has_length = client->answer.has_length;
    if (client->answer.status >= 200) {
        call->stream.head_done = true;
        call->no_content |= client->answer.status == 204 || client->answer.status == 304;
        call->stream.content_left = call->no_content            ? 0
                                    : client->answer.has_length ? client->answer.length
                                                                : UINT64_MAX;
    }
    client->options.events->head(call, &answer, client->context);
}

/* --- The role --------------------------------------------------------------------------------- */

static uint32_t role_begin(struct h2_engine *engine, struct h2_stream **out_stream)
{
    struct h2_client *client = client_of(engine);
    uint32_t id = engine->walk.frame.stream;
    struct h2_stream *stream = h2_engine_find(engine, id);

    *out_stream = stream && !stream->dead ? stream : NULL;
    /* RFC 9113 section 5.1: idle, or one of the server's, which it may not open. */
    if (!(id & 1) || id > engine->last_asked)
        return H2_PROTOCOL_ERROR;
    if (stream && stream->remote_ended)
        return H2_STREAM_CLOSED;
    h2_answer_begin(&client->answer, stream && stream->head_done);
    return H2_NO_ERROR;
}

static bool role_field(void *context, px_str name, px_str value, uint16_t *note)
{
    struct h2_engine *engine = context;
    struct h2_client *client = client_of(engine);

    (void)note;
    if (!engine->in.stream)
        return true; /* decoded all the same, since the table must be kept right */
    h2_answer_add(&client->answer, name, value);
    /* A head that decodes to many times its limit is an attack. */
    return client->answer.head_bytes / H2_HEAD_EXCESS_MAX <= client->options.limits->head_bytes_max;
}

static void role_end(struct h2_engine *engine, struct h2_stream *stream, bool ends)
{
    struct h2_client *client = client_of(engine);

    if (!stream)
        return;
    struct h2_call *call = call_of(stream);
    const struct h2_answer *answer = &client->answer;
    uint32_t id = stream->id;

    if (answer->too_large)
        h2_client_reset(client, call, H2_ENHANCE_YOUR_CALM);
    else if (answer->malformed || (answer->trailers && !ends))
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
    else if (!answer->trailers)
        head_over(client, call, ends);
    /* Its owner may have left. */
    if (!ends || h2_engine_find(engine, id) != stream || stream->dead)
        return;
    answer_over(client, call);
    if (h2_engine_find(engine, id) == stream && !stream->dead)
        h2_engine_remote_end(engine, stream);
}

static void role_content(struct h2_engine *engine, struct h2_stream *stream, px_str bytes)
{
    struct h2_client *client = client_of(engine);
    struct h2_call *call = call_of(stream);

    if (!stream->head_done ||
        (stream->content_left != UINT64_MAX && bytes.len > stream->content_left)) {
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
        return;
    }
    CHECK(stream->content_left >= bytes.len);
    if (stream->content_left != UINT64_MAX)
        stream->content_left -= bytes.len;
    client->options.events->content(call, bytes, client->context);
}

static void role_content_end(struct h2_engine *engine, struct h2_stream *stream)
{
    struct h2_client *client = client_of(engine);
    uint32_t id = stream->id;

    h2_answer_begin(&client->answer, false);
    answer_over(client, call_of(stream));
    if (h2_engine_find(engine, id) == stream && !stream->dead)
        h2_engine_remote_end(engine, stream);
}

static px_pull role_pull(struct h2_engine *engine, struct h2_stream *stream, char *out, size_t room,
                         size_t *out_bytes)
{
    struct h2_client *client = client_of(engine);

    return client->options.events->pull(call_of(stream), out, room, out_bytes, client->context);
}

static const px_field *role_trailers(struct h2_engine *engine, struct h2_stream *stream,
                                     uint32_t *out_count)
{
    const struct h2_call *call = call_of(stream);

    (void)engine;
    CHECK(call->trailer_count == 0 || call->trailers);
    *out_count = call->trailer_count;
    return call->trailers;
}

static void role_sent(struct h2_engine *engine, struct h2_stream *stream)
{
    (void)engine;
    (void)stream;
}

static void role_closed(struct h2_engine *engine, struct h2_stream *stream, uint32_t error)
{
    struct h2_client *client = client_of(engine);

    client->options.events->closed(call_of(stream), error, client->context);
}

static void role_heard(struct h2_engine *engine, uint8_t type, const uint8_t *payload, size_t len)
{
    if (type != H2_GOAWAY)
        return;
    CHECK(len >= 8); /* RFC 9113 section 6.8, seen to by the walk */
    uint32_t last = h2_number_at(payload) & INT32_MAX;

    struct h2_stream *stream;

    /* RFC 9113 section 6.8: what the server has not begun is over, and may be asked elsewhere. */
    while ((stream = h2_engine_find_above(engine, last)) != NULL)
        h2_engine_close(engine, stream, H2_REFUSED_STREAM);
}

static const struct h2_role client_role = {
    .begin = role_begin,
    .field = role_field,
    .end = role_end,
    .content = role_content,
    .content_end = role_content_end,
    .pull = role_pull,
    .trailers = role_trailers,
    .sent = role_sent,
    .closed = role_closed,
    .heard = role_heard,
};

/* --- Life ------------------------------------------------------------------------------------- */

px_err h2_client_open(const struct h2_client_options *options, void *context,
                      struct h2_client **out_client)
{
    const struct h2_setting_pair settings[] = {
        {H2_SETTING_PUSH, 0},
        {H2_SETTING_STREAMS_MAX, 0},
        {H2_SETTING_STREAM_WINDOW, H2_STREAM_WINDOW},
        {H2_SETTING_HEAD_BYTES_MAX, options->limits->head_bytes_max},
    };
    struct h2_client *client = alloc_take_zeroed(options->allocator, sizeof(*client));

    if (!client)
        return PX_ERR_MEMORY;
    client->options = *options;
    client->context = context;
    h2_spares_init(&client->spares, options->allocator, options->budget);
    client->scratch.room =
        hpack_scratch_bytes((size_t)options->limits->head_bytes_max + H2_FRAME_BYTES_MAX);
    client->scratch.ptr = alloc_take(options->allocator, client->scratch.room);
    const struct h2_engine_options engine_options = {.role = &client_role,
                                                     .spares = &client->spares,
                                                     .scratch = &client->scratch,
                                                     .head_bytes_max =
                                                         options->limits->head_bytes_max,
                                                     .client = true};
    px_err err = h2_engine_init(&client->engine, &engine_options, settings, ARRAY_COUNT(settings));

    if (h2_answer_init(&client->answer, options->allocator, options->limits) != PX_OK ||
        err != PX_OK || !client->scratch.ptr) {
        h2_client_close(client);
        return PX_ERR_MEMORY;
    }
    *out_client = client;
    return PX_OK;
}

void h2_client_close(struct h2_client *client)
{
    if (!client)
        return;
    h2_engine_deinit(&client->engine);
    h2_spares_deinit(&client->spares);
    h2_answer_deinit(&client->answer, client->options.allocator);
    alloc_put(client->options.allocator, client->scratch.ptr);
    alloc_put(client->options.allocator, client);
}

/* --- In --------------------------------------------------------------------------------------- */

void h2_client_feed(struct h2_client *client, uint64_t now_ms, px_str bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t used =
            h2_engine_feed(&client->engine, now_ms, px_str_make(bytes.ptr + at, bytes.len - at));

        CHECK(used > 0 && used <= bytes.len - at);
        at += used;
        client->engine.work = 0; /* one connection has one server, whose work was asked for */
    }
}

void h2_client_give(struct h2_client *client, struct h2_call *call, uint32_t bytes)
{
    if (call->stream.id == 0 || bytes == 0)
        return;
    CHECK(bytes <= call->stream.unread);
    call->stream.unread -= bytes;
    h2_engine_give(&client->engine, &call->stream, bytes);
}

/* --- Out -------------------------------------------------------------------------------------- */

/* RFC 9113 section 8.3.1; CONNECT has an authority alone (section 8.5). */
static char *pseudo_put(struct hpack_encoder *encoder, char *out,
                        const struct h1_request_head *head, const char *scheme)
{
    out = hpack_encode(encoder, out, px_str_make(":method", 7), head->method);
    out = hpack_encode_known(encoder, out, HPACK_AUTHORITY, head->host);
    if (head->form == H1_TARGET_AUTHORITY)
        return out;
    out = hpack_encode(encoder, out, px_str_make(":scheme", 7), px_str_of(scheme));
    return hpack_encode(encoder, out, px_str_make(":path", 5), head->target);
}

static char *head_put(struct hpack_encoder *encoder, char *out, const struct h1_request_head *head,
                      const char *scheme)
{
    char number[TEXT_NUMBER_BYTES];

    out = pseudo_put(encoder, hpack_begin(encoder, out), head, scheme);
    for (uint32_t index = 0; index < head->field_count; index++)
        out = hpack_encode(encoder, out, head->fields[index].name, head->fields[index].value);
    if (head->trailers)
        out = hpack_encode(encoder, out, px_str_make("te", 2), px_str_make("trailers", 8));
    if (head->framing == H1_FRAMING_LENGTH)
        out = hpack_encode_known(
            encoder, out, HPACK_CONTENT_LENGTH,
            px_str_make(number, (size_t)(text_write_number(number, head->length) - number)));
    return out;
}

/* What its block takes at most, with the heads of its frames. */
static size_t head_bytes(const struct h1_request_head *head)
{
    size_t bytes =
        HPACK_BEGIN_BYTES + PSEUDO_BYTES + head->method.len + head->target.len + head->host.len;

    for (uint32_t index = 0; index < head->field_count; index++)
        bytes += head->fields[index].name.len + head->fields[index].value.len + HPACK_FIELD_BYTES;
    return bytes + h2_block_heads(bytes);
}

px_err h2_client_ask(struct h2_client *client, struct h2_call *call,
                     const struct h1_request_head *head, const char *scheme, bool pulls)
{
    struct h2_engine *engine = &client->engine;
    struct h2_stream *stream = &call->stream;
    size_t bytes = head_bytes(head);

    memset(stream, 0, sizeof(*stream));
    call->trailers = NULL;
    call->trailer_count = 0;
    if (h2_engine_is_over(engine) || engine->goaway_heard || engine->last_asked >= INT32_MAX)
        return PX_ERR_CLOSED;
    /* Where there is no memory for a control frame the connection is lost with every call on it. */
    if (2 * ((size_t)engine->control.len + bytes) > engine->memory.bytes_max - engine->memory.bytes)
        return PX_ERR_LIMIT;
    char *out = h2_control_take(engine, bytes);

    if (!out)
        return PX_ERR_MEMORY;
    uint32_t id = engine->last_asked ? engine->last_asked + 2 : 1;
    const char *end = head_put(&engine->encoder, out + H2_HEAD_BYTES, head, scheme);

    CHECK((id & 1) && id <= INT32_MAX);
    end = h2_block_put(out, (size_t)(end - out) - H2_HEAD_BYTES, id, !pulls);
    CHECK((size_t)(end - out) <= bytes); /* head_bytes is the most */
    h2_control_give(engine, bytes - (size_t)(end - out));
    engine->last_asked = id;
    h2_engine_open(engine, stream, id);
    stream->local_ended = !pulls;
    stream->pulls = pulls;
    stream->responded = true;
    h2_engine_ready(engine, stream);
    h2_walk_count(&engine->walk, H2_BUDGET_OPENED);
    return PX_OK;
}

uint32_t h2_client_room(const struct h2_client *client)
{
    const struct h2_engine *engine = &client->engine;
    uint32_t max = engine->peer_streams_max;

    if (h2_engine_is_over(engine) || engine->goaway_heard ||
        engine->memory.bytes > engine->memory.bytes_max / 2)
        return 0;
    if (max > H2_STREAMS_MAX)
        max = H2_STREAMS_MAX;
    return engine->stream_count < max ? max - engine->stream_count : 0;
}

void h2_client_resume(struct h2_client *client, struct h2_call *call)
{
    if (call->stream.id == 0 || !call->stream.waiting)
        return;
    call->stream.waiting = false;
    h2_engine_ready(&client->engine, &call->stream);
}

void h2_client_reset(struct h2_client *client, struct h2_call *call, enum h2_error error)
{
    h2_engine_reset(&client->engine, &call->stream, (uint32_t)error);
}

void h2_client_forget(struct h2_client *client, struct h2_call *call)
{
    if (call->stream.id == 0)
        return;
    h2_engine_drop(&client->engine, &call->stream, H2_CANCEL);
    call->stream.dead = true;
}

size_t h2_client_render(struct h2_client *client, char *out, size_t room)
{
    return h2_engine_render(&client->engine, out, room);
}

bool h2_client_has_output(const struct h2_client *client)
{
    return h2_engine_has_output(&client->engine);
}

bool h2_client_is_over(const struct h2_client *client)
{
    return h2_engine_is_over(&client->engine);
}
