/*
 * A connected socket as its program sees it: poll, receive, send, shut down, close, options.
 */
#include "sim_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim_file.h"

struct sim_sock *sim_sock_create(int family)
{
    struct sim_wire *wire = &sim_world->wire;

    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return NULL;
    struct sim_sock *sock = calloc(1, sizeof(*sock));

    if (!sock)
        abort();
    sim_desc_init(&sock->desc, SIM_KIND_SOCK, O_RDWR);
    list_append(&sim_world->socks, &sock->link);
    list_init(&sock->in_queue);
    list_init(&sock->queue);
    sock->family = family;
    sock->mode = 0777;
    sock->inbox_max = (size_t)sim_random_skewed(&sim_world->random, wire->buffer_bytes_min,
                                                wire->buffer_bytes_max);
    sock->outbox_max = (size_t)sim_random_skewed(&sim_world->random, wire->buffer_bytes_min,
                                                 wire->buffer_bytes_max);
    sock->local.any.sa_family = (sa_family_t)family;
    sock->local.bytes = sizeof(sa_family_t);
    return sock;
}

void sim_sock_free(struct sim_sock *sock)
{
    struct sim_clock *clock = &sim_world->clock;

    sim_wire_unlink(sock);
    if (sock->node)
        sim_node_unbind(sock->node);
    sim_event_stop(clock, &sock->deliver);
    sim_event_stop(clock, &sock->arrive);
    sim_event_stop(clock, &sock->unsqueeze);
    sim_event_stop(clock, &sock->reset);
    sim_event_stop(clock, &sock->handshake);
    list_remove(&sock->link);
    list_remove(&sock->in_queue);
    sim_queue_end(&sock->inbox);
    sim_queue_end(&sock->outbox);
    free(sock);
}

void sim_socks_end(void)
{
    while (!list_empty(&sim_world->socks)) {
        struct sim_sock *sock = LIST_ENTRY(sim_world->socks.next, struct sim_sock, link);

        if (sock->state == SIM_SOCK_LISTENING)
            sim_listen_close(sock);
        sim_sock_free(sock);
    }
}

void sim_sock_wake(struct sim_sock *sock, uint32_t key)
{
    sim_desc_wake(&sock->desc, key);
    if (sock->on_wake)
        sock->on_wake(sock, key, sock->wake_context);
}

static void close_connected(struct sim_sock *sock)
{
    bool unread = sock->inbox.len > 0;

    sock->on_wake = NULL;
    /* RFC 2525 section 2.17: data that nobody will read is answered by a reset. */
    if (sock->linger_reset || unread) {
        if (sock->family == AF_UNIX && sock->other)
            sock->other->error = unread ? ECONNRESET : 0;
        if (sock->family != AF_UNIX) {
            sim_wire_reset(sock);
            sim_sock_free(sock);
            return;
        }
    }
    sock->orphan = true;
    sock->recv_shut = true;
    sock->send_shut = true;
    sim_wire_kick(sock);
}

void sim_sock_close(struct sim_sock *sock)
{
    switch (sock->state) {
    case SIM_SOCK_LISTENING:
        sim_listen_close(sock);
        sim_sock_free(sock);
        return;
    case SIM_SOCK_CONNECTED:
        close_connected(sock);
        return;
    case SIM_SOCK_FRESH:
    case SIM_SOCK_CONNECTING:
    case SIM_SOCK_DEAD:
        sim_sock_free(sock);
        return;
    }
}

static bool is_writable(const struct sim_sock *sock)
{
    size_t room = sim_wire_room(sock);

    if (sock->family == AF_UNIX)
        return room >= sock->outbox_max - sock->outbox_max / 4;
    /* sk_stream_is_writeable: what is free is at least half of what is queued. */
    return room > 0 && room >= sock->outbox.len / 2;
}

uint32_t sim_sock_poll(struct sim_sock *sock)
{
    uint32_t holds = 0;

    if (sock->state == SIM_SOCK_LISTENING)
        return list_empty(&sock->queue) ? 0 : EPOLLIN | EPOLLRDNORM;
    if ((sock->recv_shut && sock->send_shut) || sock->state == SIM_SOCK_FRESH ||
        sock->state == SIM_SOCK_DEAD)
        holds |= EPOLLHUP;
    if (sock->recv_shut)
        holds |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (sock->state != SIM_SOCK_CONNECTING) {
        if (sock->inbox_seen > 0)
            holds |= EPOLLIN | EPOLLRDNORM;
        if (sock->send_shut || is_writable(sock))
            holds |= EPOLLOUT | EPOLLWRNORM;
        else
            sock->no_space = true;
        if (sock->has_urgent)
            holds |= EPOLLPRI;
    }
    if (sock->error != 0)
        holds |= EPOLLERR;
    return holds;
}

