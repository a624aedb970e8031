/*
 * Listeners: one address as written, one or more sockets.
 *
 * Happy path: resolve, and for each address socket, options, bind, listen.  It can fail at each of
 * these; the error names the address and says what to do.  Sockets are made without a loop, so that
 * a program can fork in between; listener_start puts them on one.
 */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "io/engine.h"
#include "net/inherit.h"
#include "net/unix_path.h"

enum { BACKLOG_DEFAULT = 4096, UNIX_MODE_DEFAULT = 0660, DEFER_ACCEPT_S_DEFAULT = 1 };

struct px_listener {
    px_listen_options options;
    const struct listener_events *events; /* borrowed: static, while started */
    void *context;
    void (*on_accept)(px_stream *stream, void *context); /* of px_listener_start */
    void *accept_context;
    px_loop *loop; /* borrowed while started */
    size_t count;
    bool started;
    bool timers; /* the acceptors' retry timers are made */
    struct io_acceptor acceptors[LISTENER_SOCKETS_MAX];
    char unix_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* to be removed, or "" */
    pid_t unix_owner; /* the process that made it: a fork that closes its copy leaves it there */
    char text[LISTENER_SOCKETS_MAX * ADDRESS_TEXT_BYTES];
};

/* --- Opening -------------------------------------------------------------------------------- */

