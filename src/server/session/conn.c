/*
 * The life of connections: begun, waited for, lingering, closed, freed.
 *
 * Happy path: a descriptor comes from a listener, gets a slot of the pool, its protocol opens, the
 * peer closes, on_closed gives the slot back.  What can go wrong: no room (overload.c), a deadline,
 * a peer that never closes (lingering is bounded).
 */
#include "server/session/conn.h"

#include <string.h>

void conn_peer_keep(struct conn *conn, const struct net_address *address)
{
    struct conn_peer *peer = &conn->peer;

    memset(peer, 0, sizeof(*peer));
    peer->family = (uint8_t)address->socket.any.sa_family;
    if (peer->family == AF_INET) {
        peer->port = address->socket.v4.sin_port;
        memcpy(peer->address, &address->socket.v4.sin_addr, 4);
    } else if (peer->family == AF_INET6) {
        peer->port = address->socket.v6.sin6_port;
        memcpy(peer->address, &address->socket.v6.sin6_addr, 16);
    }
}

void conn_peer_address(const struct conn *conn, struct net_address *out_address)
{
    const struct conn_peer *peer = &conn->peer;

    memset(out_address, 0, sizeof(*out_address));
    out_address->socket.any.sa_family = peer->family;
    if (peer->family == AF_INET) {
        out_address->socket.v4.sin_port = peer->port;
        memcpy(&out_address->socket.v4.sin_addr, peer->address, 4);
    } else if (peer->family == AF_INET6) {
        out_address->socket.v6.sin6_port = peer->port;
        memcpy(&out_address->socket.v6.sin6_addr, peer->address, 16);
    }
}

size_t conn_peer_text(const struct conn *conn, bool with_port, char *out_text, size_t room)
{
    struct net_address address;

    conn_peer_address(conn, &address);
    return with_port ? address_format(&address, out_text, room)
                     : address_format_host(&address, out_text, room);
}

/* --- The beginning ---------------------------------------------------------------------------- */

void conn_init(struct conn *conn, px_server *server, int fd, bool eager)
{
    server->counters.accepted++;
    server->conn_count++;
    stream_init(&conn->stream, server->loop, fd, eager);
    conduit_plain_init(&conn->conduit, &conn->stream);
    conn->stream.inbox.max = server->options.head_bytes_max + RECV_CHUNK_BYTES;
    deadline_init(&conn->deadline);
    list_init(&conn->wake.node);
    conn->server = server;
    conn->active_ms = server->loop->now_ms;
    conn->mark_sent = 0;
    conn->received = 0;
    conn->kept = 0;
    conn->state = CONN_OPEN;
    conn->wait = WAIT_NONE;
    conn->rate = RATE_NONE;
    conn->end = PX_END_PEER_GONE;
    conn->reset = false;
    conn->plain_on_tls = false;
    conn->proxied_tls = false;
}

