/*
 * Reading on an HTTP/1 connection: one request at a time, in place.
 *
 * Happy path: h1_parse takes a whole head from the bytes at hand, or it is one that came before
 * (h1_repeat); its strings are copied once into a new exchange's arena, the server dispatches it.
 * The next head waits (in the bytes at hand, or in the stream's inbox) until the answer is
 * rendered.  What can go wrong is refused with a status.
 */
#include <string.h>

#include "exchange/tunnel.h"
#include "http/h2/h2_frame.h"
#include "server/h1/h1.h"
#include "server/h2/h2.h"
#include "server/site/access_log.h"
#include "server/site/request.h"

/* Whether bytes are of use now.  More requests are not read while output waits for the peer. */
bool h1_wants_bytes(const struct h1_conn *h1)
{
    if (h1->conn.peer_ended)
        return false;
    switch ((enum h1_reading)h1->reading) {
    case READ_FIRST:
    case READ_PREFACE:
    case READ_HEAD:
        return !h1->exchange && !h1->conn.sending;
    case READ_CONTENT:
        return !h1->exchange || exchange_takes_content(h1->exchange);
    case READ_TUNNEL:
        return h1->exchange && exchange_takes_tunnel(h1->exchange) && !exchange_parts(h1->exchange);
    case READ_CLOSED:
        return false;
    }
    return false;
}

static px_err work_take(struct h1_conn *h1)
{
    px_server *server = h1->conn.session.server;
    struct h1_work *work = pool_take(&server->works);

    if (!work)
        return PX_ERR_MEMORY;
    work->content = false;
    work->held = 0;
    work->over = false;
    h1_parser_init(&work->parser, H1_REQUEST, server->scan, &server->parse_limits, work->spans);
    h1->work = work;
    return PX_OK;
}

/* What the head says, as the exchange keeps it. */
static void head_describe(px_exchange *exchange, const struct h1_parser *parser)
{
    uint64_t length = 0;

    switch ((enum h1_framing)parser->framing) {
    case H1_FRAMING_LENGTH:
        length = parser->content_length;
        break;
    case H1_FRAMING_CHUNKED:
    case H1_FRAMING_CLOSE:
        length = PX_LENGTH_UNKNOWN;
        break;
    case H1_FRAMING_NONE:
        break;
    }
    exchange_describe(
        exchange, parser->method_id, parser->minor_version == 0 ? 10 : 11,
        (parser->seen & H1_SEEN_CONNECTION_UPGRADE) && (parser->seen & H1_SEEN_UPGRADE), length);
}

/* The content of the request has ended: reads on behind it. */
static void content_end(struct h1_conn *h1)
{
    px_exchange *exchange = h1->exchange;

    h1->reading = h1->conn.peer_ended ? READ_CLOSED : READ_HEAD;
    h1->expecting = false;
    h1_work_release(h1);
    if (exchange && !exchange_is_tunnel(exchange))
        exchange_receive_end(exchange);
}

/* Makes an exchange of a finished head, which `parser` has read now or once before. */
static px_err head_take(struct h1_conn *h1, const struct h1_parser *parser)
{
    px_server *server = h1->conn.session.server;
    const char *head = h1->in.ptr + h1->in_used;

    h2_share_relieve(server);
    px_exchange *exchange = exchange_create(&server->service, &h1_transport.exchange, h1);

    if (!exchange)
        return h1_conn_refuse(h1, 503, "no room for another request");
    if (h1_request_take(parser, head, exchange_arena(exchange), exchange_request_room(exchange)) !=
        PX_OK) {
        exchange_finish(exchange, PX_END_NO_MEMORY);
        return h1_conn_refuse(h1, 503, "out of memory");
    }
    head_describe(exchange, parser);
    h1->in_used += parser->head_bytes;
    h1->exchange = exchange;
    h1->after = parser->keep_alive ? AFTER_NEXT : AFTER_CLOSE;
    if (PX_UNLIKELY(h1->conn.session.wait == WAIT_HEAD))
        session_wait(&h1->conn.session, WAIT_WORK); /* the next head has a deadline of its own */
    h1->expecting = (parser->seen & H1_SEEN_EXPECT_CONTINUE) &&
                    parser->framing != H1_FRAMING_NONE &&
                    !(parser->framing == H1_FRAMING_LENGTH && parser->content_length == 0);
    work_count(&h1->conn.session.server->loop->work, WORK_REQUEST);
    request_begin(&h1->conn.session, exchange, (parser->seen & H1_SEEN_EXPECT_UNKNOWN));
    if (PX_UNLIKELY(server_logs_heads(server, exchange)))
        access_log_head(server, px_str_make(head, parser->head_bytes));
    /* A length of 0 ends here too: no byte will come that could tell. */
    if (PX_LIKELY(parser->framing == H1_FRAMING_NONE) ||
        (parser->framing == H1_FRAMING_LENGTH && parser->content_length == 0)) {
        content_end(h1);
        return PX_OK;
    }
    h1_body_init(&h1->work->body, (enum h1_framing)parser->framing, parser->content_length,
                 &server->loop->allocator);
    h1->work->content = true;
    h1->reading = READ_CONTENT;
    return PX_OK;
}

