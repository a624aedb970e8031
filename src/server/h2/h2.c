/*
 * The HTTP/2 driver: what happens on a connection, and in which order.
 *
 * Happy path: bytes arrive, the session is fed with them and calls handlers, answers that are ready
 * are given to the session, and all that it renders leaves in one send.  What can go wrong with one
 * request resets its stream; what can go wrong with the connection ends in the session's GOAWAY, or
 * in conn_close.
 */
#include "server/h2/h2.h"

#include "server/session/overload.h"

/* Rounds of answering and sending in one turn; each sends a block. */
enum { ROUNDS_PER_TURN = 64 };

/* --- The driver ------------------------------------------------------------------------------- */

/* Requests whose answer was in the block that is out now. */
static void block_is_out(struct h2_conn *h2)
{
    for (struct list *at = h2->requests.next; at != &h2->requests;) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        at = at->next;
        if (!request->rendered)
            continue;
        if (request->exchange)
            h2_finish(request, PX_END_COMPLETE);
        if (request->stream.id == 0)
            h2_request_free(request, PX_END_COMPLETE);
    }
}

/* Renders a block and sends it: PX_OK when there may be more, PX_AGAIN when not, or not now. */
static px_err send_block(struct h2_conn *h2)
{
    struct conn *conn = &h2->conn;

    if (h2->conn.sending || !h2_session_has_output(h2->session))
        return PX_AGAIN;
    if (conn_out_take(conn) != PX_OK)
        return PX_ERR_MEMORY;
    h2->conn.out->len = (uint32_t)h2_session_render(h2->session, h2->conn.out->bytes, OUT_BYTES);
    if (h2->conn.out->len == 0) {
        conn_out_release(conn);
        return PX_AGAIN;
    }
    if (conn_send(conn, NULL) != PX_OK)
        return PX_AGAIN;
    if (h2->rendered_count > 0)
        block_is_out(h2);
    return PX_OK;
}

/* Answers that are ready go to the session; content that was held goes to handlers. */
static void answer_ready_ones(struct h2_conn *h2)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &h2->ready);
    while (!list_empty(&now)) {
        struct h2_request *request = LIST_ENTRY(now.next, struct h2_request, ready);

        list_remove(&request->ready);
        h2_read_step(request);
        h2_reply_step(request);
    }
}

void h2_advance(struct h2_conn *h2)
{
    struct conn *conn = &h2->conn;
    px_err err = PX_OK;

    if (h2->conn.session.driving || !h2->session || conn->session.state != SESSION_OPEN)
        return;
    h2->conn.session.driving = true;
    for (uint32_t round = 0; err == PX_OK || !list_empty(&h2->ready); round++) {
        if (round == ROUNDS_PER_TURN || conn_turn_is_over(conn)) {
            loop_task_add(conn->session.server->loop, &conn->session.wake);
            break;
        }
        answer_ready_ones(h2);
        err = send_block(h2);
        if (err != PX_OK && err != PX_AGAIN) {
            session_close(&conn->session, PX_END_NO_MEMORY);
            break;
        }
    }
    h2->conn.session.driving = false;
    if (conn->session.state == SESSION_OPEN)
        h2_rest(h2);
}

void h2_note(struct h2_request *request)
{
    struct h2_conn *h2 = request->h2;

    if (!list_linked(&request->ready))
        list_append(&h2->ready, &request->ready);
    /* A connection that is closing waits for its last report alone. */
    if (!h2->conn.session.driving && h2->conn.session.state == SESSION_OPEN)
        loop_task_add(h2->conn.session.server->loop, &h2->conn.session.wake);
}

/* --- Events of the stream --------------------------------------------------------------------- */

/* Feeds the session as long as its turn lasts: some bytes make much work.  Handlers are called from
 * here, and what they answer is picked up by the driver. */
