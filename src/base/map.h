/*
 * A map from bytes to objects of the caller's, each of which embeds a struct map_entry: counted,
 * bounded in entries and in bytes, and when it is full the least recently used go first.
 *
 * Happy path: map_find, else make an object and map_put it.  The hash is keyed (siphash.h), so a
 * peer cannot choose keys that fall into one bucket.  It can fail by being asked for more than its
 * bounds hold at all, and for want of memory for the first table; a table that cannot grow only
 * gets slower. One thread.
 */
#ifndef PX_BASE_MAP_H
#define PX_BASE_MAP_H

#include <stdint.h>

#include "base/list.h"
#include "base/siphash.h"
#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/str.h"

struct map_entry {
    struct list used;       /* in the map's order of use */
    struct map_entry *next; /* in its bucket */
    px_str key;             /* borrowed: lives as long as the entry is in the map */
    uint64_t hash;
    size_t bytes; /* what its owner says that it costs */
    uint32_t age; /* map->age when it was last used */
};

struct map_options {
    const px_allocator *allocator; /* borrowed: outlives the map */
    struct siphash_key key;        /* random, so that no peer knows it */
    size_t bytes_max;              /* of all entries */
    uint32_t count_max;
    /* An entry had to make room, was replaced, or the map ends: it is out of the map, and its
     * owner's to free.  It may not call the map.  NULL: nothing is told. */
    void (*evicted)(struct map_entry *entry, void *context);
    void *context; /* borrowed: of evicted */
};

struct map {
    struct map_options options;
    struct map_entry **buckets; /* owned: a power of two of them, or NULL */
    struct list used;           /* of map_entry, the least recently used first */
    size_t bytes;
    uint32_t bucket_count;
    uint32_t count;
    uint32_t age; /* counts calls of map_age */
};

/* Nothing is allocated before the first entry.  count_max is 1 at least. */
void map_init(struct map *map, const struct map_options *options);

/* Evicts every entry. */
void map_deinit(struct map *map);

/* The entry of that key, or NULL.  It becomes the most recently used. */
struct map_entry *map_find(struct map *map, px_str key);

/* Puts an entry in, which may not be in one.  One with the same key is evicted, and then as many
 * others as must be.  PX_OK; PX_ERR_LIMIT when `bytes` alone are above bytes_max, PX_ERR_MEMORY:
 * the map is as it was. */
PX_MUST_CHECK px_err map_put(struct map *map, struct map_entry *entry, px_str key, size_t bytes);

/* Takes an entry out; it is not evicted. */
void map_remove(struct map *map, struct map_entry *entry);

/* The least recently used, or NULL.  It stays where it is. */
struct map_entry *map_oldest(const struct map *map);

/* Evicts the least recently used until no more than `bytes` are held. */
void map_shrink(struct map *map, size_t bytes);

/* Evicts what was not used since the last call that evicted less than `count_max`, that many at
 * most: how many there were. */
uint32_t map_age(struct map *map, uint32_t count_max);

/* States what must hold; O(count), for tests. */
void map_check(const struct map *map);

#endif
