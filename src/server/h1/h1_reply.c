/*
 * Answering on an HTTP/1 connection: heads and small content are rendered into the block, large
 * content is sent from where it lies.
 *
 * Happy path: one memcpy for what is the same for a second, one for the content, and the block
 * leaves with its neighbours in one send.  Framing is decided here: a length where it is known,
 * chunks for HTTP/1.1, the end of the connection for HTTP/1.0.
 */
#include <string.h>

#include "exchange/tunnel.h"
#include "server/h1/h1.h"
#include "server/site/refusal_text.h"
#include "server/site/request.h"

enum {
    PULL_BYTES_MIN = 2048, /* less room than this is not worth a pull */
    TRAILER_ROOM_MAX = OUT_BYTES / 2,
    LAST_CHUNK_BYTES = 5 /* "0\r\n" and "\r\n" */
};

/* --- The block -------------------------------------------------------------------------------- */

px_err h1_out_reserve_slow(struct h1_conn *h1, size_t room)
{
    if (h1->conn.sending)
        return PX_AGAIN;
    if (h1->conn.out && out_room(h1->conn.out) < room) {
        px_err err = conn_send(&h1->conn, NULL);

        if (err != PX_OK)
            return err;
    }
    if (conn_out_take(&h1->conn) != PX_OK)
        return PX_ERR_MEMORY;
    return room <= OUT_BYTES ? PX_OK : PX_ERR_LIMIT;
}

/* --- The head --------------------------------------------------------------------------------- */

/* Settles how the message is framed and whether the connection persists after it. */
static void reply_frame(struct h1_conn *h1, const px_exchange *exchange,
                        struct h1_response_head *head)
{
    bool tunnel = exchange_is_tunnel(exchange), head_only = exchange_head_only(exchange);

    head->upgrade = exchange_upgrade(exchange);
    head->length = exchange_length(exchange);
    head->has_length = exchange_has_length(exchange);
    bool known = head->length != PX_LENGTH_UNKNOWN;

    head->chunked = !known && !head_only && !tunnel && px_request_version(exchange) > 10;
    h1->chunked = head->chunked;
    if (h1->draining || exchange_close_after(exchange) || (!known && !head_only && !head->chunked))
        h1->after = AFTER_CLOSE;
    /* The peer was not told to go on: what it sends next is content, or is not. */
    if (h1->expecting)
        h1->after = AFTER_LINGER;
    if (tunnel) {
        head->connection =
            px_response_status(exchange) == 101 ? H1_CONNECTION_UPGRADE : H1_CONNECTION_KEEP;
    } else if (h1->after != AFTER_NEXT) {
        head->connection =
            head->upgrade.len > 0 ? H1_CONNECTION_CLOSE_UPGRADE : H1_CONNECTION_CLOSE;
    } else if (head->upgrade.len > 0) {
        head->connection = H1_CONNECTION_UPGRADE;
    } else {
        head->connection =
            px_request_version(exchange) > 10 ? H1_CONNECTION_KEEP : H1_CONNECTION_KEEP_ALIVE;
    }
}

static px_err reply_head(struct h1_conn *h1, px_exchange *exchange)
{
    px_server *server = h1->conn.session.server;
    struct h1_response_head head;

    if (PX_UNLIKELY(exchange_is_tunnel(exchange)) && h1->reading == READ_CONTENT)
        /* It could be read as either. */
        return h1_conn_refuse(h1, 400, "content in front of a tunnel");
    if (PX_LIKELY(exchange_answer_state(exchange) == ANSWER_READY)) {
        exchange_take_head(exchange);
        if (exchange_is_broken(exchange))
            return PX_OK; /* a filter broke it: the driver sees that next */
    }
    head.status = px_response_status(exchange);
    head.no_server = exchange_no_server(exchange);
    head.no_date = exchange_no_date(exchange);
    head.type = exchange_type(exchange);
    head.fields = exchange_fields(exchange, &head.field_count);
    reply_frame(h1, exchange, &head);
    px_err err = h1_out_reserve(h1, h1_head_room(&head));

    if (err != PX_OK)
        return err;
    char *start = h1->conn.out->bytes + h1->conn.out->len;

    h1_stamp_update(&server->stamp, server->loop->unix_time);
    h1->conn.out->len += (uint32_t)(h1_write_head(start, &head, &server->stamp) - start);
    if (server->options.on_log)
        exchange_set_mark_sent(exchange, conduit_sent_bytes(&h1->conn.conduit) + h1->conn.out->len);
    h1->writing = WRITE_CONTENT;
    if (PX_UNLIKELY(exchange_is_tunnel(exchange))) {
        h1->after = AFTER_CLOSE;
        h1->reading = READ_TUNNEL;
    }
    return PX_OK;
}