static size_t feed(struct h2_conn *h2, px_str bytes)
{
    struct conn *conn = &h2->conn;
    size_t used = 0;

    conn->session.driving = true;
    if (PX_UNLIKELY(overload_memory_is_short(conn->session.server, BUDGET_SESSIONS)))
        overload_relieve_sessions(conn->session.server);
    while (used < bytes.len && conn_feed_count(conn, h2_session_take_work(h2->session)))
        used += h2_session_feed(h2->session, conn->session.server->loop->now_ms,
                                px_str_make(bytes.ptr + used, bytes.len - used));
    conn->session.driving = false;
    return used;
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct h2_conn *h2 = context;
    struct conn *conn = &h2->conn;

    (void)stream;
    if (PX_UNLIKELY(!conn_takes(conn, bytes.len)))
        return bytes.len;
    h2->heard = true;
    size_t used = feed(h2, bytes);

    conn->kept = (uint32_t)(bytes.len - used);
    h2->behind = used < bytes.len;
    h2_advance(h2);
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct h2_conn *h2 = context;

    (void)stream;
    h2->conn.peer_ended = true;
    if (reason != PX_OK || h2->conn.session.state == SESSION_LINGERING) {
        session_close(&h2->conn.session, PX_END_PEER_GONE);
        return;
    }
    conn_peer_left(&h2->conn);
    /* What was asked is still answered; what was not asked whole never will be. */
    for (struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (!request->stream.remote_ended)
            h2_session_reset(h2->session, &request->stream, H2_CANCEL);
    }
    h2_advance(h2);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct h2_conn *h2 = context;

    (void)stream;
    if (!conn_sent(&h2->conn, result))
        return;
    if (h2->rendered_count > 0)
        block_is_out(h2);
    h2_advance(h2);
}

const px_stream_events h2_stream_events = {on_recv, on_recv_end, on_sent, conn_on_closed};

/* --- Events of the exchange ------------------------------------------------------------------- */

static void transport_note(px_exchange *exchange)
{
    h2_note(exchange_carrier(exchange));
}

static void transport_credit(px_exchange *exchange)
{
    struct h2_request *request = exchange_carrier(exchange);

    request->asked = false; /* what it was asked for begins anew */
    h2_note(request);
}

static void transport_reset(px_exchange *exchange)
{
    struct h2_request *request = exchange_carrier(exchange);

    request->broken = true;
    h2_note(request);
}

static void transport_inform(px_exchange *exchange, unsigned status, const px_field *fields,
                             uint32_t field_count)
{
    struct h2_request *request = exchange_carrier(exchange);

    h2_session_inform(request->h2->session, &request->stream, status, fields, field_count);
    h2_note(request);
}

static struct session *transport_session(const px_exchange *exchange)
{
    const struct h2_request *request = exchange_carrier(exchange);

    return &request->h2->conn.session;
}

/* RFC 9113 section 5.2: a stream may wait for its window, whatever becomes of the connection. */
static uint64_t transport_acked(px_exchange *exchange)
{
    const struct h2_request *request = exchange_carrier(exchange);

    return h2_session_is_stalled(request->h2->session, &request->stream)
               ? UINT64_MAX
               : session_tell_acked(exchange);
}

static uint64_t transport_open_since(const px_exchange *exchange)
{
    const struct h2_request *request = exchange_carrier(exchange);
    const struct h2_conn *h2 = request->h2;
    uint64_t now_ms = h2->conn.session.server->loop->now_ms;

    uint32_t open_ms = 0;

    if (request->held.len > 0 || !h2_session_is_open(h2->session, &open_ms))
        return UINT64_MAX;
    return now_ms - (uint32_t)((uint32_t)now_ms - open_ms);
}

const struct session_transport h2_transport = {
    .exchange =
        {
            .send_head = transport_note,
            .send_content = transport_note,
            .give_credit = transport_credit,
            .reset = transport_reset,
            .inform = transport_inform,
            .acked = transport_acked,
            .open_since = transport_open_since,
            SESSION_TRANSPORT_FACTS,
        },
    .session = transport_session,
};

static void gave_way(void *context)
{
    struct h2_conn *h2 = context;

    h2->conn.session.server->count.cells->shed++;
    if (h2->conn.session.state == SESSION_OPEN)
        loop_task_add(h2->conn.session.server->loop, &h2->conn.session.wake);
}

const struct h2_events h2_session_events = {
    .begin = h2_begin,
    .request = h2_take_request,
    .refuse = h2_take_refusal,
    .content = h2_take_content,
    .content_end = h2_take_end,
    .pull = h2_pull,
    .trailers = h2_trailers,
    .sent = h2_rendered,
    .gave_way = gave_way,
    .closed = h2_closed,
};
