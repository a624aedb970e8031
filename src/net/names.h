/*
 * What names were found to have: asked of the resolver at most once a second, and kept for a while
 * when that fails.
 *
 * Happy path: a dial is given a struct names, and asks it before the resolver and after.  libc says
 * nothing of how long an answer holds, and has none of its own; a second is the shortest time that
 * a name server can say, so a change is followed as soon as it may be.  Bounded in names, the least
 * recently used go first.  One thread.
 */
#ifndef PX_NET_NAMES_H
#define PX_NET_NAMES_H

#include "base/map.h"
#include "io/io.h"
#include "net/address.h"

enum {
    NAMES_FRESH_MS = 1000, /* so long a name is not looked up again */
    NAMES_STALE_MS =
        30 * 1000, /* so long the last good answer stands in for a resolver that fails */
    NAMES_COUNT_MAX = 256,
};

struct names {
    px_loop *loop; /* borrowed: outlives it */
    struct map map;
    bool is_made; /* the map is */
};

void names_init(struct names *names, px_loop *loop);
void names_deinit(struct names *names);

/* Looks a name up, at the loop's name servers: on a helper thread.  PX_OK, PX_ERR_NOT_FOUND,
 * PX_ERR_MEMORY or PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err names_look(const px_loop *loop, const struct address_text *split,
                                struct net_address *out_addresses, size_t *out_count);

/* The addresses of "host:port" (ADDRESS_COUNT_MAX at most), when they need not be looked up again:
 * how many; 0: look. */
size_t names_known(struct names *names, px_str name, struct net_address *out_addresses);

/* They were looked up.  Without memory, or random bytes, they are not kept. */
void names_found(struct names *names, px_str name, const struct net_address *addresses,
                 size_t count);

/* The lookup has failed: the last good answer, or 0 where there is none, or it is too old. */
size_t names_stand_in(struct names *names, px_str name, struct net_address *out_addresses);

/* As px_dial_start, by way of `names`, which outlives the dial. */
px_dialing *dial_start_named(px_loop *loop, const char *address, const px_dial_options *options,
                             struct names *names,
                             void (*on_done)(px_stream *stream, const px_error *error,
                                             void *context),
                             void *context, px_error *out_error);

/* Whether a stream's peer is one of them. */
bool names_have_peer(const px_stream *stream, const struct net_address *addresses, size_t count);

#endif
