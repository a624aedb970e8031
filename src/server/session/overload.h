/*
 * What happens at the limits: which connections have to go, which peers are turned away, when
 * accepting goes on.
 *
 * In this order: idle connections are closed, the longest idle first; then those whose head has
 * been unfinished for long; then those whose peer has not done its part for as long: content that
 * does not come, an answer that is not read; then newcomers are told 503 (refusal.c); when many are
 * being told, no peer is accepted and the backlog waits.  Each step ends by itself as soon as there
 * is room.
 */
#ifndef PX_SERVER_OVERLOAD_H
#define PX_SERVER_OVERLOAD_H

#include "server/session/session.h"

/* Makes room for a newcomer at the connection limit; false when there is none to be had. */
bool overload_admits(px_server *server);

/* Out of descriptors: closes some of those that may be. */
void overload_relieve(px_server *server);

/* Nearly all that may be kept of a kind is. */
static inline bool overload_memory_is_short(const px_server *server, enum budget_kind kind)
{
    const struct budget *memory = &server->loop->memory;

    return budget_left(memory, kind) < memory->shares[kind].bytes_max / 8;
}

/* So it is with what is kept of connections: room is made before there is none.  Those that a
 * driver works on stay. */
void overload_relieve_sessions(px_server *server);

/* Blocks are nearly all taken. */
static inline bool overload_is_short(const struct pool *blocks)
{
    return blocks->taken >= blocks->count_max - blocks->count_max / 8;
}

/* Output blocks are nearly all taken: those that have been sending for longest are closed. */
void overload_relieve_outs(px_server *server);

/* One more is being turned away: stops accepting when they are too many. */
void overload_pause(px_server *server);

/* Runs in a tick in which a connection went while none was accepted. */
void overload_task(struct loop_task *task);

/* What must hold of what is refused and shed, between ticks. */
void overload_check(const px_server *server);

/* Connections that hold a place.  Those that are closing give theirs up at the end of the tick;
 * those that linger or are turned away have budgets of their own. */
static inline uint32_t overload_open_count(const px_server *server)
{
    return server->conn_count - server->closing_count - server->linger_count -
           server->refusing_count;
}

#endif
