/*
 * The life of a session, and the bytes that it is fed.
 *
 * Happy path: the walker looks at the bytes, then the library gets them.  What the walker or the
 * library finds wrong ends in h2_session_terminate, which queues a GOAWAY as the last word.
 */
#include <string.h>

#include "http/h2/h2_library.h"
#include "http/h2/h2_malloc.h"

enum {
    SESSION_SLAB_OBJECTS = 8,
    HEAD_SLAB_OBJECTS = 1,
    SLICE_BYTES = 4096,      /* of content, fed at once */
    SLICE_SMALL_BYTES = 256, /* of anything else: a dozen frames, or heads that decode to much */
    FIELDS_MAX = FIELD_COUNT_LIMIT + 8
};

/* --- Shared ----------------------------------------------------------------------------------- */

static px_err library_prepare(struct h2_shared *shared)
{
    nghttp2_option *options;

    if (nghttp2_session_callbacks_new(&shared->callbacks) != 0 ||
        nghttp2_option_new(&shared->library_options) != 0)
        return PX_ERR_MEMORY;
    h2_events_register(shared->callbacks);
    h2_send_register(shared->callbacks);
    options = shared->library_options;
    /* Windows open when handlers have read (h2_session_give), not when bytes arrive. */
    nghttp2_option_set_no_auto_window_update(options, 1);
    /* Messages are checked in h2_head.c. */
    nghttp2_option_set_no_http_messaging(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_builtin_recv_extension_type(options, NGHTTP2_PRIORITY_UPDATE);
    /* The walker counts these, with a code of its own. */
    nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
    nghttp2_option_set_max_continuations(options, SIZE_MAX);
    nghttp2_option_set_max_settings(options, H2_FRAME_BYTES_MAX / 6);
    nghttp2_option_set_max_send_header_block_length(options, EXCHANGE_ARENA_BYTES_DEFAULT);
    return PX_OK;
}

_Static_assert(SLICE_SMALL_BYTES <= SLICE_BYTES, "slices of content are the large ones");
_Static_assert(H2_STREAM_WINDOW <= H2_CONN_WINDOW, "one stream may fill its window");
_Static_assert(H2_CONN_WINDOW <= INT32_MAX, "RFC 9113 section 6.9.1");
_Static_assert(H2_HEADS_MAX >= H2_STREAMS_MAX, "one connection does not take all of them");

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
    shared->fields = alloc_take(options->allocator, FIELDS_MAX * sizeof(*shared->fields));
    if (!shared->fields || library_prepare(shared) != PX_OK) {
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
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->library_options);
    alloc_put(shared->options.allocator, shared->fields);
    pool_deinit(&shared->sessions);
    pool_deinit(&shared->heads);
    h2_spares_deinit(&shared->spares);
    alloc_put(shared->options.allocator, shared);
}

/* --- A session -------------------------------------------------------------------------------- */

/* RFC 9113 section 6.5.2; docs/HTTP.md says why these. */
static int settings_submit(struct h2_session *session)
{
    const nghttp2_settings_entry settings[] = {
        /* The peer is told H2_STREAMS_MAX, see settings_patch. */
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, INT32_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->shared->options.limits->head_bytes_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* RFC 8441 section 3 */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},   /* RFC 9218 section 2.1 */
    };
    int rv = nghttp2_submit_settings(session->library, NGHTTP2_FLAG_NONE, settings,
                                     ARRAY_COUNT(settings));

    if (rv != 0)
        return rv;
    return nghttp2_session_set_local_window_size(session->library, NGHTTP2_FLAG_NONE, 0,
                                                 H2_CONN_WINDOW);
}

px_err h2_session_open(struct h2_shared *shared, void *context, struct h2_session **out_session)
{
    struct h2_session *session = pool_take(&shared->sessions);

    if (!session)
        return PX_ERR_MEMORY;
    nghttp2_mem memory = h2_malloc(&session->memory);

    memset(&session->shared, 0, sizeof(*session) - offsetof(struct h2_session, shared));
    session->shared = shared;
    session->context = context;
    h2_memory_init(&session->memory, &shared->spares, H2_SESSION_BYTES_MAX);
    h2_walk_init(&session->walk, shared->options.limits->head_bytes_max);
    if (nghttp2_session_server_new3(&session->library, shared->callbacks, session,
                                    shared->library_options, &memory) != 0) {
        h2_memory_deinit(&session->memory);
        pool_put(&shared->sessions, session);
        return PX_ERR_MEMORY;
    }
    if (settings_submit(session) != 0) {
        session->failed = true;
        h2_session_close(session);
        return PX_ERR_MEMORY;
    }
    *out_session = session;
    return PX_OK;
}

void h2_session_close(struct h2_session *session)
{
    h2_session_head_release(session);
    if (!session->failed)
        nghttp2_session_del(session->library);
    h2_memory_deinit(&session->memory);
    pool_put(&session->shared->sessions, session);
}

