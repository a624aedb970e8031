/*
 * Packets over a connected socket that keeps their bounds (SOCK_SEQPACKET, SOCK_DGRAM): sent and
 * received whole, or not at all.
 */
#ifndef PX_IO_PACKET_H
#define PX_IO_PACKET_H

#include <stddef.h>

#include "pollux/error.h"
#include "pollux/str.h"

/* PX_OK; PX_AGAIN: there is no room; PX_ERR_CLOSED: the other end is gone; PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err packet_send(int fd, px_str packet);

/* One packet into `out`: PX_OK, PX_AGAIN, PX_ERR_CLOSED, PX_ERR_SYSTEM.  What is longer than `room`
 * is cut. */
PX_MUST_CHECK px_err packet_recv(int fd, char *out, size_t room, size_t *out_len);

void packet_close(int fd);

#endif
