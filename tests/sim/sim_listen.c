/*
 * How connections come about: bind, listen, connect, accept.
 *
 * The happy path for TCP: the SYN arrives after a delay, a listener is found, a server-side socket
 * is made and linked to the client's; it waits in the listener's queue, or, when accept is
 * deferred, for its first bytes.  No listener: refused.  Queue full: the SYN is dropped and sent
 * again in a second.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "sim_file.h"
#include "sim_socket.h"

static uint16_t port_of(const struct sim_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->any)->sin_port);
    if (address->any.sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->any)->sin6_port);
    return 0;
}

static void port_set(struct sim_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        ((struct sockaddr_in *)&address->any)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&address->any)->sin6_port = htons(port);
}

static bool is_any(const struct sim_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ((const struct sockaddr_in *)&address->any)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&address->any)->sin6_addr);
}

static bool same_host(const struct sim_address *one, const struct sim_address *two)
{
    if (one->any.sa_family != two->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET)
        return ((const struct sockaddr_in *)&one->any)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)&two->any)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)&one->any)->sin6_addr,
                  &((const struct sockaddr_in6 *)&two->any)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

/* Whether a socket bound to `local` is meant by the address `to`. */
static bool covers(const struct sim_sock *sock, const struct sim_address *to)
{
    const struct sim_address *local = &sock->local;

    if (local->any.sa_family == AF_UNIX || port_of(local) == 0 || port_of(local) != port_of(to))
        return false;
    if (local->any.sa_family != to->any.sa_family)
        return local->any.sa_family == AF_INET6 && is_any(local) && !sock->v6_only;
    return is_any(local) || same_host(local, to);
}

static bool conflicts(const struct sim_sock *sock, const struct sim_sock *with,
                      const struct sim_address *to)
{
    if (sock == with || with->other || with->state == SIM_SOCK_CONNECTED)
        return false;
    if (sock->reuse_port && with->reuse_port && with->shares_port)
        return false;
    if (sock->reuse_addr && with->reuse_addr && with->state != SIM_SOCK_LISTENING)
        return false;
    if (port_of(&with->local) == 0 || port_of(&with->local) != port_of(to))
        return false;
    return covers(with, to) || (is_any(to) && (to->any.sa_family == with->local.any.sa_family ||
                                               (to->any.sa_family == AF_INET6 && !sock->v6_only)));
}

static bool address_taken(const struct sim_sock *sock, const struct sim_address *to)
{
    for (struct list *at = sim_world->socks.next; at != &sim_world->socks; at = at->next)
        if (conflicts(sock, LIST_ENTRY(at, struct sim_sock, link), to))
            return true;
    return false;
}

static int bind_unix(struct sim_sock *sock, const struct sockaddr *address, socklen_t bytes)
{
    const struct sockaddr_un *name = (const void *)address;

    if (bytes <= offsetof(struct sockaddr_un, sun_path) || name->sun_path[0] == '\0')
        return -EINVAL;
    return sim_node_bind(name->sun_path, sock);
}

int sim_sock_bind(struct sim_sock *sock, const struct sockaddr *address, socklen_t bytes)
{
    struct sim_address to = {.bytes = bytes};

    if (bytes > sizeof(to.storage) || address->sa_family != sock->family)
        return -EINVAL;
    memcpy(&to.storage, address, bytes);
    if (sock->family == AF_UNIX) {
        int result = bind_unix(sock, address, bytes);

        if (result < 0)
            return result;
    } else if (port_of(&to) == 0) {
        port_set(&to, sim_world->port_next++);
    } else if (address_taken(sock, &to)) {
        return -EADDRINUSE;
    }
    sock->local = to;
    return 0;
}

int sim_sock_listen(struct sim_sock *sock, int backlog)
{
    if (sock->state != SIM_SOCK_FRESH && sock->state != SIM_SOCK_LISTENING)
        return -EINVAL;
    if (sock->family != AF_UNIX && address_taken(sock, &sock->local))
        return -EADDRINUSE;
    sock->state = SIM_SOCK_LISTENING;
    /* SO_REUSEPORT that is set after listen comes too late. */
    sock->shares_port = sock->reuse_port;
    sock->backlog = backlog < 0 ? 4096 : (uint32_t)backlog;
    return 0;
}

