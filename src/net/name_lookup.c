/*
 * Lookups of names that are under way.
 */
#include "net/name_lookup.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "io/io.h"
#include "net/name_servers.h"

struct name_lookup {
    struct list node;    /* in names.looking */
    struct list waiters; /* of struct name_waiter */
    px_loop *loop;       /* borrowed: outlives it */
    struct names *names; /* borrowed; NULL: there are none, or they have ended */
    uint64_t began_ms;
    struct address_text split; /* of `text` */
    struct net_address addresses[ADDRESS_COUNT_MAX];
    size_t count;
    px_err found;
    size_t len;
    char text[];
};

/* On a helper thread. */
static void look(void *context)
{
    struct name_lookup *lookup = context;
    const struct name_servers *servers = lookup->loop->name_servers;

    lookup->found = servers && !name_servers_use(servers)
                        ? PX_ERR_MEMORY
                        : address_resolve(&lookup->split, lookup->addresses, &lookup->count, NULL);
}

static void on_looked(px_err status, void *context)
{
    struct name_lookup *lookup = context;
    px_err result = status != PX_OK ? status : lookup->found;

    /* What is told may want the name again: that is another lookup. */
    list_remove(&lookup->node);
    if (lookup->names && result == PX_OK)
        names_found(lookup->names, px_str_make(lookup->text, lookup->len), lookup->addresses,
                    lookup->count);
    while (!list_empty(&lookup->waiters)) {
        struct name_waiter *waiter = LIST_ENTRY(lookup->waiters.next, struct name_waiter, node);

        list_remove(&waiter->node);
        waiter->told(waiter, result, lookup->addresses, lookup->count);
    }
    alloc_put(&lookup->loop->allocator, lookup);
}

static struct name_lookup *lookup_find(const struct names *names, px_str name)
{
    for (struct list *node = names->looking.next; node != &names->looking; node = node->next) {
        struct name_lookup *lookup = LIST_ENTRY(node, struct name_lookup, node);

        if (lookup->len == name.len && memcmp(lookup->text, name.ptr, name.len) == 0)
            return lookup;
    }
    return NULL;
}

static px_err lookup_begin(px_loop *loop, struct names *names, px_str name,
                           struct name_lookup **out_lookup)
{
    struct name_lookup *lookup =
        alloc_take_zeroed(&loop->allocator, sizeof(*lookup) + name.len + 1);

    if (!lookup)
        return PX_ERR_MEMORY;
    list_init(&lookup->node);
    list_init(&lookup->waiters);
    lookup->loop = loop;
    lookup->names = names;
    lookup->began_ms = loop->now_ms;
    lookup->len = name.len;
    memcpy(lookup->text, name.ptr, name.len);
    px_err err = address_split(lookup->text, &lookup->split, NULL);

    if (err == PX_OK)
        err = px_loop_work(loop, look, on_looked, lookup);
    if (err != PX_OK) {
        alloc_put(&loop->allocator, lookup);
        return err;
    }
    if (names)
        list_append(&names->looking, &lookup->node);
    *out_lookup = lookup;
    return PX_OK;
}

px_err name_lookup_wait(px_loop *loop, struct names *names, px_str name, struct name_waiter *waiter)
{
    struct name_lookup *lookup = names ? lookup_find(names, name) : NULL;
    px_err err = lookup ? PX_OK : lookup_begin(loop, names, name, &lookup);

    CHECK(!list_linked(&waiter->node) && waiter->told);
    if (err != PX_OK)
        return err;
    waiter->since_ms = lookup->began_ms;
    list_append(&lookup->waiters, &waiter->node);
    return PX_OK;
}

void name_lookups_forget(struct names *names)
{
    while (!list_empty(&names->looking)) {
        struct name_lookup *lookup = LIST_ENTRY(names->looking.next, struct name_lookup, node);

        list_remove(&lookup->node);
        lookup->names = NULL;
    }
}
