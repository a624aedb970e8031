/*
 * One step function does everything that is due; wake-ups of the socket and the passing of time
 * only schedule it.
 */
#include "sim_peer.h"

#include <errno.h>
#include <string.h>

static void peer_step(struct sim_event *event);

struct sim_manners sim_manners_kind(void)
{
    return (struct sim_manners){.piece_bytes_max = 65536,
                                .piece_pause_ns_max = 0,
                                .read_bytes_max = 65536,
                                .read_pause_ns_max = 0,
                                .reset_at_sent = UINT64_MAX,
                                .reset_at_received = UINT64_MAX,
                                .silent_at_sent = UINT64_MAX,
                                .silent_at_received = UINT64_MAX,
                                .urgent_at = UINT64_MAX,
                                .patience_ns = 120 * SIM_NS_PER_S};
}

struct sim_manners sim_manners_any(void)
{
    struct sim_random *random = &sim_world->random;
    struct sim_manners manners = sim_manners_kind();

    manners.piece_bytes_max = sim_random_skewed(random, 1, 65536);
    manners.read_bytes_max = sim_random_skewed(random, 1, 65536);
    if (sim_random_chance(random, 32768))
        manners.piece_pause_ns_max = sim_random_skewed(random, 0, 20 * SIM_NS_PER_MS);
    if (sim_random_chance(random, 32768))
        manners.read_pause_ns_max = sim_random_skewed(random, 0, 20 * SIM_NS_PER_MS);
    if (sim_random_chance(random, 8192))
        manners.first_pause_ns = sim_random_skewed(random, 0, 5 * SIM_NS_PER_S);
    /* Slow, but not so slow that a run would last for ever. */
    if (manners.piece_pause_ns_max > 0 && manners.piece_bytes_max < 64)
        manners.piece_bytes_max = 64;
    if (manners.read_pause_ns_max > 0 && manners.read_bytes_max < 64)
        manners.read_bytes_max = 64;
    manners.discards_on_reset = sim_random_chance(random, 32768);
    return manners;
}

static void step_in(struct sim_peer *peer, uint64_t delay_ns)
{
    struct sim_clock *clock = &sim_world->clock;

    if (sim_event_waits(&peer->step) && peer->step.time_ns <= clock->now_ns + delay_ns)
        return;
    sim_event_start(clock, &peer->step, delay_ns, peer_step);
}

static void peer_ends(struct sim_peer *peer, int error)
{
    if (peer->ended)
        return;
    peer->ended = true;
    peer->error = error;
    if (peer->events->on_end)
        peer->events->on_end(peer, error);
}

static void peer_gives_up(struct sim_event *event)
{
    struct sim_peer *peer = CONTAINER_OF(event, struct sim_peer, patience);

    if (peer->is_silent)
        return;
    sim_sometimes("a peer gave up waiting");
    sim_trace("gives up", (int64_t)peer->sent_bytes, (int64_t)peer->received_bytes);
    sim_peer_close(peer);
    peer_ends(peer, ETIMEDOUT);
}

/* Something came or went. */
static void peer_moves(struct sim_peer *peer)
{
    sim_event_start(&sim_world->clock, &peer->patience, peer->manners.patience_ns, peer_gives_up);
}

static void peer_wakes(struct sim_sock *sock, uint32_t key, void *context)
{
    (void)sock;
    (void)key;
    step_in(context, sim_random_skewed(&sim_world->random, 0, 20 * SIM_NS_PER_US));
}

void sim_peer_start(struct sim_peer *peer, const struct sim_peer_events *events,
                    const struct sim_manners *manners, const struct sockaddr *address,
                    socklen_t bytes, void *context)
{
    memset(peer, 0, sizeof(*peer));
    list_init(&peer->link);
    peer->events = events;
    peer->manners = *manners;
    peer->context = context;
    peer->sock = sim_sock_create(address->sa_family);
    peer->sock->of_peer = true;
    peer->sock->on_wake = peer_wakes;
    peer->sock->wake_context = peer;
    int result = sim_sock_connect(peer->sock, address, bytes);

    if (result < 0 && result != -EINPROGRESS)
        peer->error = -result;
    peer_moves(peer);
    step_in(peer, 0);
}

