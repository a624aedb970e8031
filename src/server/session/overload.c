/*
 * The order of shedding.
 *
 * Happy path: below the limits nothing here runs but a comparison for each newcomer.  Looking for
 * those that may go walks over all connections, so it closes a batch, and is not repeated at once
 * when it found none.
 */
#include "server/session/overload.h"

#include "http/h2/h2_session.h"
#include "server/session/listeners.h"

/* Of the connections that may be open, this part is closed at once when there is no room: looking
 * for the longest idle walks over all of them, so it is not done for each newcomer. */
enum { SHED_PART = 256 };

/* --- What has to go --------------------------------------------------------------------------- */

/* What a walk has found so far, in the order in which they go. */
struct shed_search {
    uint64_t head_before_ms; /* heads that began before this have been unfinished for long */
    bool heads_alone;        /* idle connections hold nothing of what is short */
    uint32_t wanted;
    uint32_t count;
    struct session *found[SHED_COUNT_MAX];
};

/* Room is made while a driver runs, also for the answer that it renders: what a driver works on
 * does not end under it. */
static bool can_give_way(const struct session *session)
{
    return session->state == SESSION_OPEN && !session->driving;
}

static bool shed_can_go(const struct shed_search *search, const struct session *session)
{
    if (!can_give_way(session) || list_linked(&session->wake.node))
        return false;
    return (session->wait == WAIT_IDLE && !search->heads_alone) ||
           ((session->wait == WAIT_HEAD || session->wait == WAIT_HANDSHAKE) &&
            session->active_ms <= search->head_before_ms);
}

/* Idle connections before unfinished heads and handshakes, and the older before the younger. */
static bool shed_goes_before(const struct session *left, const struct session *right)
{
    if ((left->wait == WAIT_IDLE) != (right->wait == WAIT_IDLE))
        return left->wait == WAIT_IDLE;
    return left->active_ms < right->active_ms;
}

static void shed_visit(void *object, void *context)
{
    struct shed_search *search = context;
    struct session *session = object;
    uint32_t at = search->count;

    if (!shed_can_go(search, session))
        return;
    if (at == search->wanted && !shed_goes_before(session, search->found[at - 1]))
        return;
    if (at < search->wanted)
        search->count++;
    else
        at--;
    for (; at > 0 && shed_goes_before(session, search->found[at - 1]); at--)
        search->found[at] = search->found[at - 1];
    search->found[at] = session;
}

/* One walk over all connections closes a batch, so that a flood of newcomers does not cost a walk
 * each.  Heads grow old only with time: a walk that found none is not repeated at once. */
static uint32_t shed_waiting(px_server *server, uint32_t count, bool heads_alone)
{
    uint64_t now_ms = server->loop->now_ms;
    struct shed_search search = {
        .heads_alone = heads_alone,
        .wanted = count < SHED_COUNT_MAX ? count : SHED_COUNT_MAX,
    };

    if ((server->idle_count == 0 || heads_alone) &&
        (server->head_count == 0 || now_ms < server->again.heads_ms))
        return 0;
    work_count(&server->loop->work, server->conn_count / WORK_WALK_COUNT);
    search.head_before_ms = now_ms > HEAD_SHED_MS ? now_ms - HEAD_SHED_MS : 0;
    pool_each(&server->conns, shed_visit, &search);
    if (search.count == 0)
        server->again.heads_ms = now_ms + SHED_PAUSE_MS;
    for (uint32_t index = 0; index < search.count; index++) {
        server->count.cells->shed++;
        session_close(search.found[index], PX_END_PEER_GONE);
    }
    return search.count;
}

/* --- Whose peer does not do its part ---------------------------------------------------------- */

/* Those for whose peer has been waited for longest. */
struct stalled_search {
    uint32_t now_ms; /* the lower half */
    uint32_t count;
    struct session *found[SHED_COUNT_MAX];
};

static uint32_t asked_ms(const struct stalled_search *search, const struct session *session)
{
    return search->now_ms - session->rate_since_ms;
}

static void stalled_visit(void *object, void *context)
{
    struct stalled_search *search = context;
    struct session *session = object;
    uint32_t at = search->count;

    if (!can_give_way(session) || session->wait != WAIT_WORK || list_linked(&session->wake.node) ||
        asked_ms(search, session) < HEAD_SHED_MS)
        return;
    if (session->rate == RATE_NONE && !session_protocol(session)->stalled)
        return;
    if (at == SHED_COUNT_MAX &&
        asked_ms(search, session) <= asked_ms(search, search->found[at - 1]))
        return;
    if (at < SHED_COUNT_MAX)
        search->count++;
    else
        at--;
    for (; at > 0 && asked_ms(search, session) > asked_ms(search, search->found[at - 1]); at--)
        search->found[at] = search->found[at - 1];
    search->found[at] = session;
    ASSERT(at < search->count);
}

/* Content that does not come, and answers that are not read, hold a place as an unfinished head
 * does: below the minimum rate a peer has no window's time when others wait for its place. */
