/*
 * Streams: an echo server on the public stream API, with peers of every manner.
 *
 * Peer N sends its number and then bytes that tell their peer and offset; the server sends back
 * what it consumed.  It consumes in parts, pauses, closes, resets and releases at seeded moments.
 * The oracle: bytes are presented in order, none twice and none lost, whatever was left unused;
 * nothing is delivered while stopped or after close; each accepted stream closes once; a peer that
 * behaved on a line that did gets everything back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pollux/stream.h"
#include "scenarios.h"
#include "sim_drive.h"
#include "sim_file.h"
#include "sim_memory.h"
#include "sim_peer.h"
#include "sim_weather.h"

enum { PEERS_MAX = 12, PARTS_MAX = 5, ECHO_BYTES = 8192, IDLE_MS = 60 * 1000 };

struct echo;

struct echo_conn {
    struct list link;
    struct echo *echo;
    px_stream *stream;
    px_timer *timer; /* pause or idle */
    char data[ECHO_BYTES];
    px_part parts[PARTS_MAX];
    uint64_t consumed; /* of the stream */
    size_t kept;       /* bytes left in the inbox the last time */
    uint32_t number;   /* of the peer, once known */
    char front[4];     /* where its number is collected */
    size_t bite;       /* never uses more at once */
    bool sending;
    bool stopped;
    bool end_seen;
    bool closing;
    uint64_t cut_at; /* closes when it has consumed that many */
};

struct echo_peer {
    struct sim_peer peer;
    struct sim_event start;
    struct echo *echo;
    uint32_t number;
    uint64_t length;
    bool started;
    bool cut; /* by the server, on purpose */
};

struct echo {
    px_loop *loop;
    struct sim_place place;
    struct list conns;
    struct echo_peer peers[PEERS_MAX];
    int files[PEERS_MAX]; /* a file for each peer, with its bytes; -1: none */
    uint32_t peer_count;
    uint32_t accepted;
    uint32_t closed;
    bool may_cut;
    bool few_fds;
    bool peers_wait; /* they end their side only when they have everything */
};

/* --- The server ------------------------------------------------------------------------------- */

static char expected_byte(uint32_t number, uint64_t offset)
{
    return offset < 4 ? (char)(number >> (offset * 8)) : sim_file_byte(number, offset);
}

static void check_bytes(struct echo_conn *conn, px_str bytes)
{
    for (size_t index = 0; index < bytes.len; index++) {
        uint64_t offset = conn->consumed + index;

        if (offset < 4) {
            conn->front[offset] = bytes.ptr[index];
            if (offset == 3)
                memcpy(&conn->number, conn->front, sizeof(conn->number));
        } else if (bytes.ptr[index] != expected_byte(conn->number, offset)) {
            sim_fail("peer %u: byte %llu is not what it sent", conn->number,
                     (unsigned long long)offset);
        }
    }
}

static void conn_cut(struct echo_conn *conn)
{
    for (uint32_t index = 0; index < conn->echo->peer_count; index++)
        if (conn->consumed < 4 || conn->echo->peers[index].number == conn->number)
            conn->echo->peers[index].cut = true;
}

static void conn_close(struct echo_conn *conn, bool reset)
{
    conn->closing = true;
    if (reset)
        px_stream_reset(conn->stream);
    else
        px_stream_close(conn->stream);
}

static void conn_free(struct echo_conn *conn)
{
    list_remove(&conn->link);
    px_timer_destroy(conn->timer);
    conn->echo->closed++;
    free(conn);
}

static void conn_finish(struct echo_conn *conn)
{
    if (conn->sending || !conn->end_seen || conn->closing)
        return;
    if (sim_random_chance(&sim_world->random, 32768))
        px_stream_shutdown(conn->stream);
    conn_close(conn, false);
}

/* A seeded end of the server's own. */
static void conn_leave(struct echo_conn *conn)
{
    bool reset = sim_random_chance(&sim_world->random, 32768);

    conn_cut(conn);
    sim_sometimes(reset ? "the server reset a stream" : "the server closed a stream");
    conn_close(conn, reset);
}

