/*
 * Answering on an HTTP/2 connection: heads are given to the session, content is pulled when it
 * renders.
 *
 * Happy path: one call for the head, one pull for content that fits a frame.  Framing is the
 * session's; what is decided here is what HTTP asks for: when there is a length, when there is no
 * content, what becomes of a tunnel.
 */
#include "server/h2/h2.h"
#include "server/site/dispatch.h"
#include "server/site/refusal_text.h"
#include "server/site/request.h"

/* "Server: " and "Date: " without their names and line ends. */
enum { SERVER_NAME_BYTES = 8, DATE_NAME_BYTES = 6, LINE_END_BYTES = 2 };

static px_str stamp_server(const struct h1_stamp *stamp)
{
    size_t len = (size_t)(stamp->date_at - stamp->server_at);

    if (len == 0)
        return px_str_make(NULL, 0);
    return px_str_make(stamp->text + stamp->server_at + SERVER_NAME_BYTES,
                       len - SERVER_NAME_BYTES - LINE_END_BYTES);
}

static px_str stamp_date(const struct h1_stamp *stamp)
{
    return px_str_make(stamp->text + stamp->date_at + DATE_NAME_BYTES,
                       (size_t)(stamp->len - stamp->date_at) - DATE_NAME_BYTES - LINE_END_BYTES);
}

/* Gives a head to the session. */
static void respond(struct h2_request *request, struct h2_response *response)
{
    struct h2_conn *h2 = request->h2;

    conn_work_count(&h2->conn, WORK_ANSWER);
    if (h2_session_respond(h2->session, &request->stream, response) != PX_OK)
        h2_session_reset(h2->session, &request->stream, H2_INTERNAL_ERROR);
}

/* --- Without a handler ------------------------------------------------------------------------ */

void h2_refuse(struct h2_request *request, unsigned status, const char *reason,
               const struct h2_head *head)
{
    struct request_refusal refusal = {
        .reason = reason, .since_ms = request->begun_ms, .status = status};
    struct http_glimpse glimpse;

    if (!request->exchange && head) {
        h2_head_glimpse(head, &glimpse);
        refusal.glimpse = &glimpse;
    }
    if (!request_refuse(&request->h2->conn.session, request->exchange, &refusal)) {
        h2_session_reset(request->h2->session, &request->stream, H2_INTERNAL_ERROR);
        return;
    }
    if (request->exchange)
        h2_finish(request, request_refused_end(status));
    request->refusal = (uint16_t)status;
    h2_note(request);
}

static void reply_refusal(struct h2_request *request)
{
    px_server *server = request->h2->conn.session.server;
    char text[REFUSAL_TEXT_BYTES];
    struct h2_response response = {
        .status = request->refusal,
        .has_length = true,
        .length = refusal_text(request->refusal, NULL, text),
        .type = REFUSAL_TYPE,
        .ends = request->stream.head_only, /* RFC 9110 section 9.3.2 */
    };

    h1_stamp_update(&server->stamp, server->loop->unix_time);
    response.server = stamp_server(&server->stamp);
    response.date = stamp_date(&server->stamp);
    if (request->exchange) {
        response.fields = exchange_fields(request->exchange, &response.field_count);
    }
    respond(request, &response);
}

static px_pull pull_refusal(struct h2_request *request, char *out, size_t room, size_t *out_bytes)
{
    char text[REFUSAL_TEXT_BYTES];
    size_t left = refusal_text(request->refusal, NULL, text) - request->refusal_at;
    size_t count = left < room ? left : room;

    memcpy(out, text + request->refusal_at, count);
    request->refusal_at = (uint8_t)(request->refusal_at + count);
    *out_bytes = count;
    return count == left ? PX_PULL_END : PX_PULL_MORE;
}

/* --- The head --------------------------------------------------------------------------------- */

static bool has_trailers(const px_exchange *exchange)
{
    uint32_t count;

    exchange_trailers(exchange, &count);
    return count > 0;
}

/* RFC 8441 section 4: a 2xx says that the tunnel stands, so that is not what a handler can answer
 * that knows of none: CONNECT is not among the methods of its target. */
static bool answers_extended_connect(const struct h2_request *request)
{
    return request->kind == REQUEST_EXTENDED && !exchange_is_tunnel(request->exchange) &&
           px_response_status(request->exchange) < 300;
}

