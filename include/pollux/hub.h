/*
 * A hub: topics of the same name in several loops, of threads or of processes on one machine, are
 * one.
 *
 * Each member has a socket to each other member: one end of a pair that the program makes before it
 * forks or starts its threads,
 *
 *     socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
 *
 * and that a successor of a worker which has died is given again.  Nothing has to be installed, and
 * no member passes on what another one says.  The thread of the hub's loop.
 */
#ifndef PX_HUB_H
#define PX_HUB_H

#include "pollux/topic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_hub px_hub; /**< A member's way to the others. */

/** What a member may send at once, its topic's name included. */
#define PX_HUB_MESSAGE_BYTES_MAX 65000

/** Makes a member.
 *  @param loop borrowed: outlives it.
 *  @param fds a socket to each other member, as above, not blocking.  Owned by the hub on success.
 *  @param count of fds, at most 256; 0 is fine.
 *  @return owned by the caller (px_hub_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_LIMIT,
 *  PX_ERR_INVALID (a descriptor), PX_ERR_SYSTEM. */
px_hub *px_hub_create(px_loop *loop, const int *fds, uint32_t count, px_error *out_error);

/** Ends a member and closes its sockets; its topics live on.  NULL is fine. */
void px_hub_destroy(px_hub *hub);

/** Gives a topic a name: what other members publish by it comes to those that are subscribed here.
 *  @param name copied; 1 to 255 bytes.  @param topic borrowed: outlives the hub.
 *  @return PX_OK, PX_ERR_CONFLICT (the name is taken), PX_ERR_INVALID, PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_hub_name(px_hub *hub, const char *name, px_topic *topic);

/** Publishes to the topic of that name, here and at every other member.
 *  @return PX_OK; PX_FULL: so much waits here, or on the way to one of them, that this one is lost
 *  there; PX_ERR_NOT_FOUND: no topic here has the name; PX_ERR_LIMIT: it is too long, and went
 *  nowhere; PX_ERR_INVALID: text that is not UTF-8, likewise; PX_ERR_MEMORY. */
px_err px_hub_publish(px_hub *hub, const char *name, px_websocket_kind kind, px_str message);

/** Messages that were lost on the way to other members since the hub was made. */
uint64_t px_hub_lost(const px_hub *hub);

#ifdef __cplusplus
}
#endif

#endif
