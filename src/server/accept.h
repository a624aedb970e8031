/*
 * From a socket to the first protocol that speaks on it, and the table of all protocols.
 */
#ifndef PX_SERVER_ACCEPT_H
#define PX_SERVER_ACCEPT_H

#include "server/h1/h1.h"
#include "server/h2/h2.h"

/* A slot of the pool: what any protocol makes of a connection. */
union conn_slot {
    struct conn conn;
    struct h1_conn h1;
    struct h2_conn h2;
};

/* What an idle connection costs: this, the engine's slot, and its part of the wheel. */
_Static_assert(sizeof(union conn_slot) + sizeof(uint64_t) * 4 <= 400,
               "an idle connection is small");

extern const struct session_protocol *const session_protocols[PROTOCOL_COUNT];

/* A connection on a descriptor, as one that came through that listener: false, and the descriptor
 * is the caller's, where there is no slot. */
bool accept_socket(const struct server_listener *from, int fd, const struct net_address *peer,
                   bool eager);

/* What a listener tells; its context is the struct server_listener. */
extern const struct listener_events accept_events;

#endif
