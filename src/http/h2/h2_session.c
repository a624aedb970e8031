/*
 * The server's role: header blocks are requests and trailer sections, GOAWAY is said in two steps.
 *
 * Happy path: role_begin, role_field for each field, role_end; the request is told while its head
 * is in the object that collected it, and the object goes back.  A stream that is to be refused or
 * reset is dead at once, and what still comes for it is dropped; the reset itself is rendered with
 * everything else.
 */
#include <string.h>

#include "base/work.h"
#include "http/h2/h2_server.h"

enum {
    SESSION_SLAB_OBJECTS = 8,
    HEAD_SLAB_OBJECTS = 1,
    SHUT_MS_MIN = 100 /* of others' turns: what takes no longer is a part of any reading */
};

_Static_assert(H2_HEADS_MAX >= H2_STREAMS_MAX, "one connection does not take all of them");

/* --- Shared ----------------------------------------------------------------------------------- */

px_err h2_shared_create(const struct h2_options *options, struct h2_shared **out_shared)
{
    struct h2_shared *shared = alloc_take_zeroed(options->allocator, sizeof(*shared));

    if (!shared)
        return PX_ERR_MEMORY;
    shared->options = *options;
    h2_spares_init(&shared->spares, options->allocator, options->budget);
    pool_init(&shared->sessions, options->allocator, sizeof(struct h2_session),
              SESSION_SLAB_OBJECTS, options->session_count_max);
    pool_init(&shared->heads, options->allocator, h2_head_object_bytes(options->limits),
              HEAD_SLAB_OBJECTS, H2_HEADS_MAX);
    list_init(&shared->unfinished);
    shared->scratch.room =
        hpack_scratch_bytes((size_t)options->limits->head_bytes_max + H2_FRAME_BYTES_MAX);
    shared->scratch.ptr = alloc_take(options->allocator, shared->scratch.room);
    if (!shared->scratch.ptr) {
        h2_shared_destroy(shared);
        return PX_ERR_MEMORY;
    }
    *out_shared = shared;
    return PX_OK;
}

void h2_shared_destroy(struct h2_shared *shared)
{
    if (!shared)
        return;
    CHECK(shared->sessions.taken == 0 && shared->heads.taken == 0);
    alloc_put(shared->options.allocator, shared->scratch.ptr);
    pool_deinit(&shared->sessions);
    pool_deinit(&shared->heads);
    h2_spares_deinit(&shared->spares);
    alloc_put(shared->options.allocator, shared);
}

/* --- A session -------------------------------------------------------------------------------- */

/* A session's own memory is of the same budget as what it takes later. */
static struct h2_session *session_take(struct h2_shared *shared)
{
    struct h2_session *session;

    if (!h2_spares_reserve(&shared->spares, sizeof(*session)))
        return NULL;
    session = pool_take(&shared->sessions);
    if (!session)
        h2_spares_give(&shared->spares, sizeof(*session));
    return session;
}

static void session_give(struct h2_session *session)
{
    struct h2_shared *shared = session->shared;

    h2_spares_give(&shared->spares, sizeof(*session));
    pool_put(&shared->sessions, session);
}

void h2_shared_relieve(struct h2_shared *shared)
{
    h2_spares_drop(&shared->spares);
}

px_err h2_session_open(struct h2_shared *shared, void *context, struct h2_session **out_session)
{
    const struct http_limits *limits = shared->options.limits;
    /* docs/HTTP.md says why these. */
    const struct h2_setting_pair settings[] = {
        {H2_SETTING_STREAMS_MAX, H2_STREAMS_MAX},
        {H2_SETTING_STREAM_WINDOW, H2_STREAM_WINDOW},
        {H2_SETTING_HEAD_BYTES_MAX, limits->head_bytes_max},
        {H2_SETTING_CONNECT_PROTOCOL, 1},      /* RFC 8441 section 3 */
        {H2_SETTING_NO_RFC7540_PRIORITIES, 1}, /* RFC 9218 section 2.1 */
    };
    const struct h2_engine_options options = {.role = &h2_server_role,
                                              .spares = &shared->spares,
                                              .scratch = &shared->scratch,
                                              .head_bytes_max = limits->head_bytes_max};
    struct h2_session *session = session_take(shared);

    if (!session)
        return PX_ERR_MEMORY;
    memset(&session->shared, 0,
           offsetof(struct h2_session, engine) - offsetof(struct h2_session, shared));
    session->shared = shared;
    session->context = context;
    if (h2_engine_init(&session->engine, &options, settings, ARRAY_COUNT(settings)) != PX_OK) {
        h2_session_close(session);
        return PX_ERR_MEMORY;
    }
    *out_session = session;
    return PX_OK;
}

void h2_session_close(struct h2_session *session)
{
    h2_session_head_release(session);
    h2_engine_deinit(&session->engine);
    session_give(session);
}

