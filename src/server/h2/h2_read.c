/*
 * Requests on an HTTP/2 connection: each stream becomes an exchange, its content goes to the
 * handler or is held until that wants it.
 *
 * Happy path: a head is copied into the arena of a new exchange, the server dispatches it, content
 * is handed over as it arrives and its window opened again.  What a handler does not take now is
 * held, at most the stream's window; since that is not opened, the peer stops.
 */
#include "server/h2/h2.h"
#include "server/site/access_log.h"
#include "server/site/request.h"

struct h2_stream *h2_begin(void *context)
{
    struct h2_conn *h2 = context;
    px_server *server = h2->conn.session.server;
    struct h2_request *request;

    /* Refused, and so free to be tried again: no handler has seen it. */
    if (!h2_share_begin(h2))
        return NULL;
    request = pool_take(&server->h2_requests);
    if (!request)
        return NULL;
    memset(&request->stream, 0, sizeof(*request) - offsetof(struct h2_request, stream));
    list_init(&request->node);
    list_init(&request->ready);
    list_append(&h2->requests, &request->node);
    h2->request_count++;
    request->h2 = h2;
    request->begun_ms = server->loop->now_ms;
    buf_init(&request->held, &server->loop->allocator, H2_STREAM_WINDOW);
    h2->served = true;
    return &request->stream;
}

/* What the head says, as the exchange keeps it. */
static void head_describe(struct h2_request *request, const struct h2_head *head)
{
    uint64_t length = PX_LENGTH_UNKNOWN;

    request->kind = REQUEST_PLAIN;
    if (head->method_id == METHOD_CONNECT)
        request->kind = head->extended ? REQUEST_EXTENDED : REQUEST_CONNECT;
    /* A length of 0 is not known to be true before the stream has ended. */
    if (request->kind != REQUEST_PLAIN || request->stream.remote_ended)
        length = 0;
    else if ((head->said & H2_SAID_LENGTH) && head->content_length > 0)
        length = head->content_length;
    if ((head->said & H2_SAID_EXPECT_CONTINUE) && length != 0)
        request->content = CONTENT_EXPECTED;
    /* RFC 9110 section 9.3.6: CONNECT has no content whose length could be said. */
    bool asks_tunnel = head->extended && !(head->said & H2_SAID_LENGTH);

    exchange_describe(request->exchange, head->extended ? METHOD_GET : head->method_id, 20,
                      asks_tunnel, length);
}

void h2_take_request(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    struct h2_request *request = h2_request_of(stream);
    struct h2_conn *h2 = context;
    px_server *server = h2->conn.session.server;

    if (!h2_share_head(request, h2_head_bytes(head))) {
        h2_session_reset(h2->session, stream, H2_REFUSED_STREAM);
        return;
    }
    px_exchange *exchange = exchange_create(&server->service, &h2_transport.exchange, request);

    if (!exchange ||
        h2_head_take(head, exchange_arena(exchange), exchange_request_room(exchange)) != PX_OK) {
        if (exchange)
            exchange_finish(exchange, PX_END_NO_MEMORY);
        h2_refuse(request, 503, exchange ? "out of memory" : "no room for another request", head);
        return;
    }
    request->exchange = exchange;
    head_describe(request, head);
    request_begin(&h2->conn.session, exchange, (head->said & H2_SAID_EXPECT_UNKNOWN));
    if (PX_UNLIKELY(server_logs_heads(server, exchange)))
        access_log_request(server, exchange);
    if (stream->remote_ended || (request->kind != REQUEST_PLAIN && !exchange_is_tunnel(exchange)))
        exchange_receive_end(exchange);
    h2_note(request);
}

void h2_take_refusal(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    (void)context;
    h2_refuse(h2_request_of(stream), head->status, head->reason, head);
}

/* --- Content ---------------------------------------------------------------------------------- */

static bool takes_content(const struct h2_request *request)
{
    const px_exchange *exchange = request->exchange;

    if (request->kind != REQUEST_PLAIN)
        return exchange_is_tunnel(exchange) && exchange_answer_state(exchange) == ANSWER_TAKEN &&
               exchange_takes_tunnel(exchange);
    return exchange_takes_content(exchange);
}

/* Hands content over: how much of it was used.  The rest keeps its part of the window. */
static size_t receive(struct h2_request *request, px_str bytes)
{
    size_t used;
    px_err err;

    if (request->content == CONTENT_EXPECTED)
        request->content = CONTENT_COMES; /* it did not wait */
    err = exchange_receive(request->exchange, bytes, &used);
    request->moved_bytes += used;
    h2_session_give(request->h2->session, &request->stream, (uint32_t)used);
    if (err != PX_OK)
        h2_refuse(request, err == PX_ERR_LIMIT ? 413 : 503,
                  err == PX_ERR_LIMIT ? "content too large" : "out of memory", NULL);
    return used;
}

/* What a handler does not take is kept beside what streams keep in their inboxes. */
static bool hold(struct h2_request *request, px_str bytes)
{
    px_loop *loop = request->h2->conn.session.server->loop;

    /* A connection that has many streams is one peer. */
    if (!inbox_share_take(loop, h2_session_unread(request->h2->session) - bytes.len, bytes.len))
        return false;
    if (buf_append(&request->held, bytes) == PX_OK)
        return true;
    budget_give(&loop->memory, BUDGET_INBOX, bytes.len);
    return false;
}

