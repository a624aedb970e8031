/*
 * The life of sessions: begun, waited for, closed, freed.
 *
 * Happy path: a carrier is accepted into a slot of the pool, its protocol opens, the peer closes,
 * the carrier has gone and the slot goes back.  What can go wrong: a deadline, a peer that never
 * closes (the carrier's lingering is bounded).
 */
#include "server/session/session.h"

#include <string.h>

/* --- The beginning ---------------------------------------------------------------------------- */

static void session_wake(struct loop_task *task)
{
    struct session *session = CONTAINER_OF(task, struct session, wake);

    /* One that is closing waits for its last report alone. */
    if (session->state == SESSION_OPEN && session_protocol(session)->wake)
        session_protocol(session)->wake(session);
}

void session_init(struct session *session, px_server *server, const struct net_address *peer)
{
    memset(&session->deadline, 0, sizeof(*session) - offsetof(struct session, deadline));
    deadline_init(&session->deadline);
    loop_task_init(&session->wake, session_wake);
    session->server = server;
    session->active_ms = server->loop->now_ms;
    session->state = SESSION_OPEN;
    session->wait = WAIT_NONE;
    session->rate = RATE_NONE;
    session->end = PX_END_PEER_GONE;
    session_peer_keep(session, peer);
    server->count.cells->accepts++;
    server->conn_count++;
}

void session_speak(struct session *session, enum session_protocol_id protocol)
{
    /* What the one before had still to do is not to be done by this one. */
    list_remove(&session->wake.node);
    session->protocol = (uint8_t)protocol;
    session_protocol(session)->open(session);
    if (session->server->drain.closes && session_protocol(session)->drain)
        session_protocol(session)->drain(session);
}

/* --- The peer --------------------------------------------------------------------------------- */

