/*
 * The HTTP/1 driver: what happens on a connection, in which order, and how it ends.
 *
 * Happy path: bytes arrive, h1_advance reads a head, the handler answers, the answer is rendered
 * into the block, the next head is read from the same bytes, and when they are used up the block
 * leaves in one send.  What can go wrong ends in conn_close, or in h1_refuse where the peer can
 * still be told.
 */
#include "server/h1/h1.h"

#include <string.h>

#include "exchange/tunnel.h"
#include "server/site/request.h"
#include "server/tunnelled.h"

/* How exchanges end when a step fails. */
static px_end h1_end_of(px_err err)
{
    if (err == PX_ERR_MEMORY || err == PX_ERR_LIMIT)
        return PX_END_NO_MEMORY;
    if (err == PX_ERR_CLOSED)
        return PX_END_PEER_GONE;
    return PX_END_ABORTED;
}

static bool h1_is_idle(const struct session *session)
{
    const struct h1_conn *h1 = CONTAINER_OF(session, const struct h1_conn, conn.session);

    return !h1->exchange && !h1->conn.out && !h1->refusal && !h1_request_begun(h1);
}

/* --- The driver ------------------------------------------------------------------------------- */

/* The last answer is out: close at once when the request was read whole, else linger. */
static void h1_end(struct h1_conn *h1)
{
    struct conn *conn = &h1->conn;

    if (h1->conn.peer_ended || (h1->after != AFTER_LINGER && h1->in_used == h1->in.len &&
                                conduit_is_drained(&conn->conduit)))
        session_close(&conn->session, PX_END_COMPLETE);
    else
        conn_linger(conn);
}

/* Sends what is rendered, as far as it can be sent now. */
static void rendered_send(struct h1_conn *h1)
{
    if (h1->conn.out && !h1->conn.sending && conn_send(&h1->conn, NULL) != PX_OK)
        CHECK(h1->conn.sending);
}

/* Nothing more can be done now: sends what is rendered, and says what is waited for. */
static void h1_rest(struct h1_conn *h1)
{
    struct conn *conn = &h1->conn;

    rendered_send(h1);
    /* An answer that was rendered before the drain began did not say that it is the last; the peer
     * has the drain's grace to send another request. */
    if (h1->draining && conn->session.server->drain.ends_idle && h1_is_idle(&conn->session) &&
        h1->in_used == h1->in.len && conduit_is_drained(&conn->conduit))
        h1->writing = WRITE_CLOSED;
    if (h1->writing == WRITE_CLOSED && !h1->conn.sending) {
        h1_end(h1);
        return;
    }
    if (h1_wants_bytes(h1))
        conduit_recv_start(&conn->conduit);
    else
        conduit_recv_stop(&conn->conduit);
    if (h1->exchange || h1->conn.sending)
        session_wait(&conn->session, WAIT_WORK);
    else if (!h1_request_begun(h1))
        session_wait(&conn->session, WAIT_IDLE);
    else if (h1->work && h1->work->content)
        session_wait(&conn->session, WAIT_WORK);
    else if (conn->session.wait != WAIT_HEAD)
        session_wait(&conn->session, WAIT_HEAD);
}

/* The exchange asked for a reset.  Answers before it are whole and go out first. */
static px_err h1_break(struct h1_conn *h1)
{
    if (h1->exchange && exchange_answer_state(h1->exchange) < ANSWER_TAKEN) {
        if (h1->conn.sending)
            return PX_AGAIN;
        if (h1->conn.out && conn_send(&h1->conn, NULL) == PX_AGAIN)
            return PX_AGAIN;
    }
    return PX_ERR_CANCELLED;
}

void h1_advance(struct h1_conn *h1)
{
    struct conn *conn = &h1->conn;
    uint32_t budget = conn->session.server->options.pipeline_count_max * H1_STEPS_PER_REQUEST;

    if (h1->conn.session.driving)
        return;
    h1->conn.session.driving = true;
    for (; conn->session.state == SESSION_OPEN; budget--) {
        if (budget == 0 || conn_turn_is_over(conn)) {
            /* Others go on first; bytes that are left bring no event of their own. */
            conduit_recv_stop(&conn->conduit);
            session_wait(&conn->session, WAIT_WORK);
            loop_task_add(conn->session.server->loop, &conn->session.wake);
            break;
        }
        px_err err = h1->broken ? h1_break(h1) : h1_step_write(h1);

        if (err == PX_AGAIN && !h1->broken)
            err = h1_step_read(h1);
        if (err == PX_AGAIN) {
            h1_rest(h1);
            break;
        }
        if (err != PX_OK) {
            conn->session.reset = true;
            /* What is rendered goes out as far as it can: answers before this one are whole. */
            rendered_send(h1);
            session_close(&conn->session, h1_end_of(err));
        }
    }
    h1->conn.session.driving = false;
}

/* --- Events of the stream --------------------------------------------------------------------- */

