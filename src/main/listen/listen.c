/*
 * Opening listeners for workers that do not exist yet.
 *
 * The happy path: the first slot's are opened with a look at whether another process listens there
 * already, those of the others are clones; unix sockets and inherited ones are single, and every
 * worker accepts on them.  What a predecessor handed over is taken instead of being opened.  It can
 * fail at each address; the library's line says why.
 */
#include "main/listen/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "process/socket_mend.h"
#include "process/supervisor.h"

enum {
    HTTPS_PORT = 443,
    ADDRESSES_BYTES_MAX = 64 * 1024,
    TURNED_AWAY_MAX = 4096, /* connections of one socket in one turn */
};

void listeners_check(const struct listeners *listeners)
{
    CHECK(listeners->count <= listeners->room);
    CHECK(listeners->address_count <= LISTEN_EVER_MAX);
    CHECK(!listeners->old_tags || listeners->old_count <= listeners->address_count);
    CHECK(!listeners->redirect_port || listeners->redirect);
    for (uint32_t i = 0; i < listeners->count; i++)
        CHECK(listeners->at[i].address < listeners->address_count);
    for (uint32_t i = 0; i < listeners->socket_count; i++) {
        CHECK(listeners->sockets[i].fd >= 0);
        CHECK(listeners->sockets[i].address < listeners->address_count);
    }
}

static px_err out_of_memory(px_error *out_error)
{
    return error_set(out_error, PX_ERR_MEMORY, 0, "cannot listen: out of memory");
}

px_err listen_keep(struct listeners *listeners, px_listener *listener, uint32_t slot,
                   uint32_t address, px_error *out_error)
{
    if (!listener)
        return out_error->code;
    CHECK(address < listeners->address_count && listeners->count <= listeners->room);
    if (listeners->count == listeners->room) {
        uint32_t room = listeners->room == 0 ? 16 : 2 * listeners->room;
        struct listening *at = realloc(listeners->at, room * sizeof(at[0]));

        if (!at) {
            px_listener_close(listener);
            return out_of_memory(out_error);
        }
        listeners->at = at;
        listeners->room = room;
    }
    listeners->at[listeners->count++] = (struct listening){listener, slot, address};
    return PX_OK;
}

/* The operator's is the last of a configuration; others may be written alike, with port 0. */
static bool is_observed(const struct listeners *listeners, uint32_t address)
{
    if (!listeners->metrics || strcmp(listeners->texts[address], listeners->metrics) != 0)
        return false;
    for (uint32_t i = 0; i < listeners->address_count; i++)
        if (listeners->tags[i] != LISTEN_NONE && listeners->tags[i] > listeners->tags[address] &&
            strcmp(listeners->texts[i], listeners->metrics) == 0)
            return false;
    return true;
}

static px_err remember_address(struct listeners *listeners, const px_listener *listener,
                               uint32_t address, px_error *out_error)
{
    const char *text = listeners->texts[address];
    struct buf *addresses =
        is_observed(listeners, address) ? &listeners->observed : &listeners->addresses;
    px_err err = PX_OK;

    CHECK(address < listeners->address_count);
    if (addresses->len > 0)
        err = buf_append(addresses, px_str_of(", "));
    if (err == PX_OK && address_is_secure(text))
        err = buf_append(addresses, px_str_of("https://"));
    if (err == PX_OK)
        err = buf_append(addresses, px_str_of(px_listener_address(listener)));
    return err == PX_OK ? PX_OK : out_of_memory(out_error);
}

/* A socket file has one socket, and what was inherited cannot be bound again. */
static bool is_single(const char *text)
{
    text = address_bare(text);
    return strncmp(text, "unix:", 5) == 0 || strncmp(text, "fd:", 3) == 0;
}

static bool is_inherited(const char *text)
{
    return strncmp(address_bare(text), "fd:", 3) == 0;
}

/* The text alone would not tell two addresses with port 0 apart; and where addresses came and went,
 * the number alone does not. */
static bool is_legacy_of(const struct legacy_socket *socket, const char *text, uint32_t number)
{
    if (socket->fd < 0 || strcmp(socket->text, text) != 0)
        return false;
    return socket->address == number || address_port(address_bare(text)) != 0;
}

