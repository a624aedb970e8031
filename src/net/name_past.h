/*
 * What a name had a while ago: whether its answers rotate.
 *
 * Happy path: each answer is noted.  An address that comes back after an answer without it tells
 * that the name has more addresses than one answer shows; for a minute from then on those of the
 * last minute are its addresses still.  A name that has changed shows no address again, and what it
 * has no more is gone at once.  Bounded in addresses, those that were not seen for longest go
 * first.
 */
#ifndef PX_NET_NAME_PAST_H
#define PX_NET_NAME_PAST_H

#include "net/address.h"

enum {
    NAME_PAST_MS = 60 * 1000,
    NAME_PAST_MAX = 32, /* twice of what an answer holds */
};

/* An address of IPv4 or IPv6, without its port. */
struct name_seen {
    uint64_t seen_ms;
    uint32_t answer; /* the last that had it */
    uint8_t family;  /* AF_INET, or AF_INET6 */
    uint8_t bytes[16];
};

/* All zero, it is empty. */
struct name_past {
    uint64_t rotates_until_ms;
    uint32_t answers; /* that were noted */
    uint32_t count;
    struct name_seen seen[NAME_PAST_MAX];
};

/* The name was found to have these. */
void name_past_note(struct name_past *past, const struct net_address *addresses, size_t count,
                    uint64_t now_ms);

/* Whether an address is the name's: one of the last answer, or of a past one where they rotate. */
bool name_past_has(const struct name_past *past, const struct net_address *address,
                   uint64_t now_ms);

#endif
