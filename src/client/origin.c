/*
 * Origins: where fetches wait and connections are kept.
 *
 * Happy path: a fetch waits for the moment it takes the loop to give it the connection that was
 * used last.  Where there is none, one is opened for each that waits, within the limits; at the
 * limit of all, the connection that has been idle longest makes room.  What can go wrong: no server
 * answers, and those that wait are told.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "client/link.h"

enum {
    KEY_BYTES_MAX = 1024,
    DRAINED_LOOK_MS = 5,
    PASSED_MAX = 16, /* fetches that others go past: they wait for a connection of their own */
};

/* --- Finding ---------------------------------------------------------------------------------- */

static size_t key_bytes(const struct origin_key *key)
{
    return sizeof(key->trust) + 1 + key->address.len + 1 + key->name.len + 1 + key->preamble.len;
}

/* The address first, so that its NUL ends it. */
static void key_write(const struct origin_key *key, char *out)
{
    out = text_write_str(out, key->address);
    *out++ = '\0';
    out = text_write_str(out, key->name);
    *out++ = '\0';
    out = text_write(out, (const char *)&key->trust, sizeof(key->trust));
    *out++ = (char)key->protocol;
    text_write_str(out, key->preamble);
}

static struct origin *origin_make(px_client *client, const struct origin_key *key, px_str text)
{
    struct origin *origin = alloc_take_zeroed(&client->loop->allocator, sizeof(*origin) + text.len);

    if (!origin)
        return NULL;
    list_init(&origin->wanting);
    list_init(&origin->waiting);
    list_init(&origin->idle);
    list_init(&origin->look.node);
    memcpy(origin->text, text.ptr, text.len);
    origin->client = client;
    origin->address = origin->text;
    origin->name = px_str_make(origin->text + key->address.len + 1, key->name.len);
    origin->preamble = px_str_make(origin->text + text.len - key->preamble.len, key->preamble.len);
    origin->protocol = key->protocol;
    struct address_text split;

    origin->is_name = address_split(origin->address, &split, NULL) == PX_OK &&
                      split.kind == ADDRESS_TCP && address_is_name(&split);
    origin->looked_ms = client->loop->now_ms;
    if (map_put(&client->origins, &origin->entry, px_str_make(origin->text, text.len),
                sizeof(*origin) + text.len) != PX_OK) {
        alloc_put(&client->loop->allocator, origin);
        return NULL;
    }
    if (key->trust)
        origin->trust = tls_trust_take(key->trust);
    return origin;
}

px_err origin_take(px_client *client, const struct origin_key *key, struct origin **out_origin)
{
    char bytes[KEY_BYTES_MAX];
    px_str text = {bytes, key_bytes(key)};
    struct map_entry *entry;

    CHECK(key->protocol <= PX_FETCH_HTTP2);
    if (text.len > sizeof(bytes))
        return PX_ERR_INVALID;
    key_write(key, bytes);
    entry = map_find(&client->origins, text);
    struct origin *origin =
        entry ? CONTAINER_OF(entry, struct origin, entry) : origin_make(client, key, text);

    if (!origin)
        return PX_ERR_MEMORY;
    origin->uses++;
    *out_origin = origin;
    return PX_OK;
}