/* --- The content ------------------------------------------------------------------------------ */

/* All content is rendered or sent.  An exchange that wants to hear of the end waits until it is
 * out. */
static px_err reply_done(struct h1_conn *h1, px_exchange *exchange)
{
    if (exchange_tells_end(exchange) && h1->conn.out) {
        h1->writing = WRITE_LAST;
        return PX_OK;
    }
    h1_finish(h1, PX_END_COMPLETE);
    return PX_OK;
}

/* A file goes in windows, each looked up in the page cache before it may block the loop. */
static px_err reply_file(struct h1_conn *h1, px_exchange *exchange)
{
    px_part part;
    bool last = false;
    px_err err = exchange_file_next(exchange, &part, &last);

    if (err == PX_OK)
        err = h1_out_reserve(h1, 0);
    if (err != PX_OK)
        return err;
    err = conn_send(&h1->conn, &part);
    if (!last)
        return err; /* on_sent comes back here */
    if (err == PX_AGAIN)
        h1->writing = WRITE_LAST; /* on_sent ends the exchange */
    return err == PX_OK ? reply_done(h1, exchange) : err;
}

static px_err reply_direct(struct h1_conn *h1, px_exchange *exchange)
{
    if (exchange_is_file(exchange))
        return reply_file(h1, exchange);
    px_str bytes = exchange_take_bytes(exchange);
    px_part part = {.bytes = bytes};

    if (bytes.len <= OUT_COPY_BYTES_MAX) {
        px_err err = h1_out_reserve(h1, bytes.len);

        if (err != PX_OK)
            return err;
        if (bytes.len > 0)
            memcpy(h1->conn.out->bytes + h1->conn.out->len, bytes.ptr, bytes.len);
        h1->conn.out->len += (uint32_t)bytes.len;
        return reply_done(h1, exchange);
    }
    px_err err = h1_out_reserve(h1, 0);

    if (err != PX_OK)
        return err;
    err = conn_send(&h1->conn, &part);
    if (err == PX_AGAIN)
        h1->writing = WRITE_LAST; /* on_sent ends the exchange */
    return err == PX_OK ? reply_done(h1, exchange) : err;
}

static size_t trailer_room(const px_exchange *exchange)
{
    size_t room = LAST_CHUNK_BYTES;
    uint32_t count;
    const px_field *fields = exchange_trailers(exchange, &count);

    for (uint32_t index = 0; index < count; index++)
        room += fields[index].name.len + fields[index].value.len + 4;
    return room;
}

