/*
 * The table of what was found, by path: chained buckets under a key of its own, and a list by last
 * use.
 *
 * Happy path: one hash, one compare.  It cannot fail but for memory when it is made; what does not
 * fit makes the longest unused leave, and an entry too large for the table is used once.
 */
#include <string.h>

#include "handlers/files/files.h"
#include "io/random.h"

enum { BUCKETS_FIRST = 256 };

px_err files_cache_init(struct files_cache *cache, const px_allocator *allocator,
                        uint32_t files_max, uint64_t bytes_max)
{
    *cache = (struct files_cache){.files_max = files_max, .bytes_max = bytes_max};
    list_init(&cache->used);
    px_err err = random_bytes(&cache->key, sizeof(cache->key));

    if (err != PX_OK)
        return err;
    cache->buckets = alloc_take_zeroed(allocator, BUCKETS_FIRST * sizeof(*cache->buckets));
    if (!cache->buckets)
        return PX_ERR_MEMORY;
    cache->bucket_count = BUCKETS_FIRST;
    return PX_OK;
}

_Static_assert((BUCKETS_FIRST & (BUCKETS_FIRST - 1)) == 0, "a mask takes the bits of a hash");
_Static_assert((FILE_CACHE_BUCKETS_MAX & (FILE_CACHE_BUCKETS_MAX - 1)) == 0, "likewise");
_Static_assert(BUCKETS_FIRST <= (int)FILE_CACHE_BUCKETS_MAX, "a table grows to the most");
_Static_assert(FILE_SMALL_BYTES_MAX <= FILE_HASHED_BYTES_MAX, "what is in memory is hashed");
_Static_assert(FILE_SMALL_BYTES_MAX < FILE_CACHE_BYTES_DEFAULT, "a small file fits the cache");

void files_cache_check(const struct px_files *files)
{
    const struct files_cache *cache = &files->cache;
    uint64_t bytes = 0;
    uint32_t count = 0, chained = 0, open = 0;

    for (const struct list *at = cache->used.next; at != &cache->used; at = at->next) {
        const struct files_entry *entry = LIST_ENTRY(at, const struct files_entry, used);
        px_str path = px_str_make(entry->path, entry->path_len);

        ASSERT(entry->in_table && entry->refs > 0 && entry->files == files);
        ASSERT(entry->outcome <= FILES_BROKEN);
        ASSERT((entry->outcome == FILES_LOADING) == (entry->load != NULL));
        ASSERT(entry->outcome == FILES_LOADING || entry->fd < 0 || !entry->content);
        ASSERT(entry->own_count <= entry->kept.count && entry->kept.count <= FILES_FIELDS_MAX);
        ASSERT(files_cache_find(cache, path, entry->page, entry->hash) == entry);
        bytes += entry->bytes;
        open += entry->fd_counted;
        ASSERT(entry->outcome == FILES_LOADING || entry->fd_counted == (entry->fd >= 0));
        count++;
    }
    for (uint32_t index = 0; index < cache->bucket_count; index++)
        for (const struct files_entry *entry = cache->buckets[index]; entry; entry = entry->next)
            chained++;
    ASSERT(count == cache->entry_count && chained == count);
    ASSERT(bytes == cache->bytes && open == cache->file_count);
    ASSERT(cache->bucket_count <= FILE_CACHE_BUCKETS_MAX);
    ASSERT(files->refs >= count);
}

enum { CHECKED_EACH_TICK = 256 };

void files_cache_tick(const struct loop_cache *old)
{
    const struct px_files *files = CONTAINER_OF(old, const struct px_files, old);

    if (files->cache.entry_count <= CHECKED_EACH_TICK || old->loop->tick % CHECKED_EACH_TICK == 0)
        files_cache_check(files);
    listing_pages_check(files);
}

void files_cache_deinit(struct px_files *files)
{
    struct files_cache *cache = &files->cache;

    if (ASSERTS && cache->buckets)
        files_cache_check(files);
    while (!list_empty(&cache->used))
        files_cache_remove(files, LIST_ENTRY(cache->used.next, struct files_entry, used));
    alloc_put(&files->allocator, cache->buckets);
    cache->buckets = NULL;
    cache->bucket_count = 0;
}

uint64_t files_cache_hash(const struct files_cache *cache, px_str path)
{
    return siphash(&cache->key, path.ptr, path.len);
}