void origin_put(struct origin *origin)
{
    px_client *client = origin->client;

    if (--origin->uses > 0)
        return;
    CHECK(origin->link_count == 0 && origin->waiting_count == 0);
    list_remove(&origin->wanting);
    list_remove(&origin->look.node);
    map_remove(&client->origins, &origin->entry);
    tls_trust_put(origin->trust);
    alloc_put(&client->loop->allocator, origin);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static uint64_t turn_of(const struct origin *origin)
{
    const struct list *first = origin->waiting.next;

    return first != &origin->waiting ? LIST_ENTRY(first, px_fetch, waiting)->turn : UINT64_MAX;
}

/* The origin whose fetch waits longest is in front: none starves for one that asks on and on. */
static void wanting_add(struct origin *origin)
{
    struct list *behind = origin->client->wanting.prev;

    if (list_linked(&origin->wanting))
        return;
    while (behind != &origin->client->wanting &&
           turn_of(LIST_ENTRY(behind, struct origin, wanting)) > turn_of(origin))
        behind = behind->prev;
    list_append(behind->next, &origin->wanting);
}

void origin_want(struct origin *origin)
{
    wanting_add(origin);
    loop_task_add(origin->client->loop, &origin->client->serve);
}

void origin_wait(struct origin *origin, px_fetch *fetch)
{
    CHECK(fetch->origin == origin && !fetch->link && !list_linked(&fetch->waiting));
    if (fetch->turn == 0)
        fetch->turn = ++origin->client->turns;
    /* One that has waited before goes first. */
    list_append(fetch->again ? origin->waiting.next : &origin->waiting, &fetch->waiting);
    origin->waiting_count++;
    origin_want(origin);
}

void origin_leave(struct origin *origin, px_fetch *fetch)
{
    CHECK(origin->waiting_count > 0 && list_linked(&fetch->waiting));
    list_remove(&fetch->waiting);
    origin->waiting_count--;
    /* What is idle may not be awaited any more, and make room for others. */
    if (origin->idle_count > 0 && !list_empty(&origin->client->wanting))
        loop_task_add(origin->client->loop, &origin->client->serve);
}

void origin_refuse(struct origin *origin, const px_error *error)
{
    bool all = origin->link_count == 0;

    CHECK(error->code != PX_OK);
    origin->uses++; /* while its fetches leave it */
    while (!list_empty(&origin->waiting)) {
        fetch_end_with(LIST_ENTRY(origin->waiting.next, px_fetch, waiting), error);
        if (!all)
            break;
    }
    if (origin->waiting_count > 0)
        origin_want(origin);
    origin_put(origin);
}

/* --- Keeping ---------------------------------------------------------------------------------- */

void origin_keep(struct origin *origin, struct link *link)
{
    px_client *client = origin->client;

    CHECK(link->origin == origin && link->stage == LINK_OPEN && !link->fetch);
    CHECK(!list_linked(&link->aged));
    /* More than are kept only where one is waited for; origin_serve closes the rest. */
    if (client->closing ||
        (origin->idle_count >= client->options.origin_idle_max && origin->waiting_count == 0)) {
        link_close(link, false);
        return;
    }
    list_remove(&link->idle);
    list_append(origin->idle.next, &link->idle);
    list_append(&client->idle, &link->aged);
    origin->idle_count++;
    link->kept |= origin->waiting_count == 0;
    if (origin->waiting_count > 0)
        origin_want(origin);
    else if (!list_empty(&client->wanting))
        loop_task_add(client->loop, &client->serve); /* it can make room for others */
}

void origin_offer(struct origin *origin, struct link *link)
{
    CHECK(link->h2 && !list_linked(&link->idle));
    list_append(origin->idle.next, &link->idle);
    if (origin->waiting_count > 0)
        origin_want(origin);
}

void origin_rest(struct origin *origin)
{
    if (origin->waiting_count > 0)
        return; /* one that is new, and not drained yet, is for what waits */
    for (struct list *node = origin->idle.next; node != &origin->idle; node = node->next) {
        struct link *link = LIST_ENTRY(node, struct link, idle);

        /* Those that came last are in front. */
        if (link->kept || link->served > 0)
            break;
        link->kept = list_linked(&link->aged);
    }
}

bool origin_takes_http1(const struct origin *origin, const px_fetch *fetch)
{
    return fetch->facts.over_http1 || origin->http1_until_ms > loop_now_ms(origin->client->loop);
}

static bool wants_fresh(const px_fetch *fetch)
{
    return fetch->again || (fetch->request.flags & PX_FETCH_FRESH);
}

static bool is_new(const struct link *link)
{
    return link->served == 0 && !link->kept;
}

/* Whether a connection is of the kind that a fetch may have. */
static bool suits(const struct origin *origin, const struct link *link, const px_fetch *fetch)
{
    if (wants_fresh(fetch) && !(is_new(link) && link_is_unused(link)))
        return false;
    return !link->h2 || !origin_takes_http1(origin, fetch);
}

/* An idle connection, or one with room, that a fetch may have; or NULL. */
static struct link *idle_find(const struct origin *origin, const px_fetch *fetch)
{
    for (struct list *node = origin->idle.next; node != &origin->idle; node = node->next) {
        struct link *link = LIST_ENTRY(node, struct link, idle);

        if (suits(origin, link, fetch) && (link->h2 ? !link->unclean && h2_client_room(link->h2) > 0
                                                    : conduit_is_drained(&link->conduit)))
            return link;
    }
    return NULL;
}

/* --- Serving ---------------------------------------------------------------------------------- */

static bool may_open(const struct origin *origin)
{
    return !origin->client->closing &&
           origin->link_count < origin->client->options.origin_connections_max;
}

/* Whether an idle connection is for what waits at its origin, as soon as it is drained: what the
 * server sends behind a handshake may come in pieces. */
static bool is_awaited(const struct link *link)
{
    const struct origin *origin = link->origin;

    return origin->waiting_count > 0 &&
           suits(origin, link, LIST_ENTRY(origin->waiting.next, px_fetch, waiting));
}

/* There is no room for another connection: the one that is idle for longest makes some. */
static void make_room(px_client *client)
{
    for (struct list *node = client->idle.next; node != &client->idle; node = node->next) {
        struct link *link = LIST_ENTRY(node, struct link, aged);

        /* One that has served has had its turn: another origin's fetch goes before more of it. */
        if (!is_new(link) || !is_awaited(link)) {
            link_close(link, false);
            return;
        }
    }
}

/* One connection may serve all that wait, where it speaks HTTP/2. */
static uint32_t openings_wanted(const struct origin *origin)
{
    if (origin->waiting_count == 0)
        return 0;
    bool shares =
        !origin_takes_http1(origin, LIST_ENTRY(origin->waiting.next, px_fetch, waiting)) &&
        (origin->protocol == PX_FETCH_HTTP2 ||
         (origin->protocol == PX_FETCH_AUTO && !origin->only_http1));

    return shares ? 1 : origin->waiting_count;
}

/* Opens as many as are waited for; false when nothing came of it. */
static bool links_open(struct origin *origin)
{
    px_client *client = origin->client;
    px_error error;

    while (openings_wanted(origin) > origin->opening_count && may_open(origin)) {
        if (client->links.taken >= client->options.connections_max) {
            make_room(client);
            return true;
        }
        if (link_open(origin, LIST_ENTRY(origin->waiting.next, px_fetch, waiting), &error) !=
            PX_OK) {
            origin_refuse(origin, &error);
            return false;
        }
    }
    return true;
}

/* Whether no connection will do that was used before, or that speaks HTTP/2. */
static bool wants_another(const struct origin *origin, const px_fetch *fetch)
{
    return wants_fresh(fetch) || origin_takes_http1(origin, fetch);
}

/* How many more may be opened now. */
static uint32_t openings_left(const struct origin *origin)
{
    const px_client *client = origin->client;
    size_t all = client->options.connections_max - client->links.taken;
    uint32_t here = client->options.origin_connections_max - origin->link_count;

    if (!may_open(origin) || client->links.taken >= client->options.connections_max)
        return 0;
    return all < here ? (uint32_t)all : here;
}

/* Serves the first that waits and can be: false when none can.  Those that want another connection
 * than there is hold up none behind them, which may have one; not where that one is to make room
 * for theirs. */
static bool origin_serve_first(struct origin *origin)
{
    uint32_t passed_max = origin->opening_count + openings_left(origin), passed = 0;
    struct list *node = origin->waiting.next;
    struct link *link = NULL;

    for (; node != &origin->waiting; node = node->next, passed++) {
        px_fetch *fetch = LIST_ENTRY(node, px_fetch, waiting);

        link = idle_find(origin, fetch);
        if (link || passed >= passed_max || passed >= PASSED_MAX || !wants_another(origin, fetch))
            break;
    }
    if (!link)
        return false;
    px_fetch *fetch = LIST_ENTRY(node, px_fetch, waiting);

    origin_leave(origin, fetch);
    if (link->served > 0)
        origin_look_again(origin);
    link_take(link, fetch);
    if (link->h2 && link->stage == LINK_OPEN && !link->unclean && !list_linked(&link->idle) &&
        h2_client_room(link->h2) > 0)
        list_append(origin->idle.next, &link->idle);
    return true;
}

/* At the origin's limit, those of its connections that have been idle longest make room for the
 * fetches in front, where these may have none of them. */
static void make_room_at(struct origin *origin)
{
    uint32_t wanted = 0;

    for (struct list *node = origin->waiting.next;
         node != &origin->waiting && wanted < PASSED_MAX &&
         wants_another(origin, LIST_ENTRY(node, px_fetch, waiting));
         node = node->next)
        wanted++;
    for (struct list *node = origin->idle.prev, *next;
         node != &origin->idle && wanted > origin->opening_count; node = next) {
        struct link *link = LIST_ENTRY(node, struct link, idle);

        next = node->prev;
        if (!list_linked(&link->aged))
            continue; /* HTTP/2: it has room, and is in use */
        if (!is_awaited(link))
            link_close(link, false);
        wanted--;
    }
}

void origin_serve_again(struct io_timer *timer)
{
    px_client *client = CONTAINER_OF(timer, px_client, again);

    loop_task_add(client->loop, &client->serve);
}

/* With a connection that is awaited: nothing tells when it is drained. */
static void wait_drained(struct origin *origin)
{
    px_client *client = origin->client;

    for (const struct list *node = origin->idle.next; node != &origin->idle; node = node->next) {
        const struct link *link = LIST_ENTRY(node, const struct link, idle);

        if (!is_awaited(link) || conduit_is_drained(&link->conduit))
            continue;
        wanting_add(origin);
        timer_start(&client->loop->timers, &client->again,
                    loop_now_ms(client->loop) + DRAINED_LOOK_MS);
        return;
    }
}

static void origin_serve_one(struct origin *origin)
{
    while (origin_serve_first(origin))
        continue;
    if (origin->waiting_count > 0 && !may_open(origin) && !origin->client->closing) {
        make_room_at(origin);
        while (origin_serve_first(origin))
            continue;
    }
    origin_rest(origin);
    while (origin->waiting_count == 0 &&
           origin->idle_count > origin->client->options.origin_idle_max &&
           list_linked(&LIST_ENTRY(origin->idle.prev, struct link, idle)->aged))
        link_close(LIST_ENTRY(origin->idle.prev, struct link, idle), false);
    if (links_open(origin) && origin->waiting_count > origin->opening_count)
        wanting_add(origin);
    wait_drained(origin);
}

void origin_serve(struct loop_task *task)
{
    px_client *client = CONTAINER_OF(task, px_client, serve);
    struct list now;

    list_init(&now);
    list_splice(&now, &client->wanting);
    while (!list_empty(&now)) {
        struct origin *origin = LIST_ENTRY(now.next, struct origin, wanting);

        list_remove(&origin->wanting);
        origin->uses++;
        origin_serve_one(origin);
        origin_put(origin);
    }
}
