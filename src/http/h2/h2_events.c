/*
 * What nghttp2 reports while it is fed: streams, fields, content, and the frames that end them.
 *
 * Happy path: on_begin_headers, on_header for each field, on_frame_recv, on_data_chunk_recv.  A
 * stream that is to be refused or reset is marked dead at once, and what still comes for it is
 * dropped; the reset itself is rendered with everything else.
 */
#include "http/h2/h2_library.h"

enum { FIELD_OVERHEAD = 32 }; /* of work, as RFC 7541 section 4.1 counts it of memory */

static struct h2_stream *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

void h2_session_head_release(struct h2_session *session)
{
    if (!session->head)
        return;
    list_remove(&session->head->node);
    pool_put(&session->shared->heads, session->head);
    session->head = NULL;
}

/* A stream that has no object. */
static int refuse_stream(nghttp2_session *library, int32_t id)
{
    return nghttp2_submit_rst_stream(library, NGHTTP2_FLAG_NONE, id, H2_REFUSED_STREAM) == 0
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* All are being written to: the one that has not become whole for longest gives its place to a
 * newcomer, so that a peer that trickles does not shut out one that does not. */
static void head_give_way(struct h2_shared *shared)
{
    struct h2_head *oldest = LIST_ENTRY(shared->unfinished.next, struct h2_head, node);
    struct h2_session *session = oldest->session;

    h2_session_head_release(session);
    h2_session_terminate(session, H2_ENHANCE_YOUR_CALM);
    h2_events_of(session)->gave_way(session->context);
}

static bool head_take(struct h2_session *session, bool trailers)
{
    struct h2_shared *shared = session->shared;

    h2_session_head_release(session);
    session->head = pool_take(&shared->heads);
    if (!session->head && !list_empty(&shared->unfinished)) {
        head_give_way(shared);
        session->head = pool_take(&shared->heads);
    }
    if (!session->head)
        return false;
    session->head->session = session;
    list_init(&session->head->node);
    list_append(&shared->unfinished, &session->head->node);
    h2_head_init(session->head, shared->options.scan, shared->options.limits, trailers);
    return true;
}

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;
    int32_t id = frame->hd.stream_id;
    struct h2_stream *stream;

    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    session->work_bytes += WORK_REQUEST * WORK_BYTES;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        stream = stream_of(library, id);
        if (stream && !stream->dead && !head_take(session, true))
            h2_session_reset(session, stream, H2_INTERNAL_ERROR);
        return 0;
    }
    if (session->stream_count >= H2_STREAMS_MAX) {
        h2_walk_count(&session->walk, H2_BUDGET_RESETS);
        return refuse_stream(library, id);
    }
    /* That there is no room for it is not held against its peer.  After too many resets nothing
     * begins any more: the session ends when what is at hand has been read. */
    if (session->walk.resets_over || !head_take(session, false))
        return refuse_stream(library, id);
    stream = h2_events_of(session)->begin(session->context);
    if (!stream) {
        h2_session_head_release(session);
        return refuse_stream(library, id);
    }
    *stream = (struct h2_stream){.id = (uint32_t)id, .content_left = UINT64_MAX};
    session->stream_count++;
    nghttp2_session_set_stream_user_data(library, id, stream);
    return 0;
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct h2_session *session = context;

    (void)library;
    (void)frame;
    (void)flags;
    session->work_bytes += (uint32_t)(name_len + value_len) + FIELD_OVERHEAD;
    if (!session->head)
        return 0; /* refused: decoded all the same, since the table must be kept right */
    h2_head_add(session->head, px_str_make((const char *)name, name_len),
                px_str_make((const char *)value, value_len));
    if (PX_UNLIKELY(h2_head_is_bomb(session->head))) {
        session->bomb = true;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

/* RFC 9113 section 8.1.1: what came is what content-length said. */
static void content_over(struct h2_session *session, struct h2_stream *stream,
                         const struct h2_head *trailers)
{
    if (stream->content_left != 0 && stream->content_left != UINT64_MAX) {
        h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
        return;
    }
    stream->remote_ended = true;
    h2_events_of(session)->content_end(stream, trailers, session->context);
}

static void priority_set(struct h2_session *session, const struct h2_stream *stream,
                         const struct h2_head *head)
{
    px_str value = px_str_make(head->text + head->priority.at, head->priority.len);
    struct h2_priority priority = h2_priority_parse(value);
    nghttp2_extpri library_priority = {.urgency = priority.urgency, .inc = priority.incremental};

    /* It fails for want of memory alone, and then the default holds. */
    (void)nghttp2_session_change_extpri_stream_priority(session->library, (int32_t)stream->id,
                                                        &library_priority, 0);
}

/* A request's head is whole. */
static void head_over(struct h2_session *session, struct h2_stream *stream, bool ends)
{
    const struct h2_events *events = h2_events_of(session);
    struct h2_head *head = session->head;

    stream->head_done = true;
    switch (h2_head_end(head)) {
    case PX_OK:
        break;
    case PX_ERR_LIMIT:
        stream->remote_ended = ends;
        stream->head_only = head->method_id == METHOD_HEAD;
        events->refuse(stream, head, session->context);
        return;
    default:
        h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
        return;
    }
    if (head->said & H2_SAID_LENGTH)
        stream->content_left = head->content_length;
    if (ends && (head->said & H2_SAID_LENGTH) && head->content_length > 0) {
        h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
        return;
    }
    if (head->said & H2_SAID_PRIORITY)
        priority_set(session, stream, head);
    stream->remote_ended = ends;
    events->request(stream, head, session->context);
}

static void trailers_over(struct h2_session *session, struct h2_stream *stream, bool ends)
{
    /* RFC 9113 section 8.1: a trailer section ends its stream. */
    if (!ends || h2_head_end(session->head) == PX_ERR_MALFORMED)
        h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
    else if (session->head->status)
        h2_session_reset(session, stream, H2_ENHANCE_YOUR_CALM);
    else
        content_over(session, stream, session->head);
}

/* The peer has heard that no new streams are served: those on the way have arrived. */
static void on_ping_ack(struct h2_session *session)
{
    session->ping_open = false;
    if (session->goodbye != GOODBYE_SAID)
        return;
    session->goodbye = GOODBYE_HEARD;
    if (nghttp2_submit_goaway(session->library, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session->library),
                              H2_NO_ERROR, NULL, 0) != 0)
        h2_session_fail(session, NGHTTP2_ERR_NOMEM);
}

