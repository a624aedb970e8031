/*
 * What happens between the two ends of a connection: bytes, FIN and reset on their way.
 *
 * The happy path: a kick schedules the delivery of a piece of the outbox; it goes into the other
 * end's inbox and wakes its owner; room in the outbox wakes ours.  What can go wrong on the way are
 * the faults WIRE_RESET and WIRE_TIMEOUT, and bytes that come to an end which is closed: those are
 * answered by a reset.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "sim_socket.h"

enum { WAKE_READ = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND };
enum { WAKE_WRITE = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND };

uint64_t sim_wire_delay(void)
{
    struct sim_wire *wire = &sim_world->wire;

    if (wire->delay_ns_max == 0)
        return 0;
    return sim_random_skewed(&sim_world->random, wire->delay_ns_min, wire->delay_ns_max);
}

size_t sim_wire_room(const struct sim_sock *sock)
{
    size_t used = sock->outbox.len;

    if (sock->squeezed)
        return 0;
    /* A unix socket has no outbox: what is sent lies in the other end's inbox at once. */
    if (sock->family == AF_UNIX)
        used = sock->other ? sock->other->inbox.len : 0;
    return used < sock->outbox_max ? sock->outbox_max - used : 0;
}

void sim_wire_unlink(struct sim_sock *sock)
{
    if (sock->other)
        sock->other->other = NULL;
    sock->other = NULL;
}

static void reset_arrives(struct sim_event *event)
{
    sim_wire_take_reset(CONTAINER_OF(event, struct sim_sock, reset));
}

static void end_with(struct sim_sock *sock, int error)
{
    sim_trace("reset", (int64_t)sock->received, (int64_t)sock->sent);
    sock->error = error;
    sock->state = SIM_SOCK_DEAD;
    sock->recv_shut = true;
    sock->send_shut = true;
    sock->inbox_seen = sock->inbox.len;
    sim_event_stop(&sim_world->clock, &sock->arrive);
    sim_event_stop(&sim_world->clock, &sock->deliver);
    sim_queue_end(&sock->outbox);
    sim_wire_unlink(sock);
    if (sock->orphan || sock->waits_for_data) {
        sim_sock_free(sock);
        return;
    }
    sim_sock_wake(sock, 0);
    sim_sock_wake(sock, EPOLLERR);
}

void sim_wire_take_reset(struct sim_sock *sock)
{
    if (sock->state == SIM_SOCK_DEAD)
        return;
    /* tcp_reset: EPIPE in CLOSE_WAIT, ECONNRESET otherwise. */
    end_with(sock, sock->got_fin && !sock->send_shut ? EPIPE : ECONNRESET);
}

/* Moves `count` bytes from one end to the other. */
static void carry(struct sim_sock *sock, struct sim_sock *other, size_t count)
{
    if (sock->has_urgent_out && sock->urgent_out_at < count) {
        sock->has_urgent_out = false;
        other->has_urgent = true;
        other->urgent_at = other->inbox.len + sock->urgent_out_at;
    }
    sim_queue_put(&other->inbox, sim_queue_front(&sock->outbox), count);
    sim_queue_take(&sock->outbox, NULL, count);
    if (sock->has_urgent_out)
        sock->urgent_out_at -= count;
    if (!sim_event_waits(&other->arrive))
        other->inbox_seen = other->inbox.len;
}

void sim_wire_reset(struct sim_sock *sock)
{
    struct sim_sock *other = sock->other;

    if (!other)
        return;
    /* Some of what was sent may have got there before. */
    if (sock->outbox.len > 0 && other->inbox.len < other->inbox_max) {
        size_t room = other->inbox_max - other->inbox.len;
        size_t most = sock->outbox.len < room ? sock->outbox.len : room;
        size_t count = (size_t)sim_random_between(&sim_world->random, 0, most);

        carry(sock, other, count);
        if (count > 0 && !other->orphan)
            sim_sock_wake(other, WAKE_READ);
    }
    sim_wire_unlink(sock);
    if (sim_world->wire.delay_ns_max == 0)
        sim_wire_take_reset(other);
    else
        sim_event_start(&sim_world->clock, &other->reset, sim_wire_delay(), reset_arrives);
}