static void enqueue(struct sim_sock *sock)
{
    struct sim_sock *listener = sock->listener;

    list_append(&listener->queue, &sock->in_queue);
    listener->queue_count++;
    sim_sock_wake(listener, EPOLLIN | EPOLLRDNORM);
}

void sim_listen_promote(struct sim_sock *sock)
{
    if (!sock->waits_for_data)
        return;
    sock->waits_for_data = false;
    sim_event_stop(&sim_world->clock, &sock->handshake);
    enqueue(sock);
}

static void defer_ends(struct sim_event *event)
{
    sim_sometimes("deferred accept gave up waiting");
    sim_listen_promote(CONTAINER_OF(event, struct sim_sock, handshake));
}

/* The server's side of a new connection. */
static void sock_arrives(struct sim_sock *client, struct sim_sock *listener)
{
    struct sim_sock *sock = sim_sock_create(listener->family);

    sock->state = SIM_SOCK_CONNECTED;
    sock->listener = listener;
    sock->of_peer = listener->of_peer;
    sock->no_delay = listener->no_delay;
    sock->urgent_inline = listener->urgent_inline;
    sock->local = client->remote;
    if (listener->family == AF_UNIX) {
        sock->local = listener->local;
        sock->remote = client->local;
    } else if (listener->family == client->family) {
        sock->remote = client->local;
    } else {
        /* An IPv4 peer of a socket for both families: a mapped address (RFC 4291 2.5.5.2). */
        struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

        mapped.sin6_addr.s6_addr[10] = 0xff;
        mapped.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&mapped.sin6_addr.s6_addr[12], &((struct sockaddr_in *)&client->local.any)->sin_addr,
               4);
        mapped.sin6_port = htons(port_of(&client->local));
        memcpy(&sock->remote.storage, &mapped, sizeof(mapped));
        sock->remote.bytes = sizeof(mapped);
    }
    sock->other = client;
    client->other = sock;
    client->state = SIM_SOCK_CONNECTED;
    sim_trace("connected", port_of(&client->local), 0);
    if (listener->defer_s > 0 && listener->family != AF_UNIX) {
        sock->waits_for_data = true;
        sim_event_start(&sim_world->clock, &sock->handshake, listener->defer_s * SIM_NS_PER_S,
                        defer_ends);
    } else {
        enqueue(sock);
    }
    /* unix_stream_connect wakes nobody on its own side. */
    if (client->family != AF_UNIX)
        sim_sock_wake(client, 0);
}

/* One of the sockets that listen there, by seed as SO_REUSEPORT spreads them, or NULL. */
static struct sim_sock *listener_find(const struct sim_address *to)
{
    struct sim_sock *found = NULL;
    uint64_t count = 0;

    for (struct list *at = sim_world->socks.next; at != &sim_world->socks; at = at->next) {
        struct sim_sock *sock = LIST_ENTRY(at, struct sim_sock, link);

        if (sock->state != SIM_SOCK_LISTENING || !covers(sock, to))
            continue;
        if (sim_random_below(&sim_world->random, ++count) == 0)
            found = sock;
    }
    return found;
}

static bool queue_full(const struct sim_sock *listener)
{
    return listener->queue_count > listener->backlog;
}

static void syn_arrives(struct sim_event *event)
{
    struct sim_sock *client = CONTAINER_OF(event, struct sim_sock, handshake);
    struct sim_sock *listener = listener_find(&client->remote);

    if (!listener) {
        client->state = SIM_SOCK_DEAD;
        client->error = ECONNREFUSED;
        client->recv_shut = true;
        client->send_shut = true;
        sim_sock_wake(client, 0);
        sim_sock_wake(client, EPOLLERR);
        return;
    }
    if (queue_full(listener)) {
        sim_sometimes("a SYN found the queue full");
        sim_event_start(&sim_world->clock, &client->handshake, SIM_NS_PER_S, syn_arrives);
        return;
    }
    sock_arrives(client, listener);
}