/* Takes what the predecessor had for this address. */
static px_err take_legacy(struct listeners *listeners, const struct listen_plan *plan,
                          uint32_t address, uint32_t number, px_error *out_error)
{
    struct legacy *legacy = plan->legacy;

    for (uint32_t i = 0; legacy && i < legacy->count; i++) {
        struct legacy_socket *socket = &legacy->sockets[i];

        if (!is_legacy_of(socket, listeners->texts[address], number))
            continue;
        px_listener *listener = px_listener_adopt(socket->fd, out_error);

        if (listener)
            socket->fd = -1;
        px_err err = listen_keep(listeners, listener, socket->slot, address, out_error);

        if (err != PX_OK)
            return err;
    }
    return PX_OK;
}

static uint32_t backlog_of(const struct listeners *listeners, uint32_t address)
{
    CHECK(address < listeners->address_count);
    uint32_t own = listeners->options[address].backlog;

    return own == 0 ? listeners->backlog : own;
}

/* The path of a unix socket, or NULL. */
static const char *unix_path(const char *text)
{
    text = address_bare(text);
    return strncmp(text, "unix:", 5) == 0 ? text + 5 : NULL;
}

/* Gives the file of a unix socket to its owner.  Where others may write the folder, another file
 * could be there by now: what is given away is a socket, or nothing. */
static int path_give(const char *path, const struct listen_options *options)
{
    struct stat status;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int failure = 0;

    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0)
        failure = errno;
    else if (!S_ISSOCK(status.st_mode))
        failure = ENOTSOCK;
    else if (fchownat(fd, "", options->owner, options->group, AT_EMPTY_PATH) != 0)
        failure = errno;
    close(fd);
    return failure;
}

/* Opens the first or only socket of an address, as its options say. */
static px_listener *open_first(const struct listeners *listeners, uint32_t address,
                               uint32_t reuse_port, px_error *out_error)
{
    const struct listen_options *wanted = &listeners->options[address];
    const char *text = address_bare(listeners->texts[address]);
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;

    options.backlog = backlog_of(listeners, address);
    options.unix_mode = wanted->mode;
    options.reuse_port = reuse_port;
    px_listener *listener = px_listener_open(text, &options, out_error);

    if (!listener || (wanted->owner == LISTEN_ID_KEPT && wanted->group == LISTEN_ID_KEPT))
        return listener;
    int failure = path_give(unix_path(text), wanted);

    if (failure == 0)
        return listener;
    px_listener_close(listener);
    error_set(out_error, error_category(failure), failure,
              "cannot listen on %s: its owner or group cannot be changed: %s", text,
              strerror(failure));
    return NULL;
}

px_err listen_open_address(struct listeners *listeners, const struct listen_plan *plan,
                           uint32_t address, uint32_t number, px_error *out_error)
{
    bool is_one = plan->is_shared || is_single(listeners->texts[address]);
    uint32_t before = listeners->count;

    CHECK(plan->slot_count > 0 && number < plan->address_count);
    px_err err = take_legacy(listeners, plan, address, number, out_error);

    if (err != PX_OK || listeners->count > before)
        return err;
    px_listener *first =
        open_first(listeners, address, is_one || plan->slot_count == 1 ? 0 : 1, out_error);

    err = listen_keep(listeners, first, is_one ? SUPERVISOR_NOBODY : 0, address, out_error);
    for (uint32_t slot = 1; err == PX_OK && !is_one && slot < plan->slot_count; slot++)
        err = listen_keep(listeners, px_listener_clone(first, out_error), slot, address, out_error);
    return err;
}

/* What is known of a socket stays known: it may be spoiled by now. */
static struct socket_plan plan_of(const struct listeners *listeners, int fd, uint32_t address)
{
    for (uint32_t i = 0; i < listeners->socket_count; i++)
        if (listeners->sockets[i].fd == fd)
            return listeners->sockets[i].plan;
    return socket_plan_make(fd, (int)backlog_of(listeners, address),
                            !is_inherited(listeners->texts[address]));
}

px_err listen_list(struct listeners *listeners, px_error *out_error)
{
    struct master_socket *sockets;
    uint32_t count = 0;
    int fd;

    for (uint32_t i = 0; i < listeners->count; i++)
        for (size_t n = 0; px_listener_fd(listeners->at[i].listener, n) >= 0; n++)
            count++;
    sockets = calloc(count > 0 ? count : 1, sizeof(sockets[0]));
    if (!sockets)
        return out_of_memory(out_error);
    count = 0;
    for (uint32_t i = 0; i < listeners->count; i++) {
        const struct listening *one = &listeners->at[i];

        CHECK(one->listener); /* one that was handed on has no descriptor to give */
        for (size_t n = 0; (fd = px_listener_fd(one->listener, n)) >= 0; n++)
            sockets[count++] = (struct master_socket){fd, one->slot, one->address,
                                                      plan_of(listeners, fd, one->address)};
    }
    free(listeners->sockets);
    listeners->sockets = sockets;
    listeners->socket_count = count;
    return error_clear(out_error);
}

