/*
 * Inherited descriptors: they begin at 3, LISTEN_FDS says how many, LISTEN_FDNAMES names them in
 * order, LISTEN_PID says which process they are for (sd_listen_fds(3)).
 */
#include "net/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"

enum { LISTEN_FD_FIRST = 3, LISTEN_FD_COUNT_MAX = 1024 };

static long environment_number(const char *name)
{
    uint64_t number;

    return number_read(px_str_of(getenv(name)), LONG_MAX, &number) ? (long)number : -1;
}

static int inherited_count(void)
{
    long pid = environment_number("LISTEN_PID");
    long count = environment_number("LISTEN_FDS");

    if (count <= 0 || count > LISTEN_FD_COUNT_MAX || (pid >= 0 && pid != (long)getpid()))
        return 0;
    return (int)count;
}

/* The index of `name` in a list that is separated by colons, or -1. */
static int name_index(const char *names, px_str name)
{
    for (int index = 0; names; index++) {
        const char *colon = strchr(names, ':');
        size_t len = colon ? (size_t)(colon - names) : strlen(names);

        if (px_str_equal(px_str_make(names, len), name))
            return index;
        names = colon ? colon + 1 : NULL;
    }
    return -1;
}

static int number_parse(px_str text)
{
    uint64_t number;

    return number_read(text, INT_MAX, &number) ? (int)number : -1;
}

int inherit_find(px_str name, px_error *out_error)
{
    int count = inherited_count();
    int index = name_index(getenv("LISTEN_FDNAMES"), name);
    int number = number_parse(name);

    if (index >= 0 && index < count)
        return LISTEN_FD_FIRST + index;
    if (number >= 0 && fcntl(number, F_GETFD) >= 0)
        return number;
    error_set(out_error, PX_ERR_NOT_FOUND, 0,
              "cannot listen on fd:%.*s: no inherited descriptor has that name (%d were passed in "
              "LISTEN_FDS)",
              (int)name.len, name.ptr, count);
    return -1;
}

void inherit_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    CHECK(fd >= 0);
    /* A worker in a sandbox is given what is non-blocking, and may not set flags that it shares. */
    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int inherit_duplicate(int fd)
{
    CHECK(fd >= 0);
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

px_err inherit_connection(int fd, struct net_address *out_peer, px_error *out_error)
{
    socklen_t bytes = sizeof(int);
    int type = 0;

    out_peer->bytes = sizeof(out_peer->socket);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_STREAM)
        return error_set(out_error, PX_ERR_INVALID, 0, "descriptor %d is not a stream socket", fd);
    if (getpeername(fd, &out_peer->socket.any, &out_peer->bytes) != 0)
        return error_set(out_error, PX_ERR_INVALID, errno, "descriptor %d is not connected: %s", fd,
                         strerror(errno));
    CHECK(out_peer->bytes <= sizeof(out_peer->socket));
    int flags = fcntl(fd, F_GETFL);

    /* Under a sandbox flags may not be set, and need not where they are as wanted. */
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_set(out_error, error_category(errno), errno, "descriptor %d: %s", fd,
                         strerror(errno));
    return PX_OK;
}
