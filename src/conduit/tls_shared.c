/*
 * TLS conduits from their making to the end of the handshake, and their freeing.
 *
 * Happy path: a conduit is taken from the pool for a stream, the handshake takes two or three
 * flights, the owner attaches a protocol.  When the stream has closed the conduit waits on a list
 * for the end of the tick, since its own callbacks may still be running; there, and nowhere else,
 * it goes back to the pool.  What can go wrong: no memory, a peer that breaks the protocol (an
 * alert), one that speaks plain HTTP.
 */
#include <string.h>

#include "conduit/tls_conduit.h"

enum { CONDUIT_SLAB_OBJECTS = 16, BLOCK_SLAB_OBJECTS = 4 };

/* --- What they share -------------------------------------------------------------------------- */

bool tls_kept_set(struct tls_conduit *tls, uint32_t bytes)
{
    struct budget *memory = &tls->shared->loop->memory;

    ASSERT(bytes <= TLS_HANDSHAKE_BYTES);
    if (bytes > tls->kept_bytes && !budget_take(memory, BUDGET_SESSIONS, bytes - tls->kept_bytes))
        return false;
    if (bytes < tls->kept_bytes)
        budget_give(memory, BUDGET_SESSIONS, tls->kept_bytes - bytes);
    tls->kept_bytes = bytes;
    return true;
}

bool tls_kept_look(struct tls_conduit *tls)
{
    uint32_t bytes = tls_session_open_bytes();

    return tls_kept_set(tls,
                        tls_session_is_partial(&tls->session) ? bytes + TLS_PARTIAL_BYTES : bytes);
}

static void conduit_free(struct tls_conduit *tls)
{
    struct tls_shared *shared = tls->shared;

    list_remove(&tls->node);
    tls_read_forget(tls);
    tls_session_deinit(&tls->session);
    (void)tls_kept_set(tls, 0);
    inbox_free(&tls->inbox, shared->loop);
    pool_put(&shared->conduits, tls);
}

static void gone_free(struct tls_shared *shared)
{
    while (!list_empty(&shared->gone))
        conduit_free(LIST_ENTRY(shared->gone.next, struct tls_conduit, node));
}

static void shared_last(struct loop_hook *hook)
{
    gone_free(CONTAINER_OF(hook, struct tls_shared, last));
}

static void shared_checks(struct loop_hook *hook)
{
    tls_shared_check(CONTAINER_OF(hook, struct tls_shared, checks));
}

void tls_shared_init(struct tls_shared *shared, px_loop *loop, uint32_t count_max,
                     uint32_t block_count_max)
{
    shared->loop = loop;
    shared->handshake_count = 0;
    list_init(&shared->handshaking);
    list_init(&shared->gone);
    shared->last.run = shared_last;
    loop_hook_add(loop, LOOP_LAST, &shared->last);
    shared->checks.run = shared_checks;
    loop_hook_add(loop, LOOP_CHECKS, &shared->checks);
    pool_init(&shared->conduits, &loop->allocator, sizeof(struct tls_conduit), CONDUIT_SLAB_OBJECTS,
              count_max);
    pool_init(&shared->blocks, &loop->allocator, sizeof(struct tls_block), BLOCK_SLAB_OBJECTS,
              count_max < block_count_max / TLS_BLOCKS_MAX ? count_max * TLS_BLOCKS_MAX
                                                           : block_count_max);
}

void tls_shared_deinit(struct tls_shared *shared)
{
    gone_free(shared);
    list_remove(&shared->last.node);
    list_remove(&shared->checks.node);
    pool_deinit(&shared->conduits);
    pool_deinit(&shared->blocks);
}

struct tls_conduit *tls_shared_oldest(const struct tls_shared *shared)
{
    return list_empty(&shared->handshaking)
               ? NULL
               : LIST_ENTRY(shared->handshaking.next, struct tls_conduit, node);
}

/* --- Making and leaving ----------------------------------------------------------------------- */