void conn_begin(struct conn *conn)
{
    conn_speak(conn, conn->proxied ? CONN_PROXIED : (enum conn_protocol_id)conn->first_protocol);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* Counts what was sent since this was last called. */
static void sent_count(struct conn *conn)
{
    uint64_t sent = conduit_sent_bytes(&conn->conduit);

    conn->server->counters.bytes_sent += sent - conn->mark_sent;
    conn->mark_sent = sent;
}

/* The window of a minimum rate: time in which nothing was asked of the peer does not count, so a
 * handler that pauses makes its peer neither late nor safe. */
static void rate_begin(struct conn *conn, enum conn_rate window)
{
    conn->rate_window = (uint8_t)window;
    conn->rate_ms = 0;
    conn->rate_since_ms = conn->server->loop->now_ms;
    conn->received = 0;
    sent_count(conn);
}

static uint64_t rate_elapsed_ms(const struct conn *conn)
{
    return conn->rate_ms +
           (conn->rate == RATE_NONE ? 0 : conn->server->loop->now_ms - conn->rate_since_ms);
}

/* What is asked of the peer has changed. */
static void rate_change(struct conn *conn, enum conn_rate rate)
{
    conn->rate_ms = (uint32_t)rate_elapsed_ms(conn);
    conn->rate_since_ms = conn->server->loop->now_ms;
    conn->rate = (uint8_t)rate;
    if (rate != RATE_NONE && rate != (enum conn_rate)conn->rate_window) {
        conn->mark_acked = UINT64_MAX;
        rate_begin(conn, rate);
    }
}

/* How long may be waited, or PX_OFF. */
static uint32_t wait_duration_ms(const px_server_options *options, enum conn_wait wait)
{
    switch (wait) {
    case WAIT_IDLE:
        return options->idle_timeout_ms;
    case WAIT_HEAD:
        return options->head_timeout_ms;
    case WAIT_WORK:
        return options->rate_window_ms;
    case WAIT_LINGER:
        return options->linger_timeout_ms;
    case WAIT_REFUSAL:
        return REFUSAL_TIMEOUT_MS;
    case WAIT_REFUSED:
        return REFUSAL_LINGER_MS;
    case WAIT_HANDSHAKE:
    case WAIT_NONE:
        break;
    }
    return PX_OFF;
}

void conn_wait(struct conn *conn, enum conn_wait wait)
{
    conn_wait_for(conn, wait, wait_duration_ms(&conn->server->options, wait));
}

void conn_wait_for(struct conn *conn, enum conn_wait wait, uint32_t duration_ms)
{
    px_server *server = conn->server;
    uint64_t now_ms = server->loop->now_ms;

    conn->active_ms = now_ms;
    if (conn->wait == wait && wait != WAIT_WORK) {
        if (wait == WAIT_IDLE)
            sent_count(conn); /* no rate is being taken */
        return;               /* the node stays; active_ms is looked at when it comes up */
    }
    if (wait == WAIT_WORK && conn->wait == wait) {
        if (conn_protocol(conn)->rate(conn) != (enum conn_rate)conn->rate)
            rate_change(conn, conn_protocol(conn)->rate(conn));
        if (conn_protocol(conn)->total_due(conn) < conn->deadline.due_ms)
            deadline_set(&server->deadlines, &conn->deadline, conn_protocol(conn)->total_due(conn));
        return;
    }
    server->idle_count += (wait == WAIT_IDLE) - (conn->wait == WAIT_IDLE);
    server->head_count += (wait == WAIT_HEAD) - (conn->wait == WAIT_HEAD);
    conn->wait = (uint8_t)wait;
    conn->rate = wait == WAIT_WORK ? (uint8_t)conn_protocol(conn)->rate(conn) : RATE_NONE;
    conn->mark_acked = UINT64_MAX;
    rate_begin(conn, (enum conn_rate)conn->rate);
    uint64_t due_ms = duration_ms == PX_OFF ? UINT64_MAX : now_ms + duration_ms;

    if (wait == WAIT_WORK && conn_protocol(conn)->total_due(conn) < due_ms)
        due_ms = conn_protocol(conn)->total_due(conn);
    if (due_ms == UINT64_MAX)
        deadline_clear(&server->deadlines, &conn->deadline);
    else
        deadline_set(&server->deadlines, &conn->deadline, due_ms);
}

static void conn_timeout(struct conn *conn)
{
    conn->server->counters.timed_out++;
    conn_protocol(conn)->timeout(conn);
}

static bool rate_moved(uint64_t moved, uint64_t rate, uint64_t elapsed_ms)
{
    return rate == PX_OFF || moved * 1000 >= rate * elapsed_ms;
}

/* The kernel takes nothing while its buffer is full, but a peer that reads slowly still
 * acknowledges: only who did neither since the last look is dead.  The first look has nothing to
 * compare with. */
static bool rate_acked(struct conn *conn, uint64_t rate, uint64_t elapsed_ms)
{
    uint64_t acked = conduit_acked_bytes(&conn->conduit), before = conn->mark_acked;

    conn->mark_acked = acked;
    return before == UINT64_MAX || rate_moved(acked - before, rate, elapsed_ms);
}

/* Whether bytes moved fast enough in a window that is over. */
static bool rate_kept(struct conn *conn, uint64_t elapsed_ms)
{
    const px_server_options *options = &conn->server->options;

    if (conn->rate_window == RATE_RECEIVING)
        return rate_moved(conn->received, options->content_rate_min, elapsed_ms);
    if (rate_moved(conduit_sent_bytes(&conn->conduit) - conn->mark_sent, options->send_rate_min,
                   elapsed_ms)) {
        conn->mark_acked = UINT64_MAX;
        return true;
    }
    return rate_acked(conn, options->send_rate_min, elapsed_ms);
}

/* The end of a rate window, or of the exchange's whole time. */
static void work_due(struct conn *conn)
{
    px_server *server = conn->server;
    const struct conn_protocol *protocol = conn_protocol(conn);
    uint64_t window_ms = server->options.rate_window_ms;
    uint64_t now_ms = server->loop->now_ms;
    uint64_t elapsed_ms = rate_elapsed_ms(conn);
    bool over =
        now_ms >= protocol->total_due(conn) && (!protocol->overdue || protocol->overdue(conn));

    if (over || (elapsed_ms >= window_ms && !rate_kept(conn, elapsed_ms))) {
        conn_timeout(conn);
        return;
    }
    uint64_t total_due_ms = protocol->total_due(conn);

    if (elapsed_ms >= window_ms) {
        rate_begin(conn, (enum conn_rate)conn->rate_window);
        elapsed_ms = 0;
    }
    uint64_t due_ms = now_ms + window_ms - elapsed_ms;

    deadline_set(&server->deadlines, &conn->deadline,
                 due_ms < total_due_ms ? due_ms : total_due_ms);
}

void conn_deadline_due(struct deadline *deadline, struct deadline_wheel *wheel)
{
    struct conn *conn = CONTAINER_OF(deadline, struct conn, deadline);
    uint64_t now_ms = wheel->loop->now_ms;

    switch ((enum conn_wait)conn->wait) {
    case WAIT_NONE:
        return;
    case WAIT_IDLE:
        if (conn->active_ms + conn->server->options.idle_timeout_ms > now_ms) {
            deadline_set(wheel, deadline, conn->active_ms + conn->server->options.idle_timeout_ms);
            return;
        }
        conn_timeout(conn);
        return;
    case WAIT_HEAD:
    case WAIT_HANDSHAKE:
        conn_timeout(conn);
        return;
    case WAIT_WORK:
        work_due(conn);
        return;
    case WAIT_LINGER:
    case WAIT_REFUSAL:
    case WAIT_REFUSED:
        /* One that is closing already has waited for its last bytes to go: it may only hasten. */
        if (conn->state == CONN_CLOSING)
            conduit_close(&conn->conduit);
        else
            conn_close(conn, PX_END_COMPLETE);
        return;
    }
}

/* --- The end ---------------------------------------------------------------------------------- */

void conn_close(struct conn *conn, px_end end)
{
    if (conn->state == CONN_CLOSING)
        return;
    if (conn->state == CONN_LINGERING)
        conn->server->linger_count--;
    else if (conn->protocol == CONN_REFUSAL)
        conn->server->refusing_count--;
    conn->state = CONN_CLOSING;
    conn->server->closing_count++;
    conn->end = (uint8_t)end;
    conn->reset = conn->reset || conn_protocol(conn)->cut_short(conn);
    conn_wait(conn, WAIT_NONE);
    list_remove(&conn->wake.node);
    if (conn->reset)
        conduit_reset(&conn->conduit);
    else
        conduit_close(&conn->conduit);
    conn_protocol(conn)->abandon(conn, end);
}

void conn_linger(struct conn *conn)
{
    px_server *server = conn->server;

    if (conn->state != CONN_OPEN)
        return;
    if (server->linger_count >= LINGER_COUNT_MAX || server->options.linger_timeout_ms == PX_OFF) {
        conn_close(conn, PX_END_COMPLETE);
        return;
    }
    server->linger_count++;
    conn->state = CONN_LINGERING;
    stream_reopen(&conn->stream);
    conn->received = 0;
    conduit_shutdown(&conn->conduit);
    conduit_recv_stop(&conn->conduit);
    conduit_recv_start(&conn->conduit);
    conn_wait(conn, WAIT_LINGER);
    conn->received = 0;
}

void conn_freed(struct conn *conn)
{
    px_server *server = conn->server;

    list_remove(&conn->wake.node);
    sent_count(conn);
    server->conn_count--;
    server->closing_count--;
    pool_put(&server->conns, conn);
    server_room_note(server);
}

struct close_visit {
    bool idle_only;
    px_end end;
};

static void close_visit(void *object, void *context)
{
    const struct close_visit *visit = context;
    struct conn *conn = object;

    if (!visit->idle_only && conn->state == CONN_CLOSING)
        conduit_close(&conn->conduit); /* what it still waits for need not come */
    else if (!visit->idle_only)
        conn_close(conn, visit->end);
    else if (conn->state == CONN_OPEN && conn_protocol(conn)->is_idle(conn))
        conn_close(conn, visit->end);
}

static void drain_visit(void *object, void *context)
{
    struct conn *conn = object;

    (void)context;
    if (conn->state == CONN_OPEN)
        conn_protocol(conn)->drain(conn);
}

void conn_drain_all(px_server *server)
{
    pool_each(&server->conns, drain_visit, NULL);
}

void conn_close_all(px_server *server, bool idle_only, px_end end)
{
    struct close_visit visit = {idle_only, end};

    pool_each(&server->conns, close_visit, &visit);
}
