/*
 * Answers into nghttp2, and its frames into the caller's bytes.
 *
 * Happy path: names and values of a head are not copied but encoded from where they lie; content
 * is pulled straight to where its DATA frame is rendered, nine bytes behind its head.
 */
#include <string.h>

#include "base/text.h"
#include "http/h2/h2_library.h"

enum { FIELDS_OF_OURS = 5 }; /* :status, server, date, content-type, content-length */

/* --- Heads ------------------------------------------------------------------------------------ */

static nghttp2_nv field_of(const char *name, const void *value, size_t len)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), len,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static size_t put_field(nghttp2_nv *fields, size_t count, const char *name, px_str value)
{
    if (value.len == 0)
        return count;
    fields[count] = field_of(name, value.ptr, value.len);
    return count + 1;
}

/* A handler's field: its name is copied, since it has to be in lower case. */
static nghttp2_nv field_copied(const px_field *field, uint8_t flags)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)field->name.ptr,
                        (uint8_t *)(uintptr_t)field->value.ptr, field->name.len, field->value.len,
                        flags};
}

static void status_put(uint8_t out[H2_STATUS_BYTES], unsigned status)
{
    out[0] = (uint8_t)('0' + status / 100);
    out[1] = (uint8_t)('0' + status / 10 % 10);
    out[2] = (uint8_t)('0' + status % 10);
}

static ssize_t on_data_read(nghttp2_session *library, int32_t id, uint8_t *buf, size_t length,
                            uint32_t *data_flags, nghttp2_data_source *source, void *context);

px_err h2_session_respond(struct h2_session *session, struct h2_stream *stream,
                          const struct h2_response *response)
{
    nghttp2_nv *fields = session->shared->fields;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_data_read};
    size_t count = 0;

    if (stream->id == 0 || stream->dead)
        return PX_OK;
    status_put(stream->status_text, response->status);
    fields[count++] = field_of(":status", stream->status_text, H2_STATUS_BYTES);
    count = put_field(fields, count, "server", response->server);
    count = put_field(fields, count, "date", response->date);
    count = put_field(fields, count, "content-type", response->type);
    for (uint32_t index = 0; index < response->field_count; index++)
        fields[count++] = field_copied(&response->fields[index], NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    if (response->has_length) {
        char *end = text_write_number((char *)stream->number_text, response->length);

        fields[count++] = field_of("content-length", stream->number_text,
                                   (size_t)(end - (char *)stream->number_text));
    }
    int rv = nghttp2_submit_response(session->library, (int32_t)stream->id, fields, count,
                                     response->ends ? NULL : &provider);

    if (rv != 0)
        return PX_ERR_MEMORY;
    stream->responded = true;
    return PX_OK;
}

void h2_session_inform(struct h2_session *session, struct h2_stream *stream, unsigned status,
                       const px_field *fields, uint32_t field_count)
{
    uint8_t text[H2_STATUS_BYTES];
    nghttp2_nv *pairs = session->shared->fields;

    if (stream->id == 0 || stream->dead || stream->responded)
        return;
    status_put(text, status);
    pairs[0] = field_of(":status", text, sizeof(text));
    pairs[0].flags = NGHTTP2_NV_FLAG_NONE;
    for (uint32_t index = 0; index < field_count; index++)
        pairs[1 + index] = field_copied(&fields[index], NGHTTP2_NV_FLAG_NONE);
    (void)nghttp2_submit_headers(session->library, NGHTTP2_FLAG_NONE, (int32_t)stream->id, NULL,
                                 pairs, 1 + field_count, NULL);
}

static int trailers_submit(struct h2_session *session, const struct h2_stream *stream,
                           const px_field *trailers, uint32_t count)
{
    nghttp2_nv *fields = session->shared->fields;

    for (uint32_t index = 0; index < count; index++)
        fields[index] = field_copied(&trailers[index], NGHTTP2_NV_FLAG_NONE);
    return nghttp2_submit_trailer(session->library, (int32_t)stream->id, fields, count);
}

/* --- Streams ---------------------------------------------------------------------------------- */

px_err h2_session_resume(struct h2_session *session, struct h2_stream *stream)
{
    if (stream->id == 0 || !stream->waiting)
        return PX_OK;
    stream->waiting = false;
    int rv = nghttp2_session_resume_data(session->library, (int32_t)stream->id);

    return rv == NGHTTP2_ERR_NOMEM ? PX_ERR_MEMORY : PX_OK;
}

/* Whether a reset says that the peer broke a rule. */
static bool reset_was_forced(uint32_t error)
{
    switch (error) {
    case H2_PROTOCOL_ERROR:
    case H2_FLOW_CONTROL_ERROR:
    case H2_STREAM_CLOSED:
    case H2_FRAME_SIZE_ERROR:
    case H2_REFUSED_STREAM:
    case H2_ENHANCE_YOUR_CALM:
        return true;
    }
    return false;
}

void h2_session_reset(struct h2_session *session, struct h2_stream *stream, enum h2_error error)
{
    if (stream->id == 0 || stream->dead)
        return;
    stream->dead = true;
    if (reset_was_forced((uint32_t)error))
        h2_walk_count(&session->walk, H2_BUDGET_RESETS);
    if (nghttp2_submit_rst_stream(session->library, NGHTTP2_FLAG_NONE, (int32_t)stream->id,
                                  (uint32_t)error) != 0)
        h2_session_fail(session, NGHTTP2_ERR_NOMEM);
}

bool h2_session_is_stalled(const struct h2_session *session, const struct h2_stream *stream)
{
    if (stream->id == 0 || stream->dead || !stream->responded || stream->waiting)
        return false;
    return nghttp2_session_get_stream_remote_window_size(session->library, (int32_t)stream->id) <=
               0 ||
           nghttp2_session_get_remote_window_size(session->library) <= 0;
}

