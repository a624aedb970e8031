/*
 * Places of an upstream, and their looks.
 */
#include "proxy/places.h"

#include "base/check.h"
#include "base/limits.h"
#include "proxy/passage.h"

/* --- What a client keeps a place for ---------------------------------------------------------- */

/* An answer that is not read; content that the server waits for. */
static bool is_unread(const struct passage *passage)
{
    return passage->stage == PASSAGE_ANSWERING && passage->answer.full;
}

static bool is_owed(const struct passage *passage)
{
    if (!passage->exchange || !passage->fetch)
        return false;
    return is_unread(passage) ||
           (passage->starved && !passage->request.ended &&
            (passage->stage == PASSAGE_TRYING || passage->stage == PASSAGE_ANSWERING));
}

static struct places *places_of(const struct passage *passage)
{
    return &passage->proxy->upstream->places;
}

/* Time passes for one that is owed. */
static void credit_spend(struct place *place, uint64_t now_ms)
{
    CHECK(now_ms >= place->noted_ms);
    if (place->owed)
        place->credit_ms -= (int64_t)(now_ms - place->noted_ms);
    place->noted_ms = now_ms;
}

/* Bytes win time back: as much as they have at the minimum rate. */
static void credit_win(struct place *place, uint64_t bytes, uint32_t hold_ms)
{
    uint64_t won_ms = bytes < UINT32_MAX ? bytes * 1000 / MINIMUM_RATE_DEFAULT : UINT32_MAX;

    if (bytes == 0)
        return;
    if (place->credit_ms < 0)
        place->credit_ms = 0;
    place->credit_ms += (int64_t)won_ms;
    if (place->credit_ms > (int64_t)hold_ms)
        place->credit_ms = (int64_t)hold_ms;
}

void place_note(struct passage *passage, uint64_t bytes)
{
    struct place *place = &passage->place;

    if (!list_linked(&place->node))
        return;
    credit_spend(place, px_loop_now_ms(passage->proxy->loop));
    credit_win(place, bytes, places_of(passage)->hold_ms);
    bool owed = is_owed(passage);

    if (owed != place->owed)
        place->mark_acked = UINT64_MAX;
    place->owed = owed;
}

/* The system takes megabytes for a client that has stopped: only what its end acknowledges says
 * that it reads.  Its connection's bytes are those of all its requests.  The first look has nothing
 * to compare with. */
static void acked_note(struct passage *passage)
{
    const struct exchange_places *client = passage->place.client;
    uint64_t acked = exchange_acked_bytes(passage->exchange);
    struct place *place = &passage->place;
    uint32_t hold_ms = places_of(passage)->hold_ms;

    if (acked == UINT64_MAX)
        return;
    if (place->mark_acked == UINT64_MAX)
        place->credit_ms = (int64_t)hold_ms;
    else if (acked > place->mark_acked)
        credit_win(place, (acked - place->mark_acked) / (client && client->busy ? client->busy : 1),
                   hold_ms);
    place->mark_acked = acked;
}

/* --- Having one ------------------------------------------------------------------------------- */

void place_take(struct passage *passage)
{
    struct places *places = places_of(passage);
    struct exchange_places *client = passage->place.client;

    CHECK(passage->server && !list_linked(&passage->place.node));
    passage->place.noted_ms = px_loop_now_ms(passage->proxy->loop);
    passage->place.credit_ms = (int64_t)places->hold_ms;
    passage->place.mark_acked = UINT64_MAX;
    passage->place.owed = false;
    list_append(&places->held, &passage->place.node);
    if (client)
        client->busy++;
}

void place_give(struct passage *passage)
{
    struct exchange_places *client = passage->place.client;

    if (!list_linked(&passage->place.node))
        return;
    list_remove(&passage->place.node);
    if (!client)
        return;
    CHECK(client->busy > 0);
    client->busy--;
}

void place_wait(struct passage *passage, uint64_t due_ms)
{
    px_upstream *upstream = passage->proxy->upstream;

    CHECK(!passage->place.waiting);
    queue_add(&upstream->queue, &passage->waiter, due_ms);
    passage->place.waiting = true;
    if (passage->place.client)
        passage->place.client->waiting++;
    upstream_counts_waiting(upstream);
    if (upstream->places.is_looking)
        return;
    upstream->places.is_looking = true;
    px_timer_start(upstream->places.look, 0);
}

void place_wait_end(struct passage *passage)
{
    px_upstream *upstream = passage->proxy->upstream;

    if (!passage->place.waiting)
        return;
    passage->place.waiting = false;
    if (passage->place.client)
        passage->place.client->waiting--;
    queue_leave(&upstream->queue, &passage->waiter);
    upstream_counts_waiting(upstream);
}

