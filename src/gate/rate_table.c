/*
 * Counting in shared memory.
 *
 * Happy path: the key's place is found in its bucket and its time is moved on by one
 * compare-and-swap.  A key without a place takes the one with the earliest time.  It can fail at
 * its creation, for want of memory; later nothing can.
 */
#include "gate/rate_table.h"

#include <sys/mman.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "io/random.h"

/* Processes that meet at one place each make one of so many attempts succeed. */
enum { TRIES_MAX = 64 };

_Static_assert(sizeof(struct rate_bucket) == 64, "a bucket is a cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share no lock");

px_rate_table *px_rate_table_create(const px_rate_table_options *options, px_error *out_error)
{
    px_rate_table_options known;
    uint64_t buckets = 1;

    if (options_take(&known, sizeof(known), options, "rate table options", out_error) != PX_OK)
        return NULL;
    if (known.bytes > RATE_BYTES_LIMIT || (known.bytes > 0 && known.bytes < RATE_BYTES_LEAST)) {
        error_set(out_error, PX_ERR_INVALID, 0, "a table of rates has from 4 KiB to 1 GiB");
        return NULL;
    }
    uint64_t bytes = known.bytes ? known.bytes : RATE_BYTES_DEFAULT;
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    px_rate_table *table = alloc_take_zeroed(used, sizeof(*table));

    if (!table) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    while (buckets * 2 * sizeof(struct rate_bucket) <= bytes)
        buckets *= 2;
    CHECK((buckets & (buckets - 1)) == 0);
    table->allocator = *used;
    table->bucket_count = buckets;
    atomic_init(&table->holds, 1);
    table->buckets = mmap(NULL, buckets * sizeof(struct rate_bucket), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table->buckets == MAP_FAILED) {
        table->buckets = NULL;
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a table of rates");
        goto fail;
    }
    if (random_bytes(&table->key, sizeof(table->key)) != PX_OK) {
        error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
        goto fail;
    }
    error_clear(out_error);
    return table;
fail:
    px_rate_table_destroy(table);
    return NULL;
}

px_rate_table *rate_table_hold(px_rate_table *table)
{
    CHECK(atomic_fetch_add(&table->holds, 1) > 0);
    return table;
}

void px_rate_table_destroy(px_rate_table *table)
{
    if (!table || atomic_fetch_sub(&table->holds, 1) != 1)
        return;
    px_allocator allocator = table->allocator;

    if (table->buckets)
        munmap(table->buckets, table->bucket_count * sizeof(struct rate_bucket));
    alloc_put(&allocator, table);
}

uint64_t rate_table_hash(const px_rate_table *table, px_str text)
{
    return siphash(&table->key, text.ptr, text.len);
}

/* The place of a key that has none yet: that of the earliest time, which starts at now.  NULL when
 * another process was faster. */
static struct rate_place *place_take(struct rate_bucket *bucket, uint64_t tag, uint64_t now_ns)
{
    struct rate_place *place = &bucket->places[0];
    uint64_t used_ns = atomic_load(&place->used_ns);

    ASSERT(tag != 0);
    for (uint32_t index = 1; index < RATE_PLACES; index++) {
        uint64_t other_ns = atomic_load(&bucket->places[index].used_ns);

        if (other_ns >= used_ns)
            continue;
        place = &bucket->places[index];
        used_ns = other_ns;
    }
    uint64_t old = atomic_load(&place->tag);

    if (!atomic_compare_exchange_strong(&place->tag, &old, tag))
        return NULL;
    /* Unless the key was counted there in between. */
    (void)atomic_compare_exchange_strong(&place->used_ns, &used_ns, now_ns);
    return place;
}

static struct rate_place *place_find(struct rate_bucket *bucket, uint64_t tag, uint64_t now_ns)
{
    for (uint32_t index = 0; index < RATE_PLACES; index++) {
        if (atomic_load(&bucket->places[index].tag) == tag)
            return &bucket->places[index];
    }
    return place_take(bucket, tag, now_ns);
}

bool rate_table_take(px_rate_table *table, uint64_t hash, const struct rate_quota *quota,
                     uint64_t now_ns, uint64_t *out_wait_ns)
{
    struct rate_bucket *bucket = &table->buckets[hash & (table->bucket_count - 1)];
    uint64_t tag = hash ? hash : 1;

    CHECK(quota->step_ns > 0 && quota->reach_ns >= quota->step_ns);
    ASSERT((table->bucket_count & (table->bucket_count - 1)) == 0);
    for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
        struct rate_place *place = place_find(bucket, tag, now_ns);

        if (!place)
            continue;
        uint64_t used_ns = atomic_load(&place->used_ns);
        uint64_t next_ns = (used_ns > now_ns ? used_ns : now_ns) + quota->step_ns;

        if (next_ns - now_ns > quota->reach_ns) {
            *out_wait_ns = next_ns - now_ns - quota->reach_ns;
            return false;
        }
        if (atomic_compare_exchange_strong(&place->used_ns, &used_ns, next_ns))
            return true;
    }
    return true; /* it is not counted: all others that came at this moment were */
}