static uint32_t shed_stalled(px_server *server, uint32_t wanted)
{
    uint64_t now_ms = server->loop->now_ms;
    struct stalled_search search = {.now_ms = (uint32_t)now_ms};
    uint32_t count = 0;

    if (now_ms < server->again.stalled_ms)
        return 0;
    work_count(&server->loop->work, server->conn_count / WORK_WALK_COUNT);
    pool_each(&server->conns, stalled_visit, &search);
    ASSERT(search.count <= SHED_COUNT_MAX && wanted > 0);
    for (uint32_t index = 0; index < search.count && count < wanted; index++) {
        work_count(&server->loop->work, WORK_LOOK);
        if (!session_is_stalled(search.found[index]))
            continue;
        count++;
        server->count.cells->shed++;
        session_close(search.found[index], PX_END_TIMEOUT);
        if (work_is_over(&server->loop->work))
            break;
    }
    if (count == 0)
        server->again.stalled_ms = now_ms + SHED_PAUSE_MS;
    return count;
}

static uint32_t shed(px_server *server, uint32_t count)
{
    uint32_t closed = shed_waiting(server, count, false);

    return closed > 0 ? closed : shed_stalled(server, count);
}

/* --- Newcomers -------------------------------------------------------------------------------- */

static void sessions_relieve(px_server *server)
{
    h2_shared_relieve(server->h2);
    if (overload_memory_is_short(server, BUDGET_SESSIONS))
        shed(server, 1 + server->conn_count / SHED_PART);
}

void overload_relieve_sessions(px_server *server)
{
    uint64_t tick = server->loop->told.last.count + 1;

    /* What is closed gives back its memory at the end of the tick. */
    if (server->again.sessions_tick == tick)
        return;
    server->again.sessions_tick = tick;
    sessions_relieve(server);
}

/* As at the limit of connections, room is made before there is none: of what is kept of
 * connections those that are idle give way, of unread bytes the heads that are not whole. */
static void memory_relieve(px_server *server)
{
    if (PX_UNLIKELY(overload_memory_is_short(server, BUDGET_SESSIONS)))
        sessions_relieve(server);
    if (PX_UNLIKELY(server->blocks.sealed && overload_is_short(server->blocks.sealed)))
        overload_relieve_outs(server);
    if (PX_UNLIKELY(overload_memory_is_short(server, BUDGET_INBOX)))
        shed_waiting(server, SHED_COUNT_MAX, true);
}

bool overload_admits(px_server *server)
{
    uint32_t connections_max = server->options.connections_max;

    memory_relieve(server);
    if (PX_LIKELY(overload_open_count(server) < connections_max))
        return true;
    return shed(server, 1 + connections_max / SHED_PART) > 0;
}

void overload_relieve(px_server *server)
{
    shed(server, 1 + server->conn_count / SHED_PART);
}

/* The connection that has been sending for longest, and so reads slowest, of those that hold a
 * block. */
struct slow_search {
    uint32_t count;
    struct session *found[SHED_COUNT_MAX];
};

static void slow_visit(void *object, void *context)
{
    struct slow_search *search = context;
    struct session *session = object;
    uint32_t at = search->count;

    if (!can_give_way(session) || session->rate != RATE_SENDING)
        return;
    if (at == SHED_COUNT_MAX && session->rate_since_ms >= search->found[at - 1]->rate_since_ms)
        return;
    if (at < SHED_COUNT_MAX)
        search->count++;
    else
        at--;
    for (; at > 0 && session->rate_since_ms < search->found[at - 1]->rate_since_ms; at--)
        search->found[at] = search->found[at - 1];
    search->found[at] = session;
}

void overload_relieve_outs(px_server *server)
{
    struct slow_search search = {.count = 0};
    uint64_t now_ms = server->loop->now_ms;

    if (now_ms < server->again.outs_ms)
        return;
    work_count(&server->loop->work, server->conn_count / WORK_WALK_COUNT);
    pool_each(&server->conns, slow_visit, &search);
    /* Blocks come back at the end of the tick. */
    server->again.outs_ms = now_ms + (search.count > 0 ? 1 : SHED_PAUSE_MS);
    /* Each may take the kernel as long as a turn may last: what is left is looked for again. */
    for (uint32_t index = 0; index < search.count; index++) {
        server->count.cells->shed++;
        session_close(search.found[index], PX_END_TIMEOUT);
        if (work_is_over(&server->loop->work))
            break;
    }
}

void overload_pause(px_server *server)
{
    if (server->refusing_count < REFUSING_COUNT_MAX || server->accepting_paused)
        return;
    server->accepting_paused = true;
    server_listeners_accept(server, false);
}

void overload_task(struct loop_task *task)
{
    px_server *server = CONTAINER_OF(task, px_server, limit);

    if (!server->accepting_paused || server->phase > SERVER_DRAIN_DELAY ||
        server->refusing_count >= REFUSING_COUNT_MAX)
        return;
    server->accepting_paused = false;
    server_listeners_accept(server, true);
}

void overload_check(const px_server *server)
{
    bool is_full = server->refusing_count >= REFUSING_COUNT_MAX;

    ASSERT(server->refusing_count <= server->conn_count);
    /* Else no connection would be accepted any more. */
    ASSERT(!server->accepting_paused || is_full || server->phase > SERVER_DRAIN_DELAY ||
           list_linked(&server->limit.node));
    ASSERT(server->again.heads_ms <= server->loop->now_ms + SHED_PAUSE_MS);
    ASSERT(server->again.outs_ms <= server->loop->now_ms + SHED_PAUSE_MS);
    ASSERT(server->again.sessions_tick <= server->loop->told.last.count + 1);
}
