/*
 * A client's session over nghttp2.
 *
 * Happy path: a request is submitted and its frames rendered; fields of the answer are collected in
 * one buffer (header blocks of a connection come one after the other), checked, and told.  What a
 * server may make us keep: one head within its limits, content (its owner sees to that), and the
 * library's memory within its cap.
 */
#include "http/h2/h2_client.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/h2/h2_answer.h"
#include "http/h2/h2_ask.h"
#include "http/h2/h2_malloc.h"
#include "http/h2/h2_walk.h"

enum {
    SLICE_BYTES = 4096,
    REQUEST_ROOM_BYTES = 16 * 1024 /* of a request beside its fields: stream, queues, frame */
};

struct h2_client {
    struct h2_client_options options;
    nghttp2_session *library; /* owned */
    void *context;            /* borrowed: the owner's */
    struct h2_spares spares;
    struct h2_memory memory; /* the library's */
    struct h2_walk walk;
    struct h2_answer answer; /* the head at hand */
    const uint8_t *pending;  /* borrowed from the library: rendered and not copied */
    size_t pending_bytes;
    uint32_t call_count; /* begun and not closed */
    bool failed;         /* the library gave up: nothing of it can be rendered */
    bool gone;           /* the server takes no more streams */
};

bool h2_client_is_there(void)
{
    return true;
}

static void terminate(struct h2_client *client, enum h2_error error)
{
    if (client->failed)
        return;
    if (nghttp2_session_terminate_session(client->library, (uint32_t)error) != 0)
        client->failed = true;
}

/* --- Heads -------------------------------------------------------------------------------------
 */

static struct h2_call *call_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

/* RFC 9113 section 8.1.1: what came is what content-length said. */
static void answer_over(struct h2_client *client, struct h2_call *call)
{
    if (!call->head_done || (call->content_left != 0 && call->content_left != UINT64_MAX)) {
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
        return;
    }
    call->whole = true;
    h2_answer_point(&client->answer);
    client->options.events->ended(call, client->answer.fields,
                                  client->answer.trailers ? client->answer.field_count : 0,
                                  client->context);
}

static void head_over(struct h2_client *client, struct h2_call *call, bool ends)
{
    struct http_response answer = {.reason = {NULL, 0}, .major = 2};

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
        call->head_done = true;
        call->no_content |= client->answer.status == 204 || client->answer.status == 304;
        call->content_left = call->no_content            ? 0
                             : client->answer.has_length ? client->answer.length
                                                         : UINT64_MAX;
    }
    client->options.events->head(call, &answer, client->context);
    if (ends && !call->dead && call->id != 0)
        answer_over(client, call);
}