static void reply_head(struct h2_request *request)
{
    px_server *server = request->h2->conn.session.server;
    px_exchange *exchange = request->exchange;
    bool tunnel = exchange_is_tunnel(exchange);

    if (answers_extended_connect(request)) {
        server_dispatch_no_tunnel(exchange);
        request->refusal = (uint16_t)px_response_status(exchange);
        reply_refusal(request);
        return;
    }
    exchange_take_head(exchange);
    if (exchange_is_broken(exchange))
        return; /* a filter broke it: the next step sees that */
    struct h2_response response = {
        .status = px_response_status(exchange),
        .has_length = exchange_has_length(exchange),
        .length = exchange_length(exchange),
        .type = exchange_type(exchange),
    };

    response.fields = exchange_fields(exchange, &response.field_count);
    response.ends =
        exchange_head_only(exchange) ||
        (exchange_is_direct(exchange) && exchange_length(exchange) == 0 && !has_trailers(exchange));
    h1_stamp_update(&server->stamp, server->loop->unix_time);
    if (!exchange_no_server(exchange))
        response.server = stamp_server(&server->stamp);
    if (!exchange_no_date(exchange))
        response.date = stamp_date(&server->stamp);
    respond(request, &response);
    if (tunnel && request->held.len > 0)
        h2_note(request); /* what came before the tunnel stood is its first bytes */
}

void h2_reply_step(struct h2_request *request)
{
    struct h2_session *session = request->h2->session;
    px_exchange *exchange = request->exchange;

    if (request->broken || (exchange && exchange_is_broken(exchange))) {
        h2_session_reset(session, &request->stream, H2_INTERNAL_ERROR);
        return;
    }
    if (request->stream.responded) {
        if (h2_session_resume(session, &request->stream) != PX_OK)
            h2_session_reset(session, &request->stream, H2_INTERNAL_ERROR);
    } else if (request->refusal) {
        reply_refusal(request);
    } else if (exchange && exchange_answer_state(exchange) == ANSWER_READY) {
        reply_head(request);
        if (request->exchange && exchange_is_broken(request->exchange))
            h2_session_reset(session, &request->stream, H2_INTERNAL_ERROR);
    }
}

/* --- The content ------------------------------------------------------------------------------ */

px_pull h2_pull(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct h2_request *request = h2_request_of(stream);

    (void)context;
    *out_bytes = 0;
    if (request->refusal)
        return pull_refusal(request, out, room, out_bytes);
    if (!request->exchange || exchange_is_broken(request->exchange))
        return PX_PULL_ERROR;
    if (conn_filters_rest(&request->h2->conn, request->exchange)) {
        h2_note(request);
        return PX_PULL_MORE;
    }
    px_pull pull = conn_pull(&request->h2->conn, request->exchange, out, room, out_bytes);

    request->moved_bytes += *out_bytes;
    /* A filter that takes much and gives little: others go on first. */
    if (pull == PX_PULL_MORE && *out_bytes == 0)
        h2_note(request);
    return pull;
}

const px_field *h2_trailers(struct h2_stream *stream, uint32_t *out_count, void *context)
{
    const struct h2_request *request = h2_request_of(stream);

    (void)context;
    *out_count = 0;
    return request->exchange ? exchange_trailers(request->exchange, out_count) : NULL;
}

void h2_rendered(struct h2_stream *stream, void *context)
{
    struct h2_request *request = h2_request_of(stream);
    struct h2_conn *h2 = context;
    px_exchange *exchange = request->exchange;

    /* RFC 9113 section 8.1 lets us reset a stream that is answered before it was asked whole.  Some
     * clients then lose the answer, so what still comes is read and dropped for a while. */
    request->lingering = !stream->remote_ended;
    if (request->lingering && !exchange) /* what came before the answer was out */
        h2_session_give(h2->session, stream, stream->unread);
    if (!exchange)
        return;
    /* An exchange that wants to hear of the end hears of it when it is out. */
    if (exchange_tells_end(exchange)) {
        request->rendered = true;
        h2->rendered_count++;
        return;
    }
    h2_finish(request, PX_END_COMPLETE);
}
