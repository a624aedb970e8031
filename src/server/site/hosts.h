/*
 * Names to hosts: what a request's host leads to.
 *
 * Happy path: one pass over the name from its end, which hashes it and asks at each dot for a
 * wildcard of what is behind it; then the whole name.  A site whose one name is `*` has nothing to
 * look up.  A look-up cannot fail; adding can, and then changes nothing.
 *
 * The hash has no key: a peer looks names up, but those in the table are the configuration's.
 */
#ifndef PX_SERVER_HOSTS_H
#define PX_SERVER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "pollux/site.h"

/* A name of a host. */
struct hosts_name {
    px_host *host;           /* borrowed */
    struct hosts_name *next; /* the same name, at other listeners */
    const uint16_t *listeners;
    uint32_t hash;
    uint16_t listener_count; /* 0: every one */
    uint8_t len;
    bool wildcard; /* `text` is what is behind "*." */
    char text[];   /* lower case, no dot at its end */
};

struct hosts {
    const px_allocator *allocator; /* borrowed: outlives it */
    struct arena *arena;           /* borrowed: names live there */
    struct hosts_name **slots;     /* owned: open addressing, at most half full */
    uint32_t slot_count;           /* a power of two, or 0 */
    uint32_t name_count;           /* in slots */
    uint32_t wildcard_count;       /* of those */
    struct hosts_name *everything; /* "*", or NULL */
    px_host *only;                 /* there is nothing but "*", at every listener; or NULL */
};

void hosts_init(struct hosts *hosts, const px_allocator *allocator, struct arena *arena);
void hosts_deinit(struct hosts *hosts);

/* Adds a host by all of its names, at these listeners (borrowed: they live as long as the table;
 * none: every one).  PX_OK, PX_ERR_INVALID, PX_ERR_CONFLICT, PX_ERR_LIMIT, PX_ERR_MEMORY. */
PX_MUST_CHECK px_err hosts_add(struct hosts *hosts, const char *const *names, size_t name_count,
                               const uint16_t *listeners, uint16_t listener_count, px_host *host,
                               px_error *out_error);

/* States what must hold; O(count), for tests. */
void hosts_check(const struct hosts *hosts);

px_host *hosts_find_name(const struct hosts *hosts, px_str authority, uint16_t listener);

/* The host of a valid authority (absent: none was given), or NULL. */
static inline px_host *hosts_find(const struct hosts *hosts, px_str authority, uint16_t listener)
{
    return PX_LIKELY(hosts->only != NULL) ? hosts->only
                                          : hosts_find_name(hosts, authority, listener);
}

#endif
