/*
 * What names were found to have.
 */
#include "net/names.h"

#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/check.h"
#include "io/random.h"
#include "net/name_lookup.h"
#include "net/name_past.h"

struct name {
    struct map_entry entry;
    uint64_t found_ms;
    uint64_t failing_ms; /* when the first lookup began that failed since, or 0 */
    struct name_past past;
    uint32_t count;
    struct net_address addresses[]; /* and behind them the key */
};

static void on_evicted(struct map_entry *entry, void *context)
{
    struct names *names = context;

    alloc_put(&names->loop->allocator, CONTAINER_OF(entry, struct name, entry));
}

void names_init(struct names *names, px_loop *loop)
{
    *names = (struct names){.loop = loop};
    list_init(&names->looking);
}

/* Most clients never see a name: there is a map with the first. */
static bool map_is_made(struct names *names)
{
    struct map_options options = {.allocator = &names->loop->allocator,
                                  .evicted = on_evicted,
                                  .context = names,
                                  .count_max = NAMES_COUNT_MAX,
                                  .bytes_max = SIZE_MAX};

    if (names->is_made)
        return true;
    names->is_made = random_bytes(&options.key, sizeof(options.key)) == PX_OK;
    if (names->is_made)
        map_init(&names->map, &options);
    return names->is_made;
}

void names_deinit(struct names *names)
{
    name_lookups_forget(names);
    if (names->is_made)
        map_deinit(&names->map);
}

static struct name *name_find(struct names *names, px_str text)
{
    struct map_entry *entry = names->is_made ? map_find(&names->map, text) : NULL;

    return entry ? CONTAINER_OF(entry, struct name, entry) : NULL;
}

static size_t name_tell(const struct name *name, struct net_address *out_addresses)
{
    CHECK(name->count <= ADDRESS_COUNT_MAX);
    memcpy(out_addresses, name->addresses, name->count * sizeof(*out_addresses));
    return name->count;
}

size_t names_known(struct names *names, px_str text, struct net_address *out_addresses)
{
    const struct name *name = name_find(names, text);

    /* One that fails is asked for again each time, until it is well. */
    if (!name || name->failing_ms > 0 || names->loop->now_ms - name->found_ms >= NAMES_FRESH_MS)
        return 0;
    return name_tell(name, out_addresses);
}

void names_found(struct names *names, px_str text, const struct net_address *addresses,
                 size_t count)
{
    size_t bytes = sizeof(struct name) + count * sizeof(*addresses) + text.len;
    struct name *name = alloc_take_zeroed(&names->loop->allocator, bytes);

    CHECK(count <= ADDRESS_COUNT_MAX);
    if (!name || !map_is_made(names)) {
        alloc_put(&names->loop->allocator, name);
        return;
    }
    const struct name *before = name_find(names, text);

    if (before)
        name->past = before->past;
    name_past_note(&name->past, addresses, count, names->loop->now_ms);
    name->found_ms = names->loop->now_ms;
    name->count = (uint32_t)count;
    memcpy(name->addresses, addresses, count * sizeof(*addresses));
    char *key = (char *)(name->addresses + count);

    memcpy(key, text.ptr, text.len);
    if (map_put(&names->map, &name->entry, px_str_make(key, text.len), bytes) != PX_OK)
        alloc_put(&names->loop->allocator, name);
}

uint64_t names_patience_ms(struct names *names, px_str text, uint64_t since_ms)
{
    const struct name *name = name_find(names, text);

    if (!name)
        return UINT64_MAX;
    /* Once it fails, no connection waits: the next ones have what the lookup finds. */
    return name->failing_ms > 0 ? names->loop->now_ms : since_ms + NAMES_PATIENCE_MS;
}

size_t names_stand_in(struct names *names, px_str text, uint64_t since_ms,
                      struct net_address *out_addresses)
{
    struct name *name = name_find(names, text);
    uint64_t now_ms = names->loop->now_ms;

    if (!name)
        return 0;
    if (name->failing_ms == 0)
        name->failing_ms = since_ms > 0 ? since_ms : 1;
    if (now_ms - name->failing_ms < NAMES_STALE_MS)
        return name_tell(name, out_addresses);
    map_remove(&names->map, &name->entry);
    on_evicted(&name->entry, names);
    return 0;
}

bool names_keep_peer(struct names *names, px_str text, const px_stream *stream)
{
    struct net_address peer = {.bytes = sizeof(peer.socket)};
    const struct name *name = name_find(names, text);

    /* What was forgotten for want of memory says nothing of its connections. */
    if (!name)
        return true;
    return getpeername(stream->handle.fd, &peer.socket.any, &peer.bytes) == 0 &&
           name_past_has(&name->past, &peer, names->loop->now_ms);
}
