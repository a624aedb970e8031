/*
 * The HTTP/2 driver: what happens on a connection, and in which order.
 *
 * Happy path: bytes arrive, the session is fed with them and calls handlers, answers that are ready
 * are given to the session, and all that it renders leaves in one send.  What can go wrong with one
 * request resets its stream; what can go wrong with the connection ends in the session's GOAWAY, or
 * in conn_close.
 */
#include "server/h2/h2.h"

/* Rounds of answering and sending in one turn; each sends a block. */
enum { ROUNDS_PER_TURN = 64 };

/* --- The driver ------------------------------------------------------------------------------- */

static void out_release(struct h2_conn *h2)
{
    if (h2->out)
        pool_put(&h2->conn.server->outs, h2->out);
    h2->out = NULL;
}

void h2_turn_count(struct h2_conn *h2, uint32_t bytes)
{
    uint32_t tick = (uint32_t)h2->conn.server->loop->tick;

    if (h2->turn_tick != tick) {
        h2->turn_tick = tick;
        h2->turn_bytes = 0;
    }
    h2->turn_bytes += bytes;
}

static bool turn_is_over(const struct h2_conn *h2)
{
    return h2->turn_bytes >= SEND_TURN_BYTES &&
           h2->turn_tick == (uint32_t)h2->conn.server->loop->tick;
}

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

    if (h2->sending || !h2_session_has_output(h2->session))
        return PX_AGAIN;
    if (!h2->out)
        h2->out = pool_take(&conn->server->outs);
    if (!h2->out)
        return PX_ERR_MEMORY;
    h2->out->len = (uint32_t)h2_session_render(h2->session, h2->out->bytes, OUT_BYTES);
    if (h2->out->len == 0) {
        out_release(h2);
        return PX_AGAIN;
    }
    h2_turn_count(h2, h2->out->len);
    h2->out->parts[0] = (px_part){.bytes = px_str_make(h2->out->bytes, h2->out->len)};
    h2->out->part_count = 1;
    h2->sending = conduit_send(&conn->conduit, h2->out->parts, 1) == PX_SENT_PENDING;
    if (h2->sending)
        return PX_AGAIN;
    out_release(h2);
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

    if (h2->driving || !h2->session || conn->state != CONN_OPEN)
        return;
    h2->driving = true;
    for (uint32_t round = 0; err == PX_OK || !list_empty(&h2->ready); round++) {
        if (round == ROUNDS_PER_TURN || turn_is_over(h2)) {
            loop_task_add(conn->server->loop, &conn->wake);
            break;
        }
        answer_ready_ones(h2);
        err = send_block(h2);
        if (err != PX_OK && err != PX_AGAIN) {
            conn_close(conn, PX_END_NO_MEMORY);
            break;
        }
    }
    h2->driving = false;
    if (conn->state == CONN_OPEN)
        h2_rest(h2);
}

void h2_note(struct h2_request *request)
{
    struct h2_conn *h2 = request->h2;

    if (!list_linked(&request->ready))
        list_append(&h2->ready, &request->ready);
    /* A connection that is closing waits for its last report alone. */
    if (!h2->driving && h2->conn.state == CONN_OPEN)
        loop_task_add(h2->conn.server->loop, &h2->conn.wake);
}

/* --- Events of the stream --------------------------------------------------------------------- */

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct h2_conn *h2 = context;
    struct conn *conn = &h2->conn;
    size_t fresh = bytes.len - conn->kept;

    (void)stream;
    conn->kept = 0;
    conn->received += (uint32_t)fresh;
    conn->server->counters.bytes_received += fresh;
    if (PX_UNLIKELY(conn->state == CONN_LINGERING)) {
        if (conn->received > LINGER_BYTES_MAX)
            conn_close(conn, PX_END_COMPLETE);
        return bytes.len;
    }
    h2->heard = true;
    /* Handlers are called from here: what they answer is picked up below. */
    h2->driving = true;
    h2_session_feed(h2->session, conn->server->loop->now_ms, bytes);
    h2->driving = false;
    h2_advance(h2);
    return bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct h2_conn *h2 = context;

    (void)stream;
    h2->peer_ended = true;
    if (reason != PX_OK || h2->conn.state == CONN_LINGERING) {
        conn_close(&h2->conn, PX_END_PEER_GONE);
        return;
    }
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
    h2->sending = false;
    out_release(h2);
    if (h2->conn.state == CONN_CLOSING) {
        h2_protocol.abandon(&h2->conn, (px_end)h2->conn.end);
        return;
    }
    if (result != PX_OK) {
        h2->conn.reset = true; /* what was in flight is cut short */
        conn_close(&h2->conn, result == PX_ERR_CLOSED ? PX_END_PEER_GONE : PX_END_ABORTED);
        return;
    }
    if (h2->rendered_count > 0)
        block_is_out(h2);
    h2_advance(h2);
}

static void on_closed(px_stream *stream, void *context)
{
    struct h2_conn *h2 = context;

    (void)stream;
    conn_freed(&h2->conn);
}

const px_stream_events h2_stream_events = {on_recv, on_recv_end, on_sent, on_closed};

/* --- Events of the exchange ------------------------------------------------------------------- */

static void transport_note(px_exchange *exchange)
{
    h2_note(exchange->carrier);
}

static void transport_credit(px_exchange *exchange)
{
    struct h2_request *request = exchange->carrier;

    request->asked = false; /* what it was asked for begins anew */
    h2_note(request);
}

static void transport_reset(px_exchange *exchange)
{
    struct h2_request *request = exchange->carrier;

    request->broken = true;
    h2_note(request);
}

static void transport_inform(px_exchange *exchange, unsigned status, px_str name, px_str value)
{
    struct h2_request *request = exchange->carrier;

    h2_session_inform(request->h2->session, &request->stream, status, name, value);
    h2_note(request);
}

static struct conn *transport_conn(const px_exchange *exchange)
{
    const struct h2_request *request = exchange->carrier;

    return &request->h2->conn;
}

const struct conn_transport h2_transport = {
    .exchange =
        {
            .send_head = transport_note,
            .send_content = transport_note,
            .give_credit = transport_credit,
            .reset = transport_reset,
            .inform = transport_inform,
            CONN_TRANSPORT_FACTS,
        },
    .conn = transport_conn,
};

const struct h2_events h2_session_events = {
    .begin = h2_begin,
    .request = h2_take_request,
    .refuse = h2_take_refusal,
    .content = h2_take_content,
    .content_end = h2_take_end,
    .pull = h2_pull,
    .trailers = h2_trailers,
    .sent = h2_rendered,
    .closed = h2_closed,
};
