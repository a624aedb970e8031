/*
 * What the connections of a server hold of what they share: exchanges, and the memory of decoded
 * heads.
 *
 * Happy path: two comparisons for a request.  When little is left, one walk over all connections
 * finds those that hold most, and a batch of them gives way: streams whose answer their peer does
 * not take are reset, a connection that holds more memory of heads than the one that asks is ended.
 * So a few that hold much do not shut out many that hold little.  A walk that found nothing is not
 * repeated at once.
 */
#include "server/h2/h2.h"

enum { VICTIMS_MAX = 64 };

/* Which connections a walk has found, those that hold most first. */
struct share_search {
    const struct h2_conn *asks; /* not to be found itself, or NULL */
    uint32_t (*held)(const struct h2_conn *h2);
    uint32_t held_min; /* those that hold no more than this are no help */
    uint32_t count;
    struct h2_conn *found[VICTIMS_MAX];
};

static uint32_t streams_held(const struct h2_conn *h2)
{
    return h2->request_count;
}

static uint32_t heads_held(const struct h2_conn *h2)
{
    return h2->head_bytes;
}

static void share_visit(void *object, void *context)
{
    struct share_search *search = context;
    struct session *session = object;
    struct h2_conn *h2 = h2_of(session);
    uint32_t at = search->count;

    if (session->protocol != PROTOCOL_H2 || session->state != SESSION_OPEN || h2 == search->asks ||
        h2->conn.session.driving || !h2->session || h2_session_is_over(h2->session))
        return;
    uint32_t held = search->held(h2);

    if (held <= search->held_min)
        return;
    if (at == VICTIMS_MAX && held <= search->held(search->found[at - 1]))
        return;
    if (at < VICTIMS_MAX)
        search->count++;
    else
        at--;
    for (; at > 0 && held > search->held(search->found[at - 1]); at--)
        search->found[at] = search->found[at - 1];
    search->found[at] = h2;
}

/* Looks for connections that hold much, unless that was in vain just now. */
static bool share_look(px_server *server, struct share_search *search)
{
    uint64_t now_ms = server->loop->now_ms;

    if (now_ms < server->again.shares_ms)
        return false;
    pool_each(&server->conns, share_visit, search);
    if (search->count == 0)
        server->again.shares_ms = now_ms + SHED_PAUSE_MS;
    return search->count > 0;
}

/* --- Exchanges -------------------------------------------------------------------------------- */

/* Resets half of the streams whose peer takes nothing, those that began first; whether there was
 * one.  It counts against the peer as what it forced on us. */
static bool stalled_reset(struct h2_conn *h2)
{
    uint32_t left = (h2->request_count + 1U) / 2;
    bool found = false;

    for (struct list *at = h2->requests.next; left > 0 && at != &h2->requests; at = at->next) {
        struct h2_request *request = LIST_ENTRY(at, struct h2_request, node);

        if (!h2_session_is_stalled(h2->session, &request->stream))
            continue;
        left--;
        found = true;
        request->timed_out = true;
        h2_session_reset(h2->session, &request->stream, H2_ENHANCE_YOUR_CALM);
    }
    if (!found)
        return false;
    h2->conn.session.server->count.cells->shed++;
    /* The resets cannot leave before what the peer does not read: it ends with all that it holds.
     */
    if (h2->conn.sending)
        session_close(&h2->conn.session, PX_END_TIMEOUT);
    else
        loop_task_add(h2->conn.session.server->loop, &h2->conn.session.wake);
    return true;
}

/* Apart, so that a request that finds plenty does not pay for the search's stack. */
__attribute__((noinline, cold)) static void stalled_find(px_server *server)
{
    struct share_search search = {.held = streams_held, .held_min = 1};
    bool found = false;

    if (!share_look(server, &search))
        return;
    for (uint32_t index = 0; index < search.count; index++)
        found = stalled_reset(search.found[index]) || found;
    /* What was reset goes when its frame is rendered: the next look is after that. */
    server->again.shares_ms = server->loop->now_ms + (found ? 1 : SHED_PAUSE_MS);
}

void h2_share_relieve(px_server *server)
{
    const struct pool *pool = &server->service.exchanges;

    if (PX_UNLIKELY(pool->taken >= pool->count_max - pool->count_max / H2_EXCHANGES_RESERVE_PART))
        stalled_find(server);
}

bool h2_share_begin(struct h2_conn *h2)
{
    const struct pool *pool = &h2->conn.session.server->service.exchanges;

    h2_share_relieve(h2->conn.session.server);
    /* More than its part a connection has only while there is plenty. */
    if (h2->request_count >= H2_EXCHANGES_PER_CONN && pool->taken > pool->count_max / 2)
        return false;
    return pool->taken < pool->count_max;
}

/* --- Heads ------------------------------------------------------------------------------------ */

/* Ends a connection that holds more than others, with a word where nothing is in the way. */
static void give_way(struct h2_conn *h2)
{
    h2->conn.session.server->count.cells->shed++;
    h2_session_terminate(h2->session, H2_ENHANCE_YOUR_CALM);
    if (h2->conn.sending)
        session_close(&h2->conn.session, PX_END_ABORTED);
    else
        h2_advance(h2);
}

static void heads_relieve(struct h2_conn *h2, uint64_t bytes)
{
    px_server *server = h2->conn.session.server;
    struct budget *memory = &server->loop->memory;
    struct share_search search = {
        .asks = h2,
        .held = heads_held,
        .held_min = h2->head_bytes + (uint32_t)bytes,
    };

    if (!share_look(server, &search))
        return;
    for (uint32_t index = 0; index < search.count; index++) {
        if (budget_left(memory, BUDGET_HEADS) >= memory->shares[BUDGET_HEADS].bytes_max / 8)
            return;
        give_way(search.found[index]);
    }
}

bool h2_share_head(struct h2_request *request, size_t bytes)
{
    struct h2_conn *h2 = request->h2;
    struct budget *memory = &h2->conn.session.server->loop->memory;

    /* One that is larger than all may be is still served, alone. */
    if (h2->head_bytes > 0 && h2->head_bytes + bytes > H2_CONN_HEADS_BYTES_MAX)
        return false;
    if (PX_UNLIKELY(bytes > budget_left(memory, BUDGET_HEADS)))
        heads_relieve(h2, bytes);
    if (!budget_take(memory, BUDGET_HEADS, bytes))
        return false;
    request->head_bytes = (uint32_t)bytes;
    h2->head_bytes += (uint32_t)bytes;
    return true;
}

void h2_share_give(struct h2_request *request)
{
    struct h2_conn *h2 = request->h2;

    budget_give(&h2->conn.session.server->loop->memory, BUDGET_HEADS, request->head_bytes);
    h2->head_bytes -= request->head_bytes;
    request->head_bytes = 0;
}
