/*
 * Bytes of a tunnel whose exchange has ended.
 *
 * Happy path: bytes come and are handed over, what the tunnel gives is pulled into a block and
 * leaves in one send, and when it has no more our side ends.  As in HTTP/1 every event ends up in
 * one driver, which is never re-entered.  What can go wrong: the tunnel is given up, a send fails,
 * memory for a block runs out; then the peer sees a reset.
 */
#include "server/tunnelled.h"

#include "exchange/tunnel.h"
#include "server/h1/h1.h"
#include "server/site/request.h"

enum { TUNNELLED_STEPS_PER_TICK = 256, TUNNELLED_ROOM_MIN = 2048 /* of a block, for a pull */ };

struct tunnelled {
    struct conn conn;
    struct tunnel *tunnel; /* borrowed: its owner's, until it was told its end */
    px_str in;             /* borrowed: the bytes at hand, while the driver runs */
    size_t in_used;
    uint32_t send_rate_min; /* as its request's route has settled */
    bool end_told;          /* that the peer has ended its side */
    bool over;              /* our side ends when the block is out */
    bool broken;            /* the tunnel was given up */
};

_Static_assert(sizeof(struct tunnelled) <= sizeof(struct h1_conn), "it lives in the same slot");

static struct tunnelled *tunnelled_of(struct session *session)
{
    return CONTAINER_OF(session, struct tunnelled, conn.session);
}

/* --- The driver ------------------------------------------------------------------------------- */

static bool wants_bytes(const struct tunnelled *self)
{
    return !self->conn.peer_ended && !self->over && !self->tunnel->is_paused;
}

static void rendered_out(struct tunnelled *self)
{
    struct conn *conn = &self->conn;

    if (!conn->out || conn->sending)
        return;
    if (conn->out->len == 0)
        conn_out_release(conn);
    else if (conn_send(conn, NULL) != PX_OK)
        CHECK(conn->sending);
}

/* Our side is over and out: the peer may have more to say, which is not looked at. */
static void finish(struct tunnelled *self)
{
    struct conn *conn = &self->conn;
    struct tunnel *tunnel = self->tunnel;

    self->tunnel = NULL;
    tunnel->events->end(tunnel);
    if (conn->peer_ended)
        session_close(&conn->session, PX_END_COMPLETE);
    else
        conn_linger(conn);
}

/* Nothing more can be done now. */
static void rest(struct tunnelled *self)
{
    struct conn *conn = &self->conn;

    rendered_out(self);
    if (self->over && !conn->sending) {
        finish(self);
        return;
    }
    if (wants_bytes(self))
        conduit_recv_start(&conn->conduit);
    else
        conduit_recv_stop(&conn->conduit);
    session_wait(&conn->session, WAIT_WORK);
}

/* PX_OK when something was done, PX_AGAIN when there is nothing to do now. */
static px_err step_write(struct tunnelled *self)
{
    struct conn *conn = &self->conn;
    size_t bytes = 0;

    if (conn->sending || self->over)
        return PX_AGAIN;
    if (conn->out && out_room(conn->out) < TUNNELLED_ROOM_MIN)
        return conn_send(conn, NULL);
    px_err err = self->tunnel->is_later ? PX_AGAIN : conn_out_take(conn);

    if (err != PX_OK)
        return err;
    px_pull pull =
        tunnel_ask(self->tunnel, conn->out->bytes + conn->out->len, out_room(conn->out), &bytes);

    conn->out->len += (uint32_t)bytes;
    switch (pull) {
    case PX_PULL_MORE:
        return PX_OK;
    case PX_PULL_LATER:
        return PX_AGAIN;
    case PX_PULL_END:
        self->over = true;
        return PX_AGAIN;
    case PX_PULL_ERROR:
        break;
    }
    return PX_ERR_CANCELLED;
}

static px_err step_read(struct tunnelled *self)
{
    px_str bytes = px_str_make(self->in.ptr + self->in_used, self->in.len - self->in_used);

    if (self->over || self->tunnel->is_paused)
        return PX_AGAIN;
    if (bytes.len > 0) {
        self->in_used += tunnel_feed(self->tunnel, bytes);
        return PX_OK;
    }
    if (!self->conn.peer_ended || self->end_told)
        return PX_AGAIN;
    self->end_told = true;
    self->tunnel->events->receive_end(self->tunnel);
    return PX_OK;
}

static void advance(struct tunnelled *self)
{
    struct conn *conn = &self->conn;
    struct session *session = &conn->session;
    uint32_t budget = TUNNELLED_STEPS_PER_TICK;

    if (conn->session.driving)
        return;
    conn->session.driving = true;
    for (; session->state == SESSION_OPEN; budget--) {
        if (budget == 0 || conn_turn_is_over(conn)) {
            /* Others go on first; bytes that are left bring no event of their own. */
            rendered_out(self);
            conduit_recv_stop(&conn->conduit);
            session_wait(session, WAIT_WORK);
            loop_task_add(session->server->loop, &session->wake);
            break;
        }
        px_err err = self->broken ? PX_ERR_CANCELLED : step_write(self);

        if (err == PX_AGAIN)
            err = step_read(self);
        if (err == PX_AGAIN) {
            rest(self);
            break;
        }
        if (err != PX_OK) {
            session->reset = true;
            session_close(session, err == PX_ERR_MEMORY ? PX_END_NO_MEMORY : PX_END_ABORTED);
        }
    }
    conn->session.driving = false;
}

