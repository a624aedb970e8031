/*
 * Dialling: the program connects to simulated servers that answer, refuse, or do not react.
 *
 * The oracle: on_dialled comes once for each dial, with a stream where there was somebody, with
 * "closed" where nobody listens, with "timed out" where nobody reacts, with "cancelled" where that
 * was asked for in time; a name's first address may be a black hole, which holds nothing up; a
 * stream that was dialled brings what the other end sends.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pollux/stream.h"
#include "scenarios.h"
#include "sim_drive.h"
#include "sim_file.h"
#include "sim_memory.h"
#include "sim_socket.h"
#include "sim_weather.h"

enum { DIALS_MAX = 16, HOSTS_MAX = 16, PORT_SERVED = 7001, PORT_REFUSED = 7002, PORT_MUTE = 7003 };

enum dial_kind { DIAL_SERVED, DIAL_SERVED_NAME, DIAL_REFUSED, DIAL_MUTE, DIAL_KIND_COUNT };

struct dialler;

struct dial {
    struct dialler *dialler;
    struct sim_event start;
    struct sim_event stop;
    enum dial_kind kind;
    px_dialing *dialing; /* good until it was told */
    bool cancels;        /* it will be given up, at some moment */
    bool cancelled;
    px_stream *stream;
    uint64_t received;
    bool begun;
    bool told;
    bool over;
};

/* A simulated server's end of a connection. */
struct host_conn {
    struct sim_sock *sock; /* owned */
    struct sim_event step;
    uint64_t sent;
    uint64_t length;
};

struct dialler {
    px_loop *loop;
    struct dial dials[DIALS_MAX];
    uint32_t dial_count;
    struct sim_sock *served; /* owned: listeners */
    struct sim_sock *mute;
    struct sim_sock *hole; /* owned, or NULL: the first address of a name does not react */
    struct host_conn conns[HOSTS_MAX];
    uint32_t conn_count;
    uint64_t length; /* what each simulated server sends */
};

/* --- The simulated servers -------------------------------------------------------------------- */

static void host_step(struct sim_event *event)
{
    struct host_conn *conn = CONTAINER_OF(event, struct host_conn, step);
    char bytes[512];
    size_t count = 0;

    while (count < sizeof(bytes) && conn->sent + count < conn->length) {
        bytes[count] = sim_file_byte(77, conn->sent + count);
        count++;
    }
    int64_t sent = count > 0 ? sim_sock_send(conn->sock, bytes, count, 0) : 0;

    if (sent > 0)
        conn->sent += (uint64_t)sent;
    if (conn->sent == conn->length || conn->sock->state == SIM_SOCK_DEAD) {
        sim_sock_shutdown(conn->sock, SHUT_WR);
        return;
    }
    sim_event_start(&sim_world->clock, event,
                    sim_random_skewed(&sim_world->random, 1, 5 * SIM_NS_PER_MS), host_step);
}

static void host_accepts(struct sim_sock *sock, uint32_t key, void *context)
{
    struct dialler *dialler = context;
    int err;
    struct sim_sock *accepted = sim_sock_accept(sock, &err);

    (void)key;
    if (!accepted)
        return;
    struct host_conn *conn = &dialler->conns[dialler->conn_count++];

    conn->sock = accepted;
    conn->length = dialler->length;
    sim_event_start(&sim_world->clock, &conn->step, SIM_NS_PER_US, host_step);
}

static struct sim_sock *hole_listen(uint16_t port)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sim_sock *sock = sim_sock_create(AF_INET6);

    sock->of_peer = true;
    if (sim_sock_bind(sock, (void *)&address, sizeof(address)) != 0 ||
        sim_sock_listen(sock, 0) != 0)
        sim_fail("a simulated server cannot listen");
    return sock;
}

static struct sim_sock *host_listen(uint16_t port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sim_sock *sock = sim_sock_create(AF_INET);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock->of_peer = true;
    if (sim_sock_bind(sock, (void *)&address, sizeof(address)) != 0 ||
        sim_sock_listen(sock, backlog) != 0)
        sim_fail("a simulated server cannot listen");
    return sock;
}

/* --- The program ------------------------------------------------------------------------------ */