px_err listen_announce_list(struct listeners *listeners, px_error *out_error)
{
    px_err err = error_clear(out_error);

    buf_consume(&listeners->addresses, listeners->addresses.len);
    buf_consume(&listeners->observed, listeners->observed.len);
    for (uint32_t i = 0; i < listeners->count && err == PX_OK; i++) {
        const struct listening *one = &listeners->at[i];

        if ((one->slot == 0 || one->slot == SUPERVISOR_NOBODY) &&
            listeners->tags[one->address] != LISTEN_NONE)
            err = remember_address(listeners, one->listener, one->address, out_error);
    }
    return err;
}

px_err listeners_open(struct listeners *out_listeners, const struct listen_plan *plan,
                      px_error *out_error)
{
    struct listeners listeners = {
        .metrics = plan->metrics, .slot_count = plan->slot_count, .backlog = plan->backlog};
    uint32_t wrong;

    buf_init(&listeners.addresses, &alloc_libc, ADDRESSES_BYTES_MAX);
    buf_init(&listeners.observed, &alloc_libc, ADDRESSES_BYTES_MAX);
    px_err err = listeners_try(&listeners, plan, &wrong, out_error);

    if (err != PX_OK) {
        listeners_deinit(&listeners);
        return err;
    }
    listeners_settle(&listeners, true);
    listeners.spare_fd = socket_spare();
    listeners_check(&listeners);
    *out_listeners = listeners;
    return PX_OK;
}

px_err listen_serve(const struct listeners *listeners, const struct listen_servers *servers,
                    px_listener *listener, uint32_t address, px_error *out_error)
{
    px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;

    if (address >= listeners->address_count || listeners->tags[address] == LISTEN_NONE)
        return error_set(out_error, PX_ERR_CLOSED, 0, "the address is not listened on any more");
    if (is_observed(listeners, address))
        return px_server_serve(servers->observe, listener, out_error);
    options.tag = listeners->tags[address];
    options.proxy_protocol = listeners->proxy_protocol || listeners->options[address].proxy;
    if (address_is_secure(listeners->texts[address]))
        options.tls = listeners->tls;
    if (listeners->redirect && strcmp(listeners->texts[address], listeners->redirect) == 0)
        options.https_redirect_port = listeners->redirect_port;
    return px_server_serve_with(servers->server, listener, &options, out_error);
}

px_err listeners_serve(struct listeners *listeners, const struct listen_servers *servers,
                       px_error *out_error)
{
    listeners_check(listeners);
    for (uint32_t i = 0; i < listeners->count; i++) {
        struct listening *one = &listeners->at[i];

        CHECK(one->listener); /* each is served once */
        px_err err = listen_serve(listeners, servers, one->listener, one->address, out_error);

        if (err != PX_OK)
            return err;
        one->listener = NULL;
    }
    return error_clear(out_error);
}

/* The port of the first address where TLS is spoken; 0: none has one. */
static uint32_t secure_port(const struct listeners *listeners)
{
    for (uint32_t i = 0; i < listeners->count; i++) {
        const struct listening *one = &listeners->at[i];
        long port = address_is_secure(listeners->texts[one->address])
                        ? address_port(px_listener_address(one->listener))
                        : -1;

        if (port > 0)
            return (uint32_t)port;
    }
    return 0;
}

/* Where a redirect goes to: what is said, or where TLS is spoken here. */
px_err listeners_redirect(struct listeners *listeners, const struct options *options)
{
    const struct secure_options *secure = &options->secure;
    uint32_t port = secure->redirect_port;

    if (secure->redirect && port == 0) {
        port = secure_port(listeners);
        if (port == 0) {
            diagnostics_say("--https-redirect %s: no https:// address has a port; write %s=443",
                            secure->redirect, secure->redirect);
            return PX_ERR_INVALID;
        }
        /* Behind a mapped port clients would be sent to one that they cannot reach. */
        if (port != HTTPS_PORT && !options->quiet)
            diagnostics_tell(LEVEL_NOTICE,
                             "%s sends clients to https on port %u; if they meet another one, say "
                             "it: --https-redirect %s=443",
                             secure->redirect, port, secure->redirect);
    }
    CHECK(port <= UINT16_MAX && (port == 0 || secure->redirect));
    listeners->redirect_port = port;
    return PX_OK;
}

