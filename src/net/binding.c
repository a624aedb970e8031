/*
 * Binding: sockets that listen on an address.
 *
 * Happy path: resolve, and for each address socket, options, bind, listen.  It can fail at each of
 * these; the error names the address and says what to do, and no socket stays open.
 */
#include "net/binding.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "net/inherit.h"

static void binding_add(struct binding *binding, int fd)
{
    CHECK(fd >= 0 && binding->count < BINDING_SOCKETS_MAX);
    binding->fds[binding->count++] = fd;
}

static px_err open_failed(px_error *out_error, const char *address, int sys_errno)
{
    if (sys_errno == EADDRINUSE)
        return error_set(out_error, PX_ERR_ADDRESS_IN_USE, sys_errno,
                         "cannot listen on %s: address in use (another program listens there)",
                         address);
    if (sys_errno == EACCES && strncmp(address, "unix:", 5) != 0)
        return error_set(out_error, PX_ERR_PERMISSION, sys_errno,
                         "cannot listen on %s: permission denied (ports below 1024 need "
                         "CAP_NET_BIND_SERVICE)",
                         address);
    if (sys_errno == EADDRNOTAVAIL)
        return error_set(out_error, PX_ERR_NOT_FOUND, sys_errno,
                         "cannot listen on %s: this machine does not have that address", address);
    char reason[64];

    snprintf(reason, sizeof(reason), "%s", strerror(sys_errno));
    if (reason[0] >= 'A' && reason[0] <= 'Z')
        reason[0] = (char)(reason[0] + ('a' - 'A'));
    return error_set(out_error, error_category(sys_errno), sys_errno, "cannot listen on %s: %s",
                     address, reason);
}

static void socket_options(int fd, int family, bool both)
{
    const int on = 1, off = 0;

    if (family == AF_UNIX)
        return;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* Accepted sockets inherit these two, so no call is made for each connection. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? &off : &on, sizeof(on));
}

/* Both families on one socket is what ":8080" asks for; `both` says so. */
static int socket_open(const px_listen_options *options, const struct net_address *address,
                       bool both)
{
    const int on = 1;
    int family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    socket_options(fd, family, both);
    /* The first socket is bound without SO_REUSEPORT, so that it fails when another program listens
     * there, although both want to share; then the option is set for our own further sockets. */
    if (family != AF_UNIX && options->reuse_port == 2)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    /* The mode of an unbound unix socket is that of the file which bind makes, less the umask;
     * never more than was asked for, not even for a moment. */
    if (family == AF_UNIX && fchmod(fd, (mode_t)options->unix_mode) != 0)
        goto fail;
    if (bind(fd, &address->socket.any, address->bytes) != 0)
        goto fail;
    if (family == AF_UNIX &&
        unix_path_mode(address->socket.local.sun_path, (mode_t)options->unix_mode) != 0)
        goto fail;
    if (family != AF_UNIX && options->reuse_port == 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (family != AF_UNIX && options->defer_accept_s != PX_OFF) {
        int seconds = (int)options->defer_accept_s;

        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    }
    if (listen(fd, (int)options->backlog) != 0)
        goto fail;
    return fd;

fail:;
    int sys_errno = errno;

    close(fd);
    errno = sys_errno;
    return -1;
}

static px_err open_unix(struct binding *binding, const px_listen_options *options,
                        const struct net_address *address, const char *text, px_error *out_error)
{
    struct unix_file stale;
    const char *path = address->socket.local.sun_path;
    int fd = socket_open(options, address, false);

    if (fd < 0 && errno == EADDRINUSE && unix_path_is_stale(address, &stale)) {
        unix_file_remove(&stale);
        fd = socket_open(options, address, false);
    }
    int failure = errno;

    if (fd < 0 && failure == EADDRINUSE && !unix_path_is_socket(path))
        return error_set(out_error, PX_ERR_ADDRESS_IN_USE, failure,
                         "cannot listen on %s: the file there is not a socket", text);
    if (fd < 0)
        return open_failed(out_error, text, failure);
    binding_add(binding, fd);
    unix_file_note(&binding->file, path);
    return PX_OK;
}

/* ":8080": one socket for both families, or IPv4 alone where the machine has no IPv6. */
static px_err open_any(struct binding *binding, const px_listen_options *options, uint16_t port,
                       const char *text, px_error *out_error)
{
    struct net_address address = {.bytes = sizeof(address.socket.v6)};

    address.socket.v6.sin6_family = AF_INET6;
    address.socket.v6.sin6_port = htons(port);
    int fd = socket_open(options, &address, true);

    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        memset(&address, 0, sizeof(address));
        address.bytes = sizeof(address.socket.v4);
        address.socket.v4.sin_family = AF_INET;
        address.socket.v4.sin_port = htons(port);
        fd = socket_open(options, &address, false);
    }
    if (fd < 0)
        return open_failed(out_error, text, errno);
    binding_add(binding, fd);
    return PX_OK;
}

