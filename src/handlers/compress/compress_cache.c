/*
 * Coded content that is sent again: a table by the target, the host, and the strong ETag that
 * the handler gave it, which names those bytes and no others (RFC 9110 section 8.8.1).
 *
 * Happy path: what a coder makes is written down beside being sent, and is put into the table when
 * it was whole.  Bounded in bytes; the longest unused goes first.  Without memory content is not
 * kept, and no answer changes.  Peers choose the keys, so the hash is keyed.
 */
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "handlers/compress/compress.h"
#include "http/fields/field.h"
#include "io/random.h"

struct compress_entry {
    struct map_entry entry;
    const px_allocator *allocator;
    uint32_t refs; /* the table's, and one for each answer */
    struct buf bytes;
    char key[];
};

struct compress_cache {
    const px_allocator *allocator; /* borrowed: outlives it */
    uint32_t recording_count;
    struct map map; /* of compress_entry */
};

static void entry_put(void *context)
{
    struct compress_entry *entry = context;

    CHECK(entry->refs > 0);
    if (--entry->refs > 0)
        return;
    buf_deinit(&entry->bytes);
    alloc_put(entry->allocator, entry);
}

static void on_evicted(struct map_entry *entry, void *context)
{
    (void)context;
    entry_put(CONTAINER_OF(entry, struct compress_entry, entry));
}

struct compress_cache *compress_cache_create(const px_allocator *allocator, uint64_t bytes_max)
{
    struct compress_cache *cache = alloc_take_zeroed(allocator, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->allocator = allocator;
    struct map_options options = {
        .allocator = allocator,
        .bytes_max = bytes_max < SIZE_MAX ? (size_t)bytes_max : SIZE_MAX,
        .count_max = UINT32_MAX, /* each has its bytes */
        .evicted = on_evicted,
    };

    if (random_bytes(&options.key, sizeof(options.key)) != PX_OK) {
        alloc_put(allocator, cache);
        return NULL;
    }
    map_init(&cache->map, &options);
    return cache;
}

void compress_cache_destroy(struct compress_cache *cache)
{
    if (!cache)
        return;
    map_deinit(&cache->map);
    alloc_put(cache->allocator, cache);
}

uint32_t compress_cache_age(struct compress_cache *cache, bool *out_holds)
{
    uint32_t count = map_age(&cache->map, CACHE_AGE_COUNT);

    *out_holds = cache->map.count > 0;
    return count;
}

/* --- Keys ------------------------------------------------------------------------------------- */

px_str compress_cache_key(px_exchange *exchange)
{
    px_str parts[] = {px_request_authority(exchange), px_request_raw_path(exchange),
                      px_request_query(exchange), px_response_field(exchange, "ETag"),
                      px_response_field(exchange, "Content-Type")};
    px_str absent = px_str_make(NULL, 0);
    px_source source = px_response_source(exchange);
    size_t len = 1, count;
    const px_field *fields = px_response_fields(exchange, &count);

    /* Content that is there and will not change while it is sent, under a name of its own. */
    if (!compress_is_fetch(exchange) || px_response_status(exchange) != 200 ||
        px_response_is_filtered(exchange) || parts[3].len == 0 || parts[3].ptr[0] != '"' ||
        (source != PX_SOURCE_BYTES && source != PX_SOURCE_FILE))
        return absent;
    for (size_t index = 0; index < count; index++) {
        if (field_name_is(fields[index].name, "cache-control") &&
            field_list_has(fields[index].value, "no-store"))
            return absent;
    }
    for (size_t index = 0; index < ARRAY_COUNT(parts); index++)
        len += parts[index].len + 1;
    char *key = px_exchange_alloc(exchange, len);
    size_t at = 1;

    if (!key)
        return absent;
    key[0] = CODING_IDENTITY; /* the caller writes the coding here */
    for (size_t index = 0; index < ARRAY_COUNT(parts); index++) {
        if (parts[index].len > 0)
            memcpy(key + at, parts[index].ptr, parts[index].len);
        at += parts[index].len;
        key[at++] = '\n'; /* in none of them */
    }
    return px_str_make(key, len);
}

void compress_cache_key_coding(px_str key, enum coding coding)
{
    CHECK(key.len > 0 && coding < CODING_COUNT);
    *(char *)(uintptr_t)key.ptr = (char)coding; /* ours: compress_cache_key made it */
}

/* --- The table -------------------------------------------------------------------------------- */

bool compress_cache_answer(struct compress_cache *cache, px_exchange *exchange, px_str key)
{
    struct map_entry *found = map_find(&cache->map, key);

    if (!found)
        return false;
    struct compress_entry *entry = CONTAINER_OF(found, struct compress_entry, entry);

    entry->refs++;
    px_response_replace(exchange,
                        &(px_body){sizeof(px_body), buf_str(&entry->bytes), entry_put, entry});
    return true;
}

/* --- Writing down ----------------------------------------------------------------------------- */

void compress_record_begin(struct compress_cache *cache, px_exchange *exchange, px_str key,
                           struct compress_record *record)
{
    uint64_t entry_max = cache->map.options.bytes_max / COMPRESS_CACHE_SHARES;

    CHECK(cache->recording_count <= COMPRESS_RECORDINGS_MAX);
    *record = (struct compress_record){.cache = NULL};
    /* What is long will hardly fit, and is not asked for at once by many. */
    if (cache->recording_count == COMPRESS_RECORDINGS_MAX ||
        px_response_length(exchange) > entry_max * COMPRESS_RATIO_GUESS)
        return;
    record->fd = px_response_fd(exchange);
    if (record->fd >= 0 && root_look(record->fd, &record->file) != PX_OK)
        return;
    record->cache = cache;
    record->key = key;
    buf_init(&record->bytes, cache->allocator, entry_max);
    cache->recording_count++;
}

void compress_record_end(struct compress_record *record)
{
    if (!record->cache)
        return;
    CHECK(record->cache->recording_count > 0);
    record->cache->recording_count--;
    record->cache = NULL;
    buf_deinit(&record->bytes);
}

void compress_record_add(struct compress_record *record, px_str bytes)
{
    if (record->cache && buf_append(&record->bytes, bytes) != PX_OK)
        compress_record_end(record);
}

void compress_record_keep(struct compress_record *record)
{
    struct compress_cache *cache = record->cache;

    if (!cache)
        return;
    if (record->fd >= 0 && !root_unchanged(record->fd, &record->file)) {
        compress_record_end(record);
        return;
    }
    /* Two that were coded at once: the first is as good. */
    struct compress_entry *entry =
        map_find(&cache->map, record->key)
            ? NULL
            : alloc_take_zeroed(cache->allocator, sizeof(*entry) + record->key.len);

    if (entry) {
        px_str key = px_str_make(entry->key, record->key.len);

        entry->allocator = cache->allocator;
        entry->refs = 1;
        memcpy(entry->key, record->key.ptr, record->key.len);
        entry->bytes = record->bytes;
        buf_init(&record->bytes, cache->allocator, 0);
        if (map_put(&cache->map, &entry->entry, key, sizeof(*entry) + key.len + entry->bytes.cap) !=
            PX_OK)
            entry_put(entry);
    }
    compress_record_end(record);
}
