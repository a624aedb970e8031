/*
 * Names of origins whose connections are kept: looked up again while they are used, so that a
 * connection to an address that its name has no more is not.
 *
 * Happy path: a kept connection is taken, a second after the last lookup; a helper thread asks, and
 * a connection whose peer the name has no more serves no other request.  Where a name has more
 * addresses than an answer shows, or the resolver fails, all stays as it is.
 */
#include "client/link.h"

/* Those that are in use close behind what they do. */
static void links_settle(struct origin *origin)
{
    px_client *client = origin->client;
    px_str name = px_str_of(origin->address);
    struct list *next;

    for (struct list *node = client->open.next; node != &client->open; node = next) {
        struct link *link = LIST_ENTRY(node, struct link, node);

        next = node->next;
        if (link->origin != origin || link->stage != LINK_OPEN ||
            names_keep_peer(&client->names, name, link->stream))
            continue;
        link->unclean = true;
        if (link_is_unused(link))
            link_close(link, false);
        else if (link->h2)
            list_remove(&link->idle);
    }
}

static void on_told(struct name_waiter *waiter, px_err result, const struct net_address *addresses,
                    size_t count)
{
    struct origin *origin = CONTAINER_OF(waiter, struct origin, look);

    (void)addresses;
    (void)count;
    if (result != PX_OK)
        return;
    origin->uses++; /* while its connections close */
    links_settle(origin);
    origin_put(origin);
}

void origin_look_again(struct origin *origin)
{
    px_client *client = origin->client;

    if (!origin->is_name || list_linked(&origin->look.node) ||
        client->loop->now_ms - origin->looked_ms < NAMES_FRESH_MS)
        return;
    origin->looked_ms = client->loop->now_ms;
    origin->look.told = on_told;
    /* Without memory it is for the next request to ask. */
    if (name_lookup_wait(client->loop, &client->names, px_str_of(origin->address), &origin->look) !=
        PX_OK)
        list_remove(&origin->look.node);
}