static void acceptor_add(px_listener *listener, int fd)
{
    struct io_acceptor *acceptor = &listener->acceptors[listener->count++];

    memset(acceptor, 0, sizeof(*acceptor));
    handle_init(&acceptor->handle, NULL, fd, HANDLE_ACCEPTOR); /* its loop comes with the start */
    acceptor->retry.index = TIMER_IDLE;
    acceptor->context = listener;
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
static int socket_open(const px_listener *listener, const struct net_address *address, bool both)
{
    const int on = 1;
    int family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    socket_options(fd, family, both);
    /* The first socket is bound without SO_REUSEPORT, so that it fails when another program listens
     * there, although both want to share; then the option is set for our own further sockets. */
    if (family != AF_UNIX && listener->options.reuse_port == 2)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    /* The mode of an unbound unix socket is that of the file which bind makes, less the umask;
     * never more than was asked for, not even for a moment. */
    if (family == AF_UNIX && fchmod(fd, (mode_t)listener->options.unix_mode) != 0)
        goto fail;
    if (bind(fd, &address->socket.any, address->bytes) != 0)
        goto fail;
    if (family == AF_UNIX &&
        unix_path_mode(address->socket.local.sun_path, (mode_t)listener->options.unix_mode) != 0)
        goto fail;
    if (family != AF_UNIX && listener->options.reuse_port == 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (family != AF_UNIX && listener->options.defer_accept_s != PX_OFF) {
        int seconds = (int)listener->options.defer_accept_s;

        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    }
    if (listen(fd, (int)listener->options.backlog) != 0)
        goto fail;
    return fd;

fail:;
    int sys_errno = errno;

    close(fd);
    errno = sys_errno;
    return -1;
}

static px_err open_unix(px_listener *listener, const struct net_address *address, const char *text,
                        px_error *out_error)
{
    const char *path = address->socket.local.sun_path;
    int fd = socket_open(listener, address, false);

    if (fd < 0 && errno == EADDRINUSE && unix_path_is_stale(address)) {
        unlink(path);
        fd = socket_open(listener, address, false);
    }
    int failure = errno;

    if (fd < 0 && failure == EADDRINUSE && !unix_path_is_socket(path))
        return error_set(out_error, PX_ERR_ADDRESS_IN_USE, failure,
                         "cannot listen on %s: the file there is not a socket", text);
    if (fd < 0)
        return open_failed(out_error, text, failure);
    snprintf(listener->unix_path, sizeof(listener->unix_path), "%s", path);
    listener->unix_owner = getpid();
    acceptor_add(listener, fd);
    return PX_OK;
}

/* ":8080": one socket for both families, or IPv4 alone where the machine has no IPv6. */
static px_err open_any(px_listener *listener, uint16_t port, const char *text, px_error *out_error)
{
    struct net_address address = {.bytes = sizeof(address.socket.v6)};

    address.socket.v6.sin6_family = AF_INET6;
    address.socket.v6.sin6_port = htons(port);
    int fd = socket_open(listener, &address, true);

    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        memset(&address, 0, sizeof(address));
        address.bytes = sizeof(address.socket.v4);
        address.socket.v4.sin_family = AF_INET;
        address.socket.v4.sin_port = htons(port);
        fd = socket_open(listener, &address, false);
    }
    if (fd < 0)
        return open_failed(out_error, text, errno);
    acceptor_add(listener, fd);
    return PX_OK;
}

static px_err open_tcp(px_listener *listener, const struct address_text *split, const char *text,
                       px_error *out_error)
{
    struct net_address addresses[ADDRESS_COUNT_MAX];
    size_t count = 0;
    px_err err = address_resolve(split, addresses, &count, out_error);

    if (err != PX_OK)
        return err;
    for (size_t index = 0; index < count; index++) {
        int fd = socket_open(listener, &addresses[index], false);

        if (fd < 0)
            return open_failed(out_error, text, errno);
        acceptor_add(listener, fd);
    }
    return PX_OK;
}

/* Writes the addresses as bound, with the ports that were picked. */
static void listener_describe(px_listener *listener)
{
    size_t len = 0;

    for (size_t index = 0; index < listener->count; index++) {
        struct net_address address = {.bytes = sizeof(address.socket)};

        if (index > 0)
            len += (size_t)snprintf(listener->text + len, sizeof(listener->text) - len, ", ");
        if (getsockname(listener->acceptors[index].handle.fd, &address.socket.any,
                        &address.bytes) == 0)
            len += address_format(&address, listener->text + len, sizeof(listener->text) - len);
    }
}

static px_listener *listener_alloc(const px_listen_options *options, px_error *out_error)
{
    px_listener *listener = calloc(1, sizeof(*listener));

    if (!listener) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    if (options_read(&listener->options, sizeof(listener->options), options) != PX_OK) {
        free(listener);
        error_set(out_error, PX_ERR_INVALID, 0, "listen options: unknown or missing struct_size");
        return NULL;
    }
    listener->options.struct_size = sizeof(listener->options); /* they are given to clones */
    if (listener->options.backlog == 0)
        listener->options.backlog = BACKLOG_DEFAULT;
    if (listener->options.unix_mode == 0)
        listener->options.unix_mode = UNIX_MODE_DEFAULT;
    if (listener->options.defer_accept_s == 0)
        listener->options.defer_accept_s = DEFER_ACCEPT_S_DEFAULT;
    return listener;
}

px_listener *px_listener_open(const char *address, const px_listen_options *options,
                              px_error *out_error)
{
    struct address_text split;
    struct net_address local;
    size_t count;

    error_clear(out_error);
    if (address_split(address, &split, out_error) != PX_OK)
        return NULL;
    if (split.kind == ADDRESS_FD) {
        int fd = inherit_find(split.host, out_error);

        return fd < 0 ? NULL : px_listener_adopt(fd, out_error);
    }
    px_listener *listener = listener_alloc(options, out_error);
    px_err err = PX_ERR_MEMORY;

    if (!listener)
        return NULL;
    if (split.kind == ADDRESS_UNIX) {
        err = address_resolve(&split, &local, &count, out_error);
        if (err == PX_OK)
            err = open_unix(listener, &local, address, out_error);
    } else if (split.host.len == 0) {
        err = open_any(listener, split.port, address, out_error);
    } else {
        err = open_tcp(listener, &split, address, out_error);
    }
    if (err != PX_OK) {
        px_listener_close(listener);
        return NULL;
    }
    listener_describe(listener);
    return listener;
}

px_listener *px_listener_adopt(int fd, px_error *out_error)
{
    int listening = 0, defer_s = 0;
    socklen_t bytes = sizeof(listening);

    error_clear(out_error);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) != 0 || !listening) {
        error_set(out_error, PX_ERR_INVALID, errno, "descriptor %d is not a listening socket", fd);
        return NULL;
    }
    px_listener *listener = listener_alloc(NULL, out_error);

    if (!listener)
        return NULL;
    inherit_prepare(fd);
    /* Whether accepted sockets bring their first bytes is up to the process that bound it. */
    bytes = sizeof(defer_s);
    if (getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, &bytes) != 0 || defer_s <= 0)
        listener->options.defer_accept_s = PX_OFF;
    acceptor_add(listener, fd);
    listener_describe(listener);
    return listener;
}