static struct files_entry **bucket_of(const struct files_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

struct files_entry *files_cache_find(const struct files_cache *cache, px_str path,
                                     const struct files_page *page, uint64_t hash)
{
    struct files_entry *entry = *bucket_of(cache, hash);

    while (entry && (entry->hash != hash || entry->page != page || entry->path_len != path.len ||
                     memcmp(entry->path, path.ptr, path.len) != 0))
        entry = entry->next;
    return entry;
}

/* Twice the buckets, when there is memory for them; a table that is full of chains works too. */
static void cache_grow(struct px_files *files)
{
    struct files_cache *cache = &files->cache;
    uint32_t old_count = cache->bucket_count;
    struct files_entry **old = cache->buckets;

    if (cache->entry_count < old_count || old_count >= FILE_CACHE_BUCKETS_MAX)
        return;
    struct files_entry **buckets =
        alloc_take_zeroed(&files->allocator, 2UL * old_count * sizeof(struct files_entry *));

    if (!buckets)
        return;
    cache->buckets = buckets;
    cache->bucket_count = 2 * old_count;
    for (uint32_t index = 0; index < old_count; index++) {
        while (old[index]) {
            struct files_entry *entry = old[index], **bucket = bucket_of(cache, entry->hash);

            old[index] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    alloc_put(&files->allocator, old);
}

static void cache_count(struct files_cache *cache, struct files_entry *entry)
{
    entry->bytes = sizeof(*entry) + entry->path_len + (entry->content ? entry->info.size : 0);
    cache->bytes += entry->bytes;
    entry->fd_counted = entry->fd >= 0;
    cache->file_count += entry->fd_counted;
}

static void cache_uncount(struct files_cache *cache, struct files_entry *entry)
{
    CHECK(entry->bytes <= cache->bytes);
    cache->bytes -= entry->bytes;
    /* A folder that is listed, and a load that failed late, leave with one that never counted. */
    cache->file_count -= entry->fd_counted;
    entry->fd_counted = false;
}

/* What is loading stays: the next request waits for it too. */
static void cache_fit(struct px_files *files)
{
    struct files_cache *cache = &files->cache;
    struct list *at = cache->used.next;

    while (at != &cache->used &&
           (cache->bytes > cache->bytes_max || cache->file_count > cache->files_max)) {
        struct files_entry *entry = LIST_ENTRY(at, struct files_entry, used);

        at = at->next;
        if (entry->outcome != FILES_LOADING)
            files_cache_remove(files, entry);
    }
}

void files_cache_add(struct px_files *files, struct files_entry *entry)
{
    struct files_cache *cache = &files->cache;

    CHECK(!entry->in_table && entry->refs > 0);
    cache_grow(files);
    struct files_entry **bucket = bucket_of(cache, entry->hash);

    entry->next = *bucket;
    *bucket = entry;
    entry->in_table = true;
    entry->age = cache->age;
    list_append(&cache->used, &entry->used);
    cache->entry_count++;
    cache_count(cache, files_entry_take(entry));
    cache_fit(files);
}

void files_cache_remove(struct px_files *files, struct files_entry *entry)
{
    struct files_cache *cache = &files->cache;
    struct files_entry **at = bucket_of(cache, entry->hash);

    if (!entry->in_table)
        return;
    while (*at != entry) {
        CHECK(*at); /* it is in its bucket */
        at = &(*at)->next;
    }
    *at = entry->next;
    entry->in_table = false;
    list_remove(&entry->used);
    cache->entry_count--;
    cache_uncount(cache, entry);
    files_entry_put(entry);
}

void files_cache_account(struct px_files *files, struct files_entry *entry)
{
    if (!entry->in_table)
        return;
    cache_uncount(&files->cache, entry);
    cache_count(&files->cache, entry);
    cache_fit(files);
}

/* What is in use goes as well: answers under way hold it until they are out. */
uint32_t files_cache_age(struct loop_cache *old)
{
    struct px_files *files = CONTAINER_OF(old, struct px_files, old);
    struct files_cache *cache = &files->cache;
    uint32_t count = listing_pages_age(files, old->loop->now_ms);
    struct list *at = cache->used.next;

    while (at != &cache->used && count < CACHE_AGE_COUNT) {
        struct files_entry *entry = LIST_ENTRY(at, struct files_entry, used);

        at = at->next;
        if (entry->age == cache->age)
            break;
        if (entry->outcome == FILES_LOADING)
            continue;
        files_cache_remove(files, entry);
        count++;
    }
    if (ASSERTS)
        files_cache_check(files);
    if (count < CACHE_AGE_COUNT)
        cache->age++;
    old->holds = cache->entry_count > 0 || files->listing_page_count > 0;
    return count;
}

bool files_cache_shrink(struct px_files *files)
{
    struct files_cache *cache = &files->cache;
    bool any = false;

    for (struct list *at = cache->used.next; at != &cache->used;) {
        struct files_entry *entry = LIST_ENTRY(at, struct files_entry, used);

        at = at->next;
        if (entry->fd >= 0 && entry->refs == 1) {
            files_cache_remove(files, entry);
            any = true;
        }
    }
    return any;
}
