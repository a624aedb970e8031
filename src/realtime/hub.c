/*
 * Hubs: each publish is one packet to each other member.
 *
 * A packet is the kind (1 byte), the length of the name (1 byte), the name and the message.  Where
 * a socket has no room the packet waits in an outbox, in order; beyond HUB_BACKLOG_BYTES it is lost
 * to that member, and counted.  A member that is gone gets nothing until its successor has the
 * socket: the other end of a pair stays open in the program that made it.
 */
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "http/ws/ws_utf8.h"
#include "io/packet.h"
#include "pollux/hub.h"
#include "pollux/hub_redis.h"
#include "realtime/hub_engine.h"
#include "realtime/limits.h"
#include "realtime/outbox.h"

enum { PACKET_HEAD_BYTES = 2, NAME_BYTES_MAX = 255 };

_Static_assert(NAME_BYTES_MAX <= UINT8_MAX, "a byte of the packet says how long its name is");
_Static_assert(PACKET_HEAD_BYTES + NAME_BYTES_MAX < PX_HUB_MESSAGE_BYTES_MAX,
               "the longest name leaves room for a message");
_Static_assert(HUB_BACKLOG_BYTES >= PX_HUB_MESSAGE_BYTES_MAX, "one packet may always wait");

struct hub_topic {
    struct list node;
    px_topic *topic; /* borrowed: outlives the hub */
    uint8_t name_len;
    char name[NAME_BYTES_MAX];
};

/* The way to another member. */
struct hub_link {
    px_hub *hub;
    px_watch *watch; /* owned; NULL: the other end is gone for good */
    struct outbox outbox;
    int fd; /* owned */
};

struct px_hub {
    px_loop *loop;      /* borrowed: outlives it */
    struct list topics; /* of struct hub_topic */
    struct loop_hook checks;
    struct hub_engine *engine; /* owned, or NULL: it has sockets alone */
    uint64_t lost;
    char *packet; /* owned: PX_HUB_MESSAGE_BYTES_MAX and one more, that shows what is too long */
    uint32_t link_count;
    struct hub_link links[];
};

static struct hub_topic *topic_find(const px_hub *hub, px_str name)
{
    for (struct list *at = hub->topics.next; at != &hub->topics; at = at->next) {
        struct hub_topic *named = LIST_ENTRY(at, struct hub_topic, node);

        if (px_str_equal(px_str_make(named->name, named->name_len), name))
            return named;
    }
    return NULL;
}

/* --- Receiving -------------------------------------------------------------------------------- */

void hub_take(px_hub *hub, px_str name, px_websocket_kind kind, px_str message)
{
    const struct hub_topic *named = topic_find(hub, name);

    if (named && px_topic_publish(named->topic, kind, message) != PX_OK)
        hub->lost++;
}

/* What is no packet of ours is passed over: members are of one program. */
static void packet_take(px_hub *hub, px_str packet)
{
    if (packet.len < PACKET_HEAD_BYTES || packet.len > PX_HUB_MESSAGE_BYTES_MAX)
        return;
    uint8_t kind = (uint8_t)packet.ptr[0];
    size_t name_len = (uint8_t)packet.ptr[1], at = PACKET_HEAD_BYTES + name_len;

    if (at > packet.len || (kind != PX_WEBSOCKET_TEXT && kind != PX_WEBSOCKET_BINARY))
        return;
    hub_take(hub, px_str_make(packet.ptr + PACKET_HEAD_BYTES, name_len), (px_websocket_kind)kind,
             px_str_make(packet.ptr + at, packet.len - at));
}

static void link_end(struct hub_link *link)
{
    px_watch_destroy(link->watch);
    link->watch = NULL;
    outbox_clear(&link->outbox);
}

/* Sends what waits; PX_OK when nothing does any more. */
static px_err link_flush(struct hub_link *link)
{
    px_str packet;

    while ((packet = outbox_first(&link->outbox)).ptr) {
        px_err err = packet_send(link->fd, packet);

        if (err != PX_OK)
            return err;
        outbox_pass(&link->outbox);
    }
    return PX_OK;
}

