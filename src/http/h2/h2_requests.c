/*
 * The server's role of an engine: header blocks are requests and trailer sections.
 *
 * Happy path: role_begin, role_field for each field, role_end; the request is told while its head
 * is in the object that collected it, and the object goes back.  A stream that is to be refused or
 * reset is dead at once, and what still comes for it is dropped; the reset itself is rendered with
 * everything else.
 */
#include "base/work.h"
#include "http/h2/h2_server.h"

enum { FIELD_OVERHEAD = 32 /* of work, as RFC 7541 section 4.1 counts it of memory */ };

static struct h2_session *session_of(struct h2_engine *engine)
{
    return CONTAINER_OF(engine, struct h2_session, engine);
}

static const struct h2_events *events_of(const struct h2_session *session)
{
    return session->shared->options.events;
}

/* --- Heads ------------------------------------------------------------------------------------ */

void h2_session_head_release(struct h2_session *session)
{
    if (!session->head)
        return;
    list_remove(&session->head->node);
    pool_put(&session->shared->heads, session->head);
    session->head = NULL;
}

/* All are being written to: the one that has not become whole for longest gives its place to a
 * newcomer, so that a peer that trickles does not shut out one that does not. */
static void head_give_way(struct h2_shared *shared)
{
    struct h2_head *oldest = LIST_ENTRY(shared->unfinished.next, struct h2_head, node);

    h2_carry_give_way(&oldest->session->engine.memory);
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

/* What PRIORITY_UPDATE said of a stream before it began. */
static void early_take(struct h2_session *session, struct h2_stream *stream)
{
    for (uint32_t index = 0; index < H2_EARLY_COUNT; index++) {
        if (PX_LIKELY(session->early[index].id != stream->id))
            continue;
        stream->priority = session->early[index].priority;
        stream->updates = 1;
    }
}

static void refuse_stream(struct h2_session *session, uint32_t id)
{
    h2_control_reset(&session->engine, id, H2_REFUSED_STREAM);
}

/* A block for a stream that has begun, or is over. */
static uint32_t begin_again(struct h2_session *session, struct h2_stream *stream, uint32_t id)
{
    if (!stream)
        /* Closed: by its peer long ago, or by us, and then the peer may not know yet. */
        return id + 2 * 64 * H2_USED_WORDS <= session->engine.walk.last_stream ? H2_STREAM_CLOSED
                                                                               : H2_NO_ERROR;
    if (stream->remote_ended)
        return H2_STREAM_CLOSED;
    if (!stream->dead && !head_take(session, true))
        h2_session_reset(session, stream, H2_INTERNAL_ERROR);
    return H2_NO_ERROR;
}

static uint32_t role_begin(struct h2_engine *engine, struct h2_stream **out_stream)
{
    struct h2_session *session = session_of(engine);
    uint32_t id = engine->walk.frame.stream;
    struct h2_stream *stream = NULL;

    h2_session_head_release(session);
    *out_stream = NULL;
    if (!(id & 1))
        return H2_PROTOCOL_ERROR; /* RFC 9113 section 5.1.1: one of ours, and we open none */
    if (id <= engine->last_begun) {
        *out_stream = h2_engine_find(engine, id);
        return begin_again(session, *out_stream, id);
    }
    if (engine->goaway_said)
        return H2_NO_ERROR; /* RFC 9113 section 6.8: ignored, and tried again elsewhere */
    engine->last_begun = id;
    if (engine->stream_count >= H2_STREAMS_MAX) {
        h2_walk_count(&engine->walk, H2_BUDGET_RESETS);
        refuse_stream(session, id);
        return H2_NO_ERROR;
    }
    /* That there is no room for it is not held against its peer.  After too many resets nothing
     * begins any more. */
    if (!engine->walk.resets_over && head_take(session, false))
        stream = events_of(session)->begin(session->context);
    if (!stream) {
        h2_session_head_release(session);
        refuse_stream(session, id);
        return H2_NO_ERROR;
    }
    h2_engine_open(engine, stream, id);
    early_take(session, stream);
    *out_stream = stream;
    return H2_NO_ERROR;
}

static bool role_field(void *context, px_str name, px_str value, uint16_t *note)
{
    struct h2_engine *engine = context;
    struct h2_session *session = session_of(engine);

    engine->work += (uint32_t)(name.len + value.len) + FIELD_OVERHEAD;
    if (!session->head)
        return true; /* refused: decoded all the same, since the table must be kept right */
    h2_head_add_noted(session->head, name, value, note);
    return !h2_head_is_bomb(session->head);
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
    events_of(session)->content_end(stream, trailers, session->context);
    if (stream->id != 0)
        h2_engine_remote_end(&session->engine, stream);
}

/* A request's head is whole. */
static void head_over(struct h2_session *session, struct h2_stream *stream, bool ends)
{
    const struct h2_events *events = events_of(session);
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
    if ((head->said & H2_SAID_PRIORITY) && stream->updates == 0)
        h2_engine_prioritize(
            &session->engine, stream,
            h2_priority_parse(px_str_make(head->text + head->priority.at, head->priority.len)));
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

static void role_end(struct h2_engine *engine, struct h2_stream *stream, bool ends)
{
    struct h2_session *session = session_of(engine);

    if (stream && session->head) {
        if (session->head->trailers)
            trailers_over(session, stream, ends);
        else
            head_over(session, stream, ends);
    }
    h2_session_head_release(session);
}

/* --- Content ---------------------------------------------------------------------------------- */

static void role_content(struct h2_engine *engine, struct h2_stream *stream, px_str bytes)
{
    struct h2_session *session = session_of(engine);

    if (stream->content_left != UINT64_MAX) {
        if (bytes.len > stream->content_left) {
            h2_session_reset(session, stream, H2_PROTOCOL_ERROR);
            return;
        }
        stream->content_left -= bytes.len;
    }
    events_of(session)->content(stream, bytes, session->context);
}

static void role_content_end(struct h2_engine *engine, struct h2_stream *stream)
{
    content_over(session_of(engine), stream, NULL);
}

static px_pull role_pull(struct h2_engine *engine, struct h2_stream *stream, char *out, size_t room,
                         size_t *out_bytes)
{
    struct h2_session *session = session_of(engine);

    return events_of(session)->pull(stream, out, room, out_bytes, session->context);
}

static const px_field *role_trailers(struct h2_engine *engine, struct h2_stream *stream,
                                     uint32_t *out_count)
{
    struct h2_session *session = session_of(engine);

    return events_of(session)->trailers(stream, out_count, session->context);
}

static void role_sent(struct h2_engine *engine, struct h2_stream *stream)
{
    struct h2_session *session = session_of(engine);

    events_of(session)->sent(stream, session->context);
}

static void role_closed(struct h2_engine *engine, struct h2_stream *stream, uint32_t error)
{
    struct h2_session *session = session_of(engine);

    events_of(session)->closed(stream, error, session->context);
}

/* --- What is said of the connection ----------------------------------------------------------- */

/* The peer has heard that no new streams are served: those on the way have arrived. */
static void on_ping_ack(struct h2_session *session)
{
    session->ping_open = false;
    if (session->goodbye != GOODBYE_SAID)
        return;
    session->goodbye = GOODBYE_HEARD;
    session->engine.goaway_said = true;
    h2_control_goaway(&session->engine, session->engine.last_begun, H2_NO_ERROR);
}

static void on_priority_update(struct h2_session *session, const uint8_t *payload, size_t len)
{
    struct h2_engine *engine = &session->engine;
    uint32_t id = h2_number_at(payload) & INT32_MAX;
    struct h2_priority priority = h2_priority_parse(
        px_str_make((const char *)payload + sizeof(uint32_t), len - sizeof(uint32_t)));
    struct h2_stream *stream = h2_engine_find(engine, id);

    if (stream) {
        stream->updates = 1;
        h2_engine_prioritize(engine, stream, priority);
    } else if (id > engine->last_begun) {
        session->early[session->early_next] = (struct h2_early){id, priority};
        session->early_next = (uint8_t)((session->early_next + 1) % H2_EARLY_COUNT);
    }
}

static void role_gave_way(struct h2_engine *engine)
{
    struct h2_session *session = session_of(engine);

    h2_session_head_release(session);
    events_of(session)->gave_way(session->context);
}

static void role_heard(struct h2_engine *engine, uint8_t type, const uint8_t *payload, size_t len)
{
    if (type == H2_PING)
        on_ping_ack(session_of(engine));
    else if (type == H2_PRIORITY_UPDATE)
        on_priority_update(session_of(engine), payload, len);
}

const struct h2_role h2_server_role = {
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
    .gave_way = role_gave_way,
};
