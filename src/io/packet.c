/*
 * send and recv, with their errno as categories.
 */
#include "io/packet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static px_err packet_error(void)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case EINTR:
        return PX_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOTCONN:
        return PX_ERR_CLOSED;
    default:
        return PX_ERR_SYSTEM;
    }
}

px_err packet_send(int fd, px_str packet)
{
    ssize_t sent = send(fd, packet.ptr, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent < 0 ? packet_error() : PX_OK;
}

px_err packet_recv(int fd, char *out, size_t room, size_t *out_len)
{
    ssize_t got = recv(fd, out, room, MSG_DONTWAIT);

    if (got < 0)
        return packet_error();
    /* Packets are never empty: that is the end. */
    if (got == 0)
        return PX_ERR_CLOSED;
    *out_len = (size_t)got;
    return PX_OK;
}

void packet_close(int fd)
{
    close(fd);
}