void h2_session_check(const struct h2_session *session, uint32_t stream_count)
{
    const struct h2_head *head = session->head;

    ASSERT(session->item.generation & 1);
    ASSERT(session->engine.stream_count == stream_count);
    ASSERT(stream_count <= H2_STREAMS_MAX);
    ASSERT(!head || (head->session == session && list_linked(&head->node)));
    ASSERT(session->goodbye <= GOODBYE_HEARD);
    ASSERT(session->goodbye != GOODBYE_HEARD || session->engine.goaway_said);
    h2_engine_check(&session->engine);
}

size_t h2_session_feed(struct h2_session *session, uint64_t now_ms, px_str bytes)
{
    return h2_engine_feed(&session->engine, now_ms, bytes);
}

uint32_t h2_session_take_work(struct h2_session *session)
{
    uint32_t units = session->engine.work / WORK_BYTES;

    session->engine.work %= WORK_BYTES;
    return units;
}

uint32_t h2_session_block(const struct h2_session *session)
{
    return h2_walk_unfinished(&session->engine.walk);
}

size_t h2_session_backlog(const struct h2_session *session)
{
    return session->engine.control.count;
}

uint32_t h2_session_unread(const struct h2_session *session)
{
    return H2_CONN_WINDOW - session->engine.given - session->engine.recv_window;
}

void h2_session_note_reading(struct h2_session *session, bool reads, uint32_t now_ms)
{
    bool shut = !reads || session->engine.recv_window < H2_FRAME_BYTES_MAX;

    if (shut == session->shut)
        return;
    session->shut = shut;
    if (shut)
        session->shut_ms = now_ms;
    else if (now_ms - session->shut_ms >= SHUT_MS_MIN)
        session->open_ms = now_ms;
}

bool h2_session_is_open(const struct h2_session *session, uint32_t *out_since_ms)
{
    if (session->shut)
        return false;
    *out_since_ms = session->open_ms;
    return true;
}

void h2_session_give(struct h2_session *session, struct h2_stream *stream, uint32_t bytes)
{
    if (stream->id == 0 || bytes == 0)
        return;
    CHECK(bytes <= stream->unread);
    stream->unread -= bytes;
    h2_engine_give(&session->engine, stream, bytes);
}

/* --- Answers ---------------------------------------------------------------------------------- */

px_err h2_session_respond(struct h2_session *session, struct h2_stream *stream,
                          const struct h2_response *response)
{
    if (stream->id == 0 || stream->dead)
        return PX_OK;
    stream->response = *response;
    h2_engine_respond(&session->engine, stream);
    return PX_OK;
}

void h2_session_inform(struct h2_session *session, struct h2_stream *stream, unsigned status,
                       const px_field *fields, uint32_t field_count)
{
    const struct h2_response response = {
        .status = (uint16_t)status, .fields = fields, .field_count = field_count};

    if (stream->id == 0 || stream->dead || stream->responded)
        return;
    h2_engine_inform(&session->engine, stream, &response);
}

px_err h2_session_resume(struct h2_session *session, struct h2_stream *stream)
{
    if (stream->id == 0 || !stream->waiting)
        return PX_OK;
    stream->waiting = false;
    h2_engine_ready(&session->engine, stream);
    return PX_OK;
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
    if (reset_was_forced((uint32_t)error))
        h2_walk_count(&session->engine.walk, H2_BUDGET_RESETS);
    h2_engine_reset(&session->engine, stream, (uint32_t)error);
}

bool h2_session_is_stalled(const struct h2_session *session, const struct h2_stream *stream)
{
    if (stream->id == 0 || stream->dead || !stream->responded || stream->waiting)
        return false;
    return stream->send_window <= 0 || session->engine.send_window <= 0;
}

size_t h2_session_render(struct h2_session *session, char *out, size_t room)
{
    return h2_engine_render(&session->engine, out, room);
}

bool h2_session_has_output(const struct h2_session *session)
{
    return h2_engine_has_output(&session->engine);
}

/* --- The end ---------------------------------------------------------------------------------- */

bool h2_session_ping(struct h2_session *session)
{
    static const uint8_t text[8] = "pollux?";

    if (session->ping_open)
        return false;
    session->ping_open = true;
    h2_control_ping(&session->engine, text, false);
    return true;
}

void h2_session_drain(struct h2_session *session)
{
    if (session->goodbye != GOODBYE_NONE || session->engine.failed)
        return;
    session->goodbye = GOODBYE_SAID;
    h2_control_goaway(&session->engine, INT32_MAX, H2_NO_ERROR);
    /* What was sent before the peer heard of it has arrived when this is answered. */
    session->ping_open = false;
    (void)h2_session_ping(session);
}

void h2_session_terminate(struct h2_session *session, enum h2_error error)
{
    h2_engine_terminate(&session->engine, (uint32_t)error);
}

bool h2_session_is_draining(const struct h2_session *session)
{
    return session->goodbye != GOODBYE_NONE;
}

bool h2_session_has_failed(const struct h2_session *session)
{
    return session->engine.failed;
}

bool h2_session_is_over(const struct h2_session *session)
{
    return h2_engine_is_over(&session->engine);
}