static bool wire_breaks(struct sim_sock *sock)
{
    struct sim_faults *faults = &sim_world->faults;
    struct sim_sock *other = sock->other;

    if (sock->family == AF_UNIX)
        return false;
    if (sim_fault_strikes(faults, SIM_WIRE_RESET)) {
        sim_wire_take_reset(other);
        sim_wire_take_reset(sock);
        return true;
    }
    if (!sock->of_peer && !sock->orphan && sim_fault_strikes(faults, SIM_WIRE_TIMEOUT)) {
        /* The other end hears nothing of it. */
        end_with(sock, ETIMEDOUT);
        return true;
    }
    return false;
}

/* The end of our data arrives at the other end. */
static void deliver_fin(struct sim_sock *sock)
{
    struct sim_sock *other = sock->other;

    sock->fin_sent = true;
    if (other) {
        other->recv_shut = true;
        other->got_fin = true;
        other->inbox_seen = other->inbox.len;
        sim_event_stop(&sim_world->clock, &other->arrive);
        if (other->family == AF_UNIX && sock->orphan)
            other->send_shut = true;
        sim_trace("fin", (int64_t)sock->sent, 0);
        if (other->waits_for_data)
            sim_listen_promote(other);
        sim_sock_wake(other, 0);
    }
}

static void space_is_free(struct sim_sock *sock)
{
    size_t room = sim_wire_room(sock);

    if (!sock->no_space || room == 0 || sock->orphan || sock->squeezed)
        return;
    if (sock->family == AF_UNIX ? room < sock->outbox_max - sock->outbox_max / 4
                                : room < sock->outbox.len / 2)
        return;
    sock->no_space = false;
    sim_sock_wake(sock, WAKE_WRITE);
}

/* One piece.  False when the connection broke over it. */
static bool deliver_bytes(struct sim_sock *sock)
{
    struct sim_wire *wire = &sim_world->wire;
    struct sim_sock *other = sock->other;

    if (!other || other->orphan) {
        /* Nobody is there to read it. */
        if (other) {
            sim_wire_unlink(sock);
            sim_sock_free(other);
        }
        sim_wire_take_reset(sock);
        return false;
    }
    if (wire_breaks(sock))
        return false;
    size_t room = other->inbox_max > other->inbox.len ? other->inbox_max - other->inbox.len : 0;
    size_t count = sock->outbox.len;

    if (sock->family == AF_UNIX)
        room = count;
    else if (wire->delay_ns_max > 0)
        count = (size_t)sim_random_skewed(&sim_world->random, wire->segment_bytes_min,
                                          wire->segment_bytes_max);
    if (count > room)
        count = room;
    if (count > sock->outbox.len)
        count = sock->outbox.len;
    if (count == 0)
        return true;
    carry(sock, other, count);
    sim_trace("deliver", (int64_t)count, (int64_t)sock->outbox.len);
    if (other->waits_for_data)
        sim_listen_promote(other);
    sim_sock_wake(other, WAKE_READ);
    return true;
}

static bool can_deliver(const struct sim_sock *sock)
{
    if (sock->state != SIM_SOCK_CONNECTED)
        return false;
    if (sock->outbox.len == 0)
        return sock->send_shut && !sock->fin_sent;
    return !sock->other || sock->other->orphan || sock->other->inbox.len < sock->other->inbox_max ||
           sock->family == AF_UNIX;
}

static void deliver(struct sim_sock *sock)
{
    if (sock->outbox.len > 0 && !deliver_bytes(sock))
        return;
    if (sock->outbox.len == 0 && sock->send_shut && !sock->fin_sent)
        deliver_fin(sock);
    if (sock->orphan && sock->fin_sent) {
        sim_sock_free(sock);
        return;
    }
    space_is_free(sock);
    sim_wire_kick(sock);
}

static void deliver_due(struct sim_event *event)
{
    deliver(CONTAINER_OF(event, struct sim_sock, deliver));
}

void sim_wire_kick(struct sim_sock *sock)
{
    if (sock->state == SIM_SOCK_CONNECTED && sock->orphan && sock->fin_sent) {
        sim_sock_free(sock);
        return;
    }
    if (!can_deliver(sock)) {
        if (sock->family == AF_UNIX && sock->state == SIM_SOCK_CONNECTED)
            space_is_free(sock);
        return;
    }
    if (sim_world->wire.delay_ns_max == 0 || sock->family == AF_UNIX)
        deliver(sock);
    else if (!sim_event_waits(&sock->deliver))
        sim_event_start(&sim_world->clock, &sock->deliver, sim_wire_delay(), deliver_due);
}