static void conn_release(struct echo_conn *conn)
{
    px_str unread;

    conn_cut(conn);
    sim_sometimes("the server released a stream");
    conn->closing = true;
    int fd = px_stream_release(conn->stream, &unread);

    if (unread.len < conn->kept)
        sim_fail("release kept %zu of %zu unread bytes", conn->kept - unread.len, conn->kept);
    check_bytes(conn, unread);
    close(fd);
    conn_free(conn);
}

/* The next part of the answer: from memory, or the same bytes from the peer's file. */
static px_part part_choose(struct echo_conn *conn, uint64_t offset, const char *bytes, size_t count)
{
    struct echo *echo = conn->echo;
    px_part part = {.bytes = px_str_make(bytes, count)};

    if (offset >= 4 && conn->number >= 1 && conn->number <= PEERS_MAX &&
        echo->files[conn->number - 1] >= 0 && sim_random_chance(&sim_world->random, 16384)) {
        sim_sometimes("a part from a file");
        part = (px_part){.fd = echo->files[conn->number - 1], .offset = offset, .length = count};
    }
    return part;
}

/* Sends `bytes` back, in as many parts as the seed will have it. */
static void conn_send(struct echo_conn *conn, px_str bytes)
{
    size_t count = 0;
    size_t at = 0;

    memcpy(conn->data, bytes.ptr, bytes.len);
    while (at < bytes.len) {
        size_t left = bytes.len - at;
        size_t length =
            count + 1 == PARTS_MAX ? left : (size_t)sim_random_between(&sim_world->random, 0, left);

        conn->parts[count++] = part_choose(conn, conn->consumed + at, conn->data + at, length);
        at += length;
    }
    if (px_stream_send(conn->stream, conn->parts, count) == PX_SENT_DONE)
        return;
    sim_sometimes("a send was pending");
    conn->sending = true;
    conn->stopped = true;
    px_stream_recv_stop(conn->stream);
}

static size_t echo_recv(px_stream *stream, px_str bytes, void *context)
{
    struct echo_conn *conn = context;
    struct sim_random *random = &sim_world->random;

    (void)stream;
    if (conn->stopped || conn->closing || conn->end_seen || bytes.len == 0)
        sim_fail("bytes were delivered while stopped, closing or ended");
    check_bytes(conn, bytes);
    size_t count = bytes.len < ECHO_BYTES ? bytes.len : ECHO_BYTES;

    if (count > conn->bite)
        count = conn->bite;
    if (sim_random_chance(random, 16384))
        count = (size_t)sim_random_skewed(random, 1, count);
    conn->kept = bytes.len - count;
    if (conn->kept > 0)
        sim_sometimes("bytes stayed in the inbox");
    px_timer_start(conn->timer, IDLE_MS);
    conn_send(conn, px_str_make(bytes.ptr, count));
    conn->consumed += count;
    if (conn->consumed >= conn->cut_at) {
        conn_leave(conn);
        return count;
    }
    if (!conn->sending && sim_random_chance(random, 4096)) {
        sim_sometimes("the server paused a stream");
        conn->stopped = true;
        px_stream_recv_stop(stream);
        px_timer_start(conn->timer, (uint32_t)sim_random_below(random, 200));
    } else if (!conn->sending && conn->kept > 0 &&
               (conn->echo->peers_wait || sim_random_chance(random, 32768))) {
        /* Asks for the rest at once; otherwise it comes in front of what follows. */
        px_stream_recv_stop(stream);
        px_stream_recv_start(stream);
        if (conn->echo->may_cut && sim_random_chance(random, 512))
            conn_leave(conn);
    }
    return count;
}