static void on_ready(px_watch *watch, unsigned events, void *context)
{
    struct hub_link *link = context;
    px_hub *hub = link->hub;
    px_err err = PX_OK;

    (void)watch;
    if (events & PX_WATCH_WRITE) {
        err = link_flush(link);
        if (err == PX_OK)
            err = px_watch_change(link->watch, PX_WATCH_READ);
    }
    for (uint32_t count = 0; count < HUB_TURN_COUNT && (err == PX_OK || err == PX_AGAIN); count++) {
        size_t len = 0;

        err = packet_recv(link->fd, hub->packet, PX_HUB_MESSAGE_BYTES_MAX + 1, &len);
        if (err != PX_OK)
            break;
        packet_take(hub, px_str_make(hub->packet, len));
    }
    if (err != PX_OK && err != PX_AGAIN)
        link_end(link);
}

/* --- Publishing ------------------------------------------------------------------------------- */

/* PX_OK, or PX_FULL where it is lost to that member. */
static px_err link_send(struct hub_link *link, struct shared_bytes *shared)
{
    if (!link->watch)
        return PX_OK; /* gone, and not to come back */
    if (!link->outbox.head) {
        px_err err = packet_send(link->fd, shared->bytes);

        if (err == PX_OK)
            return PX_OK;
        if (err != PX_AGAIN) {
            link_end(link);
            return PX_OK;
        }
    }
    if (link->outbox.bytes >= HUB_BACKLOG_BYTES ||
        outbox_share(&link->outbox, shared, false) != PX_OK ||
        px_watch_change(link->watch, PX_WATCH_READ | PX_WATCH_WRITE) != PX_OK)
        return PX_FULL;
    return PX_OK;
}

static struct shared_bytes *packet_make(px_hub *hub, px_str name, px_websocket_kind kind,
                                        px_str message)
{
    CHECK(name.len <= NAME_BYTES_MAX &&
          message.len <= PX_HUB_MESSAGE_BYTES_MAX - PACKET_HEAD_BYTES - name.len);
    struct shared_bytes *shared =
        shared_create(hub->loop, PACKET_HEAD_BYTES + name.len + message.len);

    if (!shared)
        return NULL;
    shared->room[0] = (char)kind;
    shared->room[1] = (char)name.len;
    memcpy(shared->room + PACKET_HEAD_BYTES, name.ptr, name.len);
    if (message.len > 0)
        memcpy(shared->room + PACKET_HEAD_BYTES + name.len, message.ptr, message.len);
    return shared;
}

px_err px_hub_publish(px_hub *hub, const char *name_text, px_websocket_kind kind, px_str message)
{
    px_str name = px_str_of(name_text);
    const struct hub_topic *named = topic_find(hub, name);

    if (!named)
        return PX_ERR_NOT_FOUND;
    if (kind == PX_WEBSOCKET_TEXT && !ws_utf8_valid(message))
        return PX_ERR_INVALID; /* no member would take it */
    if (message.len > PX_HUB_MESSAGE_BYTES_MAX - PACKET_HEAD_BYTES - name.len)
        return PX_ERR_LIMIT;
    struct shared_bytes *shared = packet_make(hub, name, kind, message);

    if (!shared)
        return PX_ERR_MEMORY;
    px_err err = px_topic_publish(named->topic, kind, message);

    for (uint32_t index = 0; index < hub->link_count; index++) {
        if (link_send(&hub->links[index], shared) == PX_OK)
            continue;
        hub->lost++;
        err = err == PX_OK ? PX_FULL : err;
    }
    shared_put(shared);
    px_err further =
        hub->engine ? hub->engine->calls->publish(hub->engine, name, kind, message) : PX_OK;

    if (further != PX_OK)
        hub->lost++;
    return err == PX_OK ? further : err;
}

/* --- Its life --------------------------------------------------------------------------------- */

px_err px_hub_name(px_hub *hub, const char *name_text, px_topic *topic)
{
    px_str name = px_str_of(name_text);

    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return PX_ERR_INVALID;
    if (topic_find(hub, name))
        return PX_ERR_CONFLICT;
    struct hub_topic *named = socket_alloc(hub->loop, sizeof(*named));

    if (!named)
        return PX_ERR_MEMORY;
    named->topic = topic;
    named->name_len = (uint8_t)name.len;
    memcpy(named->name, name.ptr, name.len);
    list_init(&named->node);
    list_append(&hub->topics, &named->node);
    if (hub->engine)
        hub->engine->calls->named(hub->engine, name);
    return PX_OK;
}

