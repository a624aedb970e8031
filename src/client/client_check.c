/* What must hold of a client between ticks: in builds for tests, called at each of them. */
#include "base/check.h"
#include "client/link.h"

static void link_out_check(const struct link *link)
{
    const struct link_out *out = link->out;

    ASSERT(!link->sending || out);
    if (!out)
        return;
    ASSERT(out->item.generation & 1);
    ASSERT(out->len <= sizeof(out->bytes));
    ASSERT(out->part_count <= ARRAY_COUNT(out->parts));
    ASSERT(!link->sending || out->part_count > 0);
}

static void link_h1_check(const struct link *link)
{
    const px_fetch *fetch = link->fetch;

    ASSERT(link->reading <= READ_CLOSED && link->writing <= WRITE_CLOSED);
    ASSERT(link->in_used == 0 && !link->in.ptr);
    ASSERT(!link->work || fetch);
    ASSERT(!fetch || fetch->link == link);
    ASSERT(!fetch || link->stage == LINK_OPEN || !fetch_is_live(fetch));
    ASSERT(fetch || link->stage != LINK_OPEN || link->writing == WRITE_NOTHING);
    if (!link->work)
        return;
    ASSERT(link->work->item.generation & 1);
    ASSERT(link->work->content || (!link->work->over && link->work->held == 0));
    ASSERT(link->reading != READ_CONTENT || link->work->content);
    if (link->work->content)
        h1_body_check(&link->work->body);
    else
        h1_parser_check(&link->work->parser);
}

static void link_h2_check(const struct link *link)
{
    size_t ready = list_check(&link->ready);

    ASSERT(!link->fetch);
    ASSERT(ready <= list_check(&link->fetches));
    /* Else what is ready would wait for something else to happen. */
    ASSERT(ready == 0 || list_linked(&link->wake.node) || link->stage != LINK_OPEN);
    for (const struct list *at = link->fetches.next; at != &link->fetches; at = at->next) {
        const px_fetch *fetch = LIST_ENTRY(at, const px_fetch, on_link);

        ASSERT(fetch->link == link && fetch_is_live(fetch));
        ASSERT(fetch->held.len <= H2_STREAM_WINDOW);
        ASSERT(fetch->held.len == 0 || fetch->paused || list_linked(&fetch->ready));
        ASSERT(!fetch->over || fetch->held.len > 0 || list_linked(&fetch->ready));
    }
}

static void link_check(const struct link *link)
{
    bool is_open = link->stage == LINK_OPEN;

    ASSERT(link->item.generation & 1);
    ASSERT(link->stage <= LINK_CLOSING && link->wake.run);
    ASSERT(link->origin && link->origin->client == link->client);
    ASSERT(!link->driving);
    ASSERT(link->dial || link->stream);
    ASSERT(!link->dial || link->stage == LINK_DIALLING || link->stage == LINK_CLOSING);
    ASSERT(is_open || (!list_linked(&link->idle) && !list_linked(&link->aged)));
    ASSERT(!list_linked(&link->aged) || link_is_unused(link));
    ASSERT(!list_linked(&link->aged) || list_linked(&link->idle));
    /* Else it would be kept for good. */
    ASSERT(!list_linked(&link->aged) || link->due_ms == UINT64_MAX || timer_started(&link->timer));
    link_out_check(link);
    if (link->h2)
        link_h2_check(link);
    else
        link_h1_check(link);
}

static void fetch_check(const px_fetch *fetch)
{
    ASSERT(fetch->item.generation & 1);
    ASSERT(fetch->stage <= FETCH_AGAIN);
    ASSERT(fetch->callbacks->struct_size > 0);
    ASSERT(fetch->origin && fetch->origin->client == fetch->client);
    ASSERT(list_linked(&fetch->waiting) == (fetch->stage == FETCH_WAITING));
    ASSERT(fetch->link || fetch->stage == FETCH_WAITING || fetch->stage == FETCH_FINISHED);
    ASSERT(!fetch->link || fetch->stage != FETCH_WAITING);
    ASSERT(!fetch->link || fetch->link->origin == fetch->origin);
    ASSERT(list_linked(&fetch->all) || fetch->stage == FETCH_FINISHED);
    fetch_timer_check(fetch);
    ASSERT(fetch->informs.count <= CLIENT_INFORM_COUNT_MAX + 1);
    ASSERT(fetch->trailer_count == 0 || fetch->trailers);
    ASSERT(!fetch->facts.stale || fetch->facts.kept);
    ASSERT(!fetch->facts.reused || fetch->facts.kept);
    arena_check(&fetch->arena);
}

/* How often an origin is used, counted anew. */
struct origin_census {
    const struct origin *origin;
    uint32_t uses, links, opening, idle;
};

static void fetch_visit(void *object, void *context)
{
    const px_fetch *fetch = object;
    struct origin_census *census = context;

    if (!census->origin)
        fetch_check(fetch);
    census->uses += fetch->origin == census->origin;
}

static void origin_check(px_client *client, const struct origin *origin)
{
    struct origin_census census = {.origin = origin};

    pool_each(&client->fetches, fetch_visit, &census);
    for (const struct list *at = client->open.next; at != &client->open; at = at->next) {
        const struct link *link = LIST_ENTRY(at, const struct link, node);

        if (link->origin != origin)
            continue;
        census.uses++;
        census.links += link->stage < LINK_CLOSING;
        census.opening += link->stage < LINK_OPEN;
        census.idle += list_linked(&link->aged);
    }
    ASSERT(origin->client == client && origin->uses > 0);
    ASSERT(origin->uses == census.uses);
    ASSERT(origin->link_count == census.links);
    ASSERT(origin->link_count <= client->options.origin_connections_max);
    ASSERT(origin->opening_count == census.opening);
    ASSERT(origin->idle_count == census.idle && list_check(&origin->idle) >= census.idle);
    ASSERT(origin->waiting_count == list_check(&origin->waiting));
    /* Else a fetch would wait for a connection that comes for another's sake, or for none. */
    ASSERT(origin->waiting_count == 0 || origin->opening_count > 0 ||
           list_linked(&origin->wanting));
}

void client_check(px_client *client)
{
    struct origin_census all = {.origin = NULL};
    size_t idle = list_check(&client->idle), outs = 0, works = 0;

    pool_check(&client->fetches);
    pool_check(&client->links);
    pool_check(&client->works);
    pool_check(&client->outs);
    map_check(&client->origins);
    ASSERT(list_check(&client->open) == client->links.taken);
    ASSERT(list_check(&client->all) + list_check(&client->ended) <= client->fetches.taken);
    ASSERT(client->links.taken <= client->options.connections_max);
    pool_each(&client->fetches, fetch_visit, &all);
    for (const struct list *at = client->open.next; at != &client->open; at = at->next) {
        const struct link *link = LIST_ENTRY(at, const struct link, node);

        link_check(link);
        outs += link->out != NULL;
        works += !link->h2 && link->work;
    }
    ASSERT(outs == client->outs.taken && works == client->works.taken);
    for (const struct list *at = client->origins.used.next; at != &client->origins.used;
         at = at->next) {
        const struct map_entry *entry = LIST_ENTRY(at, const struct map_entry, used);
        const struct origin *origin = CONTAINER_OF(entry, const struct origin, entry);

        origin_check(client, origin);
        idle -= origin->idle_count;
    }
    ASSERT(idle == 0);
}