static void held_give(struct h2_conn *h2, size_t bytes)
{
    budget_give(&h2->conn.session.server->loop->memory, BUDGET_INBOX, bytes);
}

static void held_release(struct h2_request *request)
{
    held_give(request->h2, request->held.len);
    buf_deinit(&request->held);
}

void h2_take_content(struct h2_stream *stream, px_str bytes, void *context)
{
    struct h2_request *request = h2_request_of(stream);
    struct h2_conn *h2 = context;

    if (!request->exchange) {
        /* Answered: read and dropped for a while.  Before the answer is out its window stays. */
        request->dropped_bytes += (uint32_t)bytes.len;
        if (!request->lingering)
            return;
        h2_session_give(h2->session, stream, stream->unread);
        if (request->dropped_bytes > LINGER_BYTES_MAX)
            h2_session_reset(h2->session, stream, H2_NO_ERROR);
        return;
    }
    size_t used = request->held.len == 0 && takes_content(request) ? receive(request, bytes) : 0;

    if (request->exchange && used < bytes.len &&
        !hold(request, px_str_make(bytes.ptr + used, bytes.len - used)))
        h2_session_reset(h2->session, stream, H2_ENHANCE_YOUR_CALM);
}

static void take_trailers(struct h2_request *request, const struct h2_head *head)
{
    px_exchange *exchange = request->exchange;
    px_field *fields = NULL;
    uint32_t count = 0;

    if (h2_head_take_trailers(head, exchange_arena(exchange), &fields, &count) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return;
    }
    exchange_set_trailers(exchange, fields, count);
}

void h2_take_end(struct h2_stream *stream, const struct h2_head *trailers, void *context)
{
    struct h2_request *request = h2_request_of(stream);

    (void)context;
    if (!request->exchange)
        return;
    request->content = CONTENT_COMES;
    if (trailers && trailers->field_count > 0)
        take_trailers(request, trailers);
    if (request->held.len > 0 || !exchange_takes_tunnel(request->exchange) ||
        (request->kind != REQUEST_PLAIN && !exchange_is_tunnel(request->exchange)))
        request->content = CONTENT_END_HELD;
    else
        exchange_receive_end(request->exchange);
    h2_note(request);
}

void h2_read_step(struct h2_request *request)
{
    px_exchange *exchange = request->exchange;

    if (!exchange || request->broken || exchange_is_broken(exchange))
        return;
    if (request->held.len > 0 && takes_content(request)) {
        struct h2_conn *h2 = request->h2;
        struct buf held = request->held;
        size_t before = held.len;

        /* The handler may pause again: that holds for what comes after. */
        buf_init(&request->held, held.allocator, H2_STREAM_WINDOW);
        buf_consume(&held, receive(request, buf_str(&held)));
        held_give(h2, before - held.len);
        if (request->exchange && held.len > 0 && request->held.len == 0) {
            request->held = held;
        } else {
            held_give(h2, held.len);
            buf_deinit(&held);
        }
    }
    if (request->exchange && request->content == CONTENT_END_HELD && request->held.len == 0 &&
        takes_content(request)) {
        request->content = CONTENT_COMES;
        exchange_receive_end(request->exchange);
    }
    if (request->exchange && request->content == CONTENT_EXPECTED &&
        exchange_answer_state(exchange) == ANSWER_NONE && takes_content(request)) {
        request->content = CONTENT_COMES;
        h2_session_inform(request->h2->session, &request->stream, 100, NULL, 0);
    }
    /* A handler that asked to collect when the content had ended already. */
    if (request->exchange && exchange_answer_state(exchange) == ANSWER_NONE)
        exchange_tell_whole(exchange);
}

/* --- The end ---------------------------------------------------------------------------------- */

void h2_finish(struct h2_request *request, px_end end)
{
    px_exchange *exchange = request->exchange;

    request->exchange = NULL;
    if (request->held.ptr)
        held_release(request);
    if (request->lingering) /* what was held is dropped as well */
        h2_session_give(request->h2->session, &request->stream, request->stream.unread);
    request_finish(&request->h2->conn.session, exchange, request->timed_out ? PX_END_TIMEOUT : end);
    h2_share_give(request);
}

void h2_request_free(struct h2_request *request, px_end end)
{
    struct h2_conn *h2 = request->h2;

    if (request->exchange)
        h2_finish(request, end);
    if (request->rendered)
        h2->rendered_count--;
    h2_share_give(request);
    list_remove(&request->node);
    list_remove(&request->ready);
    h2->request_count--;
    pool_put(&h2->conn.session.server->h2_requests, request);
}

void h2_closed(struct h2_stream *stream, uint32_t error, void *context)
{
    struct h2_request *request = h2_request_of(stream);

    (void)context;
    /* Its answer is in the block: it is over when that is out. */
    if (request->rendered && request->exchange)
        return;
    /* A reset of the peer's has left, whatever code it gives. */
    bool ours = stream->dead && error != H2_NO_ERROR && error != H2_CANCEL;

    h2_request_free(request, ours ? PX_END_ABORTED : PX_END_PEER_GONE);
}