/* "0", the trailer section, and the empty line (RFC 9112 section 7.1). */
static char *write_last_chunk(char *out, const px_exchange *exchange)
{
    uint32_t count;
    const px_field *fields = exchange_trailers(exchange, &count);

    memcpy(out, "0\r\n", 3);
    out += 3;
    for (uint32_t index = 0; index < count; index++) {
        const px_field *field = &fields[index];

        memcpy(out, field->name.ptr, field->name.len);
        out += field->name.len;
        *out++ = ':';
        *out++ = ' ';
        memcpy(out, field->value.ptr, field->value.len);
        out += field->value.len;
        *out++ = '\r';
        *out++ = '\n';
    }
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static px_err reply_pull(struct h1_conn *h1, px_exchange *exchange)
{
    size_t frame = h1->chunked ? H1_CHUNK_HEAD_BYTES + 2 : 0;
    size_t tail = h1->chunked ? trailer_room(exchange) : 0;
    size_t bytes = 0;

    if (tail > TRAILER_ROOM_MAX)
        return PX_ERR_LIMIT;
    if (conn_filters_rest(&h1->conn, exchange))
        return PX_OK;
    px_err err = h1_out_reserve(h1, frame + tail + PULL_BYTES_MIN);

    if (err != PX_OK)
        return err;
    char *start = h1->conn.out->bytes + h1->conn.out->len;
    char *data = start + (h1->chunked ? H1_CHUNK_HEAD_BYTES : 0);
    px_pull pull =
        conn_pull(&h1->conn, exchange, data, out_room(h1->conn.out) - frame - tail, &bytes);

    if (bytes > 0 && pull != PX_PULL_ERROR) {
        char *end = data + bytes;

        if (h1->chunked) {
            h1_write_chunk_head(start, (uint32_t)bytes);
            *end++ = '\r';
            *end++ = '\n';
        }
        h1->conn.out->len += (uint32_t)(end - start);
    }
    switch (pull) {
    case PX_PULL_MORE:
        return PX_OK;
    case PX_PULL_LATER:
        if (h1->conn.out->len == 0)
            conn_out_release(&h1->conn);
        return PX_AGAIN;
    case PX_PULL_END:
        break;
    case PX_PULL_ERROR:
        return PX_ERR_MALFORMED;
    }
    if (h1->chunked) {
        /* A producer may have added trailers while it was asked. */
        if (trailer_room(exchange) > out_room(h1->conn.out))
            return PX_ERR_LIMIT;
        start = h1->conn.out->bytes + h1->conn.out->len;
        h1->conn.out->len += (uint32_t)(write_last_chunk(start, exchange) - start);
    }
    return reply_done(h1, exchange);
}

/* A chunk that leaves in part could not be called back: only what needs no frame goes so. */
size_t h1_offer(px_exchange *exchange, px_str bytes)
{
    struct h1_conn *h1 = exchange_carrier(exchange);
    struct conn *conn = &h1->conn;

    if (h1->writing != WRITE_CONTENT || h1->chunked || conn->sending ||
        (conn->out && conn->out->len > 0) || exchange_head_only(exchange))
        return 0;
    size_t sent = conduit_offer(&conn->conduit, bytes);

    if (sent > 0)
        conn_note_taken(conn);
    return sent;
}

/* Bytes of a tunnel, without framing.  When our side ends, so does the exchange. */
static px_err reply_tunnel(struct h1_conn *h1, px_exchange *exchange)
{
    size_t bytes = 0;

    if (exchange_parts(exchange)) {
        /* Not from here, where bytes may be at hand: h1_part does it when the head is out. */
        loop_task_add(h1->conn.session.server->loop, &h1->conn.session.wake);
        return PX_AGAIN;
    }
    px_err err = h1_out_reserve(h1, PULL_BYTES_MIN);

    if (err != PX_OK)
        return err;
    px_pull pull = exchange_pull(exchange, h1->conn.out->bytes + h1->conn.out->len,
                                 out_room(h1->conn.out), &bytes);

    h1->conn.out->len += (uint32_t)bytes;
    if (pull == PX_PULL_MORE)
        return PX_OK;
    if (pull == PX_PULL_ERROR)
        return PX_ERR_MALFORMED;
    if (h1->conn.out->len == 0)
        conn_out_release(&h1->conn);
    if (pull == PX_PULL_LATER)
        return PX_AGAIN;
    return reply_done(h1, exchange);
}

static const char *refusal_hint(const struct h1_conn *h1)
{
    return h1->conn.plain_on_tls ? "this port speaks TLS, ask it with https://" : NULL;
}

static px_err refusal_render(struct h1_conn *h1)
{
    px_err err = h1_out_reserve(h1, REFUSAL_BYTES);

    if (err != PX_OK)
        return err;
    char *out = refusal_write(h1->conn.session.server, h1->refusal, refusal_hint(h1),
                              h1->conn.out->bytes + h1->conn.out->len);

    h1->conn.out->len = (uint32_t)(out - h1->conn.out->bytes);
    h1->refusal = 0;
    h1->writing = WRITE_CLOSED;
    return PX_OK;
}

static px_err reply_content(struct h1_conn *h1, px_exchange *exchange)
{
    if (exchange_head_only(exchange))
        return reply_done(h1, exchange);
    if (exchange_is_direct(exchange))
        return reply_direct(h1, exchange);
    if (exchange_is_tunnel(exchange))
        return reply_tunnel(h1, exchange);
    return reply_pull(h1, exchange);
}

px_err h1_step_write(struct h1_conn *h1)
{
    px_exchange *exchange = h1->exchange;
    px_err err;

    if (h1->conn.sending)
        return PX_AGAIN;
    if (!exchange)
        return PX_UNLIKELY(h1->refusal) ? refusal_render(h1) : PX_AGAIN;
    switch ((enum h1_writing)h1->writing) {
    case WRITE_NOTHING:
        if (exchange_answer_state(exchange) == ANSWER_NONE) {
            /* A handler that asked to collect when the content had ended already. */
            exchange_tell_whole(exchange);
            return exchange_answer_state(exchange) == ANSWER_NONE ? PX_AGAIN : PX_OK;
        }
        err = reply_head(h1, exchange);
        if (err != PX_OK || h1->writing != WRITE_CONTENT)
            return err;
        return reply_content(h1, exchange);
    case WRITE_CONTENT:
        return reply_content(h1, exchange);
    case WRITE_LAST:
        if (h1->conn.out) {
            err = conn_send(&h1->conn, NULL);
            if (err != PX_OK)
                return err;
        }
        h1_finish(h1, PX_END_COMPLETE);
        return PX_OK;
    case WRITE_CLOSED:
        break;
    }
    return PX_AGAIN;
}

/* --- Without a handler ------------------------------------------------------------------------ */

px_err h1_continue(struct h1_conn *h1)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (!h1->expecting || !h1->exchange || exchange_answer_state(h1->exchange) != ANSWER_NONE)
        return PX_AGAIN;
    px_err err = h1_out_reserve(h1, sizeof(text));

    if (err != PX_OK)
        return err;
    h1->expecting = false;
    memcpy(h1->conn.out->bytes + h1->conn.out->len, text, sizeof(text) - 1);
    h1->conn.out->len += sizeof(text) - 1;
    return PX_OK;
}

