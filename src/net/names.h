/*
 * What names were found to have: asked of the resolver at most once a second, and kept for a while
 * when that fails.
 *
 * Happy path: a dial is given a struct names, and asks it before the resolver and after.  libc says
 * nothing of how long an answer holds, and has none of its own; a second is the shortest time that
 * a name server can say, so a change is followed as soon as it may be.  A resolver that says
 * nothing fails as one that says so: libc waits for it longer than a request can.  Bounded in
 * names, the least recently used go first.  One thread.
 */
#ifndef PX_NET_NAMES_H
#define PX_NET_NAMES_H

#include "base/list.h"
#include "base/map.h"
#include "io/io.h"
#include "net/address.h"

enum {
    NAMES_FRESH_MS = 1000, /* so long a name is not looked up again */
    NAMES_STALE_MS =
        30 * 1000, /* so long the last good answer stands in for a resolver that fails */
    /* So long a lookup is waited for where there is such an answer (RFC 8767 section 5 has the
     * same timer, for the people behind it): a resolver that is well answers in less, and a change
     * is followed at once. */
    NAMES_PATIENCE_MS = 250,
    NAMES_COUNT_MAX = 256,
};

struct names {
    px_loop *loop; /* borrowed: outlives it */
    struct map map;
    struct list looking; /* of struct name_lookup: those under way */
    bool is_made;        /* the map is */
};

void names_init(struct names *names, px_loop *loop);
void names_deinit(struct names *names);

/* The addresses of "host:port" (ADDRESS_COUNT_MAX at most), when they need not be looked up again:
 * how many; 0: look. */
size_t names_known(struct names *names, px_str name, struct net_address *out_addresses);

/* They were looked up.  Without memory, or random bytes, they are not kept. */
void names_found(struct names *names, px_str name, const struct net_address *addresses,
                 size_t count);

/* When the last good answer may stand in for a lookup that began at `since_ms` and is under way;
 * UINT64_MAX: there is none. */
uint64_t names_patience_ms(struct names *names, px_str name, uint64_t since_ms);

/* The lookup that began at `since_ms` has failed, or was waited for long enough: the last good
 * answer, or 0 where there is none, or the first lookup that failed began too long ago. */
size_t names_stand_in(struct names *names, px_str name, uint64_t since_ms,
                      struct net_address *out_addresses);

/* As px_dial_start, by way of `names`, which outlives the dial. */
px_dialing *dial_start_named(px_loop *loop, const char *address, const px_dial_options *options,
                             struct names *names,
                             void (*on_done)(px_stream *stream, const px_error *error,
                                             void *context),
                             void *context, px_error *out_error);

/* Whether a connection to a stream's peer may be used on: its name has that address, by what was
 * found last or, where its answers rotate, a while ago (name_past.h). */
bool names_keep_peer(struct names *names, px_str name, const px_stream *stream);

#endif