static void hidden_shows(struct sim_event *event)
{
    struct sim_sock *sock = CONTAINER_OF(event, struct sim_sock, arrive);

    sock->inbox_seen = sock->inbox.len;
    sim_sock_wake(sock, EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
}

/* The rest of the inbox has, as it turns out, not arrived yet. */
static void inbox_hide(struct sim_sock *sock)
{
    sock->inbox_seen = 0;
    sim_event_start(&sim_world->clock, &sock->arrive,
                    sim_random_skewed(&sim_world->random, SIM_NS_PER_US, 50 * SIM_NS_PER_MS),
                    hidden_shows);
}

/* How much of `bytes` a receive may take before the urgent mark; drops the urgent byte itself when
 * it is out of band and next. */
static size_t urgent_limit(struct sim_sock *sock, size_t bytes)
{
    if (!sock->has_urgent)
        return bytes;
    if (sock->urgent_at > 0)
        return bytes < sock->urgent_at ? bytes : sock->urgent_at;
    sock->has_urgent = false;
    if (!sock->urgent_inline) {
        sim_queue_take(&sock->inbox, NULL, 1);
        sock->inbox_seen--;
        if (bytes > sock->inbox_seen)
            bytes = sock->inbox_seen;
    }
    return bytes;
}

static int64_t recv_seen(struct sim_sock *sock, void *out, size_t bytes, int flags)
{
    struct sim_faults *faults = &sim_world->faults;
    bool may_hide = !sock->of_peer && !sock->recv_shut && !sock->has_urgent;
    bool hide = false;

    if (may_hide && sim_fault_strikes(faults, SIM_LATE_RECV)) {
        inbox_hide(sock);
        return -EAGAIN;
    }
    size_t count = bytes < sock->inbox_seen ? bytes : sock->inbox_seen;

    count = urgent_limit(sock, count);
    if (count == 0)
        return -EAGAIN;
    if (may_hide && count > 1 && sim_fault_strikes(faults, SIM_SHORT_RECV)) {
        count = (size_t)sim_random_skewed(faults->random, 1, count - 1);
        hide = true;
    }
    if (flags & MSG_PEEK) {
        memcpy(out, sim_queue_front(&sock->inbox), count);
        return (int64_t)count;
    }
    /* MSG_TRUNC on TCP throws away instead of copying (tcp(7)). */
    sim_queue_take(&sock->inbox, flags & MSG_TRUNC ? NULL : out, count);
    sock->inbox_seen -= count;
    sock->received += count;
    if (sock->has_urgent)
        sock->urgent_at -= count;
    if (hide)
        inbox_hide(sock);
    sim_progress();
    if (sock->other)
        sim_wire_kick(sock->other);
    return (int64_t)count;
}

int64_t sim_sock_recv(struct sim_sock *sock, void *out, size_t bytes, int flags)
{
    if (sock->state == SIM_SOCK_LISTENING || sock->state == SIM_SOCK_FRESH)
        return sock->family == AF_UNIX ? -EINVAL : -ENOTCONN;
    if (!sock->of_peer && sim_fault_strikes(&sim_world->faults, SIM_INTERRUPT))
        return -EINTR;
    if (sock->inbox_seen > 0 && bytes > 0) {
        int64_t count = recv_seen(sock, out, bytes, flags);

        /* A dropped urgent byte may have been the last one: then what follows it counts. */
        if (count != -EAGAIN || sock->inbox.len > 0)
            return count;
    }
    if (sock->inbox.len > 0)
        return bytes == 0 ? 0 : -EAGAIN;
    if (sock->got_fin && sock->family != AF_UNIX) {
        sim_progress();
        return 0;
    }
    if (sock->error != 0) {
        int error = sock->error;

        sock->error = 0;
        sim_progress();
        return -error;
    }
    if (sock->recv_shut)
        return 0;
    return sock->state == SIM_SOCK_DEAD ? -ENOTCONN : -EAGAIN;
}

static void squeeze_ends(struct sim_event *event)
{
    struct sim_sock *sock = CONTAINER_OF(event, struct sim_sock, unsqueeze);

    sock->squeezed = false;
    if (sock->no_space && is_writable(sock)) {
        sock->no_space = false;
        sim_sock_wake(sock, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
    }
}

/* No room from now on, for a while; then an event. */
static void squeeze(struct sim_sock *sock)
{
    sock->squeezed = true;
    sock->no_space = true;
    sim_event_start(&sim_world->clock, &sock->unsqueeze,
                    sim_random_skewed(&sim_world->random, SIM_NS_PER_US, 50 * SIM_NS_PER_MS),
                    squeeze_ends);
}

static int64_t send_error(struct sim_sock *sock, int flags)
{
    int error = EPIPE;

    /* sk_stream_error; a unix socket says EPIPE and keeps its error for a receive. */
    if (sock->error != 0 && sock->family != AF_UNIX) {
        error = sock->error;
        sock->error = 0;
    }
    if (error == EPIPE && !(flags & MSG_NOSIGNAL) && !sock->of_peer)
        sim_signal_raise(SIGPIPE);
    sim_progress();
    return -error;
}

int64_t sim_sock_send(struct sim_sock *sock, const void *in, size_t bytes, int flags)
{
    struct sim_faults *faults = &sim_world->faults;
    bool faulty = !sock->of_peer;

    if (sock->state == SIM_SOCK_CONNECTING)
        return -EAGAIN;
    if (sock->state == SIM_SOCK_FRESH && sock->family == AF_UNIX)
        return -ENOTCONN;
    if (sock->state != SIM_SOCK_CONNECTED || sock->error != 0 || sock->send_shut)
        return send_error(sock, flags);
    if (bytes == 0)
        return 0;
    if (faulty && sim_fault_strikes(faults, SIM_INTERRUPT))
        return -EINTR;
    if (faulty && sim_wire_room(sock) > 0 && sim_fault_strikes(faults, SIM_LATE_SEND))
        squeeze(sock);
    size_t room = sim_wire_room(sock);
    size_t count = bytes < room ? bytes : room;

    if (count == 0) {
        sock->no_space = true;
        return -EAGAIN;
    }
    if (faulty && count > 1 && sim_fault_strikes(faults, SIM_SHORT_SEND)) {
        count = (size_t)sim_random_skewed(faults->random, 1, count - 1);
        squeeze(sock);
    }
    if (count < bytes)
        sock->no_space = true;
    if ((flags & MSG_OOB) && count == bytes) {
        sock->has_urgent_out = true;
        sock->urgent_out_at = sock->outbox.len + count - 1;
    }
    sim_queue_put(&sock->outbox, in, count);
    sock->sent += count;
    sim_progress();
    sim_wire_kick(sock);
    return (int64_t)count;
}

int sim_sock_shutdown(struct sim_sock *sock, int how)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (sock->state != SIM_SOCK_CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        sock->recv_shut = true;
    if (how != SHUT_RD)
        sock->send_shut = true;
    if (sock->family == AF_UNIX && how != SHUT_WR && sock->other)
        sock->other->send_shut = true;
    sim_progress();
    sim_wire_kick(sock);
    /* inet_shutdown wakes whoever waits, on its own socket too. */
    sim_sock_wake(sock, 0);
    return 0;
}

static bool *flag_of(struct sim_sock *sock, int level, int name)
{
    if (level == SOL_SOCKET && name == SO_REUSEADDR)
        return &sock->reuse_addr;
    if (level == SOL_SOCKET && name == SO_REUSEPORT)
        return &sock->reuse_port;
    if (level == SOL_SOCKET && name == SO_OOBINLINE)
        return &sock->urgent_inline;
    if (level == IPPROTO_TCP && name == TCP_NODELAY && sock->family != AF_UNIX)
        return &sock->no_delay;
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && sock->family == AF_INET6)
        return &sock->v6_only;
    return NULL;
}

int sim_sock_option_set(struct sim_sock *sock, int level, int name, const void *value,
                        socklen_t bytes)
{
    int number = 0;
    bool *flag = flag_of(sock, level, name);

    if (level == SOL_SOCKET && name == SO_LINGER) {
        struct linger linger;

        if (bytes < sizeof(linger))
            return -EINVAL;
        memcpy(&linger, value, sizeof(linger));
        sock->linger_reset = linger.l_onoff != 0 && linger.l_linger == 0;
        return 0;
    }
    if (bytes < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    if (flag)
        *flag = number != 0;
    else if (level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT && sock->family != AF_UNIX)
        sock->defer_s = (uint32_t)number;
    else if (level == IPPROTO_TCP && sock->family == AF_UNIX)
        return -EOPNOTSUPP;
    return 0;
}

int sim_sock_option_get(struct sim_sock *sock, int level, int name, void *value, socklen_t *bytes)
{
    int number = 0;
    bool *flag = flag_of(sock, level, name);

    if (*bytes < sizeof(number))
        return -EINVAL;
    if (flag) {
        number = *flag;
    } else if (level == SOL_SOCKET && name == SO_ERROR) {
        number = sock->error;
        sock->error = 0;
    } else if (level == SOL_SOCKET && name == SO_TYPE) {
        number = SOCK_STREAM;
    } else if (level == SOL_SOCKET && name == SO_DOMAIN) {
        number = sock->family;
    } else if (level == SOL_SOCKET && name == SO_ACCEPTCONN) {
        number = sock->state == SIM_SOCK_LISTENING;
    } else if (level == SOL_SOCKET && name == SO_SNDBUF) {
        number = (int)sock->outbox_max;
    } else if (level == SOL_SOCKET && name == SO_RCVBUF) {
        number = (int)sock->inbox_max;
    } else {
        return -ENOPROTOOPT;
    }
    memcpy(value, &number, sizeof(number));
    *bytes = sizeof(number);
    return 0;
}