/* A conduit whose session is yet to be made, or NULL. */
static struct tls_conduit *conduit_take(struct tls_shared *shared, px_stream *stream,
                                        const struct tls_owner *owner, void *context)
{
    struct tls_conduit *tls = pool_take(&shared->conduits);

    if (!tls)
        return NULL;
    memset(&tls->node, 0, sizeof(*tls) - offsetof(struct tls_conduit, node));
    list_init(&tls->node);
    loop_task_init(&tls->wake, tls_wake);
    tls->shared = shared;
    tls->stream = stream;
    tls->owner = owner;
    tls->owner_context = context;
    tls->end = (uint8_t)PX_AGAIN;
    tls->inbox.max = stream->inbox.max;
    if (!tls_kept_set(tls, TLS_HANDSHAKE_BYTES)) {
        pool_put(&shared->conduits, tls);
        return NULL;
    }
    return tls;
}

static void conduit_begin(struct tls_conduit *tls, struct conduit *conduit)
{
    conduit->ops = &tls_conduit_ops;
    conduit->below = tls;
    list_append(&tls->shared->handshaking, &tls->node);
    tls->shared->handshake_count++;
    px_stream_attach(tls->stream, &tls_stream_events, tls);
    px_stream_recv_start(tls->stream);
}

struct tls_conduit *tls_conduit_accept(struct tls_shared *shared, struct conduit *conduit,
                                       px_stream *stream, px_tls *settings,
                                       const struct tls_owner *owner, void *context)
{
    struct tls_conduit *tls = conduit_take(shared, stream, owner, context);

    if (!tls)
        return NULL;
    if (tls_session_init(&tls->session, settings, &shared->blocks) != PX_OK) {
        conduit_free(tls);
        return NULL;
    }
    conduit_begin(tls, conduit);
    return tls;
}

struct tls_conduit *tls_conduit_connect(struct tls_shared *shared, struct conduit *conduit,
                                        px_stream *stream, px_tls_trust *trust, px_str host,
                                        enum tls_offer offer, const struct tls_owner *owner,
                                        void *context)
{
    struct tls_conduit *tls = conduit_take(shared, stream, owner, context);

    if (!tls)
        return NULL;
    if (tls_session_connect(&tls->session, trust, &shared->blocks, host, offer) != PX_OK ||
        tls_session_handshake(&tls->session) != PX_AGAIN) {
        conduit_free(tls);
        return NULL;
    }
    conduit_begin(tls, conduit);
    tls_flush(tls);
    return tls;
}

void tls_handshake_leave(struct tls_conduit *tls)
{
    if (tls->stage > TLS_HANDSHAKE)
        return;
    list_remove(&tls->node);
    tls->shared->handshake_count--;
}

void tls_conduit_leave(struct tls_conduit *tls)
{
    tls_handshake_leave(tls);
    tls->stage = TLS_CLOSING;
    tls->receiving = TLS_RECV_STOPPED;
    list_remove(&tls->wake.node);
    list_append(&tls->shared->gone, &tls->node);
}

/* --- The handshake ---------------------------------------------------------------------------- */

static bool is_plain(const struct tls_conduit *tls, px_str bytes)
{
    return tls->stage == TLS_SILENT && tls->owner->plain && bytes.ptr[0] >= 'A' &&
           bytes.ptr[0] <= 'Z';
}

void tls_handshake(struct tls_conduit *tls, px_str bytes)
{
    if (is_plain(tls, bytes)) {
        tls->owner->plain(tls, tls->owner_context);
        return;
    }
    tls->stage = TLS_HANDSHAKE;
    px_err err = tls_session_handshake(&tls->session);

    work_count(&tls->shared->loop->work, tls->session.work);
    if (err == PX_AGAIN)
        return;
    tls_handshake_leave(tls);
    if (err == PX_OK) {
        tls->stage = TLS_OPEN;
        (void)tls_kept_set(tls, tls_session_open_bytes());
        tls->owner->opened(tls, tls->owner_context);
        return;
    }
    tls->stage = TLS_FAILED;
    tls->session.in = px_str_make(NULL, 0);
    if (err == PX_ERR_MALFORMED)
        tls_flush(tls); /* the alert */
    tls->owner->failed(tls, err, tls->owner_context);
}
