/*
 * Wrapped calls on sockets.
 */
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "sim_file.h"
#include "sim_wrap.h"

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __real_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags);
ssize_t __real_recv(int fd, void *out, size_t bytes, int flags);
ssize_t __wrap_recv(int fd, void *out, size_t bytes, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __real_send(int fd, const void *in, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *in, size_t bytes, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
ssize_t __real_sendfile(int out_fd, int in_fd, off_t *offset, size_t bytes);
ssize_t __wrap_sendfile(int out_fd, int in_fd, off_t *offset, size_t bytes);
ssize_t __wrap_sendfile64(int out_fd, int in_fd, off_t *offset, size_t bytes);
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __real_socketpair(int domain, int type, int protocol, int out_fds[2]);
int __wrap_socketpair(int domain, int type, int protocol, int out_fds[2]);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *bytes);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *bytes);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes);
int __real_getsockname(int fd, struct sockaddr *address, socklen_t *bytes);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *bytes);
int __real_getpeername(int fd, struct sockaddr *address, socklen_t *bytes);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *bytes);

int __wrap_socket(int family, int type, int protocol)
{
    if (!sim_world)
        return __real_socket(family, type, protocol);
    if (wrap_fails("socket"))
        return -1;
    struct sim_sock *sock = (type & 0xf) == SOCK_STREAM ? sim_sock_create(family) : NULL;

    if (!sock)
        return (int)wrap_result("socket", family, -EAFNOSUPPORT);
    if (type & SOCK_NONBLOCK)
        sock->desc.status_flags |= O_NONBLOCK;
    int fd = sim_fd_open(&sock->desc, (type & SOCK_CLOEXEC) != 0);

    if (fd < 0)
        sim_desc_put(&sock->desc);
    return (int)wrap_result("socket", family, fd);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
    if (!sim_fd_ours(fd))
        return __real_bind(fd, address, bytes);
    if (wrap_fails("bind"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = sim_sock_bind(sock, address, bytes);
    return (int)wrap_result("bind", fd, result);
}

int __wrap_listen(int fd, int backlog)
{
    if (!sim_fd_ours(fd))
        return __real_listen(fd, backlog);
    if (wrap_fails("listen"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = sim_sock_listen(sock, backlog);
    return (int)wrap_result("listen", fd, result);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
    if (!sim_fd_ours(fd))
        return __real_connect(fd, address, bytes);
    if (wrap_fails("connect"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock) {
        result = sim_sock_connect(sock, address, bytes);
        if (result == -EINPROGRESS && !(sock->desc.status_flags & O_NONBLOCK))
            sim_fail("connect would block: the descriptor is not O_NONBLOCK");
    }
    return (int)wrap_result("connect", fd, result);
}

/* Copies an address out as the kernel does: cut to the room, with its full length. */
static void address_out(const struct sim_address *from, struct sockaddr *address, socklen_t *bytes)
{
    if (!address || !bytes)
        return;
    memcpy(address, &from->storage, *bytes < from->bytes ? *bytes : from->bytes);
    *bytes = from->bytes;
}

static int accept_one(struct sim_sock *listener, struct sockaddr *address, socklen_t *bytes,
                      int flags)
{
    int result;

    /* As in Linux the number is found before the connection is looked at. */
    if (sim_world->fd_count >= sim_world->fd_limit) {
        sim_sometimes("accept ran out of descriptors");
        return -EMFILE;
    }
    struct sim_sock *sock = sim_sock_accept(listener, &result);

    if (!sock)
        return (int)wrap_no_sleep("accept4", &listener->desc, 0, result);
    if (flags & SOCK_NONBLOCK)
        sock->desc.status_flags |= O_NONBLOCK;
    result = sim_fd_open(&sock->desc, (flags & SOCK_CLOEXEC) != 0);
    CHECK(result >= 0);
    address_out(&sock->remote, address, bytes);
    if (sim_fault_strikes(&sim_world->faults, SIM_FORK_DUPLICATE))
        sim_desc_clone_for(&sock->desc,
                           sim_random_skewed(&sim_world->random, SIM_NS_PER_US, 5 * SIM_NS_PER_S));
    return result;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
    if (!sim_fd_ours(fd))
        return __real_accept4(fd, address, bytes, flags);
    if (wrap_fails("accept4"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = accept_one(sock, address, bytes, flags);
    return (int)wrap_result("accept4", fd, result);
}

ssize_t __wrap_recv(int fd, void *out, size_t bytes, int flags)
{
    if (!sim_fd_ours(fd))
        return __real_recv(fd, out, bytes, flags);
    if (wrap_fails("recv"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (!sock)
        return (ssize_t)wrap_result("recv", fd, result);
    int64_t count = sim_sock_recv(sock, out, bytes, flags);

    return (ssize_t)wrap_result("recv", fd, wrap_no_sleep("recv", &sock->desc, flags, count));
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!sim_fd_ours(fd))
        return __real_recvmsg(fd, message, flags);
    if (message->msg_iovlen == 0)
        return 0;
    /* One part is enough of an answer: a receive may always be short at a part's end. */
    message->msg_flags = 0;
    message->msg_controllen = 0;
    return __wrap_recv(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
}

/* Sends parts in order; the kernel sees one send: it is short when any part is. */
static int64_t send_parts(struct sim_sock *sock, const struct iovec *parts, size_t count, int flags)
{
    size_t bytes = 0;
    size_t at = 0;

    for (size_t index = 0; index < count; index++)
        bytes += parts[index].iov_len;
    char *whole = malloc(bytes + 1);

    if (!whole)
        abort();
    for (size_t index = 0; index < count; index++) {
        if (parts[index].iov_len > 0)
            memcpy(whole + at, parts[index].iov_base, parts[index].iov_len);
        at += parts[index].iov_len;
    }
    int64_t result = sim_sock_send(sock, whole, bytes, flags);

    free(whole);
    return wrap_no_sleep("send", &sock->desc, flags, result);
}

static ssize_t send_call(const char *name, int fd, const struct iovec *parts, size_t count,
                         int flags)
{
    if (wrap_fails(name))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (!sock)
        return (ssize_t)wrap_result(name, fd, result);
    return (ssize_t)wrap_result(name, fd, send_parts(sock, parts, count, flags));
}

ssize_t __wrap_send(int fd, const void *in, size_t bytes, int flags)
{
    struct iovec part = {(void *)(uintptr_t)in, bytes};

    if (!sim_fd_ours(fd))
        return __real_send(fd, in, bytes, flags);
    return send_call("send", fd, &part, 1, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!sim_fd_ours(fd))
        return __real_sendmsg(fd, message, flags);
    return send_call("sendmsg", fd, message->msg_iov, message->msg_iovlen, flags);
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    if (!sim_fd_ours(fd))
        return __real_writev(fd, parts, count);
    return send_call("writev", fd, parts, (size_t)count, 0);
}

ssize_t __wrap_sendfile(int out_fd, int in_fd, off_t *offset, size_t bytes)
{
    if (!sim_fd_ours(out_fd))
        return __real_sendfile(out_fd, in_fd, offset, bytes);
    if (wrap_fails("sendfile"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(out_fd, &result);
    struct sim_desc *file = sim_fd_desc(in_fd);

    if (!sock || !file || file->kind != SIM_KIND_FILE)
        return (ssize_t)wrap_result("sendfile", out_fd, sock ? -EINVAL : result);
    int64_t from = offset ? *offset : 0;
    int64_t count = sim_file_send(sock, (struct sim_file *)file, offset ? &from : NULL, bytes);

    if (offset)
        *offset = from;
    return (ssize_t)wrap_result("sendfile", out_fd,
                                wrap_no_sleep("sendfile", &sock->desc, 0, count));
}

ssize_t __wrap_sendfile64(int out_fd, int in_fd, off_t *offset, size_t bytes)
{
    return __wrap_sendfile(out_fd, in_fd, offset, bytes);
}

/* The fake kernel has none: they are how a handler is asked in a test (net/own_pair.h), and no
 * scenario asks one so. */
int __wrap_socketpair(int domain, int type, int protocol, int out_fds[2])
{
    if (!sim_world)
        return __real_socketpair(domain, type, protocol, out_fds);
    sim_call("socketpair");
    errno = EOPNOTSUPP;
    return -1;
}

int __wrap_shutdown(int fd, int how)
{
    if (!sim_fd_ours(fd))
        return __real_shutdown(fd, how);
    if (wrap_fails("shutdown"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = sim_sock_shutdown(sock, how);
    return (int)wrap_result("shutdown", fd, result);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    va_start(arguments, request);
    int *value = va_arg(arguments, int *);

    va_end(arguments);
    if (!sim_fd_ours(fd))
        return __real_ioctl(fd, request, value);
    if (wrap_fails("ioctl"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock && request == SIOCOUTQ) {
        /* What the other end has not acknowledged; a unix socket's bytes wait to be read. */
        size_t queued = sock->outbox.len;

        if (sock->family == AF_UNIX)
            queued = sock->other ? sock->other->inbox.len : 0;
        *value = (int)queued;
        result = 0;
    } else if (sock) {
        result = -EINVAL;
    }
    return (int)wrap_result("ioctl", fd, result);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *bytes)
{
    if (!sim_fd_ours(fd))
        return __real_getsockopt(fd, level, name, value, bytes);
    if (wrap_fails("getsockopt"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = sim_sock_option_get(sock, level, name, value, bytes);
    return (int)wrap_result("getsockopt", fd, result);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
    if (!sim_fd_ours(fd))
        return __real_setsockopt(fd, level, name, value, bytes);
    if (wrap_fails("setsockopt"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock)
        result = sim_sock_option_set(sock, level, name, value, bytes);
    return (int)wrap_result("setsockopt", fd, result);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *bytes)
{
    if (!sim_fd_ours(fd))
        return __real_getsockname(fd, address, bytes);
    if (wrap_fails("getsockname"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock) {
        address_out(&sock->local, address, bytes);
        result = 0;
    }
    return (int)wrap_result("getsockname", fd, result);
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *bytes)
{
    if (!sim_fd_ours(fd))
        return __real_getpeername(fd, address, bytes);
    if (wrap_fails("getpeername"))
        return -1;
    int result;
    struct sim_sock *sock = wrap_sock(fd, &result);

    if (sock && sock->state != SIM_SOCK_CONNECTED)
        result = -ENOTCONN;
    else if (sock) {
        address_out(&sock->remote, address, bytes);
        result = 0;
    }
    return (int)wrap_result("getpeername", fd, result);
}
