/*
 * Lookups of names that are under way: one for each name, however many wait for it.
 *
 * Happy path: a dial, or an origin, waits for the addresses of a name; a helper thread asks the
 * resolver; what it finds is kept (names.h), and told to all that wait.  The lookup has its own
 * memory: what waits may leave at any time, and so may the names that its answer is for.
 */
#ifndef PX_NET_NAME_LOOKUP_H
#define PX_NET_NAME_LOOKUP_H

#include "base/list.h"
#include "net/names.h"

/* What waits for a lookup; embedded in its owner.  Taking its node off the list is leaving. */
struct name_waiter {
    struct list node;  /* in name_lookup.waiters */
    uint64_t since_ms; /* when the lookup began */
    void (*told)(struct name_waiter *waiter, px_err result, const struct net_address *addresses,
                 size_t count);
};

/* Waits for the lookup of "host:port", which begins unless one is under way: `told` is called once,
 * from the loop.  `names` may be NULL: then it is for this one alone.  PX_OK, or PX_ERR_INVALID,
 * PX_ERR_MEMORY or another error of px_loop_work: it does not wait. */
PX_MUST_CHECK px_err name_lookup_wait(px_loop *loop, struct names *names, px_str name,
                                      struct name_waiter *waiter);

/* The names end; lookups that are under way go on without them. */
void name_lookups_forget(struct names *names);

#endif