/* Another socket on the address of `fd`: a SO_REUSEPORT sibling, else a duplicate. */
static int socket_clone(const px_listener *listener, int fd)
{
    struct net_address address = {.bytes = sizeof(address.socket)};
    int only_v6 = 1;
    socklen_t bytes = sizeof(only_v6);

    if (listener->options.reuse_port == 0 ||
        getsockname(fd, &address.socket.any, &address.bytes) != 0 ||
        address.socket.any.sa_family == AF_UNIX)
        return inherit_duplicate(fd);
    if (address.socket.any.sa_family == AF_INET6)
        getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &bytes);
    return socket_open(listener, &address, !only_v6);
}

px_listener *px_listener_clone(const px_listener *listener, px_error *out_error)
{
    error_clear(out_error);
    px_listener *clone = listener_alloc(&listener->options, out_error);

    if (!clone)
        return NULL;
    if (clone->options.reuse_port != 0)
        clone->options.reuse_port = 2;
    for (size_t index = 0; index < listener->count; index++) {
        int fd = socket_clone(clone, listener->acceptors[index].handle.fd);

        if (fd < 0) {
            open_failed(out_error, listener->text, errno);
            px_listener_close(clone);
            return NULL;
        }
        acceptor_add(clone, fd);
    }
    snprintf(clone->text, sizeof(clone->text), "%s", listener->text);
    return clone;
}

/* --- Accepting ------------------------------------------------------------------------------ */

static void acceptor_socket(struct io_acceptor *acceptor, int fd, const void *address,
                            uint32_t address_bytes)
{
    px_listener *listener = acceptor->context;
    struct net_address peer;

    address_from_socket(&peer, address, address_bytes);
    listener->events->on_socket(listener, fd, &peer, acceptor->eager, listener->context);
}

static void acceptor_error(struct io_acceptor *acceptor, int sys_errno)
{
    px_listener *listener = acceptor->context;

    listener->events->on_error(listener, sys_errno, listener->context);
}

static bool acceptor_late(struct io_acceptor *acceptor)
{
    px_listener *listener = acceptor->context;

    return listener->events->on_late && listener->events->on_late(listener, listener->context);
}

px_err listener_start(px_listener *listener, px_loop *loop, const struct listener_events *events,
                      void *context, px_error *out_error)
{
    error_clear(out_error);
    listener->loop = loop;
    listener->events = events;
    listener->context = context;
    for (size_t index = 0; index < listener->count; index++) {
        struct io_acceptor *acceptor = &listener->acceptors[index];

        acceptor->handle.loop = loop;
        acceptor->on_socket = acceptor_socket;
        acceptor->on_error = acceptor_error;
        acceptor->on_late = acceptor_late;
        acceptor->context = listener;
        acceptor->eager = listener->options.defer_accept_s != PX_OFF && !listener->unix_path[0];
        if (!listener->timers && timer_init(&loop->timers, &acceptor->retry, NULL) != PX_OK) {
            while (index-- > 0)
                timer_deinit(&loop->timers, &listener->acceptors[index].retry);
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        }
    }
    listener->timers = true;
    if (!listener->started)
        loop->handle_count++;
    listener->started = true;
    for (size_t index = 0; index < listener->count; index++) {
        px_err err = engine_accept_start(&listener->acceptors[index], out_error);

        if (err != PX_OK) {
            px_listener_stop(listener);
            return err;
        }
    }
    return PX_OK;
}

