/*
 * SipHash-1-3: a keyed hash for tables whose keys a peer chooses, and for tags that name content.
 *
 * With a secret key a peer cannot choose names that fall into one bucket.  Pure
 * arithmetic; nothing can fail.
 */
#ifndef PX_BASE_SIPHASH_H
#define PX_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t low;
    uint64_t high;
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t count);

#endif
