/*
 * Descriptors that a supervisor hands over (systemd's LISTEN_FDS and LISTEN_FDNAMES).
 */
#ifndef PX_NET_INHERIT_H
#define PX_NET_INHERIT_H

#include "net/address.h"
#include "pollux/error.h"
#include "pollux/str.h"

/* The inherited descriptor of that name or number, or -1 with PX_ERR_NOT_FOUND. */
int inherit_find(px_str name, px_error *out_error);

/* Makes an inherited descriptor non-blocking and closed on exec. */
void inherit_prepare(int fd);

/* A duplicate that is closed on exec, or -1. */
int inherit_duplicate(int fd);

/* Has a connected stream socket not block, nor be inherited: PX_OK, and its peer, or PX_ERR_INVALID
 * when it is none, or PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err inherit_connection(int fd, struct net_address *out_peer, px_error *out_error);

#endif