void sim_peer_send(struct sim_peer *peer, const void *bytes, size_t count)
{
    if (peer->veil)
        peer->veil->seal(peer, bytes, count);
    else
        sim_peer_put(peer, bytes, count);
}

void sim_peer_put(struct sim_peer *peer, const void *bytes, size_t count)
{
    sim_queue_put(&peer->to_send, bytes, count);
    step_in(peer, 0);
}

void sim_peer_half_close(struct sim_peer *peer)
{
    peer->manners.half_close = true;
    step_in(peer, 0);
}

void sim_peer_close(struct sim_peer *peer)
{
    sim_event_stop(&sim_world->clock, &peer->step);
    sim_event_stop(&sim_world->clock, &peer->patience);
    if (peer->sock)
        sim_desc_put(&peer->sock->desc);
    peer->sock = NULL;
}

void sim_peer_reset(struct sim_peer *peer)
{
    peer->has_reset = true;
    if (peer->sock)
        peer->sock->linger_reset = true;
    sim_peer_close(peer);
}

void sim_peer_end(struct sim_peer *peer)
{
    sim_peer_close(peer);
    sim_queue_end(&peer->to_send);
    sim_queue_end(&peer->received);
    if (peer->veil)
        peer->veil->free(peer);
    peer->veil = NULL;
}

/* True while there may be more to do. */
static bool peer_connects(struct sim_peer *peer)
{
    if (peer->connected)
        return true;
    if (peer->error == 0 && peer->sock->error != 0)
        peer->error = peer->sock->error;
    if (peer->error == 0 && peer->sock->state == SIM_SOCK_CONNECTING)
        return false;
    peer->connected = peer->error == 0;
    peer->send_at_ns = sim_world->clock.now_ns + peer->manners.first_pause_ns;
    if (peer->veil && peer->connected)
        peer->veil->begin(peer);
    if (peer->events->on_connect)
        peer->events->on_connect(peer, peer->error);
    if (!peer->connected)
        peer_ends(peer, peer->error);
    return peer->connected && peer->sock;
}

static void peer_reads(struct sim_peer *peer)
{
    struct sim_random *random = &sim_world->random;
    char chunk[65536];

    if (peer->ended || peer->is_silent || sim_world->clock.now_ns < peer->read_at_ns)
        return;
    if (peer->received_bytes >= peer->manners.silent_at_received) {
        sim_sometimes("a peer stopped reading");
        peer->is_silent = true;
        return;
    }
    size_t most = (size_t)sim_random_skewed(random, 1, peer->manners.read_bytes_max);

    if (most > peer->manners.reset_at_received - peer->received_bytes)
        most = (size_t)(peer->manners.reset_at_received - peer->received_bytes);
    if (most == 0) {
        sim_sometimes("a peer reset the connection at a byte it received");
        sim_peer_reset(peer);
        peer_ends(peer, ECONNRESET);
        return;
    }
    if (peer->sock->state == SIM_SOCK_DEAD && peer->manners.discards_on_reset &&
        peer->sock->inbox.len > 0) {
        sim_sometimes("a reset took unread bytes with it");
        sim_queue_end(&peer->sock->inbox);
        peer->sock->inbox_seen = 0;
    }
    int64_t count = sim_sock_recv(peer->sock, chunk, most, 0);

    peer->read_at_ns =
        sim_world->clock.now_ns + sim_random_skewed(random, 0, peer->manners.read_pause_ns_max);
    if (count > 0) {
        bool some = true;

        if (peer->veil)
            some = peer->veil->open(peer, chunk, (size_t)count);
        else
            sim_queue_put(&peer->received, chunk, (size_t)count);
        peer->received_bytes += (uint64_t)count;
        peer_moves(peer);
        if (some && peer->events->on_recv)
            peer->events->on_recv(peer);
        if (peer->sock)
            step_in(peer, peer->read_at_ns - sim_world->clock.now_ns);
    } else if (count != -EAGAIN) {
        peer_ends(peer, peer->veil ? peer->veil->end_of(peer, (int)-count) : (int)-count);
    }
}

