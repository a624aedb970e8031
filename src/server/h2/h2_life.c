/*
 * The life of an HTTP/2 connection: how it begins, what it waits for, how it ends.
 *
 * Happy path: idle, working, idle, until the peer leaves, the idle timeout says good-bye, or a
 * drain does.  While there are requests each of them is looked at once in a rate window: one that
 * moved too little is ended alone, and a peer that said nothing at all is asked whether it is
 * there.
 */
#include "server/h2/h2.h"

/* Frames that wait for the peer to read: above this nothing more is read from it. */
enum { BACKLOG_MAX = 512 };

static void h2_wake(struct session *session)
{
    struct h2_conn *h2 = h2_of(session);

    h2->behind = false;
    h2_advance(h2);
}

static void h2_open(struct session *session)
{
    struct conn *conn = conn_of(session);
    struct h2_conn *h2 = h2_of(session);

    memset(&h2->session, 0, sizeof(*h2) - offsetof(struct h2_conn, session));
    list_init(&h2->requests);
    list_init(&h2->ready);
    h2->served_ms = (uint32_t)session->server->loop->now_ms;
    conduit_attach(&conn->conduit, &h2_stream_events, h2);
    if (h2_session_open(session->server->h2, h2, &h2->session) != PX_OK) {
        h2->session = NULL;
        session_close(session, PX_END_NO_MEMORY);
        return;
    }
    conduit_recv_start(&conn->conduit);
    /* Our SETTINGS leave at the end of the tick, with the first answers where they come with it. */
    loop_task_add(session->server->loop, &session->wake);
}