void px_listener_stop(px_listener *listener)
{
    if (!listener->started)
        return;
    for (size_t index = 0; index < listener->count; index++) {
        engine_accept_stop(&listener->acceptors[index]);
        timer_deinit(&listener->loop->timers, &listener->acceptors[index].retry);
    }
    listener->timers = false;
    listener->started = false;
    listener->loop->handle_count--;
}

void listener_pause(px_listener *listener)
{
    for (size_t index = 0; listener->started && index < listener->count; index++)
        engine_accept_stop(&listener->acceptors[index]);
}

void listener_resume(px_listener *listener)
{
    for (size_t index = 0; listener->started && index < listener->count; index++)
        engine_accept_resume(&listener->acceptors[index]);
}

bool listener_take(px_listener *listener)
{
    bool is_empty = true;

    for (size_t index = 0; listener->started && index < listener->count; index++)
        is_empty = engine_accept_take(&listener->acceptors[index]) && is_empty;
    return is_empty;
}

void px_listener_close(px_listener *listener)
{
    if (!listener)
        return;
    px_listener_stop(listener);
    for (size_t index = 0; index < listener->count; index++) {
        close(listener->acceptors[index].handle.fd);
    }
    if (listener->unix_path[0] && listener->unix_owner == getpid())
        unlink(listener->unix_path);
    free(listener);
}

void px_listener_own_path(px_listener *listener, int is_ours)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    listener->unix_owner = getpid();
    if (!is_ours)
        listener->unix_owner = 0;
    else if (!listener->unix_path[0] && listener->count > 0 &&
             getsockname(listener->acceptors[0].handle.fd, &address.socket.any, &address.bytes) ==
                 0 &&
             address.socket.any.sa_family == AF_UNIX)
        snprintf(listener->unix_path, sizeof(listener->unix_path), "%s",
                 address.socket.local.sun_path);
}

px_err px_address_check(const char *text, px_error *out_error)
{
    struct address_text split;
    px_err err = address_split(text, &split, out_error);

    return err == PX_OK ? error_clear(out_error) : err;
}

const char *px_listener_address(const px_listener *listener)
{
    return listener->text;
}

int px_listener_fd(const px_listener *listener, size_t index)
{
    return index < listener->count ? listener->acceptors[index].handle.fd : -1;
}

/* --- Public accepting: each connection becomes a stream of its own ---------------------------- */

static void public_socket(px_listener *listener, int fd, const struct net_address *peer, bool eager,
                          void *context)
{
    px_stream *stream = stream_create(listener->loop, fd, eager);

    (void)peer;
    (void)context;
    if (!stream) {
        close(fd);
        return;
    }
    listener->on_accept(stream, listener->accept_context);
}

static void public_error(px_listener *listener, int sys_errno, void *context)
{
    (void)listener;
    (void)sys_errno;
    (void)context;
}

static const struct listener_events public_events = {public_socket, public_error, NULL};

px_err px_listener_start(px_listener *listener, px_loop *loop,
                         void (*on_accept)(px_stream *stream, void *context), void *context,
                         px_error *out_error)
{
    listener->on_accept = on_accept;
    listener->accept_context = context;
    return listener_start(listener, loop, &public_events, NULL, out_error);
}

/* --- A stream's addresses --------------------------------------------------------------------- */

size_t px_stream_peer(const px_stream *stream, char *out_text, size_t room)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    if (getpeername(stream->handle.fd, &address.socket.any, &address.bytes) != 0)
        address.bytes = 0;
    return address_format(&address, out_text, room);
}

size_t px_stream_local(const px_stream *stream, char *out_text, size_t room)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    if (getsockname(stream->handle.fd, &address.socket.any, &address.bytes) != 0)
        address.bytes = 0;
    return address_format(&address, out_text, room);
}