static void echo_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct echo_conn *conn = context;

    (void)stream;
    if (conn->end_seen || conn->closing)
        sim_fail("an end was reported twice, or while closing");
    conn->end_seen = true;
    if (reason == PX_OK) {
        if (conn->stopped)
            sim_fail("an orderly end was reported while stopped");
        /* What it left unused and did not ask for again it will not see. */
        if (conn->kept > 0)
            conn_cut(conn);
        conn_finish(conn);
        return;
    }
    sim_sometimes("a reset was reported");
    if (conn->stopped)
        sim_sometimes("a reset was reported while stopped");
    if (reason != PX_ERR_CLOSED)
        conn_cut(conn);
    conn_close(conn, false);
}

static void echo_sent(px_stream *stream, px_err result, void *context)
{
    struct echo_conn *conn = context;

    if (!conn->sending)
        sim_fail("an end of a send was reported that is not in flight");
    conn->sending = false;
    if (conn->closing)
        return;
    if (result != PX_OK) {
        conn_close(conn, false);
        return;
    }
    conn->stopped = false;
    px_timer_start(conn->timer, IDLE_MS);
    if (conn->end_seen)
        conn_finish(conn);
    else
        px_stream_recv_start(stream);
}

static void echo_closed(px_stream *stream, void *context)
{
    struct echo_conn *conn = context;

    (void)stream;
    if (!conn->closing || conn->sending)
        sim_fail("closed without having been asked to, or with a send in flight");
    conn_free(conn);
}

static void conn_timer(px_timer *timer, void *context)
{
    struct echo_conn *conn = context;

    if (conn->closing)
        return;
    if (conn->stopped && !conn->sending) {
        if (conn->echo->may_cut && sim_random_chance(&sim_world->random, 16384)) {
            conn_release(conn);
            return;
        }
        conn->stopped = false;
        px_timer_start(timer, IDLE_MS);
        px_stream_recv_start(conn->stream);
        return;
    }
    sim_sometimes("the server timed a stream out");
    sim_trace("timed out", conn->number, (int64_t)conn->consumed);
    conn_close(conn, sim_random_chance(&sim_world->random, 32768));
}

static const px_stream_events echo_events = {echo_recv, echo_recv_end, echo_sent, echo_closed};

static void echo_accept(px_stream *stream, void *context)
{
    struct echo *echo = context;
    struct echo_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        abort();
    echo->accepted++;
    conn->echo = echo;
    conn->stream = stream;
    conn->cut_at = UINT64_MAX;
    conn->bite = ECHO_BYTES;
    if (sim_random_chance(&sim_world->random, 12000))
        conn->bite = (size_t)sim_random_between(&sim_world->random, 16, 512);
    list_append(&echo->conns, &conn->link);
    conn->timer = px_timer_create(echo->loop, conn_timer, conn);
    px_stream_attach(stream, &echo_events, conn);
    if (echo->may_cut && sim_random_chance(&sim_world->random, 16384))
        conn->cut_at = sim_random_skewed(&sim_world->random, 1, 100000);
    if (!conn->timer) {
        conn_close(conn, false);
        return;
    }
    px_timer_start(conn->timer, IDLE_MS);
    px_stream_recv_start(stream);
}

/* --- The peers -------------------------------------------------------------------------------- */

static void peer_recv(struct sim_peer *peer)
{
    struct echo_peer *owner = peer->context;
    uint64_t at = peer->received_bytes - peer->received.len;
    const char *bytes = sim_queue_front(&peer->received);

    for (size_t index = 0; index < peer->received.len; index++)
        if (bytes[index] != expected_byte(owner->number, at + index))
            sim_fail("peer %u: echoed byte %llu is wrong", owner->number,
                     (unsigned long long)(at + index));
    sim_queue_take(&peer->received, NULL, peer->received.len);
    if (peer->received_bytes == owner->length)
        sim_peer_half_close(peer);
}

static void peer_end(struct sim_peer *peer, int error)
{
    struct echo_peer *owner = peer->context;

    if (error == 0 && peer->received_bytes == owner->length)
        sim_sometimes("a peer got everything back");
    sim_peer_close(peer);
}

