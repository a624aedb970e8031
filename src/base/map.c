/*
 * The map: chains in buckets that are as many as the entries, and one list in order of use.
 */
#include "base/map.h"

#include "base/alloc.h"
#include "base/check.h"

enum { BUCKETS_MIN = 16 };

void map_init(struct map *map, const struct map_options *options)
{
    CHECK(options->count_max > 0);
    *map = (struct map){.options = *options};
    list_init(&map->used);
}

static void evict(struct map *map, struct map_entry *entry)
{
    map_remove(map, entry);
    if (map->options.evicted)
        map->options.evicted(entry, map->options.context);
}

void map_deinit(struct map *map)
{
    while (map->count > 0)
        evict(map, map_oldest(map));
    alloc_put(map->options.allocator, map->buckets);
    map->buckets = NULL;
    map->bucket_count = 0;
}

static struct map_entry **bucket_of(const struct map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

static struct map_entry *entry_find(const struct map *map, px_str key, uint64_t hash)
{
    if (map->bucket_count == 0)
        return NULL;
    for (struct map_entry *entry = *bucket_of(map, hash); entry; entry = entry->next) {
        if (entry->hash == hash && px_str_equal(entry->key, key))
            return entry;
    }
    return NULL;
}

struct map_entry *map_find(struct map *map, px_str key)
{
    if (map->count == 0)
        return NULL;
    struct map_entry *entry = entry_find(map, key, siphash(&map->options.key, key.ptr, key.len));

    if (entry) {
        list_remove(&entry->used);
        list_append(&map->used, &entry->used);
        entry->age = map->age;
    }
    return entry;
}

static void bucket_add(struct map *map, struct map_entry *entry)
{
    struct map_entry **bucket = bucket_of(map, entry->hash);

    entry->next = *bucket;
    *bucket = entry;
}

/* Twice as many buckets as before.  False when there is no memory for them. */
static bool grow(struct map *map)
{
    uint32_t count = map->bucket_count > 0 ? map->bucket_count * 2 : BUCKETS_MIN;
    struct map_entry **buckets =
        alloc_take_zeroed(map->options.allocator, count * sizeof(struct map_entry *));

    if (!buckets)
        return false;
    alloc_put(map->options.allocator, map->buckets);
    map->buckets = buckets;
    map->bucket_count = count;
    for (struct list *node = map->used.next; node != &map->used; node = node->next)
        bucket_add(map, LIST_ENTRY(node, struct map_entry, used));
    return true;
}

px_err map_put(struct map *map, struct map_entry *entry, px_str key, size_t bytes)
{
    uint64_t hash;
    struct map_entry *other;

    if (bytes > map->options.bytes_max)
        return PX_ERR_LIMIT;
    if (map->count >= map->bucket_count && map->bucket_count <= UINT32_MAX / 2 && !grow(map) &&
        map->bucket_count == 0)
        return PX_ERR_MEMORY;
    hash = siphash(&map->options.key, key.ptr, key.len);
    other = entry_find(map, key, hash);
    CHECK(other != entry);
    if (other)
        evict(map, other);
    map_shrink(map, map->options.bytes_max - bytes);
    if (map->count == map->options.count_max)
        evict(map, map_oldest(map));
    entry->key = key;
    entry->hash = hash;
    entry->bytes = bytes;
    entry->age = map->age;
    bucket_add(map, entry);
    list_init(&entry->used);
    list_append(&map->used, &entry->used);
    map->bytes += bytes;
    map->count++;
    return PX_OK;
}

void map_remove(struct map *map, struct map_entry *entry)
{
    struct map_entry **link = bucket_of(map, entry->hash);

    while (*link != entry) {
        CHECK(*link);
        link = &(*link)->next;
    }
    *link = entry->next;
    entry->next = NULL;
    list_remove(&entry->used);
    CHECK(map->bytes >= entry->bytes && map->count > 0);
    map->bytes -= entry->bytes;
    map->count--;
}

struct map_entry *map_oldest(const struct map *map)
{
    return list_empty(&map->used) ? NULL : LIST_ENTRY(map->used.next, struct map_entry, used);
}

void map_shrink(struct map *map, size_t bytes)
{
    while (map->bytes > bytes)
        evict(map, map_oldest(map));
}

uint32_t map_age(struct map *map, uint32_t count_max)
{
    uint32_t count = 0;

    while (count < count_max && map->count > 0 && map_oldest(map)->age != map->age) {
        evict(map, map_oldest(map));
        count++;
    }
    if (count < count_max)
        map->age++;
    return count;
}

void map_check(const struct map *map)
{
    size_t bytes = 0;
    uint32_t count = 0, chained = 0;

    for (const struct list *node = map->used.next; node != &map->used; node = node->next) {
        const struct map_entry *entry = LIST_ENTRY(node, const struct map_entry, used);

        CHECK(entry_find(map, entry->key, entry->hash) == entry);
        bytes += entry->bytes;
        count++;
    }
    for (uint32_t index = 0; index < map->bucket_count; index++) {
        for (const struct map_entry *entry = map->buckets[index]; entry; entry = entry->next)
            chained++;
    }
    CHECK(count == map->count && chained == count && bytes == map->bytes);
    CHECK(count <= map->options.count_max && bytes <= map->options.bytes_max);
}