static int on_frame_recv(nghttp2_session *library, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct h2_stream *stream;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        stream = stream_of(library, frame->hd.stream_id);
        if (stream && !stream->dead && session->head) {
            if (session->head->trailers)
                trailers_over(session, stream, ends);
            else
                head_over(session, stream, ends);
        }
        h2_session_head_release(session);
        break;
    case NGHTTP2_DATA:
        stream = stream_of(library, frame->hd.stream_id);
        if (stream && !stream->dead && ends)
            content_over(session, stream, NULL);
        break;
    case NGHTTP2_SETTINGS:
        for (size_t index = 0; index < frame->settings.niv; index++) {
            if (frame->settings.iv[index].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
                session->window_changed = true;
        }
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            on_ping_ack(session);
        break;
    }
    return 0;
}

/* The library resets a stream by itself, for a window beyond what RFC 9113 section 6.9.1 allows. It
 * counts now, and not when the reset is rendered: many more could begin before that. */
static int on_invalid_frame(nghttp2_session *library, const nghttp2_frame *frame, int error,
                            void *context)
{
    struct h2_session *session = context;
    struct h2_stream *stream = stream_of(library, frame->hd.stream_id);

    (void)error;
    if (stream && !stream->dead) {
        stream->dead = true;
        h2_walk_count(&session->walk, H2_BUDGET_RESETS);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *context)
{
    struct h2_session *session = context;
    struct h2_stream *stream = stream_of(library, id);

    (void)flags;
    if (!stream || stream->dead) {
        (void)nghttp2_session_consume_connection(library, len);
        return 0;
    }
    stream->unread += (uint32_t)len;
    if (stream->content_left != UINT64_MAX) {
        if (len > stream->content_left) {
            h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
            return 0;
        }
        stream->content_left -= len;
    }
    h2_events_of(session)->content(stream, px_str_make((const char *)data, len), session->context);
    return 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t error, void *context)
{
    struct h2_session *session = context;
    struct h2_stream *stream = stream_of(library, id);

    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(library, id, NULL);
    /* What was not read may be sent again by other streams. */
    if (stream->unread > 0)
        (void)nghttp2_session_consume_connection(library, stream->unread);
    stream->unread = 0;
    stream->id = 0;
    session->stream_count--;
    h2_events_of(session)->closed(stream, error, session->context);
    return 0;
}

void h2_events_register(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