static void h2_abandon(struct session *session, px_end end)
{
    struct h2_conn *h2 = h2_of(session);

    if (h2->conn.sending)
        return; /* the block is in use: on_sent comes first */
    while (!list_empty(&h2->requests)) {
        struct h2_request *request = LIST_ENTRY(h2->requests.next, struct h2_request, node);

        h2_request_free(request, end);
    }
    if (h2->session)
        h2_session_close(h2->session);
    h2->session = NULL;
    conn_out_release(&h2->conn);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* A time of which the lower half was kept. */
static uint64_t ms_before(uint64_t now_ms, uint32_t kept_ms)
{
    return now_ms - (uint32_t)((uint32_t)now_ms - kept_ms);
}

/* Requests are looked at once in a rate window. */
static void look_later(struct h2_conn *h2)
{
    const px_server *server = h2->conn.session.server;

    h2->look_ms = (uint32_t)server->loop->now_ms + server->options.rate_window_ms;
}

static uint64_t look_due(const struct h2_conn *h2)
{
    uint64_t now_ms = h2->conn.session.server->loop->now_ms;

    if (h2->conn.session.server->options.rate_window_ms == PX_OFF)
        return UINT64_MAX;
    return now_ms + (uint64_t)(int64_t)(int32_t)(h2->look_ms - (uint32_t)now_ms);
}

/* Notes when the header block or frame at hand began; whether it has time of its own.  One that
 * begins with the last bytes of another, which asked for nothing, has what that one had left. */
static bool block_note(struct h2_conn *h2)
{
    uint32_t block = h2_session_block(h2->session);
    bool is_new = block != h2->block &&
                  (block == 0 || h2->block == 0 || h2->served || !list_empty(&h2->requests));

    if (is_new)
        h2->block_ms = (uint32_t)h2->conn.session.server->loop->now_ms;
    h2->block = block;
    return is_new;
}

/* The connection has said its last word. */
static void h2_end(struct h2_conn *h2)
{
    bool leave = h2->conn.peer_ended || h2_session_has_failed(h2->session);

    /* What is in progress was cut short by what ended the session. */
    h2_abandon(&h2->conn.session, h2->timed_out ? PX_END_TIMEOUT : PX_END_ABORTED);
    if (leave)
        session_close(&h2->conn.session, PX_END_PEER_GONE);
    else
        conn_linger(&h2->conn);
}

/* A peer that has ended opens no window any more: what waits for one never leaves. */
static void reset_stalled(struct h2_conn *h2)
{
    for (struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (h2_session_is_stalled(h2->session, &request->stream)) {
            h2_session_reset(h2->session, &request->stream, H2_CANCEL);
            loop_task_add(h2->conn.session.server->loop, &h2->conn.session.wake);
        }
    }
}

void h2_rest(struct h2_conn *h2)
{
    struct conn *conn = &h2->conn;

    if (PX_UNLIKELY(h2->conn.peer_ended) && !h2->conn.sending)
        reset_stalled(h2);
    bool over =
        h2_session_is_over(h2->session) || (h2->conn.peer_ended && list_empty(&h2->requests));

    if (over && !h2->conn.sending && (h2->conn.peer_ended || !h2_session_has_output(h2->session))) {
        h2_end(h2);
        return;
    }
    bool reads = !over && !h2->behind && !h2->conn.peer_ended &&
                 h2_session_backlog(h2->session) < BACKLOG_MAX;

    h2_session_note_reading(h2->session, reads, (uint32_t)conn->session.server->loop->now_ms);
    if (reads)
        conduit_recv_start(&conn->conduit);
    else
        conduit_recv_stop(&conn->conduit);
    /* What it left in its inbox brings no event: it goes on in its next turn. */
    if (h2->behind)
        loop_task_add(conn->session.server->loop, &conn->session.wake);

    bool is_new = block_note(h2);

    if (h2->served || !list_empty(&h2->requests))
        h2->served_ms = (uint32_t)conn->session.server->loop->now_ms;
    if (!list_empty(&h2->requests) || h2->conn.sending) {
        if (conn->session.wait != WAIT_WORK)
            look_later(h2);
        session_wait(&conn->session, WAIT_WORK);
    } else if (h2_session_is_draining(h2->session)) {
        /* A peer that hears GOAWAY may leave, or stay and say nothing. */
        session_wait(&conn->session, WAIT_LINGER);
    } else if (h2->block != 0) {
        if (is_new)
            session_wait(&conn->session, WAIT_NONE); /* another one, with time of its own */
        if (conn->session.wait != WAIT_HEAD)
            session_wait(&conn->session, WAIT_HEAD);
    } else if (conn->session.wait != WAIT_IDLE || h2->served) {
        /* Frames that ask for nothing do not make a connection less idle, not even where one came
         * in two pieces. */
        session_wait_idle(&conn->session,
                          ms_before(conn->session.server->loop->now_ms, h2->served_ms));
    }
    h2->served = false;
}

/* --- Deadlines -------------------------------------------------------------------------------- */

static enum session_rate h2_rate(const struct session *session)
{
    const struct h2_conn *h2 = CONTAINER_OF(session, const struct h2_conn, conn.session);

    /* What comes is looked at request by request. */
    return h2->conn.sending ? RATE_SENDING : RATE_NONE;
}

static uint64_t block_due(const struct h2_conn *h2)
{
    const struct conn *conn = &h2->conn;
    uint32_t timeout_ms = conn->session.server->options.head_timeout_ms;
    uint64_t now_ms = conn->session.server->loop->now_ms;

    if (h2->block == 0 || timeout_ms == PX_OFF)
        return UINT64_MAX;
    return ms_before(now_ms, h2->block_ms) + timeout_ms;
}

/* When one that waits is over since its client has left, or UINT64_MAX. */
static uint64_t request_left_due(const struct h2_request *request)
{
    return request->exchange && exchange_waits(request->exchange)
               ? conn_left_due(&request->h2->conn)
               : UINT64_MAX;
}

static void h2_peer_left(struct session *session)
{
    struct h2_conn *h2 = h2_of(session);

    for (struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (request->exchange)
            exchange_tell_peer_end(request->exchange);
    }
    if (session->state == SESSION_OPEN && session->wait == WAIT_WORK)
        session_wait(session, WAIT_WORK); /* its deadline may have come nearer */
}

/* When a request must be over, or UINT64_MAX. */
static uint64_t request_total_due(const struct h2_request *request)
{
    if (!request->exchange || exchange_is_tunnel(request->exchange))
        return UINT64_MAX;
    uint32_t total_ms = site_rules_of(request->exchange)->total_timeout_ms;
    uint64_t due_ms = total_ms == PX_OFF ? UINT64_MAX : request->begun_ms + total_ms;
    uint64_t left_ms = request_left_due(request);

    return left_ms < due_ms ? left_ms : due_ms;
}

static uint64_t h2_total_due(const struct session *session)
{
    const struct h2_conn *h2 = CONTAINER_OF(session, const struct h2_conn, conn.session);
    uint64_t due_ms = block_due(h2);

    if (look_due(h2) < due_ms)
        due_ms = look_due(h2);
    if (!session->server->has_totals && h2->conn.left_ms == 0)
        return due_ms;
    /* The oldest need not be the first that is due: each has the time of its own route. */
    for (const struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        const struct h2_request *request = LIST_ENTRY(at, const struct h2_request, node);
        uint64_t end_ms = request->timed_out ? UINT64_MAX : request_total_due(request);

        if (end_ms < due_ms)
            due_ms = end_ms;
    }
    return due_ms;
}

/* A request has had its time: answers 408 where its content did not come, else resets it. */
static void request_timeout(struct h2_request *request)
{
    struct h2_conn *h2 = request->h2;

    if (h2->conn.session.server->loop->now_ms >= request_left_due(request)) {
        h2_session_reset(h2->session, &request->stream, H2_CANCEL);
        return;
    }
    h2->conn.session.server->count.cells->timeouts[TIMEOUT_STREAM]++;
    if (request->exchange && exchange_answer_state(request->exchange) == ANSWER_NONE &&
        !request->stream.remote_ended) {
        h2_refuse(request, 408, "the content did not come in time", NULL);
        return;
    }
    request->timed_out = true;
    h2_session_reset(h2->session, &request->stream, request->lingering ? H2_NO_ERROR : H2_CANCEL);
}

/* Whether its peer keeps it waiting, and how fast it should go. */
static bool request_is_slow(struct h2_request *request, uint64_t elapsed_ms)
{
    const px_exchange *exchange = request->exchange;
    const struct site_rules *rules =
        exchange ? site_rules_of(exchange) : &request->h2->conn.session.server->site->rules;
    bool asked_before = request->asked;
    uint32_t rate = PX_OFF;

    if (request->lingering)
        return true; /* answered a whole look ago */

    /* Twice in a row, so that a handler that waited is not held against its peer. */
    request->asked = false;
    if (h2_session_is_stalled(request->h2->session, &request->stream)) {
        request->asked = true;
        rate = rules->send_rate_min;
    } else if (exchange && exchange_answer_state(exchange) == ANSWER_NONE &&
               !request->stream.remote_ended && request->stream.head_done &&
               request->kind == REQUEST_PLAIN && exchange_takes_content(exchange)) {
        request->asked = true;
        rate = rules->exchange.rate_min;
    }
    return asked_before && rate != PX_OFF &&
           request->moved_bytes * 1000 < (uint64_t)rate * elapsed_ms;
}

/* Whether it is for the peer to go on: a head or content to come, a window to be opened. */
static bool request_awaits_peer(const struct h2_request *request)
{
    const px_exchange *exchange = request->exchange;

    if (request->kind != REQUEST_PLAIN)
        return false;
    return !request->stream.head_done || request->lingering ||
           h2_session_is_stalled(request->h2->session, &request->stream) ||
           (exchange && exchange_answer_state(exchange) == ANSWER_NONE &&
            !request->stream.remote_ended && exchange_takes_content(exchange));
}

/* Of what a window's worth of time had for each request, none has moved at the minimum rate. */
static bool h2_stalled(const struct session *session)
{
    const struct h2_conn *h2 = CONTAINER_OF(session, const struct h2_conn, conn.session);
    uint64_t now_ms = session->server->loop->now_ms;
    uint64_t window_ms = session->server->options.rate_window_ms;
    uint64_t left_ms = look_due(h2) > now_ms ? look_due(h2) - now_ms : 0;

    for (const struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        const struct h2_request *request = LIST_ENTRY(at, const struct h2_request, node);
        uint64_t elapsed_ms = now_ms - request->begun_ms;

        if (window_ms != PX_OFF && window_ms - left_ms < elapsed_ms)
            elapsed_ms = window_ms - left_ms; /* moved_bytes are those since the last look */
        if (elapsed_ms < HEAD_SHED_MS || !request_awaits_peer(request) ||
            request->moved_bytes * 1000 >= MINIMUM_RATE_DEFAULT * elapsed_ms)
            return false;
    }
    return !list_empty(&h2->requests);
}

static void requests_look(struct h2_conn *h2, uint64_t now_ms)
{
    uint32_t window_ms = h2->conn.session.server->options.rate_window_ms;
    uint32_t stalled = 0;

    for (struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (now_ms >= request_total_due(request))
            request_timeout(request);
        else if (now_ms >= look_due(h2) && now_ms - request->begun_ms >= window_ms) {
            if (request_is_slow(request, window_ms)) {
                stalled += !request->lingering;
                request_timeout(request);
            }
            request->moved_bytes = 0;
        }
    }
    if (now_ms < look_due(h2))
        return;
    /* So many are not a reader's that has paused: what was asked to be held is not asked for again
     * and again on this connection.  A look forgets an eighth of those before it (a request takes
     * two or three looks to stall), so the bound holds over time as well as at once. */
    stalled += h2->stalled_count - (h2->stalled_count + 7U) / 8;
    h2->stalled_count = (uint8_t)(stalled < UINT8_MAX ? stalled : UINT8_MAX);
    if (stalled > H2_STALLED_MAX)
        h2_session_terminate(h2->session, H2_ENHANCE_YOUR_CALM);
}

/* Looks at the requests: true when the connection itself has timed out. */
static bool h2_overdue(struct session *session)
{
    struct h2_conn *h2 = h2_of(session);
    uint64_t now_ms = session->server->loop->now_ms;

    if (now_ms >= block_due(h2))
        return true;
    work_count(&session->server->loop->work, h2->request_count * WORK_LOOK);
    requests_look(h2, now_ms);
    if (now_ms >= look_due(h2)) {
        look_later(h2);
        /* One that has ended its side says nothing more, and is still there where it may wait. */
        if (!h2->heard && !h2->conn.peer_ended && !h2_session_ping(h2->session))
            return true;
        h2->heard = false;
    }
    loop_task_add(session->server->loop, &session->wake);
    return false;
}

static void h2_timeout(struct session *session)
{
    struct h2_conn *h2 = h2_of(session);

    if (h2->conn.sending) {
        session_close(session, PX_END_TIMEOUT);
        return;
    }
    h2->timed_out = true;
    h2_session_terminate(h2->session,
                         session->wait == WAIT_IDLE ? H2_NO_ERROR : H2_ENHANCE_YOUR_CALM);
    session_wait(session, WAIT_NONE);
    h2_advance(h2);
}

static void h2_drain(struct session *session)
{
    struct h2_conn *h2 = h2_of(session);

    if (session->state != SESSION_OPEN)
        return;
    h2_session_drain(h2->session);
    for (struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (request->exchange)
            drain_tell(session->server, request->exchange);
    }
    loop_task_add(session->server->loop, &session->wake);
}

const struct session_protocol h2_protocol = {
    .carrier = &conn_carrier,
    .open = h2_open,
    .wake = h2_wake,
    /* Never idle: it says good-bye first, for its peer may be asking something just now. */
    .abandon = h2_abandon,
    .timeout = h2_timeout,
    .rate = h2_rate,
    .stalled = h2_stalled,
    /* Never cut short: a stream that is looks so, whatever becomes of the connection. */
    .drain = h2_drain,
    .total_due = h2_total_due,
    .overdue = h2_overdue,
    .peer_left = h2_peer_left,
    .check = h2_check,
};