/* The first bytes are HTTP/2's: they are shown again, to the protocol that knows them. */
static size_t speak_h2(struct h1_conn *h1, px_str bytes)
{
    struct conn *conn = &h1->conn;

    conduit_recv_stop(&conn->conduit);
    session_speak(&conn->session, PROTOCOL_H2);
    conn->kept = (uint32_t)bytes.len; /* they are counted */
    return 0;
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct h1_conn *h1 = context;

    (void)stream;
    if (PX_UNLIKELY(!conn_takes(&h1->conn, bytes.len)))
        return bytes.len;
    if (PX_UNLIKELY(h1->reading <= READ_PREFACE) && !h1->conn.plain_on_tls &&
        h1_is_preface(h1, bytes) == PX_OK)
        return speak_h2(h1, bytes);
    h1->in = bytes;
    h1->in_used = 0;
    h1_advance(h1);
    size_t used = h1->in_used;

    h1->conn.kept = (uint32_t)(bytes.len - used);
    h1->in = px_str_make(NULL, 0);
    h1->in_used = 0;
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct h1_conn *h1 = context;

    (void)stream;
    if ((reason == PX_ERR_LIMIT || reason == PX_ERR_MEMORY) &&
        h1->conn.session.state == SESSION_OPEN) {
        /* The inbox is full for the whole loop: this one must go, with a word where one is due; an
         * answer to nothing would be taken for the next request's.  It lingers after that: what was
         * not read would turn a close into a reset, which can overtake the answer. */
        h1->reading = READ_CLOSED;
        if (!h1->exchange && h1_request_begun(h1) &&
            h1_conn_refuse(h1, 503, "no room for what the peer sent") == PX_OK)
            h1_advance(h1);
        else
            session_close(&h1->conn.session, PX_END_NO_MEMORY);
        return;
    }
    h1->conn.peer_ended = true;
    if (reason != PX_OK || h1->conn.session.state == SESSION_LINGERING) {
        session_close(&h1->conn.session, PX_END_PEER_GONE);
        return;
    }
    conn_peer_left(&h1->conn);
    h1_advance(h1);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct h1_conn *h1 = context;

    (void)stream;
    if (!conn_sent(&h1->conn, result))
        return;
    if (h1->writing == WRITE_LAST)
        h1_finish(h1, PX_END_COMPLETE);
    h1_advance(h1);
}

static const px_stream_events h1_stream_events = {on_recv, on_recv_end, on_sent, conn_on_closed};

/* A tunnel that needs no exchange goes on without: that ends here, as one that was answered. */
static bool h1_part(struct h1_conn *h1)
{
    px_exchange *exchange = h1->exchange;

    if (!exchange || h1->reading != READ_TUNNEL || h1->conn.sending || h1->conn.out || h1->broken ||
        !exchange_parts(exchange))
        return false;
    conduit_recv_stop(&h1->conn.conduit);
    h1->exchange = NULL;
    h1_work_release(h1);
    tunnelled_begin(&h1->conn, exchange);
    return true;
}

static void h1_wake(struct session *session)
{
    struct h1_conn *h1 = h1_of(session);

    if (!h1_part(h1))
        h1_advance(h1);
}

/* --- Events of the exchange ------------------------------------------------------------------- */

static void h1_note(px_exchange *exchange)
{
    struct h1_conn *h1 = exchange_carrier(exchange);

    /* A connection that is closing waits for its last report alone. */
    if (!h1->conn.session.driving && h1->conn.session.state == SESSION_OPEN)
        loop_task_add(h1->conn.session.server->loop, &h1->conn.session.wake);
}

static void transport_reset(px_exchange *exchange)
{
    struct h1_conn *h1 = exchange_carrier(exchange);

    h1->broken = true;
    h1_note(exchange);
}

static struct session *transport_session(const px_exchange *exchange)
{
    struct h1_conn *h1 = exchange_carrier(exchange);

    return &h1->conn.session;
}

const struct session_transport h1_transport = {
    .exchange =
        {
            .send_head = h1_note,
            .send_content = h1_note,
            .give_credit = h1_note,
            .reset = transport_reset,
            .offer = h1_offer,
            .inform = h1_inform,
            .acked = session_tell_acked,
            SESSION_TRANSPORT_FACTS,
        },
    .session = transport_session,
};

/* --- Beginning and end ------------------------------------------------------------------------ */

static void h1_open(struct session *session)
{
    struct conn *conn = conn_of(session);
    struct h1_conn *h1 = h1_of(session);

    memset(&h1->work, 0, sizeof(*h1) - offsetof(struct h1_conn, work));
    conduit_attach(&conn->conduit, &h1_stream_events, h1);
    conduit_recv_start(&conn->conduit);
    /* Its deadline is set at the end of the tick: most that bring their request are gone by then.
     */
    loop_task_add(session->server->loop, &session->wake);
}

static bool h1_cut_short(const struct session *session)
{
    const struct h1_conn *h1 = CONTAINER_OF(session, const struct h1_conn, conn.session);

    return h1->conn.out || (h1->exchange && exchange_answer_state(h1->exchange) == ANSWER_TAKEN);
}

