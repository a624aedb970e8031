/*
 * What must hold of sessions, of connections, and of the server that counts them, between two
 * ticks; compiled for tests alone to be looked at.
 */
#include "conduit/tls_conduit.h"
#include "server/session/conn.h"
#include "server/session/overload.h"

static void rate_check(const struct session *session)
{
    ASSERT(session->rate <= RATE_SENDING && session->rate_window <= RATE_SENDING);
    ASSERT(session->rate == RATE_NONE || session->wait == WAIT_WORK);
    ASSERT(session->rate == RATE_NONE || session->rate == session->rate_window);
    ASSERT(session->rate_since_ms <= session->server->loop->now_ms);
    ASSERT(session->mark_sent <= session_carrier(session)->sent_bytes(session));
}

/* Else it would wait for longer, or for ever. */
static void wait_check(const struct session *session)
{
    const px_server *server = session->server;
    uint32_t wait_ms = session_wait_ms(&server->options, (enum session_wait)session->wait);

    if (session->state == SESSION_CLOSING || wait_ms == PX_OFF)
        return;
    ASSERT(list_linked(&session->deadline.node));
    ASSERT(session->deadline.due_ms <= server->loop->now_ms + wait_ms);
}

void session_check(const struct session *session)
{
    const px_server *server = session->server;

    ASSERT(session->item.generation & 1);
    ASSERT(session->state <= SESSION_CLOSING);
    ASSERT(session->wait <= WAIT_NONE);
    ASSERT(session->protocol < PROTOCOL_COUNT && server->protocols[session->protocol]);
    ASSERT(session->redirect <= server->redirects.count);
    ASSERT(session->active_ms <= server->loop->now_ms);
    ASSERT(session->state != SESSION_CLOSING || session->wait == WAIT_NONE ||
           session->wait == WAIT_LINGER);
    ASSERT(session->state != SESSION_CLOSING || !list_linked(&session->wake.node));
    ASSERT(session->wait != WAIT_NONE || session->state != SESSION_CLOSING ||
           !list_linked(&session->deadline.node));
    ASSERT(!session->reset || session->state == SESSION_CLOSING);
    ASSERT(session->wake.run);
    rate_check(session);
    wait_check(session);
    if (session_protocol(session)->check)
        session_protocol(session)->check(session);
}

static void conn_out_check(const struct conn *conn)
{
    const struct out *out = conn->out;

    if (!out)
        return;
    ASSERT(out->item.generation & 1);
    ASSERT(out->len <= OUT_BYTES);
    ASSERT(!conn->sending || (out->part_count > 0 && out->part_count <= 2));
}

void conn_check(const struct conn *conn)
{
    const px_server *server = conn->session.server;

    ASSERT(conn->conduit.ops && conn->conduit.below);
    ASSERT(!conn->session.driving);
    ASSERT(!conn->sending || conn->out);
    ASSERT(conn->first_protocol < PROTOCOL_COUNT);
    ASSERT(conn->secure == 0 || server->tls);
    ASSERT(conduit_is_tls(&conn->conduit) || conn->conduit.below == &conn->stream);
    ASSERT(conn->kept <= conn->stream.inbox.max || conduit_is_tls(&conn->conduit));
    ASSERT(conn->stream.handle.loop == server->loop);
    conn_out_check(conn);
    stream_check(&conn->stream);
}

/* What a walk over all sessions counts. */
struct session_census {
    uint32_t open, idle, head, lingering, closing, refusing;
    uint32_t outs;
};

static void session_count(void *object, void *context)
{
    const struct session *session = object;
    struct session_census *census = context;

    session_check(session);
    census->open++;
    census->idle += session->wait == WAIT_IDLE;
    census->head += session->wait == WAIT_HEAD || session->wait == WAIT_HANDSHAKE;
    census->lingering += session->state == SESSION_LINGERING;
    census->closing += session->state == SESSION_CLOSING;
    census->refusing += session->state == SESSION_OPEN && session->protocol == PROTOCOL_REFUSAL;
    census->outs += CONTAINER_OF(session, const struct conn, session)->out != NULL;
}

void server_check(px_server *server)
{
    struct session_census census = {0};

    pool_check(&server->conns);
    pool_check(&server->works);
    pool_check(&server->blocks.outs);
    pool_check(&server->h2_requests);
    deadline_wheel_check(&server->deadlines);
    h1_repeats_check(&server->h1_repeats);
    drain_check(server);
    overload_check(server);
    exchange_service_check(&server->service);
    buf_check(&server->log.lines);
    (void)list_check(&server->unused);
    pool_each(&server->conns, session_count, &census);
    ASSERT(census.open == server->conn_count && census.open == server->conns.taken);
    ASSERT(census.idle == server->idle_count);
    ASSERT(census.head == server->head_count);
    ASSERT(census.lingering == server->linger_count && census.lingering <= LINGER_COUNT_MAX);
    ASSERT(census.closing == server->closing_count);
    ASSERT(census.refusing == server->refusing_count);
    ASSERT(census.outs == server->blocks.outs.taken);
    ASSERT(server->phase <= SERVER_DRAINED);
    ASSERT(server->listening.count <= LISTENERS_MAX);
    ASSERT(server->site);
}