static const struct sim_peer_events peer_events = {NULL, peer_recv, peer_end};

static void peer_starts(struct sim_event *event)
{
    struct echo_peer *owner = CONTAINER_OF(event, struct echo_peer, start);
    struct sim_random *random = &sim_world->random;
    struct sim_manners manners = sim_manners_any();
    char *bytes = malloc(owner->length);

    if (!bytes)
        abort();
    manners.half_close = !owner->echo->peers_wait;
    if (sim_random_chance(random, 6000))
        manners.reset_at_sent = sim_random_below(random, owner->length + 1);
    if (sim_random_chance(random, 6000))
        manners.reset_at_received = sim_random_below(random, owner->length + 1);
    if (!owner->echo->few_fds && sim_random_chance(random, 3000))
        manners.silent_at_sent = sim_random_below(random, owner->length + 1);
    if (sim_random_chance(random, 6000))
        manners.urgent_at = owner->length - 1 - sim_random_skewed(random, 0, owner->length - 1);
    if (owner->echo->place.address->ss_family == AF_UNIX)
        manners.urgent_at = UINT64_MAX;
    for (uint64_t offset = 0; offset < owner->length; offset++)
        bytes[offset] = expected_byte(owner->number, offset);
    owner->started = true;
    sim_peer_start(&owner->peer, &peer_events, &manners, (void *)owner->echo->place.storage,
                   owner->echo->place.bytes, owner);
    sim_peer_send(&owner->peer, bytes, owner->length);
    free(bytes);
}

static bool echo_done(void *context)
{
    struct echo *echo = context;

    for (uint32_t index = 0; index < echo->peer_count; index++) {
        struct echo_peer *owner = &echo->peers[index];

        if (!owner->started || (!owner->peer.ended && !owner->peer.is_silent))
            return false;
    }
    return list_empty(&echo->conns);
}

static void peer_judge(struct echo_peer *owner)
{
    struct sim_peer *peer = &owner->peer;
    bool mannerly = !peer->has_reset && !peer->is_silent;

    if (!mannerly || owner->cut || sim_weather_cuts())
        return;
    sim_sometimes("a peer was owed everything");
    if (peer->error != 0 || peer->received_bytes != owner->length)
        sim_fail("peer %u behaved, but got %llu of %llu bytes back and error %d", owner->number,
                 (unsigned long long)peer->received_bytes, (unsigned long long)owner->length,
                 peer->error);
}

static void echo_peers_make(struct echo *echo)
{
    struct sim_random *random = &sim_world->random;

    echo->peer_count = (uint32_t)sim_random_between(random, 1, PEERS_MAX);
    for (uint32_t index = 0; index < echo->peer_count; index++) {
        struct echo_peer *owner = &echo->peers[index];

        owner->echo = echo;
        owner->number = index + 1;
        owner->length = 4 + sim_random_skewed(random, 0, 300000);
        sim_event_start(&sim_world->clock, &owner->start,
                        sim_random_skewed(random, 0, 3 * SIM_NS_PER_S), peer_starts);
    }
}

static void echo_files_open(struct echo *echo)
{
    char path[32];

    for (uint32_t index = 0; index < PEERS_MAX; index++) {
        echo->files[index] = -1;
        if (index >= echo->peer_count)
            continue;
        snprintf(path, sizeof(path), "/sim/peer%u", index + 1);
        sim_node_make(path, index + 1, echo->peers[index].length);
        echo->files[index] = open(path, O_RDONLY | O_CLOEXEC);
    }
}

static void echo_files_close(struct echo *echo)
{
    for (uint32_t index = 0; index < PEERS_MAX; index++)
        if (echo->files[index] >= 0)
            close(echo->files[index]);
}

static bool loop_quiet(void *context)
{
    return px_loop_handle_count(context) == 0;
}

