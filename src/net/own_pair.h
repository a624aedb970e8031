/*
 * Two connected sockets of this process, for talking to a server in it.
 */
#ifndef PX_NET_OWN_PAIR_H
#define PX_NET_OWN_PAIR_H

#include "pollux/error.h"
#include "pollux/str.h"

/* PX_OK or PX_ERR_SYSTEM, PX_ERR_LIMIT.  Neither blocks. */
PX_MUST_CHECK px_err own_pair_open(int out_fds[2], px_error *out_error);
void own_pair_close(int fd);

/* Sends some of it: how many bytes, perhaps none. */
size_t own_pair_send(int fd, px_str bytes);

/* What there is: PX_OK with its bytes, PX_AGAIN, or PX_ERR_CLOSED at the end. */
PX_MUST_CHECK px_err own_pair_recv(int fd, char *out, size_t room, size_t *out_bytes);

#endif