void listeners_announce(const struct listeners *listeners, uint32_t worker_count)
{
    diagnostics_tell(LEVEL_INFO, "listening on %.*s (%u workers)", (int)listeners->addresses.len,
                     listeners->addresses.ptr, worker_count);
    if (listeners->observed.len > 0)
        diagnostics_tell(LEVEL_INFO, "metrics on %.*s", (int)listeners->observed.len,
                         listeners->observed.ptr);
}

/* --- Mending ---------------------------------------------------------------------------------- */

static bool is_file_gone(const char *text)
{
    const char *path = unix_path(text);

    return path && access(path, F_OK) != 0 && errno == ENOENT;
}

/* The listener of a unix socket, which is its only one. */
static struct listening *listening_of(const struct listeners *listeners, int fd)
{
    for (uint32_t i = 0; i < listeners->count; i++)
        if (px_listener_fd(listeners->at[i].listener, 0) == fd)
            return &listeners->at[i];
    return NULL;
}

static bool socket_remake(struct listeners *listeners, uint32_t index)
{
    CHECK(index < listeners->socket_count);
    struct master_socket *socket = &listeners->sockets[index];
    const char *text = listeners->texts[socket->address];
    struct listening *one = unix_path(text) ? listening_of(listeners, socket->fd) : NULL;
    px_error error;

    if (!one) {
        diagnostics_say("%s does not listen any more and cannot be mended; start anew", text);
        return false;
    }
    if (!is_file_gone(text))
        unlink(unix_path(text));
    px_listener *made = open_first(listeners, socket->address, 0, &error);

    if (!made) {
        diagnostics_say("%s", error.text);
        return false;
    }
    px_listener_own_path(one->listener, false);
    px_listener_close(one->listener);
    one->listener = made;
    socket->fd = px_listener_fd(made, 0);
    diagnostics_tell(LEVEL_WARNING, "%s is made anew: its file was gone, or it did not listen",
                     text);
    return true;
}

void listeners_refuse(struct listeners *listeners, bool is_refused)
{
    listeners_check(listeners);
    if (listeners->is_refusing == is_refused)
        return;
    listeners->is_refusing = is_refused;
    for (uint32_t i = 0; i < listeners->socket_count; i++) {
        const struct master_socket *socket = &listeners->sockets[i];

        if (is_refused && socket->plan.is_ours)
            (void)socket_refuse(socket->fd);
        else if (!is_refused)
            (void)socket_mend(socket->fd, &socket->plan);
    }
    listeners_turn_away(listeners);
}

void listeners_turn_away(struct listeners *listeners)
{
    for (uint32_t i = 0; listeners->is_refusing && i < listeners->socket_count; i++)
        socket_turn_away(listeners->sockets[i].fd, TURNED_AWAY_MAX, &listeners->spare_fd);
}

bool listeners_mend(struct listeners *listeners)
{
    bool is_remade = false;

    listeners_check(listeners);
    if (listeners->is_refusing)
        return false;

    for (uint32_t i = 0; i < listeners->socket_count; i++) {
        const struct master_socket *socket = &listeners->sockets[i];
        const char *text = listeners->texts[socket->address];
        enum socket_state state =
            is_file_gone(text) ? SOCKET_LOST : socket_mend(socket->fd, &socket->plan);

        if (state == SOCKET_MENDED)
            diagnostics_tell(LEVEL_WARNING, "a socket of %s was spoiled by a worker, and is mended",
                             text);
        else if (state == SOCKET_LOST)
            is_remade = socket_remake(listeners, i) || is_remade;
    }
    return is_remade;
}

void listeners_own(struct listeners *listeners, bool is_ours)
{
    for (uint32_t i = 0; i < listeners->count; i++)
        if (listeners->at[i].listener)
            px_listener_own_path(listeners->at[i].listener, is_ours);
}

void listeners_close(struct listeners *listeners)
{
    for (uint32_t i = 0; i < listeners->count; i++)
        px_listener_close(listeners->at[i].listener);
    if (listeners->spare_fd > 0)
        close(listeners->spare_fd);
    listeners->spare_fd = 0;
    free(listeners->at);
    free(listeners->sockets);
    listeners->at = NULL;
    listeners->sockets = NULL;
    listeners->count = 0;
    listeners->socket_count = 0;
}

void listeners_deinit(struct listeners *listeners)
{
    listeners_close(listeners);
    buf_deinit(&listeners->addresses);
    buf_deinit(&listeners->observed);
    for (uint32_t i = 0; i < listeners->address_count; i++)
        free(listeners->texts[i]);
    free(listeners->texts);
    free(listeners->options);
    free(listeners->tags);
    free(listeners->old_tags);
    *listeners = (struct listeners){0};
}