void place_leave(struct passage *passage)
{
    struct exchange_places *client = passage->place.client;

    place_wait_end(passage);
    if (client && list_linked(&passage->place.node))
        client->busy--;
    passage->place.client = NULL;
}

/* --- Giving way ------------------------------------------------------------------------------- */

/* Which goes first: of a connection that has more than its share; one that is waited for alone
 * before one where the server may be silent by itself; the longest idle. */
static uint64_t rank_of(const struct passage *passage)
{
    const struct exchange_places *client = passage->place.client;
    uint64_t rank = (uint64_t)-passage->place.credit_ms;

    ASSERT(passage->place.credit_ms < 0);
    if (passage->stage == PASSAGE_TRYING || is_unread(passage))
        rank |= (uint64_t)1 << 60;
    if (client && client->busy > places_of(passage)->share)
        rank |= (uint64_t)1 << 61;
    return rank;
}

static struct passage *passage_at(const struct list *node)
{
    return LIST_ENTRY(node, struct passage, place.node);
}

/* Notes what has become of each; the one that goes first, or NULL. */
static struct passage *look(px_upstream *upstream, bool notes)
{
    struct list *held = &upstream->places.held;
    struct passage *found = NULL;

    for (struct list *node = held->next; node != held; node = node->next) {
        struct passage *passage = passage_at(node);

        if (notes)
            place_note(passage, 0);
        if (!passage->place.owed)
            continue;
        if (notes && is_unread(passage))
            acked_note(passage);
        if (passage->place.credit_ms < 0 && (!found || rank_of(passage) > rank_of(found)))
            found = passage;
    }
    return found;
}

enum { GIVE_WAY_MAX = 64 /* in a look: each is a walk over all */ };

static void on_look(px_timer *timer, void *context)
{
    px_upstream *upstream = upstream_take(context);
    uint32_t wanted = upstream->queue.count;
    struct passage *found = wanted > 0 ? look(upstream, true) : NULL;

    upstream->places.is_looking = wanted > 0;
    if (wanted > 0)
        px_timer_start(timer, PLACES_LOOK_MS);
    for (uint32_t count = 0; found && count < wanted && count < GIVE_WAY_MAX; count++) {
        passage_give_up(found, 408, "its client did not go on while others waited");
        place_give(found);
        found = look(upstream, false);
    }
    upstream_put(upstream);
}

/* --- Those that wait -------------------------------------------------------------------------- */

bool place_is_fair(const struct waiter *waiter)
{
    const struct passage *passage = CONTAINER_OF(waiter, const struct passage, waiter);
    const struct exchange_places *client = passage->place.client;

    return !client || client->busy < places_of(passage)->share;
}

bool places_make_room(const struct passage *passage)
{
    const struct exchange_places *own = passage->place.client;
    struct list *waiters = &passage->proxy->upstream->queue.waiters;
    uint32_t most =
        own && own->waiting >= PLACES_WAITING_MIN ? own->waiting + 1U : PLACES_WAITING_MIN;
    struct waiter *found = NULL;

    /* The last that came of the connection that has most. */
    for (struct list *node = waiters->next; node != waiters; node = node->next) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);
        const struct passage *other = CONTAINER_OF(waiter, struct passage, waiter);
        const struct exchange_places *client = other->place.client;

        if (client && client != own && client->waiting >= most + (found == NULL)) {
            most = client->waiting;
            found = waiter;
        }
    }
    if (!found)
        return false;
    struct passage *last = CONTAINER_OF(found, struct passage, waiter);

    place_wait_end(last);
    passage_refuse(last, 503, "others wait, and its connection has most requests that do",
                   "connection_limit_reached");
    return true;
}

/* --- Beginning and end ------------------------------------------------------------------------ */

px_err places_init(px_upstream *upstream)
{
    struct places *places = &upstream->places;
    uint32_t half_ms = upstream->options.queue_timeout_ms / 2;
    uint64_t count = 0;

    list_init(&places->held);
    for (uint32_t index = 0; index < upstream->server_count; index++)
        count += upstream->servers[index].requests_max;
    count /= PLACES_SHARE_PART;
    places->share = count > UINT32_MAX ? UINT32_MAX : count > 0 ? (uint32_t)count : 1;
    places->hold_ms = half_ms < PLACES_HOLD_MS ? half_ms : PLACES_HOLD_MS;
    places->look = px_timer_create(upstream->loop, on_look, upstream);
    return places->look ? PX_OK : PX_ERR_MEMORY;
}

void places_deinit(px_upstream *upstream)
{
    if (!upstream->places.look)
        return;
    CHECK(list_empty(&upstream->places.held));
    px_timer_destroy(upstream->places.look);
}