/* --- Rendering -------------------------------------------------------------------------------- */

static size_t room_left(const struct h2_session *session)
{
    return session->out_room - session->out_len;
}

/* Pulls content to where send_data will find it. */
static ssize_t on_data_read(nghttp2_session *library, int32_t id, uint8_t *buf, size_t length,
                            uint32_t *data_flags, nghttp2_data_source *source, void *context)
{
    struct h2_session *session = context;
    struct h2_stream *stream = source->ptr;
    const struct h2_events *events = h2_events_of(session);
    size_t bytes = 0;
    uint32_t trailer_count = 0;

    (void)library;
    (void)id;
    (void)buf;
    if (stream->dead)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (room_left(session) < H2_RENDER_ROOM)
        return NGHTTP2_ERR_PAUSE;
    if (length > room_left(session) - H2_HEAD_BYTES)
        length = room_left(session) - H2_HEAD_BYTES;
    px_pull pull = events->pull(stream, session->out + session->out_len + H2_HEAD_BYTES, length,
                                &bytes, session->context);

    if (pull == PX_PULL_ERROR)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (pull != PX_PULL_END && bytes == 0) {
        stream->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (pull != PX_PULL_END)
        return (ssize_t)bytes;
    const px_field *trailers = events->trailers(stream, &trailer_count, session->context);

    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (trailer_count > 0) {
        *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (trailers_submit(session, stream, trailers, trailer_count) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)bytes;
}

/* The content is there already: its head goes in front. */
static int on_send_data(nghttp2_session *library, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *context)
{
    struct h2_session *session = context;

    (void)library;
    (void)frame;
    (void)source;
    memcpy(session->out + session->out_len, head, H2_HEAD_BYTES);
    session->out_len += H2_HEAD_BYTES + length;
    h2_walk_count(&session->walk, H2_BUDGET_SENT);
    return room_left(session) < H2_RENDER_ROOM ? NGHTTP2_ERR_PAUSE : 0;
}

static int on_frame_send(nghttp2_session *library, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        const struct h2_stream *stream =
            nghttp2_session_get_stream_user_data(library, frame->hd.stream_id);

        /* Those of our own were counted when they were asked for. */
        if ((!stream || !stream->dead) && frame->rst_stream.error_code != H2_REFUSED_STREAM &&
            reset_was_forced(frame->rst_stream.error_code))
            h2_walk_count(&session->walk, H2_BUDGET_RESETS);
        /* RFC 9113 section 6.9.2: an error of the connection, which nghttp2 takes for the stream's.
         */
        if (session->window_changed && frame->rst_stream.error_code == H2_FLOW_CONTROL_ERROR)
            session->window_over = true;
        return 0;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY && session->goodbye == GOODBYE_SAYING) {
        /* What was sent before the peer heard of it has arrived when this is answered. */
        session->goodbye = GOODBYE_SAID;
        session->ping_open = false;
        (void)h2_session_ping(session);
        return 0;
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct h2_stream *stream =
            nghttp2_session_get_stream_user_data(library, frame->hd.stream_id);

        if (stream)
            h2_events_of(session)->sent(stream, session->context);
    }
    return 0;
}

/* nghttp2 would end the connection when there are more streams than it was told to allow; a stream
 * too many is to be refused alone (RFC 9113 section 5.1.2).  So it is told nothing of the limit,
 * and the peer is told here. */
static void settings_patch(struct h2_session *session, char *frame, size_t bytes)
{
    session->settings_patched = true;
    for (size_t at = H2_HEAD_BYTES; at + 6 <= bytes; at += 6) {
        if (frame[at] == 0 && frame[at + 1] == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
            frame[at + 2] = 0;
            frame[at + 3] = 0;
            frame[at + 4] = 0;
            frame[at + 5] = H2_STREAMS_MAX;
        }
    }
}

/* Copies what the library has rendered by itself; false when some of it is left. */
static bool pending_copy(struct h2_session *session)
{
    size_t bytes = session->pending_bytes;
    char *to = session->out + session->out_len;

    if (bytes > room_left(session))
        bytes = room_left(session);
    memcpy(to, session->pending, bytes);
    session->out_len += bytes;
    session->pending += bytes;
    session->pending_bytes -= bytes;
    if (PX_UNLIKELY(!session->settings_patched) && to[3] == NGHTTP2_SETTINGS && bytes > 9)
        settings_patch(session, to, bytes);
    return session->pending_bytes == 0;
}

size_t h2_session_render(struct h2_session *session, char *out, size_t room)
{
    session->out = out;
    session->out_len = 0;
    session->out_room = room;
    for (;;) {
        if (session->pending_bytes > 0 && !pending_copy(session))
            break;
        if (session->failed || room_left(session) < H2_RENDER_ROOM)
            break;
        ssize_t bytes = nghttp2_session_mem_send(session->library, &session->pending);

        if (bytes < 0)
            h2_session_fail(session, (int)bytes);
        if (bytes <= 0)
            break;
        session->pending_bytes = (size_t)bytes;
    }
    session->out = NULL;
    session->window_changed = session->window_changed && session->pending_bytes > 0;
    if (PX_UNLIKELY(session->window_over))
        h2_session_terminate(session, H2_FLOW_CONTROL_ERROR);
    else if (PX_UNLIKELY(session->walk.resets_over))
        h2_session_terminate(session, H2_ENHANCE_YOUR_CALM);
    return session->out_len;
}

bool h2_session_has_output(const struct h2_session *session)
{
    return session->pending_bytes > 0 ||
           (!session->failed && nghttp2_session_want_write(session->library));
}

void h2_send_register(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}