/* --- Events ----------------------------------------------------------------------------------- */

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct tunnelled *self = context;

    (void)stream;
    if (PX_UNLIKELY(!conn_takes(&self->conn, bytes.len)))
        return bytes.len;
    self->in = bytes;
    self->in_used = 0;
    advance(self);
    size_t used = self->conn.session.state == SESSION_OPEN ? self->in_used : bytes.len;

    self->conn.kept = (uint32_t)(bytes.len - used);
    self->in = px_str_make(NULL, 0);
    self->in_used = 0;
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct tunnelled *self = context;

    (void)stream;
    self->conn.peer_ended = true;
    if (reason == PX_ERR_LIMIT || reason == PX_ERR_MEMORY)
        session_close(&self->conn.session, PX_END_NO_MEMORY);
    else if (reason != PX_OK || self->conn.session.state == SESSION_LINGERING)
        session_close(&self->conn.session, PX_END_PEER_GONE);
    else
        advance(self);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct tunnelled *self = context;

    (void)stream;
    if (conn_sent(&self->conn, result))
        advance(self);
}

static const px_stream_events tunnelled_events = {on_recv, on_recv_end, on_sent, conn_on_closed};

/* --- What the tunnel asks --------------------------------------------------------------------- */

static void transport_wake(struct tunnel *tunnel)
{
    struct tunnelled *self = tunnel->carrier;
    struct session *session = &self->conn.session;

    if (!self->conn.session.driving && session->state == SESSION_OPEN)
        loop_task_add(session->server->loop, &session->wake);
}

static void transport_reset(struct tunnel *tunnel)
{
    struct tunnelled *self = tunnel->carrier;

    self->broken = true;
    transport_wake(tunnel);
}

static bool transport_is_idle(const struct tunnel *tunnel)
{
    const struct tunnelled *self = tunnel->carrier;

    return !self->conn.sending && !self->conn.out && self->conn.session.state == SESSION_OPEN;
}

static const struct tunnel_transport tunnelled_transport = {transport_wake, transport_reset,
                                                            transport_is_idle};

/* --- The protocol ----------------------------------------------------------------------------- */

static void tunnelled_wake(struct session *session)
{
    advance(tunnelled_of(session));
}

static void tunnelled_open(struct session *session)
{
    struct conn *conn = conn_of(session);

    conduit_attach(&conn->conduit, &tunnelled_events, tunnelled_of(session));
    session_wait(session, WAIT_WORK);
    /* What came meanwhile is told from the loop, like all that comes. */
    loop_task_add(session->server->loop, &session->wake);
}

void tunnelled_begin(struct conn *conn, px_exchange *exchange)
{
    struct tunnelled *self = tunnelled_of(&conn->session);

    self->tunnel = exchange_part_take(exchange, &tunnelled_transport, self);
    self->in = px_str_make(NULL, 0);
    self->in_used = 0;
    self->send_rate_min = site_rules_of(exchange)->send_rate_min;
    self->end_told = self->over = self->broken = false;
    request_finish(&conn->session, exchange, PX_END_COMPLETE);
    session_speak(&conn->session, PROTOCOL_TUNNELLED);
}

static void tunnelled_abandon(struct session *session, px_end end)
{
    struct tunnelled *self = tunnelled_of(session);
    struct tunnel *tunnel = self->tunnel;

    (void)end;
    if (!self->conn.sending)
        conn_out_release(&self->conn);
    self->tunnel = NULL;
    if (tunnel)
        tunnel->events->end(tunnel);
}

static enum session_rate tunnelled_rate(const struct session *session)
{
    return CONTAINER_OF(session, const struct conn, session)->sending ? RATE_SENDING : RATE_NONE;
}

static uint32_t tunnelled_send_rate_min(const struct session *session)
{
    return CONTAINER_OF(session, const struct tunnelled, conn.session)->send_rate_min;
}

static bool tunnelled_cut_short(const struct session *session)
{
    return CONTAINER_OF(session, const struct tunnelled, conn.session)->tunnel != NULL;
}

static void tunnelled_drain(struct session *session)
{
    struct tunnelled *self = tunnelled_of(session);
    px_server *server = session->server;

    if (server->phase == SERVER_DRAINING && self->tunnel)
        self->tunnel->events->server_drain(self->tunnel, drain_place(server));
}

static void tunnelled_check(const struct session *session)
{
    const struct tunnelled *self = CONTAINER_OF(session, const struct tunnelled, conn.session);

    conn_check(&self->conn);
    ASSERT(self->tunnel || session->state != SESSION_OPEN);
    ASSERT(!self->tunnel || self->tunnel->carrier == self);
    ASSERT(!self->end_told || self->conn.peer_ended);
    ASSERT(self->in.len == 0 && self->in_used == 0);
}

const struct session_protocol tunnelled_protocol = {
    .carrier = &conn_carrier,
    .open = tunnelled_open,
    .wake = tunnelled_wake,
    .abandon = tunnelled_abandon,
    .send_rate_min = tunnelled_send_rate_min,
    .rate = tunnelled_rate,
    .cut_short = tunnelled_cut_short,
    .drain = tunnelled_drain,
    .check = tunnelled_check,
};