/* What must hold of a hub between ticks. */
static void hub_check(struct loop_hook *hook)
{
    const px_hub *hub = CONTAINER_OF(hook, px_hub, checks);

    if (!ASSERTS)
        return;
    ASSERT(hub->packet && hub->link_count <= HUB_LINKS_MAX);
    (void)list_check(&hub->topics);
    for (const struct list *at = hub->topics.next; at != &hub->topics; at = at->next)
        ASSERT(LIST_ENTRY(at, const struct hub_topic, node)->name_len > 0);
    for (uint32_t index = 0; index < hub->link_count; index++) {
        const struct hub_link *link = &hub->links[index];

        ASSERT(link->hub == hub && link->fd >= 0);
        /* Nothing waits for a member that is gone for good. */
        ASSERT(link->watch || !link->outbox.head);
        ASSERT(link->outbox.bytes < HUB_BACKLOG_BYTES + PX_HUB_MESSAGE_BYTES_MAX);
        outbox_check(&link->outbox);
    }
}

static size_t hub_bytes(uint32_t link_count)
{
    return sizeof(px_hub) + link_count * sizeof(struct hub_link);
}

static void hub_free(px_hub *hub)
{
    for (uint32_t index = 0; index < hub->link_count; index++)
        link_end(&hub->links[index]);
    while (!list_empty(&hub->topics)) {
        struct hub_topic *named = LIST_ENTRY(hub->topics.next, struct hub_topic, node);

        list_remove(&named->node);
        socket_free(hub->loop, named, sizeof(*named));
    }
    list_remove(&hub->checks.node);
    socket_free(hub->loop, hub->packet, PX_HUB_MESSAGE_BYTES_MAX + 1);
    socket_free(hub->loop, hub, hub_bytes(hub->link_count));
}

px_hub *px_hub_create(px_loop *loop, const int *fds, uint32_t count, px_error *out_error)
{
    px_hub *hub = count <= HUB_LINKS_MAX ? socket_alloc(loop, hub_bytes(count)) : NULL;

    if (!hub) {
        error_set(out_error, count <= HUB_LINKS_MAX ? PX_ERR_MEMORY : PX_ERR_LIMIT, 0,
                  "no memory for a hub, or more than %d members", HUB_LINKS_MAX);
        return NULL;
    }
    memset(hub, 0, hub_bytes(count));
    hub->loop = loop;
    hub->link_count = count;
    list_init(&hub->topics);
    hub->checks.run = hub_check;
    loop_hook_add(loop, LOOP_CHECKS, &hub->checks);
    hub->packet = socket_alloc(loop, PX_HUB_MESSAGE_BYTES_MAX + 1);
    for (uint32_t index = 0; index < count; index++) {
        hub->links[index].hub = hub;
        hub->links[index].fd = fds[index];
        outbox_init(&hub->links[index].outbox, loop);
    }
    if (!hub->packet) {
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a hub");
        hub_free(hub);
        return NULL;
    }
    for (uint32_t index = 0; index < count; index++) {
        hub->links[index].watch = px_watch_create(loop, fds[index], PX_WATCH_READ, on_ready,
                                                  &hub->links[index], out_error);
        if (!hub->links[index].watch) {
            hub_free(hub); /* the descriptors stay the caller's */
            return NULL;
        }
    }
    error_clear(out_error);
    return hub;
}

void px_hub_destroy(px_hub *hub)
{
    if (!hub)
        return;
    if (hub->engine)
        hub->engine->calls->end(hub->engine);
    for (uint32_t index = 0; index < hub->link_count; index++) {
        link_end(&hub->links[index]);
        packet_close(hub->links[index].fd);
    }
    hub_free(hub);
}

/* --- Engines ---------------------------------------------------------------------------------- */

void hub_engine_set(px_hub *hub, struct hub_engine *engine)
{
    CHECK(!hub->engine);
    hub->engine = engine;
    engine->hub = hub;
}

void hub_names_each(const px_hub *hub, void (*each)(px_str name, void *context), void *context)
{
    for (const struct list *at = hub->topics.next; at != &hub->topics; at = at->next) {
        const struct hub_topic *named = LIST_ENTRY(at, const struct hub_topic, node);

        each(px_str_make(named->name, named->name_len), context);
    }
}

int px_hub_is_connected(const px_hub *hub)
{
    return !hub->engine || hub->engine->calls->is_connected(hub->engine);
}

uint64_t px_hub_lost(const px_hub *hub)
{
    return hub->lost;
}