static size_t dial_recv(px_stream *stream, px_str bytes, void *context)
{
    struct dial *dial = context;

    (void)stream;
    for (size_t index = 0; index < bytes.len; index++)
        if (bytes.ptr[index] != sim_file_byte(77, dial->received + index))
            sim_fail("a dialled stream brought a wrong byte");
    dial->received += bytes.len;
    return bytes.len;
}

static void dial_end(px_stream *stream, px_err reason, void *context)
{
    struct dial *dial = context;

    if (reason == PX_OK) {
        sim_sometimes("a dialled stream was read to its end");
        if (dial->received != dial->dialler->length)
            sim_fail("a dialled stream ended after %llu of %llu bytes",
                     (unsigned long long)dial->received, (unsigned long long)dial->dialler->length);
    }
    px_stream_close(stream);
}

static void dial_closed(px_stream *stream, void *context)
{
    struct dial *dial = context;

    if (stream != dial->stream || dial->over)
        sim_fail("a dialled stream closed twice");
    dial->over = true;
}

static const px_stream_events dial_events = {dial_recv, dial_end, NULL, dial_closed};

static void dial_told(px_stream *stream, px_err result, struct dial *dial)
{

    if (dial->told || (stream != NULL) != (result == PX_OK))
        sim_fail("on_dialled came twice, or with a stream and an error");
    dial->told = true;
    dial->stream = stream;
    if (!stream) {
        bool expected = (dial->kind == DIAL_REFUSED && result == PX_ERR_CLOSED) ||
                        (dial->kind == DIAL_MUTE && result == PX_ERR_TIMEOUT);

        if (result == PX_ERR_CANCELLED && dial->cancelled)
            sim_sometimes("a dial was cancelled");
        else if (dial->cancelled)
            sim_fail("a dial was cancelled and ended with %s", px_err_name(result));
        else if (expected)
            sim_sometimes(dial->kind == DIAL_MUTE ? "a dial timed out" : "a dial was refused");
        else if (!sim_weather_cuts())
            sim_fail("a dial of kind %d ended with %s", (int)dial->kind, px_err_name(result));
        dial->over = true;
        return;
    }
    if (dial->kind == DIAL_REFUSED || dial->cancelled)
        sim_fail("a stream from nobody");
    char peer[64] = "";
    bool fell_in = false;

    /* Before its queue is full a hole connects, and says nothing. */
    if (dial->kind == DIAL_SERVED_NAME && dial->dialler->hole) {
        px_stream_peer(stream, peer, sizeof(peer));
        fell_in = peer[0] == '[';
        if (!fell_in)
            sim_sometimes("a black hole was overtaken");
    }
    px_stream_attach(stream, &dial_events, dial);
    if (dial->kind == DIAL_MUTE || fell_in)
        px_stream_close(stream);
    else
        px_stream_recv_start(stream);
}

static void on_dialled(px_stream *stream, px_err result, void *context)
{
    dial_told(stream, result, context);
}

static void on_done(px_stream *stream, const px_error *error, void *context)
{
    if (error->code != PX_OK && error->text[0] == '\0')
        sim_fail("a dial failed without a word");
    dial_told(stream, error->code, context);
}

static void stop_posted(px_err status, void *context)
{
    struct dial *dial = context;

    if (status != PX_OK || dial->told)
        return;
    dial->cancelled = true;
    px_dial_cancel(dial->dialing);
}

static void dial_stops(struct sim_event *event)
{
    struct dial *dial = CONTAINER_OF(event, struct dial, stop);

    /* Without memory for the post it is not given up. */
    if (!dial->told)
        (void)!px_loop_post(dial->dialler->loop, stop_posted, dial);
}

static void dial_starts(struct sim_event *event);

static void dial_posted(px_err status, void *context)
{
    static const char *const addresses[] = {[DIAL_SERVED] = "127.0.0.1:7001",
                                            [DIAL_SERVED_NAME] = "localhost:7001",
                                            [DIAL_REFUSED] = "127.0.0.1:7002",
                                            [DIAL_MUTE] = "127.0.0.1:7003"};
    struct dial *dial = context;
    px_error error;

    if (status != PX_OK)
        sim_fail("a post was not run");
    if (dial->cancels) {
        dial->dialing =
            px_dial_start(dial->dialler->loop, addresses[dial->kind], NULL, on_done, dial, &error);
        if (dial->dialing) {
            sim_event_start(&sim_world->clock, &dial->stop,
                            sim_random_skewed(&sim_world->random, 0, SIM_NS_PER_S), dial_stops);
            return;
        }
    } else if (px_dial(dial->dialler->loop, addresses[dial->kind], 0, on_dialled, dial, &error) ==
               PX_OK) {
        return;
    }
    if (!sim_weather_cuts())
        sim_fail("px_dial: %s", error.text);
    dial->told = true;
    dial->over = true;
}