/* --- What nghttp2 reports ----------------------------------------------------------------------
 */

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *context)
{
    struct h2_client *client = context;
    const struct h2_call *call = call_of(library, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_HEADERS)
        h2_answer_begin(&client->answer, call && call->head_done);
    return 0;
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct h2_client *client = context;
    const struct h2_call *call = call_of(library, frame->hd.stream_id);

    (void)flags;
    if (!call || call->dead)
        return 0; /* decoded all the same, since the table must be kept right */
    h2_answer_add(&client->answer, px_str_make((const char *)name, name_len),
                  px_str_make((const char *)value, value_len));
    /* A head that decodes to many times its limit is an attack. */
    if (client->answer.head_bytes / H2_HEAD_EXCESS_MAX > client->options.limits->head_bytes_max)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static void headers_over(struct h2_client *client, struct h2_call *call, bool ends)
{
    if (client->answer.too_large)
        h2_client_reset(client, call, H2_ENHANCE_YOUR_CALM);
    else if (client->answer.malformed || (client->answer.trailers && !ends))
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
    else if (client->answer.trailers)
        answer_over(client, call);
    else
        head_over(client, call, ends);
}

static int on_frame_recv(nghttp2_session *library, const nghttp2_frame *frame, void *context)
{
    struct h2_client *client = context;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct h2_call *call = call_of(library, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->gone = true;
    if (!call || call->dead)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        headers_over(client, call, ends);
    } else if (frame->hd.type == NGHTTP2_DATA && ends) {
        h2_answer_begin(&client->answer, false);
        answer_over(client, call);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *context)
{
    struct h2_client *client = context;
    struct h2_call *call = call_of(library, id);

    (void)flags;
    if (!call || call->dead) {
        (void)nghttp2_session_consume_connection(library, len);
        return 0;
    }
    call->unread += (uint32_t)len;
    if (!call->head_done || (call->content_left != UINT64_MAX && len > call->content_left)) {
        h2_client_reset(client, call, H2_PROTOCOL_ERROR);
        return 0;
    }
    if (call->content_left != UINT64_MAX)
        call->content_left -= len;
    client->options.events->content(call, px_str_make((const char *)data, len), client->context);
    return 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t error, void *context)
{
    struct h2_client *client = context;
    struct h2_call *call = call_of(library, id);

    client->call_count--;
    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(library, id, NULL);
    if (call->unread > 0)
        (void)nghttp2_session_consume_connection(library, call->unread);
    call->unread = 0;
    call->id = 0;
    client->options.events->closed(call, error, client->context);
    return 0;
}

/* Whether the library has memory for fields: where an allocation of it fails, the session is lost
 * with every call on it. */
static bool fields_fit(const struct h2_client *client, size_t bytes)
{
    return REQUEST_ROOM_BYTES + bytes <= client->memory.bytes_max - client->memory.bytes;
}

/* RFC 9113 section 8.1: the stream ends with them. */
static bool trailers_submit(struct h2_client *client, const struct h2_call *call)
{
    const px_allocator *allocator = client->options.allocator;
    nghttp2_nv *fields = fields_fit(client, h2_ask_bytes(call->trailers, call->trailer_count))
                             ? alloc_take(allocator, call->trailer_count * sizeof(*fields))
                             : NULL;
    size_t count = fields ? h2_ask_fields(fields, call->trailers, call->trailer_count) : 0;
    bool done = fields && nghttp2_submit_trailer(client->library, call->id, fields, count) == 0;

    alloc_put(allocator, fields);
    return done;
}

static ssize_t on_data_read(nghttp2_session *library, int32_t id, uint8_t *buf, size_t length,
                            uint32_t *data_flags, nghttp2_data_source *source, void *context)
{
    struct h2_client *client = context;
    struct h2_call *call = call_of(library, id);
    size_t bytes = 0;

    (void)source;
    if (!call || call->dead)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    px_pull pull = client->options.events->pull(call, (char *)buf, length, &bytes, client->context);

    if (pull == PX_PULL_ERROR || call->dead)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (pull != PX_PULL_END && bytes == 0) {
        call->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    call->sent = pull == PX_PULL_END;
    if (call->sent)
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (call->sent && call->trailer_count > 0 && !trailers_submit(client, call))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (call->sent && call->trailer_count > 0)
        *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    h2_walk_count(&client->walk, H2_BUDGET_SENT);
    return (ssize_t)bytes;
}

/* --- Life --------------------------------------------------------------------------------------
 */

static px_err library_open(struct h2_client *client)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, client->options.limits->head_bytes_max},
    };
    nghttp2_mem memory = h2_malloc(&client->memory);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = NULL;
    int rv = NGHTTP2_ERR_NOMEM;

    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&options) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_option_set_no_auto_window_update(options, 1);
        nghttp2_option_set_no_http_messaging(options, 1);
        nghttp2_option_set_no_closed_streams(options, 1);
        nghttp2_option_set_max_continuations(options, SIZE_MAX); /* the walker counts them */
        nghttp2_option_set_max_settings(options, H2_FRAME_BYTES_MAX / 6);
        nghttp2_option_set_max_send_header_block_length(options, CLIENT_FETCH_BYTES_MAX);
        rv = nghttp2_session_client_new3(&client->library, callbacks, client, options, &memory);
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(options);
    if (rv != 0)
        return PX_ERR_MEMORY;
    if (nghttp2_submit_settings(client->library, NGHTTP2_FLAG_NONE, settings,
                                ARRAY_COUNT(settings)) != 0 ||
        nghttp2_session_set_local_window_size(client->library, NGHTTP2_FLAG_NONE, 0,
                                              H2_CONN_WINDOW) != 0) {
        client->failed = true;
        return PX_ERR_MEMORY;
    }
    return PX_OK;
}

px_err h2_client_open(const struct h2_client_options *options, void *context,
                      struct h2_client **out_client)
{
    struct h2_client *client = alloc_take_zeroed(options->allocator, sizeof(*client));

