/*
 * Stream connections: what every protocol over a stream does alike.
 *
 * Happy path: a descriptor becomes a connection, bytes are counted and handed to the protocol, its
 * block leaves in one send, and when the stream has closed the session is freed.  What can go
 * wrong: a send that fails (what was in flight is cut short), a peer that never closes (lingering
 * is bounded in time, bytes and number).
 */
#include "server/session/conn.h"

#include <string.h>

#include "conduit/tls_conduit.h"
#include "server/session/overload.h"

void conn_peer_left(struct conn *conn)
{
    struct session *session = &conn->session;

    if (conn->left_ms != 0 || session->state != SESSION_OPEN)
        return;
    conn->left_ms = (uint32_t)session->server->loop->now_ms | 1; /* 0: it has not */
    if (session_protocol(session)->peer_left)
        session_protocol(session)->peer_left(session);
}

uint64_t conn_left_due(const struct conn *conn)
{
    const px_server *server = conn->session.server;
    uint64_t now_ms = server->loop->now_ms;

    /* While a send is in flight its rate decides. */
    if (conn->left_ms == 0 || conn->sending || server->options.half_close)
        return UINT64_MAX;
    /* Of the lower half: it may be a millisecond ahead. */
    return now_ms + (uint64_t)(int64_t)(int32_t)(conn->left_ms + PEER_END_MS - (uint32_t)now_ms);
}

static void on_left(px_stream *stream)
{
    conn_peer_left(CONTAINER_OF(stream, struct conn, stream));
}

void conn_init(struct conn *conn, px_server *server, const struct net_address *peer, int fd,
               bool eager)
{
    session_init(&conn->session, server, peer);
    stream_init(&conn->stream, server->loop, fd, eager);
    conduit_plain_init(&conn->conduit, &conn->stream);
    conn->stream.handle.flags |= STREAM_TELLS_LEFT;
    server->loop->on_left = on_left;
    conn->stream.inbox.max = server->options.head_bytes_max + RECV_CHUNK_BYTES;
    memset(&conn->out, 0, sizeof(*conn) - offsetof(struct conn, out));
}

void conn_begin(struct conn *conn)
{
    session_speak(&conn->session, conn->proxied ? PROTOCOL_PROXIED
                                                : (enum session_protocol_id)conn->first_protocol);
}

void conn_on_closed(px_stream *stream, void *context)
{
    struct conn *conn = context;

    (void)stream;
    session_freed(&conn->session);
}

/* --- Receiving -------------------------------------------------------------------------------- */

void conn_drop(struct conn *conn, size_t bytes)
{
    conn->session.received += (uint32_t)bytes;
    if (conn->session.received > LINGER_BYTES_MAX)
        session_close(&conn->session, PX_END_COMPLETE);
}

void conn_linger(struct conn *conn)
{
    struct session *session = &conn->session;
    px_server *server = session->server;

    if (session->state != SESSION_OPEN)
        return;
    if (server->linger_count >= LINGER_COUNT_MAX || server->options.linger_timeout_ms == PX_OFF) {
        session_close(session, PX_END_COMPLETE);
        return;
    }
    server->linger_count++;
    session->state = SESSION_LINGERING;
    stream_reopen(&conn->stream);
    conduit_shutdown(&conn->conduit);
    conduit_recv_stop(&conn->conduit);
    conduit_recv_start(&conn->conduit);
    session_wait(session, WAIT_LINGER);
    session->received = 0;
}

/* --- Sending ---------------------------------------------------------------------------------- */

px_err conn_out_take(struct conn *conn)
{
    px_server *server = conn->session.server;

    if (conn->out)
        return PX_OK;
    if (PX_UNLIKELY(overload_is_short(&server->blocks.outs) ||
                    (server->blocks.sealed && overload_is_short(server->blocks.sealed))))
        overload_relieve_outs(server);
    conn->out = pool_take(&server->blocks.outs);
    if (!conn->out)
        return PX_ERR_MEMORY;
    conn->out->len = 0;
    return PX_OK;
}

void conn_out_release(struct conn *conn)
{
    if (!conn->out)
        return;
    pool_put(&conn->session.server->blocks.outs, conn->out);
    conn->out = NULL;
}

px_err conn_send(struct conn *conn, const px_part *content)
{
    struct out *out = conn->out;

    conn_turn_count(conn, out->len);
    if (content)
        conn_turn_count(conn, content->bytes.ptr ? content->bytes.len : content->length);
    conn_note_taken(conn);
    out->part_count = 0;
    if (out->len > 0)
        out->parts[out->part_count++] = (px_part){.bytes = px_str_make(out->bytes, out->len)};
    if (content)
        out->parts[out->part_count++] = *content;
    conn->sending = conduit_send(&conn->conduit, out->parts, out->part_count) == PX_SENT_PENDING;
    if (conn->sending)
        return PX_AGAIN;
    conn_out_release(conn);
    return PX_OK;
}