void session_peer_keep(struct session *session, const struct net_address *address)
{
    struct session_peer *peer = &session->peer;

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

void session_peer_address(const struct session *session, struct net_address *out_address)
{
    const struct session_peer *peer = &session->peer;

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

size_t session_peer_text(const struct session *session, bool with_port, char *out_text, size_t room)
{
    struct net_address address;

    session_peer_address(session, &address);
    return with_port ? address_format(&address, out_text, room)
                     : address_format_host(&address, out_text, room);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static enum session_rate rate_asked(const struct session *session)
{
    const struct session_protocol *protocol = session_protocol(session);

    return protocol->rate ? protocol->rate(session) : RATE_NONE;
}

static uint64_t total_due_ms(const struct session *session)
{
    const struct session_protocol *protocol = session_protocol(session);

    return protocol->total_due ? protocol->total_due(session) : UINT64_MAX;
}

/* Counts what was sent since this was last called. */
static void sent_count(struct session *session)
{
    uint64_t sent = session_carrier(session)->sent_bytes(session);

    session->server->count.cells->sent += sent - session->mark_sent - session->counted_ahead;
    session->counted_ahead = 0;
    session->mark_sent = sent;
}

/* The window of a minimum rate: time in which nothing was asked of the peer does not count, so a
 * handler that pauses makes its peer neither late nor safe. */
static void rate_begin(struct session *session, enum session_rate window)
{
    session->rate_window = (uint8_t)window;
    session->rate_ms = 0;
    session->rate_since_ms = (uint32_t)session->server->loop->now_ms;
    session->received = 0;
    sent_count(session);
}

static uint64_t rate_elapsed_ms(const struct session *session)
{
    return session->rate_ms +
           (session->rate == RATE_NONE
                ? 0
                : (uint32_t)session->server->loop->now_ms - session->rate_since_ms);
}

/* What is asked of the peer has changed. */
static void rate_change(struct session *session, enum session_rate rate)
{
    session->rate_ms = (uint32_t)rate_elapsed_ms(session);
    session->rate_since_ms = (uint32_t)session->server->loop->now_ms;
    session->rate = (uint8_t)rate;
    if (rate != RATE_NONE && rate != (enum session_rate)session->rate_window) {
        session->mark_acked = UINT64_MAX;
        rate_begin(session, rate);
    }
}

/* How long may be waited, or PX_OFF. */
uint32_t session_wait_ms(const px_server_options *options, enum session_wait wait)
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

/* A peer that has begun to say what it wants, in words or in a handshake. */
static bool is_head(uint8_t wait)
{
    return wait == WAIT_HEAD || wait == WAIT_HANDSHAKE;
}

void session_wait(struct session *session, enum session_wait wait)
{
    session_wait_for(session, wait, session_wait_ms(&session->server->options, wait));
}

void session_wait_for(struct session *session, enum session_wait wait, uint32_t duration_ms)
{
    px_server *server = session->server;
    uint64_t now_ms = server->loop->now_ms;

    session->active_ms = now_ms;
    if (session->wait == wait && wait != WAIT_WORK) {
        if (wait == WAIT_IDLE)
            sent_count(session); /* no rate is being taken */
        return;                  /* the node stays; active_ms is looked at when it comes up */
    }
    if (wait == WAIT_WORK && session->wait == wait) {
        if (rate_asked(session) != (enum session_rate)session->rate)
            rate_change(session, rate_asked(session));
        if (total_due_ms(session) < session->deadline.due_ms)
            deadline_set(&server->deadlines, &session->deadline, total_due_ms(session));
        return;
    }
    server->idle_count += (wait == WAIT_IDLE) - (session->wait == WAIT_IDLE);
    server->head_count += (uint32_t)is_head((uint8_t)wait) - (uint32_t)is_head(session->wait);
    session->wait = (uint8_t)wait;
    session->rate = wait == WAIT_WORK ? (uint8_t)rate_asked(session) : RATE_NONE;
    session->mark_acked = UINT64_MAX;
    rate_begin(session, (enum session_rate)session->rate);
    uint64_t due_ms = duration_ms == PX_OFF ? UINT64_MAX : now_ms + duration_ms;

    if (wait == WAIT_WORK && total_due_ms(session) < due_ms)
        due_ms = total_due_ms(session);
    if (due_ms == UINT64_MAX)
        deadline_clear(&server->deadlines, &session->deadline);
    else
        deadline_set(&server->deadlines, &session->deadline, due_ms);
}

void session_wait_idle(struct session *session, uint64_t since_ms)
{
    px_server *server = session->server;

    session_wait(session, WAIT_IDLE);
    session->active_ms = since_ms;
    if (server->options.idle_timeout_ms != PX_OFF)
        deadline_set(&server->deadlines, &session->deadline,
                     since_ms + server->options.idle_timeout_ms);
}

/* What a connection that is ended by its deadline was waited for. */
static enum metric_timeout timeout_of(uint8_t wait)
{
    switch ((enum session_wait)wait) {
    case WAIT_IDLE:
        return TIMEOUT_IDLE;
    case WAIT_HEAD:
        return TIMEOUT_HEAD;
    case WAIT_LINGER:
    case WAIT_REFUSAL:
    case WAIT_REFUSED:
        return TIMEOUT_LINGER;
    case WAIT_HANDSHAKE:
        return TIMEOUT_HANDSHAKE;
    case WAIT_WORK:
    case WAIT_NONE:
        break;
    }
    return TIMEOUT_RATE;
}

static void conn_timeout(struct session *session)
{
    session->server->count.cells->timeouts[timeout_of(session->wait)]++;
    if (session_protocol(session)->timeout)
        session_protocol(session)->timeout(session);
    else
        session_close(session, PX_END_TIMEOUT);
}

static bool rate_moved(uint64_t moved, uint64_t rate, uint64_t elapsed_ms)
{
    return rate == PX_OFF || moved * 1000 >= rate * elapsed_ms;
}

/* The kernel takes nothing while its buffer is full, but a peer that reads slowly still
 * acknowledges: only a peer that did neither since the last look is dead.  The first look has
 * nothing to compare with. */
static bool rate_acked(struct session *session, uint64_t rate, uint64_t elapsed_ms)
{
    uint64_t acked = session_carrier(session)->acked_bytes(session), before = session->mark_acked;

    session->mark_acked = acked;
    return before == UINT64_MAX || rate_moved(acked - before, rate, elapsed_ms);
}

/* What holds for the exchange at hand; for what is left of one that has ended, the site's. */
static const struct site_rules *rules_asked(const struct session *session)
{
    const struct session_protocol *protocol = session_protocol(session);
    const px_exchange *exchange = protocol->exchange ? protocol->exchange(session) : NULL;

    return exchange ? site_rules_of(exchange) : &session->server->site->rules;
}

static uint32_t send_rate_asked(const struct session *session)
{
    const struct session_protocol *protocol = session_protocol(session);

    return protocol->send_rate_min ? protocol->send_rate_min(session)
                                   : rules_asked(session)->send_rate_min;
}

/* Whether bytes moved fast enough in a window that is over. */
static bool rate_kept(struct session *session, uint64_t elapsed_ms)
{
    if (session->rate_window == RATE_RECEIVING)
        return rate_moved(session->received, rules_asked(session)->exchange.rate_min, elapsed_ms);
    uint32_t rate_min = send_rate_asked(session);

    if (rate_moved(session_carrier(session)->sent_bytes(session) - session->mark_sent, rate_min,
                   elapsed_ms)) {
        session->mark_acked = UINT64_MAX;
        return true;
    }
    return rate_acked(session, rate_min, elapsed_ms);
}

bool session_is_stalled(struct session *session)
{
    const struct session_protocol *protocol = session_protocol(session);
    uint64_t elapsed_ms = rate_elapsed_ms(session);

    ASSERT(session->wait == WAIT_WORK && session->state == SESSION_OPEN);
    ASSERT(session->rate == RATE_NONE || session->rate == session->rate_window);
    if (session->rate == RATE_NONE)
        return protocol->stalled && protocol->stalled(session);
    if (session->rate_window == RATE_RECEIVING)
        return !rate_moved(session->received, MINIMUM_RATE_DEFAULT, elapsed_ms);
    /* What the system took says nothing yet: its buffer holds megabytes for a peer that has
     * stopped.
     */
    bool is_first = session->mark_acked == UINT64_MAX;
    bool moved = rate_acked(session, MINIMUM_RATE_DEFAULT, elapsed_ms);

    /* Its window begins anew, so that the deadline too compares with what was acknowledged then. */
    if (is_first || moved)
        rate_begin(session, RATE_SENDING);
    return !moved;
}

/* The end of a rate window, or of the exchange's whole time. */
static void work_due(struct session *session)
{
    px_server *server = session->server;
    const struct session_protocol *protocol = session_protocol(session);
    uint64_t window_ms = server->options.rate_window_ms;
    uint64_t now_ms = server->loop->now_ms;
    uint64_t elapsed_ms = rate_elapsed_ms(session);
    bool over =
        now_ms >= total_due_ms(session) && (!protocol->overdue || protocol->overdue(session));

    if (session->state == SESSION_CLOSING)
        return;
    if (over || (elapsed_ms >= window_ms && !rate_kept(session, elapsed_ms))) {
        conn_timeout(session);
        return;
    }
    uint64_t end_ms = total_due_ms(session);

    if (elapsed_ms >= window_ms) {
        rate_begin(session, (enum session_rate)session->rate_window);
        elapsed_ms = 0;
    }
    uint64_t due_ms = now_ms + window_ms - elapsed_ms;

    deadline_set(&server->deadlines, &session->deadline, due_ms < end_ms ? due_ms : end_ms);
}

void session_deadline_due(struct deadline *deadline, struct deadline_wheel *wheel)
{
    struct session *session = CONTAINER_OF(deadline, struct session, deadline);
    uint64_t now_ms = wheel->loop->now_ms;

    switch ((enum session_wait)session->wait) {
    case WAIT_NONE:
        return;
    case WAIT_IDLE:
        if (session->active_ms + session->server->options.idle_timeout_ms > now_ms) {
            deadline_set(wheel, deadline,
                         session->active_ms + session->server->options.idle_timeout_ms);
            return;
        }
        conn_timeout(session);
        return;
    case WAIT_HEAD:
    case WAIT_HANDSHAKE:
        conn_timeout(session);
        return;
    case WAIT_WORK:
        work_due(session);
        return;
    case WAIT_LINGER:
    case WAIT_REFUSAL:
    case WAIT_REFUSED:
        /* One that is closing already has waited for its last bytes to go: it may only hasten. */
        if (session->state == SESSION_CLOSING)
            session_carrier(session)->close(session);
        else
            session_close(session, PX_END_COMPLETE);
        return;
    }
}

/* --- The end ---------------------------------------------------------------------------------- */

void session_close(struct session *session, px_end end)
{
    const struct session_protocol *protocol = session_protocol(session);

    if (session->state == SESSION_CLOSING)
        return;
    if (session->state == SESSION_LINGERING)
        session->server->linger_count--;
    else if (session->protocol == PROTOCOL_REFUSAL)
        session->server->refusing_count--;
    session->state = SESSION_CLOSING;
    session->server->closing_count++;
    session->end = (uint8_t)end;
    if (protocol->cut_short && protocol->cut_short(session))
        session->reset = true;
    session_wait(session, WAIT_NONE);
    list_remove(&session->wake.node);
    if (session->reset)
        session_carrier(session)->reset(session);
    else
        session_carrier(session)->close(session);
    if (protocol->abandon)
        protocol->abandon(session, end);
}

void session_freed(struct session *session)
{
    px_server *server = session->server;

    /* A wheel that still knows it would write into whatever takes its slot. */
    CHECK(!list_linked(&session->deadline.node));
    list_remove(&session->wake.node);
    sent_count(session);
    server->conn_count--;
    server->closing_count--;
    pool_put(&server->conns, session);
    server_room_note(server);
}

struct close_visit {
    bool idle_only;
    px_end end;
};

static void close_visit(void *object, void *context)
{
    const struct close_visit *visit = context;
    struct session *session = object;

    if (!visit->idle_only && session->state == SESSION_CLOSING)
        session_carrier(session)->close(session); /* what it still waits for need not come */
    else if (!visit->idle_only)
        session_close(session, visit->end);
    else if (session->state == SESSION_OPEN && session_protocol(session)->is_idle &&
             session_protocol(session)->is_idle(session))
        session_close(session, visit->end);
}

static void drain_visit(void *object, void *context)
{
    struct session *session = object;

    (void)context;
    if (session->state == SESSION_OPEN && session_protocol(session)->drain)
        session_protocol(session)->drain(session);
}

void session_drain_all(px_server *server)
{
    pool_each(&server->conns, drain_visit, NULL);
}

void session_close_all(px_server *server, bool idle_only, px_end end)
{
    struct close_visit visit = {idle_only, end};

    pool_each(&server->conns, close_visit, &visit);
}
