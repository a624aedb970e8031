/*
 * Listeners: sockets that listen on an address, and the loop that accepts on them.
 *
 * Happy path: binding.c opens the sockets, without a loop, so that a program can fork in between;
 * listener_start puts their acceptors on one, and each connection is told to the owner.
 */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "io/acceptor.h"
#include "net/binding.h"
#include "net/inherit.h"

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
    struct io_acceptor acceptors[LISTENER_SOCKETS_MAX];
    struct unix_file file; /* to be removed, or none */
    pid_t file_owner; /* the process that made it: a fork that closes its copy leaves it there */
    char text[LISTENER_SOCKETS_MAX * ADDRESS_TEXT_BYTES];
};

static bool is_unix(int fd)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    return getsockname(fd, &address.socket.any, &address.bytes) == 0 &&
           address.socket.any.sa_family == AF_UNIX;
}

/* --- Opening -------------------------------------------------------------------------------- */

static void socket_add(px_listener *listener, int fd)
{
    CHECK(listener->count < LISTENER_SOCKETS_MAX);
    acceptor_init(&listener->acceptors[listener->count++], fd);
}

static void binding_take(px_listener *listener, const struct binding *binding)
{
    for (size_t index = 0; index < binding->count; index++)
        socket_add(listener, binding->fds[index]);
    listener->file = binding->file;
    listener->file_owner = getpid();
}

/* The descriptors of its sockets. */
static size_t fds_of(const px_listener *listener, int out_fds[LISTENER_SOCKETS_MAX])
{
    for (size_t index = 0; index < listener->count; index++)
        out_fds[index] = listener->acceptors[index].handle.fd;
    return listener->count;
}

static void listener_describe(px_listener *listener)
{
    int fds[LISTENER_SOCKETS_MAX];

    binding_describe(fds, fds_of(listener, fds), listener->text, sizeof(listener->text));
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
    struct binding binding;

    error_clear(out_error);
    if (address_split(address, &split, out_error) != PX_OK)
        return NULL;
    if (split.kind == ADDRESS_FD) {
        int fd = inherit_find(split.host, out_error);

        return fd < 0 ? NULL : px_listener_adopt(fd, out_error);
    }
    px_listener *listener = listener_alloc(options, out_error);

    if (!listener)
        return NULL;
    if (binding_open(&binding, &listener->options, &split, address, out_error) != PX_OK) {
        px_listener_close(listener);
        return NULL;
    }
    binding_take(listener, &binding);
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
    socket_add(listener, fd);
    listener_describe(listener);
    return listener;
}

px_listener *px_listener_clone(const px_listener *listener, px_error *out_error)
{
    int fds[LISTENER_SOCKETS_MAX];
    struct binding binding;

    error_clear(out_error);
    px_listener *clone = listener_alloc(&listener->options, out_error);

    if (!clone)
        return NULL;
    if (clone->options.reuse_port != 0)
        clone->options.reuse_port = 2;
    if (binding_clone(&binding, &clone->options, fds, fds_of(listener, fds), listener->text,
                      out_error) != PX_OK) {
        px_listener_close(clone);
        return NULL;
    }
    binding_take(clone, &binding);
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

static const struct acceptor_events acceptor_events = {acceptor_socket, acceptor_error,
                                                       acceptor_late};

px_err listener_start(px_listener *listener, px_loop *loop, const struct listener_events *events,
                      void *context, px_error *out_error)
{
    error_clear(out_error);
    CHECK(!listener->loop || listener->loop == loop || !listener->started);
    listener->loop = loop;
    listener->events = events;
    listener->context = context;
    if (!listener->started)
        loop->handle_count++;
    listener->started = true;
    for (size_t index = 0; index < listener->count; index++) {
        /* Clones and what was inherited know no path: the socket says what it is. */
        bool eager = listener->options.defer_accept_s != PX_OFF &&
                     !is_unix(listener->acceptors[index].handle.fd);
        px_err err = acceptor_start(&listener->acceptors[index], loop, eager, &acceptor_events,
                                    listener, out_error);

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
    CHECK(listener->loop->handle_count > 0);
    for (size_t index = 0; index < listener->count; index++)
        acceptor_stop(&listener->acceptors[index]);
    listener->started = false;
    listener->loop->handle_count--;
}

void listener_pause(px_listener *listener)
{
    for (size_t index = 0; listener->started && index < listener->count; index++)
        acceptor_pause(&listener->acceptors[index]);
}

void listener_resume(px_listener *listener)
{
    for (size_t index = 0; listener->started && index < listener->count; index++)
        acceptor_resume(&listener->acceptors[index]);
}

bool listener_take(px_listener *listener)
{
    bool is_empty = true;

    for (size_t index = 0; listener->started && index < listener->count; index++)
        is_empty = acceptor_take(&listener->acceptors[index]) && is_empty;
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
    if (listener->file_owner == getpid())
        unix_file_remove(&listener->file);
    free(listener);
}

void px_listener_own_path(px_listener *listener, int is_ours)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    listener->file_owner = is_ours ? getpid() : 0;
    if (is_ours && !listener->file.path[0] && listener->count > 0 &&
        getsockname(listener->acceptors[0].handle.fd, &address.socket.any, &address.bytes) == 0 &&
        address.socket.any.sa_family == AF_UNIX)
        unix_file_note(&listener->file, address.socket.local.sun_path);
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