bool conn_sent(struct conn *conn, px_err result)
{
    struct session *session = &conn->session;

    conn->sending = false;
    conn_out_release(conn);
    if (session->state == SESSION_CLOSING) {
        if (session_protocol(session)->abandon)
            session_protocol(session)->abandon(session, (px_end)session->end);
        return false;
    }
    if (result == PX_OK) {
        conn_note_taken(conn);
        return true;
    }
    session->reset = true; /* what was in flight is cut short */
    session_close(session, result == PX_ERR_CLOSED ? PX_END_PEER_GONE : PX_END_ABORTED);
    return false;
}

/* --- Turns ------------------------------------------------------------------------------------ */

static void turn_begin(struct conn *conn)
{
    uint32_t tick = (uint32_t)conn->session.server->loop->tick;

    if (conn->turn_tick == tick)
        return;
    conn->turn_tick = tick;
    conn->turn_bytes = 0;
    conn->turn_fed = 0;
}

void conn_turn_count(struct conn *conn, uint64_t bytes)
{
    turn_begin(conn);
    conn->turn_bytes += bytes < SEND_TURN_BYTES ? (uint32_t)bytes : SEND_TURN_BYTES;
}

void conn_work_count(struct conn *conn, uint32_t units)
{
    work_count(&conn->session.server->loop->work, units);
    /* A turn is over after WORK_CONN_MAX as after SEND_TURN_BYTES sent. */
    conn_turn_count(conn, (uint64_t)units * (SEND_TURN_BYTES / WORK_CONN_MAX));
}

bool conn_feed_count(struct conn *conn, uint32_t units)
{
    turn_begin(conn);
    work_count(&conn->session.server->loop->work, units);
    units += conn->turn_fed;
    conn->turn_fed = units < UINT16_MAX ? (uint16_t)units : UINT16_MAX;
    return units < WORK_CONN_MAX;
}

bool conn_filters_rest(struct conn *conn, const px_exchange *exchange)
{
    if (PX_LIKELY(!exchange_is_filtered(exchange)) ||
        !work_is_over(&conn->session.server->loop->work))
        return false;
    conn_turn_count(conn, SEND_TURN_BYTES);
    return true;
}

px_pull conn_pull(struct conn *conn, px_exchange *exchange, char *out, size_t room,
                  size_t *out_bytes)
{
    px_pull pull = exchange_pull(exchange, out, room, out_bytes);
    uint32_t work = exchange_take_work(exchange);

    _Static_assert(FILTER_TURN_BYTES / WORK_FILTER_BYTES == WORK_CONN_MAX, "a turn is a turn");
    conn_work_count(conn, work / WORK_FILTER_BYTES);
    return pull;
}

/* --- As a carrier ----------------------------------------------------------------------------- */

static const struct conn *const_conn_of(const struct session *session)
{
    return CONTAINER_OF(session, const struct conn, session);
}

static void carrier_close(struct session *session)
{
    conduit_close(&conn_of(session)->conduit);
}

static void carrier_reset(struct session *session)
{
    conduit_reset(&conn_of(session)->conduit);
}

static uint64_t carrier_sent_bytes(const struct session *session)
{
    return conduit_sent_bytes(&const_conn_of(session)->conduit);
}

static uint64_t carrier_acked_bytes(const struct session *session)
{
    return conduit_acked_bytes(&const_conn_of(session)->conduit);
}

static size_t carrier_local(const struct session *session, char *out_text, size_t room)
{
    return px_stream_local(&const_conn_of(session)->stream, out_text, room);
}

static bool carrier_is_secure(const struct session *session)
{
    return conduit_is_tls(&const_conn_of(session)->conduit);
}

static size_t text_copy(const char *text, char *out_text, size_t room)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= room)
        return 0;
    memcpy(out_text, text ? text : "", len + 1);
    return len;
}

static size_t carrier_secure(const struct session *session, enum exchange_fact fact, char *out_text,
                             size_t room)
{
    if (!carrier_is_secure(session))
        return 0;
    const struct tls_session *tls = &tls_conduit_of(&const_conn_of(session)->conduit)->session;

    switch (fact) {
    case FACT_SERVER_NAME:
        return text_copy(tls->name, out_text, room);
    case FACT_CLIENT_SUBJECT:
        return tls_session_subject(tls, out_text, room);
    case FACT_TLS_VERSION:
        return text_copy(tls_session_version(tls), out_text, room);
    case FACT_TLS_CIPHER:
        return text_copy(tls_session_cipher(tls), out_text, room);
    case FACT_TLS_RESUMED:
        return text_copy(tls->resumed ? "true" : "false", out_text, room);
    }
    return 0;
}

static bool carrier_serves(const struct session *session, px_str host)
{
    return !carrier_is_secure(session) ||
           tls_session_serves(&tls_conduit_of(&const_conn_of(session)->conduit)->session, host);
}

const struct session_carrier conn_carrier = {
    .close = carrier_close,
    .reset = carrier_reset,
    .sent_bytes = carrier_sent_bytes,
    .acked_bytes = carrier_acked_bytes,
    .local = carrier_local,
    .is_secure = carrier_is_secure,
    .secure = carrier_secure,
    .serves = carrier_serves,
};