void h2_session_check(const struct h2_session *session, uint32_t stream_count)
{
    const struct h2_shared *shared = session->shared;
    const struct h2_head *head = session->head;

    ASSERT(session->item.generation & 1);
    ASSERT(session->stream_count <= H2_STREAMS_MAX && session->stream_count == stream_count);
    ASSERT(session->goodbye <= GOODBYE_HEARD);
    ASSERT(session->goodbye != GOODBYE_SAID || session->ping_open);
    ASSERT(!session->out && (session->pending_bytes == 0 || session->pending));
    ASSERT(!head || (head->session == session && list_linked(&head->node)));
    ASSERT(!head || (head->text_len <= shared->options.limits->head_bytes_max));
    ASSERT(!head || head->field_count <= shared->options.limits->field_count_max);
    ASSERT(list_check(&shared->unfinished) == shared->heads.taken);
    h2_walk_check(&session->walk);
    h2_memory_check(&session->memory);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

void h2_session_fail(struct h2_session *session, int library_error)
{
    if (session->failed)
        return;
    /* A head that is too large, and floods that the library counts itself, can still be named. */
    if (session->bomb || library_error == NGHTTP2_ERR_FLOODED)
        h2_session_terminate(session, H2_ENHANCE_YOUR_CALM);
    else if (library_error == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        h2_session_terminate(session, H2_PROTOCOL_ERROR);
    else
        session->failed = true;
}

/* One slice: false when the session is over with it. */
static bool feed_slice(struct h2_session *session, uint64_t now_ms, px_str bytes)
{
    size_t used = 0;
    uint32_t error = H2_NO_ERROR;
    px_err err = h2_walk_feed(&session->walk, now_ms, bytes, &used, &error);

    if (used > 0) {
        ssize_t rv = nghttp2_session_mem_recv(session->library, (const uint8_t *)bytes.ptr, used);

        if (rv < 0) {
            h2_session_fail(session, (int)rv);
            return false;
        }
    }
    if (PX_UNLIKELY(session->walk.resets_over))
        error = H2_ENHANCE_YOUR_CALM;
    else if (err == PX_OK)
        return true;
    h2_session_terminate(session, (enum h2_error)error);
    return false;
}

/* Content is cheap for its bytes, everything else may be dear. */
static size_t slice_bytes(const struct h2_session *session)
{
    uint32_t left = h2_walk_content_left(&session->walk);

    if (left <= SLICE_SMALL_BYTES)
        return SLICE_SMALL_BYTES;
    return left < SLICE_BYTES ? left : SLICE_BYTES;
}

size_t h2_session_feed(struct h2_session *session, uint64_t now_ms, px_str bytes)
{
    if (h2_session_is_over(session))
        return bytes.len;
    size_t slice = slice_bytes(session);

    if (slice > bytes.len)
        slice = bytes.len;
    session->work_bytes += WORK_SLICE * WORK_BYTES;
    return feed_slice(session, now_ms, px_str_make(bytes.ptr, slice)) ? slice : bytes.len;
}

uint32_t h2_session_take_work(struct h2_session *session)
{
    uint32_t units = session->work_bytes / WORK_BYTES;

    session->work_bytes %= WORK_BYTES;
    return units;
}

uint32_t h2_session_block(const struct h2_session *session)
{
    return h2_walk_unfinished(&session->walk);
}

size_t h2_session_backlog(const struct h2_session *session)
{
    return nghttp2_session_get_outbound_queue_size(session->library);
}

void h2_session_give(struct h2_session *session, struct h2_stream *stream, uint32_t bytes)
{
    if (stream->id == 0 || bytes == 0 || session->failed)
        return;
    CHECK(bytes <= stream->unread);
    stream->unread -= bytes;
    if (nghttp2_session_consume(session->library, (int32_t)stream->id, bytes) != 0)
        h2_session_fail(session, NGHTTP2_ERR_NOMEM);
}

/* --- The end ---------------------------------------------------------------------------------- */

bool h2_session_ping(struct h2_session *session)
{
    static const uint8_t text[8] = "pollux?";

    if (session->ping_open)
        return false;
    session->ping_open = true;
    if (nghttp2_submit_ping(session->library, NGHTTP2_FLAG_NONE, text) != 0)
        h2_session_fail(session, NGHTTP2_ERR_NOMEM);
    return true;
}

void h2_session_drain(struct h2_session *session)
{
    if (session->goodbye != GOODBYE_NONE || session->failed)
        return;
    session->goodbye = GOODBYE_SAYING;
    if (nghttp2_submit_shutdown_notice(session->library) != 0)
        h2_session_fail(session, NGHTTP2_ERR_NOMEM);
}

void h2_session_terminate(struct h2_session *session, enum h2_error error)
{
    if (session->failed)
        return;
    if (nghttp2_session_terminate_session(session->library, (uint32_t)error) != 0)
        session->failed = true;
}

bool h2_session_is_draining(const struct h2_session *session)
{
    return session->goodbye != GOODBYE_NONE;
}

bool h2_session_has_failed(const struct h2_session *session)
{
    return session->failed;
}

bool h2_session_is_over(const struct h2_session *session)
{
    return session->failed || !nghttp2_session_want_read(session->library);
}