void h1_inform(px_exchange *exchange, unsigned status, const px_field *fields, uint32_t field_count)
{
    struct h1_conn *h1 = exchange_carrier(exchange);

    /* Informational responses may be left out: not worth waiting for room. */
    if (h1_out_reserve(h1, 64 + h1_fields_room(fields, field_count)) != PX_OK)
        return;
    char *start = h1->conn.out->bytes + h1->conn.out->len;

    h1->conn.out->len += (uint32_t)(h1_write_inform(start, status, fields, field_count) - start);
    h1_transport.exchange.send_content(exchange);
}

/* What there is of a request that never became an exchange: since when, and its first bytes. */
static void refusal_see(const struct h1_conn *h1, struct request_refusal *refusal,
                        struct http_glimpse *glimpse)
{
    const struct session *session = &h1->conn.session;
    px_str head = h1->in.ptr ? px_str_make(h1->in.ptr + h1->in_used, h1->in.len - h1->in_used)
                             : conduit_kept(&h1->conn.conduit);

    refusal->since_ms =
        session->wait == WAIT_HEAD ? session->active_ms : session->server->loop->now_ms;
    if (!session->server->options.on_log)
        return;
    http_glimpse_read(head, glimpse);
    refusal->glimpse = glimpse;
}

px_err h1_conn_refuse(struct h1_conn *h1, unsigned status, const char *reason)
{
    struct request_refusal refusal = {.hint = refusal_hint(h1), .reason = reason, .status = status};
    struct http_glimpse glimpse;

    if (!h1->exchange)
        refusal_see(h1, &refusal, &glimpse);
    if (!request_refuse(&h1->conn.session, h1->exchange, &refusal))
        return PX_ERR_CANCELLED;
    if (h1->exchange)
        h1_finish(h1, request_refused_end(status));
    h1_work_release(h1);
    h1->refusal = (uint16_t)status; /* rendered when there is room for it */
    h1->after = AFTER_LINGER;
    h1->reading = READ_CLOSED;
    h1->writing = WRITE_NOTHING;
    return PX_OK;
}
