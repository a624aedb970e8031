/*
 * Names of origins whose connections are kept: looked up again while they are used, so that a
 * connection to an address that its name has no more is not.
 *
 * Happy path: a kept connection is taken, a second after the last lookup; a helper thread asks, and
 * where the peer of a connection is not in the answer, it serves no other request.  Where the
 * resolver fails all stays as it is.
 */
#include "base/alloc.h"
#include "client/link.h"
#include "net/names.h"

struct lookup {
    px_loop *loop;         /* borrowed */
    struct origin *origin; /* borrowed; NULL: it has ended */
    struct address_text split;
    struct net_address addresses[ADDRESS_COUNT_MAX];
    size_t count;
    px_err found;
    char text[];
};

/* On a helper thread. */
static void look(void *context)
{
    struct lookup *lookup = context;

    lookup->found = names_look(lookup->loop, &lookup->split, lookup->addresses, &lookup->count);
}

/* Those that are in use close behind what they do. */
static void links_settle(struct origin *origin, const struct lookup *lookup)
{
    struct list *next;

    for (struct list *node = origin->client->open.next; node != &origin->client->open;
         node = next) {
        struct link *link = LIST_ENTRY(node, struct link, node);

        next = node->next;
        if (link->origin != origin || link->stage != LINK_OPEN ||
            names_have_peer(link->stream, lookup->addresses, lookup->count))
            continue;
        link->unclean = true;
        if (!link->fetch && list_empty(&link->fetches))
            link_close(link, false);
        else if (link->h2)
            list_remove(&link->idle);
    }
}

static void on_looked(px_err status, void *context)
{
    struct lookup *lookup = context;
    struct origin *origin = lookup->origin;

    if (origin) {
        origin->lookup = NULL;
        if (status == PX_OK && lookup->found == PX_OK) {
            names_found(&origin->client->names, px_str_of(origin->address), lookup->addresses,
                        lookup->count);
            origin->uses++; /* while its connections close */
            links_settle(origin, lookup);
            origin_put(origin);
        }
    }
    alloc_put(&lookup->loop->allocator, lookup);
}

void origin_look_again(struct origin *origin)
{
    px_client *client = origin->client;
    px_str address = px_str_of(origin->address);
    struct lookup *lookup;

    if (!origin->is_name || origin->lookup ||
        client->loop->now_ms - origin->looked_ms < NAMES_FRESH_MS)
        return;
    origin->looked_ms = client->loop->now_ms;
    lookup = alloc_take_zeroed(&client->loop->allocator, sizeof(*lookup) + address.len + 1);
    if (!lookup)
        return;
    lookup->loop = client->loop;
    lookup->origin = origin;
    memcpy(lookup->text, address.ptr, address.len + 1);
    if (address_split(lookup->text, &lookup->split, NULL) == PX_OK &&
        px_loop_work(client->loop, look, on_looked, lookup) == PX_OK)
        origin->lookup = lookup;
    else
        alloc_put(&client->loop->allocator, lookup);
}

void origin_forget_lookup(struct origin *origin)
{
    if (origin->lookup)
        origin->lookup->origin = NULL;
}
