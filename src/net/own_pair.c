/*
 * A socketpair.  What is sent to an end that has gone is lost, as it is on any connection:
 * receiving says so.
 */
#include "net/own_pair.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"

px_err own_pair_open(int out_fds[2], px_error *out_error)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_fds) == 0)
        return PX_OK;
    return error_set(out_error, error_category(errno), errno, "cannot make a pair of sockets: %s",
                     strerror(errno));
}

void own_pair_close(int fd)
{
    CHECK(fd >= 0);
    close(fd);
}

size_t own_pair_send(int fd, px_str bytes)
{
    ssize_t count = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

    return count > 0 ? (size_t)count : 0;
}

px_err own_pair_recv(int fd, char *out, size_t room, size_t *out_bytes)
{
    ssize_t count = recv(fd, out, room, 0);

    CHECK(room > 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return PX_AGAIN;
    if (count <= 0)
        return PX_ERR_CLOSED;
    *out_bytes = (size_t)count;
    return PX_OK;
}