static int connect_unix(struct sim_sock *sock, const struct sockaddr_un *name)
{
    struct sim_sock *listener;
    int result = sim_node_listener(name->sun_path, &listener);

    if (result < 0)
        return result;
    if (!listener || listener->state != SIM_SOCK_LISTENING)
        return -ECONNREFUSED;
    if (queue_full(listener))
        return -EAGAIN;
    sock_arrives(sock, listener);
    return 0;
}

int sim_sock_connect(struct sim_sock *sock, const struct sockaddr *address, socklen_t bytes)
{
    if (sock->state == SIM_SOCK_CONNECTED)
        return -EISCONN;
    if (sock->state == SIM_SOCK_CONNECTING)
        return -EALREADY;
    if (sock->state != SIM_SOCK_FRESH || bytes > sizeof(sock->remote.storage))
        return -EINVAL;
    if (address->sa_family != sock->family)
        return -EAFNOSUPPORT;
    memcpy(&sock->remote.storage, address, bytes);
    sock->remote.bytes = bytes;
    if (sock->family == AF_UNIX)
        return connect_unix(sock, (const void *)address);
    if (port_of(&sock->local) == 0) {
        memcpy(&sock->local.storage, address, bytes);
        sock->local.bytes = bytes;
        port_set(&sock->local, sim_world->port_next++);
        if (sim_world->port_next < 32768)
            sim_world->port_next = 32768;
    }
    sock->state = SIM_SOCK_CONNECTING;
    sim_event_start(&sim_world->clock, &sock->handshake, sim_wire_delay(), syn_arrives);
    return -EINPROGRESS;
}

/* Failures of accept that leave the connection where it is. */
static int accept_fault(struct sim_faults *faults)
{
    if (sim_fault_strikes(faults, SIM_ACCEPT_EMFILE))
        return -EMFILE;
    if (sim_fault_strikes(faults, SIM_ACCEPT_ENFILE))
        return -ENFILE;
    if (sim_fault_strikes(faults, SIM_ACCEPT_ENOBUFS))
        return sim_random_below(faults->random, 2) ? -ENOBUFS : -ENOMEM;
    if (sim_fault_strikes(faults, SIM_ACCEPT_INTERRUPT))
        return -EINTR;
    if (sim_fault_strikes(faults, SIM_ACCEPT_EPERM))
        return -EPERM;
    return 0;
}

static void dequeue(struct sim_sock *sock)
{
    sock->listener->queue_count--;
    list_remove(&sock->in_queue);
    sock->listener = NULL;
}

struct sim_sock *sim_sock_accept(struct sim_sock *listener, int *out_err)
{
    struct sim_faults *faults = &sim_world->faults;

    *out_err = 0;
    if (listener->state != SIM_SOCK_LISTENING)
        *out_err = -EINVAL;
    else if (list_empty(&listener->queue))
        *out_err = -EAGAIN;
    else if (!listener->of_peer)
        *out_err = accept_fault(faults);
    if (*out_err != 0)
        return NULL;
    struct sim_sock *sock = LIST_ENTRY(listener->queue.next, struct sim_sock, in_queue);

    dequeue(sock);
    sim_progress();
    if (!listener->of_peer && sim_fault_strikes(faults, SIM_ACCEPT_ABORTED)) {
        sock->linger_reset = true;
        sim_desc_put(&sock->desc);
        *out_err = sim_random_below(faults->random, 2) ? -ECONNABORTED : -EPROTO;
        return NULL;
    }
    return sock;
}

void sim_listen_close(struct sim_sock *listener)
{
    struct list *next;

    /* Whoever has not been accepted is reset. */
    for (struct list *at = sim_world->socks.next; at != &sim_world->socks; at = next) {
        struct sim_sock *sock = LIST_ENTRY(at, struct sim_sock, link);

        next = at->next;
        if (sock->listener != listener)
            continue;
        if (list_linked(&sock->in_queue))
            dequeue(sock);
        sock->listener = NULL;
        sock->waits_for_data = false;
        sock->linger_reset = true;
        if (sock->state == SIM_SOCK_CONNECTED)
            sim_wire_reset(sock);
        sim_sock_free(sock);
    }
}