    if (!client)
        return PX_ERR_MEMORY;
    client->options = *options;
    client->context = context;
    h2_spares_init(&client->spares, options->allocator, options->budget);
    h2_memory_init(&client->memory, &client->spares, H2_SESSION_BYTES_MAX);
    h2_walk_init(&client->walk, options->limits->head_bytes_max);
    h2_walk_answers(&client->walk);
    if (h2_answer_init(&client->answer, options->allocator, options->limits) != PX_OK ||
        library_open(client) != PX_OK) {
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
    /* Where an allocation failed its memory is given back by its list. */
    if (!client->failed)
        nghttp2_session_del(client->library);
    h2_memory_deinit(&client->memory);
    h2_spares_deinit(&client->spares);
    h2_answer_deinit(&client->answer, client->options.allocator);
    alloc_put(client->options.allocator, client);
}

/* --- In ----------------------------------------------------------------------------------------
 */

static bool feed_slice(struct h2_client *client, uint64_t now_ms, px_str bytes)
{
    size_t used = 0;
    uint32_t error = H2_NO_ERROR;
    px_err err = h2_walk_feed(&client->walk, now_ms, bytes, &used, &error);

    if (used > 0) {
        ssize_t rv = nghttp2_session_mem_recv(client->library, (const uint8_t *)bytes.ptr, used);

        if (rv < 0) {
            if (rv == NGHTTP2_ERR_NOMEM)
                client->failed = true;
            else
                terminate(client, H2_ENHANCE_YOUR_CALM);
            return false;
        }
    }
    if (client->walk.resets_over)
        error = H2_ENHANCE_YOUR_CALM;
    else if (err == PX_OK)
        return true;
    terminate(client, (enum h2_error)error);
    return false;
}

void h2_client_feed(struct h2_client *client, uint64_t now_ms, px_str bytes)
{
    for (size_t at = 0; at < bytes.len && !h2_client_is_over(client); at += SLICE_BYTES) {
        size_t len = bytes.len - at < SLICE_BYTES ? bytes.len - at : SLICE_BYTES;

        if (!feed_slice(client, now_ms, px_str_make(bytes.ptr + at, len)))
            return;
    }
}

void h2_client_give(struct h2_client *client, struct h2_call *call, uint32_t bytes)
{
    if (call->id == 0 || bytes == 0 || client->failed)
        return;
    CHECK(bytes <= call->unread);
    call->unread -= bytes;
    if (nghttp2_session_consume(client->library, call->id, bytes) != 0)
        client->failed = true;
}

/* --- Out ---------------------------------------------------------------------------------------
 */

px_err h2_client_ask(struct h2_client *client, struct h2_call *call,
                     const struct h1_request_head *head, const char *scheme, bool pulls)
{
    nghttp2_data_provider provider = {.read_callback = on_data_read};
    char number[TEXT_NUMBER_BYTES];
    size_t count;

    *call = (struct h2_call){
        .content_left = UINT64_MAX, .no_content = call->no_content, .sent = !pulls};
    if (client->failed || client->gone)
        return PX_ERR_CLOSED;
    if (!fields_fit(client, h2_ask_bytes(head->fields, head->field_count) +
                                2 * (head->target.len + head->host.len)))
        return PX_ERR_LIMIT;
    nghttp2_nv *fields = alloc_take(client->options.allocator,
                                    (H2_ASK_FIELDS_ADDED + head->field_count) * sizeof(*fields));
    if (!fields)
        return PX_ERR_MEMORY;
    count = h2_ask_head(fields, head, scheme, number);
    int32_t id = nghttp2_submit_request(client->library, NULL, fields, count,
                                        pulls ? &provider : NULL, call);

    alloc_put(client->options.allocator, fields);
    if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
        client->gone = true;
        return PX_ERR_CLOSED;
    }
    if (id < 0) {
        client->failed = true;
        return PX_ERR_MEMORY;
    }
    call->id = id;
    client->call_count++;
    h2_walk_count(&client->walk, H2_BUDGET_OPENED);
    return PX_OK;
}

uint32_t h2_client_room(const struct h2_client *client)
{
    if (client->failed || client->gone || h2_client_is_over(client) ||
        client->memory.bytes > client->memory.bytes_max / 2)
        return 0;
    uint32_t max = nghttp2_session_get_remote_settings(client->library,
                                                       NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (max > H2_STREAMS_MAX)
        max = H2_STREAMS_MAX;
    return client->call_count < max ? max - client->call_count : 0;
}

void h2_client_resume(struct h2_client *client, struct h2_call *call)
{
    if (call->id == 0 || !call->waiting || client->failed)
        return;
    call->waiting = false;
    if (nghttp2_session_resume_data(client->library, call->id) == NGHTTP2_ERR_NOMEM)
        client->failed = true;
}

void h2_client_reset(struct h2_client *client, struct h2_call *call, enum h2_error error)
{
    if (call->id == 0 || call->dead || client->failed)
        return;
    call->dead = true;
    if (nghttp2_submit_rst_stream(client->library, NGHTTP2_FLAG_NONE, call->id, (uint32_t)error) !=
        0)
        client->failed = true;
}

void h2_client_forget(struct h2_client *client, struct h2_call *call)
{
    if (call->id == 0)
        return;
    if (!client->failed) {
        if (call->unread > 0)
            (void)nghttp2_session_consume_connection(client->library, call->unread);
        if (!call->sent || !call->whole)
            h2_client_reset(client, call, H2_CANCEL);
    }
    if (!client->failed)
        (void)nghttp2_session_set_stream_user_data(client->library, call->id, NULL);
    call->id = 0;
    call->unread = 0;
    call->dead = true;
}

size_t h2_client_render(struct h2_client *client, char *out, size_t room)
{
    size_t len = 0;

    while (len < room) {
        if (client->pending_bytes == 0 && !client->failed) {
            ssize_t bytes = nghttp2_session_mem_send(client->library, &client->pending);

            if (bytes < 0)
                client->failed = true;
            client->pending_bytes = bytes > 0 ? (size_t)bytes : 0;
        }
        if (client->pending_bytes == 0 || client->failed)
            break;
        size_t part = client->pending_bytes < room - len ? client->pending_bytes : room - len;

        memcpy(out + len, client->pending, part);
        client->pending += part;
        client->pending_bytes -= part;
        len += part;
    }
    return len;
}

bool h2_client_has_output(const struct h2_client *client)
{
    return !client->failed &&
           (client->pending_bytes > 0 || nghttp2_session_want_write(client->library));
}

bool h2_client_is_over(const struct h2_client *client)
{
    return client->failed || !nghttp2_session_want_read(client->library);
}