static void dial_starts(struct sim_event *event)
{
    struct dial *dial = CONTAINER_OF(event, struct dial, start);

    if (dial->begun)
        return;
    if (px_loop_post(dial->dialler->loop, dial_posted, dial) == PX_OK)
        dial->begun = true;
    else
        sim_event_start(&sim_world->clock, event, SIM_NS_PER_MS, dial_starts);
}

static bool dials_done(void *context)
{
    const struct dialler *dialler = context;

    for (uint32_t index = 0; index < dialler->dial_count; index++)
        if (!dialler->dials[index].over)
            return false;
    return px_loop_handle_count(dialler->loop) == 0;
}

static void dials_make(struct dialler *dialler)
{
    struct sim_random *random = &sim_world->random;

    dialler->dial_count = (uint32_t)sim_random_between(random, 1, DIALS_MAX);
    for (uint32_t index = 0; index < dialler->dial_count; index++) {
        struct dial *dial = &dialler->dials[index];

        dial->dialler = dialler;
        dial->kind = (enum dial_kind)sim_random_below(random, DIAL_KIND_COUNT);
        dial->cancels = sim_random_chance(random, 20000);
        sim_event_start(&sim_world->clock, &dial->start,
                        sim_random_skewed(random, 0, 2 * SIM_NS_PER_S), dial_starts);
    }
}

static void dial_run(void)
{
    struct sim_weather weather;
    struct sim_memory memory;
    struct dialler *dialler = calloc(1, sizeof(*dialler));
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    if (!dialler)
        abort();
    sim_weather_wire();
    sim_memory_init(&memory);
    options.allocator = &memory.allocator;
    sim_world->faults.stopped = true;
    dialler->loop = px_loop_create(&options, &error);
    sim_world->faults.stopped = false;
    dialler->served = host_listen(PORT_SERVED, 64);
    dialler->served->on_wake = host_accepts;
    dialler->served->wake_context = dialler;
    /* It accepts nothing, and its queue is full: further SYNs are dropped. */
    dialler->mute = host_listen(PORT_MUTE, 0);
    if (sim_random_chance(&sim_world->random, 32768))
        dialler->hole = hole_listen(PORT_SERVED);
    dialler->length = sim_random_skewed(&sim_world->random, 0, 20000);
    dials_make(dialler);
    sim_weather_begin(&weather, 20, 300);
    sim_drive(dialler->loop, dials_done, dialler);
    px_loop_destroy(dialler->loop);
    for (uint32_t index = 0; index < dialler->dial_count; index++)
        sim_event_stop(&sim_world->clock, &dialler->dials[index].stop);
    if (dialler->hole)
        sim_desc_put(&dialler->hole->desc);
    for (uint32_t index = 0; index < dialler->conn_count; index++) {
        sim_event_stop(&sim_world->clock, &dialler->conns[index].step);
        sim_desc_put(&dialler->conns[index].sock->desc);
    }
    sim_desc_put(&dialler->served->desc);
    sim_desc_put(&dialler->mute->desc);
    sim_weather_end(&weather);
    sim_memory_check(&memory);
    free(dialler);
}

const struct sim_scenario scenario_dial = {
    .name = "dial",
    .what = "dialling to who answers, refuses, or does not react",
    .run = dial_run,
    .faults = {SIM_SHORT_RECV, SIM_LATE_RECV, SIM_INTERRUPT, SIM_WAIT_INTERRUPT, SIM_WAIT_PARTIAL,
               SIM_WAIT_LATE, SIM_STALL, SIM_CTL_ENOSPC, SIM_WIRE_RESET, SIM_CLOCK_FORWARD,
               SIM_CLOCK_BACK, SIM_MEMORY},
    .fault_count = 12,
    .states = {"a dialled stream was read to its end", "a dial timed out", "a dial was refused",
               "a SYN found the queue full", "a dial was cancelled", "a black hole was overtaken",
               NULL},
};