px_err h1_is_preface(const struct h1_conn *h1, px_str first)
{
    const struct conn *conn = &h1->conn;
    size_t len = first.len < H2_PREFACE_BYTES ? first.len : H2_PREFACE_BYTES;

    if (PX_LIKELY(memcmp(first.ptr, H2_PREFACE, len) != 0))
        return PX_ERR_MALFORMED;
    if (!conn->session.server->h2 || session_carrier(&conn->session)->is_secure(&conn->session) ||
        conn->session.server->options.http2_clear == PX_OFF)
        return PX_ERR_MALFORMED;
    return len < H2_PREFACE_BYTES ? PX_AGAIN : PX_OK;
}

static const char ended_in_head[] = "the peer ended within the head";

static px_err read_head(struct h1_conn *h1)
{
    const char *head = h1->in.ptr + h1->in_used;
    size_t left = h1->in.len - h1->in_used;

    if (h1->exchange || h1->conn.sending || (left == 0 && !h1->conn.peer_ended))
        return PX_AGAIN;
    if (left == 0) {
        /* Between requests this is a good-bye; inside of a head the peer may still listen. */
        h1->reading = READ_CLOSED;
        if (h1_request_begun(h1))
            return h1_conn_refuse(h1, 400, ended_in_head);
        h1->writing = WRITE_CLOSED;
        return PX_OK;
    }
    if (PX_UNLIKELY(exchange_service_is_full(&h1->conn.session.server->service))) {
        /* Exchanges that ended in this tick are given back at its end: go on then. */
        conduit_recv_stop(&h1->conn.conduit);
        loop_task_add(h1->conn.session.server->loop, &h1->conn.session.wake);
        return PX_AGAIN;
    }
    struct h1_repeats *repeats = &h1->conn.session.server->h1_repeats;

    if (!h1->work) {
        const struct h1_parser *repeated = h1_repeat_find(repeats, head, left);

        if (repeated)
            return head_take(h1, repeated);
        if (work_take(h1) != PX_OK)
            return h1_conn_refuse(h1, 503, "no room for another request");
    }
    px_err err = h1_parse(&h1->work->parser, head, left);

    if (PX_LIKELY(err == PX_OK)) {
        h1_repeat_note(repeats, &h1->work->parser, head);
        return head_take(h1, &h1->work->parser);
    }
    if (err != PX_AGAIN) {
        err = h1_conn_refuse(h1, h1->work->parser.status, h1->work->parser.reason);
        h1->in_used = h1->in.len;
        return err;
    }
    if (h1->conn.peer_ended) {
        h1->reading = READ_CLOSED;
        return h1_conn_refuse(h1, 400, ended_in_head);
    }
    return PX_AGAIN;
}

/* The first bytes of a connection.  A whole preface is HTTP/2's and does not come here; a part of
 * one is waited for, and is HTTP/1 after all where the peer goes on differently, or ends. */
static px_err read_first(struct h1_conn *h1)
{
    px_str first = px_str_make(h1->in.ptr + h1->in_used, h1->in.len - h1->in_used);

    if (first.len == 0 && h1->conn.peer_ended && h1->reading == READ_PREFACE) {
        h1->reading = READ_CLOSED;
        return h1_conn_refuse(h1, 400, ended_in_head);
    }
    if (first.len == 0 && !h1->conn.peer_ended)
        return PX_AGAIN;
    if (PX_UNLIKELY(h1->conn.plain_on_tls)) {
        px_err err = h1_conn_refuse(h1, 400, "plain HTTP on a port for TLS");

        h1->in_used = h1->in.len;
        return err;
    }
    if (!h1->conn.peer_ended && h1_is_preface(h1, first) == PX_AGAIN) {
        h1->reading = READ_PREFACE;
        return PX_AGAIN;
    }
    h1->reading = READ_HEAD;
    return read_head(h1);
}

/* Whether the content is, or is going to be, more than its limit: a chunk says its size before it
 * comes.  What is left of the content of a request that was answered has the limit it had before.
 */
static bool content_too_large(const struct h1_conn *h1)
{
    const struct h1_body *body = &h1->work->body;
    uint64_t bytes_max = h1->exchange ? exchange_content_max(h1->exchange) : h1->work->bytes_max;

    return body->received > bytes_max || h1_body_announced(body) > bytes_max - body->received;
}