static px_err open_tcp(struct binding *binding, const px_listen_options *options,
                       const struct address_text *split, const char *text, px_error *out_error)
{
    struct net_address addresses[ADDRESS_COUNT_MAX];
    size_t count = 0;
    px_err err = address_resolve(split, addresses, &count, out_error);

    if (err != PX_OK)
        return err;
    for (size_t index = 0; index < count; index++) {
        int fd = socket_open(options, &addresses[index], false);

        if (fd < 0)
            return open_failed(out_error, text, errno);
        binding_add(binding, fd);
    }
    return PX_OK;
}

px_err binding_open(struct binding *out_binding, const px_listen_options *options,
                    const struct address_text *split, const char *text, px_error *out_error)
{
    struct binding binding = {.count = 0};
    struct net_address local;
    size_t count;
    px_err err;

    CHECK(split->kind != ADDRESS_FD);
    if (split->kind == ADDRESS_UNIX) {
        err = address_resolve(split, &local, &count, out_error);
        if (err == PX_OK)
            err = open_unix(&binding, options, &local, text, out_error);
    } else if (split->host.len == 0) {
        err = open_any(&binding, options, split->port, text, out_error);
    } else {
        err = open_tcp(&binding, options, split, text, out_error);
    }
    while (err != PX_OK && binding.count > 0)
        close(binding.fds[--binding.count]);
    *out_binding = binding;
    return err;
}

/* Another socket on the address of `fd`: a SO_REUSEPORT sibling, else a duplicate. */
static int socket_clone(const px_listen_options *options, int fd)
{
    struct net_address address = {.bytes = sizeof(address.socket)};
    int only_v6 = 1;
    socklen_t bytes = sizeof(only_v6);

    if (options->reuse_port == 0 || getsockname(fd, &address.socket.any, &address.bytes) != 0 ||
        address.socket.any.sa_family == AF_UNIX)
        return inherit_duplicate(fd);
    if (address.socket.any.sa_family == AF_INET6)
        getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &bytes);
    return socket_open(options, &address, !only_v6);
}

px_err binding_clone(struct binding *out_binding, const px_listen_options *options, const int *fds,
                     size_t count, const char *text, px_error *out_error)
{
    struct binding binding = {.count = 0};

    CHECK(count <= BINDING_SOCKETS_MAX);
    for (size_t index = 0; index < count; index++) {
        int fd = socket_clone(options, fds[index]);

        if (fd < 0) {
            px_err err = open_failed(out_error, text, errno);

            while (binding.count > 0)
                close(binding.fds[--binding.count]);
            *out_binding = binding;
            return err;
        }
        binding_add(&binding, fd);
    }
    *out_binding = binding;
    return PX_OK;
}

void binding_describe(const int *fds, size_t count, char *out_text, size_t room)
{
    size_t len = 0;

    out_text[0] = '\0';
    for (size_t index = 0; index < count; index++) {
        struct net_address address = {.bytes = sizeof(address.socket)};

        if (index > 0)
            len += (size_t)snprintf(out_text + len, room - len, ", ");
        CHECK(len < room);
        if (getsockname(fds[index], &address.socket.any, &address.bytes) == 0)
            len += address_format(&address, out_text + len, room - len);
    }
}