/* How much of what it has to send goes out now: up to a byte where it does something special. */
static size_t piece_size(const struct sim_peer *peer)
{
    const struct sim_manners *manners = &peer->manners;
    uint64_t most = sim_random_skewed(&sim_world->random, 1, manners->piece_bytes_max);
    uint64_t stops[] = {manners->reset_at_sent, manners->silent_at_sent, manners->urgent_at};

    if (most > peer->to_send.len)
        most = peer->to_send.len;
    if (manners->urgent_at == peer->sent_bytes)
        return 1;
    for (size_t index = 0; index < 3; index++)
        if (stops[index] > peer->sent_bytes && stops[index] - peer->sent_bytes < most)
            most = stops[index] - peer->sent_bytes;
    return (size_t)most;
}

static void peer_sends(struct sim_peer *peer)
{
    struct sim_manners *manners = &peer->manners;

    if (!peer->sock || peer->shut || peer->is_silent)
        return;
    if (peer->sent_bytes >= manners->reset_at_sent) {
        sim_sometimes("a peer reset the connection at a byte it sent");
        sim_peer_reset(peer);
        peer_ends(peer, ECONNRESET);
        return;
    }
    if (peer->sent_bytes >= manners->silent_at_sent) {
        sim_sometimes("a peer fell silent");
        peer->is_silent = true;
        return;
    }
    if (sim_world->clock.now_ns < peer->send_at_ns)
        return;
    if (peer->to_send.len > 0) {
        size_t piece = piece_size(peer);
        int flags = manners->urgent_at == peer->sent_bytes ? MSG_OOB : 0;
        int64_t count = sim_sock_send(peer->sock, sim_queue_front(&peer->to_send), piece, flags);

        if (count > 0) {
            if (flags)
                sim_sometimes("a peer sent urgent data");
            sim_queue_take(&peer->to_send, NULL, (size_t)count);
            peer->sent_bytes += (uint64_t)count;
            peer_moves(peer);
            peer->send_at_ns =
                sim_world->clock.now_ns +
                sim_random_skewed(&sim_world->random, 0, manners->piece_pause_ns_max);
            step_in(peer, peer->send_at_ns - sim_world->clock.now_ns);
        } else if (count != -EAGAIN) {
            /* What it received before is still to be read; then it hears of the reset there. */
            sim_queue_end(&peer->to_send);
            peer->sock->error = peer->sock->error ? peer->sock->error : (int)-count;
        }
    } else if (manners->half_close && (!peer->veil || peer->veil->may_shut(peer))) {
        peer->shut = true;
        sim_sock_shutdown(peer->sock, SHUT_WR);
    }
}

static void peer_step(struct sim_event *event)
{
    struct sim_peer *peer = CONTAINER_OF(event, struct sim_peer, step);

    if (!peer->sock || !peer_connects(peer) || !peer->sock)
        return;
    peer_sends(peer);
    if (peer->sock)
        peer_reads(peer);
    if (!peer->sock || peer->ended || peer->is_silent)
        return;
    /* What was put off for a pause comes when it is over. */
    uint64_t now = sim_world->clock.now_ns;

    bool sends = peer->to_send.len > 0 || (peer->manners.half_close && !peer->shut);

    if (sends && peer->send_at_ns > now)
        step_in(peer, peer->send_at_ns - now);
    if (peer->read_at_ns > now)
        step_in(peer, peer->read_at_ns - now);
}
