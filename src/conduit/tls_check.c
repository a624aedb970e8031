/*
 * What must hold of the TLS conduits of a loop between two ticks; for tests.
 */
#include "conduit/tls_conduit.h"

static void conduit_check(void *object, void *context)
{
    const struct tls_conduit *tls = object;
    struct tls_shared *shared = context;

    ASSERT(tls->shared == shared);
    ASSERT(tls->stage <= TLS_CLOSING);
    ASSERT(tls->receiving <= TLS_RECV_ENDED && tls->sending <= TLS_SEND_SHUT);
    ASSERT(tls->wake.run);
    if (!tls->stream) {
        ASSERT(list_linked(&tls->node)); /* on its way to the pool */
        return;
    }
    ASSERT(tls->owner && tls->owner_context);
    ASSERT(tls->stage != TLS_OPEN || tls->events);
    ASSERT(tls->sending != TLS_SEND_CONTENT || tls->part_count == 0 || tls->parts);
    ASSERT(!tls->read || !tls->read->tls || tls->read->tls == tls);
    ASSERT(!tls->corked);
    ASSERT(tls->flushing <= tls->session.out.bytes);
    tls_session_check(&tls->session);
    inbox_check(&tls->inbox);
}

void tls_shared_check(struct tls_shared *shared)
{
    ASSERT(shared->loop);
    pool_check(&shared->conduits);
    pool_check(&shared->blocks);
    ASSERT(list_check(&shared->handshaking) == shared->handshake_count);
    ASSERT(list_check(&shared->gone) <= shared->conduits.taken);
    pool_each(&shared->conduits, conduit_check, shared);
}
