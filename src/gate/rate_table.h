/*
 * The table that rate limits count in: buckets of one cache line, shared by processes, without a
 * lock.
 *
 * A place holds the keyed hash of a key (0: the place is free) and the time up to which its
 * requests have used what they are allowed.  Both are single words.  A request that is counted
 * between the two writes of another that takes the place may be counted upon what its last key had
 * used.
 */
#ifndef PX_GATE_RATE_TABLE_H
#define PX_GATE_RATE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"
#include "pollux/rate_limit.h"

enum { RATE_PLACES = 4 };

struct rate_place {
    _Atomic uint64_t tag;     /* of the key */
    _Atomic uint64_t used_ns; /* the theoretical arrival time; before now: all is left */
};

struct rate_bucket {
    struct rate_place places[RATE_PLACES];
};

struct px_rate_table {
    px_allocator allocator;
    struct rate_bucket *buckets; /* owned: a shared mapping, bucket_count of them */
    uint64_t bucket_count;       /* a power of two */
    struct siphash_key key;
    atomic_uint holds;
};

/* What a limit allows: a step for each request, and how far ahead of now they may lead. */
struct rate_quota {
    uint64_t step_ns;
    uint64_t reach_ns;
};

/* Counts a request of the key with that keyed hash.  True: it is within the quota; false: it did
 * not count, and would be within it after *out_wait_ns. */
bool rate_table_take(px_rate_table *table, uint64_t hash, const struct rate_quota *quota,
                     uint64_t now_ns, uint64_t *out_wait_ns);

/* The keyed hash of a text, as it is counted by. */
uint64_t rate_table_hash(const px_rate_table *table, px_str text);

/* Another hold. */
px_rate_table *rate_table_hold(px_rate_table *table);

#endif