static void stream_run(void)
{
    struct sim_weather weather;
    struct sim_memory memory;
    struct echo echo = {.may_cut = sim_random_chance(&sim_world->random, 32768),
                        .peers_wait = sim_random_chance(&sim_world->random, 32768)};
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_listen_options listening = PX_LISTEN_OPTIONS_DEFAULT;
    uint32_t memory_rate = sim_world->faults.rate[SIM_MEMORY];
    px_error error;

    sim_weather_wire();
    sim_memory_init(&memory);
    options.allocator = &memory.allocator;
    listening.defer_accept_s = sim_random_chance(&sim_world->random, 32768) ? PX_OFF : 1;
    list_init(&echo.conns);
    sim_place_choose(&echo.place);
    /* What happens at start-up is not this scenario's matter. */
    sim_world->faults.stopped = true;
    echo.loop = px_loop_create(&options, &error);
    px_listener *listener = px_listener_open(echo.place.text, &listening, &error);

    if (!listener || px_listener_start(listener, echo.loop, echo_accept, &echo, &error) != PX_OK)
        sim_fail("cannot listen: %s", error.text);
    /* A silent peer holds its descriptor so long that nobody else could be served in time. */
    echo.few_fds = sim_random_chance(&sim_world->random, 8192);
    echo_peers_make(&echo);
    echo_files_open(&echo);
    sim_world->faults.stopped = false;
    sim_world->faults.rate[SIM_MEMORY] = memory_rate / 2;
    if (echo.few_fds)
        sim_world->fd_limit =
            sim_world->fd_count + (uint32_t)sim_random_between(&sim_world->random, 1, 4);
    sim_weather_begin(&weather, 30, 600);
    sim_drive(echo.loop, echo_done, &echo);
    px_listener_close(listener);
    sim_drive(echo.loop, loop_quiet, echo.loop);
    px_loop_destroy(echo.loop);
    echo_files_close(&echo);
    if (echo.accepted != echo.closed)
        sim_fail("%u streams were accepted, %u closed", echo.accepted, echo.closed);
    for (uint32_t index = 0; index < echo.peer_count; index++) {
        peer_judge(&echo.peers[index]);
        sim_peer_end(&echo.peers[index].peer);
    }
    sim_weather_end(&weather);
    sim_memory_check(&memory);
}

const struct sim_scenario scenario_stream = {
    .name = "stream",
    .what = "an echo server on the public stream API",
    .run = stream_run,
    .faults = {SIM_SHORT_RECV,     SIM_LATE_RECV,        SIM_SHORT_SEND,    SIM_LATE_SEND,
               SIM_INTERRUPT,      SIM_WAIT_INTERRUPT,   SIM_WAIT_PARTIAL,  SIM_WAIT_LATE,
               SIM_STALL,          SIM_ACCEPT_EMFILE,    SIM_ACCEPT_ENFILE, SIM_ACCEPT_ENOBUFS,
               SIM_ACCEPT_ABORTED, SIM_ACCEPT_INTERRUPT, SIM_ACCEPT_EPERM,  SIM_CTL_ENOSPC,
               SIM_WIRE_RESET,     SIM_WIRE_TIMEOUT,     SIM_CLOCK_FORWARD, SIM_CLOCK_BACK,
               SIM_MEMORY,         SIM_FILE_EIO,         SIM_FILE_SHORT,    SIM_FILE_CUT,
               SIM_FORK_DUPLICATE},
    .fault_count = 25,
    .states = {"the loop ran itself",
               "the loop was stepped",
               "a unix socket",
               "a peer got everything back",
               "a peer was owed everything",
               "a send was pending",
               "a part from a file",
               "accept ran out of descriptors",
               "bytes stayed in the inbox",
               "the server paused a stream",
               "the server closed a stream",
               "the server reset a stream",
               "the server released a stream",
               "the server timed a stream out",
               "a reset was reported",
               "a reset was reported while stopped",
               "a peer reset the connection at a byte it sent",
               "a peer reset the connection at a byte it received",
               "a peer fell silent",
               "a peer sent urgent data",
               "a reset took unread bytes with it",
               "deferred accept gave up waiting",
               NULL},
};