static const char too_large[] = "content too large";

static px_err content_refuse(struct h1_conn *h1, unsigned status, const char *reason)
{
    h1->in_used = h1->in.len;
    if (h1->exchange)
        return h1_conn_refuse(h1, status, reason);
    /* The answer is out already: nothing can be said any more. */
    h1->reading = READ_CLOSED;
    h1->writing = WRITE_CLOSED;
    h1->after = AFTER_LINGER;
    return PX_OK;
}

static void take_trailers(struct h1_conn *h1)
{
    px_field *fields = NULL;
    uint32_t count = 0;

    if (!h1->exchange || h1->work->body.trailer.len == 0)
        return;
    if (h1_body_trailers(&h1->work->body, exchange_arena(h1->exchange), &fields, &count) != PX_OK) {
        exchange_break(h1->exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return;
    }
    exchange_set_trailers(h1->exchange, fields, count);
}

/* Hands content over, the last of the bytes that were used; what its receiver does not use is shown
 * again, and the end of it all waits behind that. */
static px_err content_hand(struct h1_conn *h1, px_str content)
{
    struct h1_work *work = h1->work;
    size_t used = content.len;

    if (content.len > 0 && h1->exchange) {
        px_err err = exchange_receive(h1->exchange, content, &used);

        if (err != PX_OK)
            return err == PX_ERR_LIMIT ? content_refuse(h1, 413, too_large)
                                       : content_refuse(h1, 503, "out of memory");
        work->held += (uint32_t)(content.len - used);
        h1->in_used -= content.len - used;
    }
    if (work->over && work->held == 0 && h1->reading == READ_CONTENT &&
        (!h1->exchange || exchange_takes_content(h1->exchange))) {
        take_trailers(h1);
        content_end(h1);
    }
    return PX_OK;
}

/* Content that was read before and not used: it lies at the front of the bytes at hand. */
static px_err read_held(struct h1_conn *h1, px_str bytes)
{
    struct h1_work *work = h1->work;
    size_t count = work->held < bytes.len ? work->held : bytes.len;

    if (work->held > 0 && count == 0)
        return PX_AGAIN; /* it comes from the loop */
    work->held -= (uint32_t)count;
    h1->in_used += count;
    return content_hand(h1, px_str_make(bytes.ptr, count));
}

static px_err read_content(struct h1_conn *h1)
{
    px_str bytes = px_str_make(h1->in.ptr + h1->in_used, h1->in.len - h1->in_used);
    px_str content = px_str_make(NULL, 0);
    size_t used = 0;

    if (h1->exchange && !exchange_takes_content(h1->exchange))
        return PX_AGAIN;
    if (PX_UNLIKELY(h1->work->held > 0 || h1->work->over))
        return read_held(h1, bytes);
    if (bytes.len == 0) {
        if (!h1->conn.peer_ended)
            return h1_continue(h1);
        /* RFC 9112 section 8: incomplete */
        return content_refuse(h1, 400, "the peer ended within the content");
    }
    px_err err = h1_body_read(&h1->work->body, bytes, &used, &content);

    if (err != PX_OK && err != PX_AGAIN)
        return err == PX_ERR_MEMORY
                   ? content_refuse(h1, 503, "out of memory")
                   : content_refuse(h1, h1->work->body.status, h1->work->body.reason);
    h1->in_used += used;
    h1->expecting = false; /* it did not wait */
    if (content_too_large(h1))
        return content_refuse(h1, 413, too_large);
    h1->work->over = err == PX_OK;
    return content_hand(h1, content);
}

static px_err read_tunnel(struct h1_conn *h1)
{
    px_str bytes = px_str_make(h1->in.ptr + h1->in_used, h1->in.len - h1->in_used);

    if (!h1->exchange || !exchange_takes_tunnel(h1->exchange) || exchange_parts(h1->exchange))
        return PX_AGAIN;
    if (bytes.len == 0) {
        if (!h1->conn.peer_ended)
            return PX_AGAIN;
        h1->reading = READ_CLOSED;
        exchange_receive_end(h1->exchange);
        return PX_OK;
    }
    size_t used;
    px_err err = exchange_receive(h1->exchange, bytes, &used);

    h1->in_used += used;
    return err;
}

px_err h1_step_read(struct h1_conn *h1)
{
    switch ((enum h1_reading)h1->reading) {
    case READ_FIRST:
    case READ_PREFACE:
        return read_first(h1);
    case READ_HEAD:
        return read_head(h1);
    case READ_CONTENT:
        return read_content(h1);
    case READ_TUNNEL:
        return read_tunnel(h1);
    case READ_CLOSED:
        break;
    }
    return PX_AGAIN;
}