void h1_finish(struct h1_conn *h1, px_end end)
{
    px_exchange *exchange = h1->exchange;

    h1->exchange = NULL;
    if (h1->work)
        h1->work->bytes_max = exchange_content_max(exchange);
    if (h1->writing == WRITE_CONTENT || h1->writing == WRITE_LAST) {
        h1->writing = h1->after == AFTER_NEXT ? WRITE_NOTHING : WRITE_CLOSED;
        /* What follows the last request is not looked at. */
        if (h1->after != AFTER_NEXT) {
            if (h1->reading == READ_CONTENT || h1->reading == READ_TUNNEL)
                h1->after = AFTER_LINGER;
            h1->reading = READ_CLOSED;
        }
    }
    request_finish(&h1->conn.session, exchange, end);
}

void h1_work_release(struct h1_conn *h1)
{
    if (!h1->work)
        return;
    if (h1->work->content)
        h1_body_deinit(&h1->work->body);
    pool_put(&h1->conn.session.server->works, h1->work);
    h1->work = NULL;
}

void h1_abandon(struct session *session, px_end end)
{
    struct h1_conn *h1 = h1_of(session);

    if (h1->conn.sending)
        return; /* the send uses the exchange's memory: on_sent comes first */
    if (h1->exchange) {
        h1->writing = WRITE_CLOSED;
        h1_finish(h1, end);
    }
    conn_out_release(&h1->conn);
    h1_work_release(h1);
}

static void h1_timeout(struct session *session)
{
    struct h1_conn *h1 = h1_of(session);

    /* RFC 9110 section 15.5.9: said where a request was begun and nothing is being sent. */
    if (session->wait == WAIT_HEAD ||
        (h1->exchange && exchange_answer_state(h1->exchange) == ANSWER_NONE &&
         h1->reading == READ_CONTENT && !h1->conn.sending)) {
        const char *reason =
            h1->exchange ? "the content did not come in time" : "the head did not come in time";

        if (h1_conn_refuse(h1, 408, reason) == PX_OK) {
            /* The deadline has gone off: a peer that does not read the answer needs another. */
            session_wait(session, WAIT_NONE);
            h1_advance(h1);
            return;
        }
    }
    session_close(session, PX_END_TIMEOUT);
}

/* Of a client that has left nothing took too long. */
static bool h1_overdue(struct session *session)
{
    const struct h1_conn *h1 = h1_of(session);

    if (!h1->exchange || !exchange_waits(h1->exchange) ||
        session->server->loop->now_ms < conn_left_due(&h1->conn))
        return true;
    session_close(session, PX_END_PEER_GONE);
    return false;
}

static enum session_rate h1_rate(const struct session *session)
{
    const struct h1_conn *h1 = CONTAINER_OF(session, const struct h1_conn, conn.session);

    if (h1->conn.sending)
        return RATE_SENDING;
    return h1->reading == READ_CONTENT && h1_wants_bytes(h1) ? RATE_RECEIVING : RATE_NONE;
}

static const px_exchange *h1_exchange(const struct session *session)
{
    return CONTAINER_OF(session, const struct h1_conn, conn.session)->exchange;
}

static uint64_t h1_total_due(const struct session *session)
{
    const struct h1_conn *h1 = CONTAINER_OF(session, const struct h1_conn, conn.session);

    if (!h1->exchange || exchange_is_tunnel(h1->exchange))
        return UINT64_MAX;
    uint32_t total_ms = site_rules_of(h1->exchange)->total_timeout_ms;
    uint64_t due_ms =
        total_ms == PX_OFF ? UINT64_MAX : exchange_started_ms(h1->exchange) + total_ms;
    uint64_t left_ms = exchange_waits(h1->exchange) ? conn_left_due(&h1->conn) : UINT64_MAX;

    return left_ms < due_ms ? left_ms : due_ms;
}

/* Its client has left, or has ended its side: the request that waits is told, and then has a time
 * of its own. */
static void h1_peer_left(struct session *session)
{
    struct h1_conn *h1 = h1_of(session);

    if (!h1->exchange)
        return;
    exchange_tell_peer_end(h1->exchange);
    if (session->state == SESSION_OPEN && session->wait == WAIT_WORK)
        session_wait(session, WAIT_WORK); /* its deadline has come nearer */
}

static void h1_drain(struct session *session)
{
    struct h1_conn *h1 = h1_of(session);

    h1->draining = true;
    if (h1->exchange)
        drain_tell(session->server, h1->exchange);
}

const struct session_protocol h1_protocol = {
    .carrier = &conn_carrier,
    .open = h1_open,
    .wake = h1_wake,
    .is_idle = h1_is_idle,
    .abandon = h1_abandon,
    .timeout = h1_timeout,
    .exchange = h1_exchange,
    .rate = h1_rate,
    .cut_short = h1_cut_short,
    .drain = h1_drain,
    .total_due = h1_total_due,
    .overdue = h1_overdue,
    .peer_left = h1_peer_left,
    .check = h1_check,
};
