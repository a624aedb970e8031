/*
 * The whole server: every way to answer, clients of every manner, and a server that is destroyed,
 * drained, or left to finish.
 *
 * The oracle: an answer is its request's own and arrives whole or visibly broken; each exchange
 * whose handler ran ends once; what was handed over comes back; a client that behaved in a run that
 * cut nothing gets every answer; connections end; no descriptor and no block is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"
#include "sim_client.h"
#include "sim_drive.h"
#include "sim_h2_client.h"
#include "sim_memory.h"
#include "sim_site.h"
#include "sim_tls.h"
#include "sim_weather.h"

enum { CLIENTS_SOME = 12, CLIENTS_MAX = 64, SITES_WANTED = 1000, SITES_A_TIME = 16 };

enum http_end { END_WHEN_DONE, END_DESTROY, END_DRAIN };

struct http {
    struct sim_place place;
    struct sim_site site;
    struct sim_memory memory;
    struct sim_client clients[CLIENTS_MAX];
    uint32_t client_count;
    struct sim_h2_client h2_clients[CLIENTS_MAX];
    uint32_t h2_count;
    px_loop *loop; /* owned, or NULL when the server has its own */
    px_server *server;
    bool secure; /* all speak TLS */
    struct sim_tls_world tls_world;
    px_tls *tls;         /* owned, or NULL */
    bool few_handshakes; /* ... at once: somebody may have to give way */
    enum http_end end;
    uint64_t end_at_ns; /* when it is destroyed or drained */
    bool few_fds;
    px_timer *swaps; /* owned, or NULL: puts sites in place of each other */
    bool drained;
};

static px_counters counters_of(const struct http *http)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(http->server, &counters);
    return counters;
}

static uint64_t open_count(const struct http *http)
{
    return counters_of(http).open;
}

static bool clients_done(const struct http *http)
{
    for (uint32_t index = 0; index < http->client_count; index++)
        if (!sim_client_done(&http->clients[index]))
            return false;
    for (uint32_t index = 0; index < http->h2_count; index++)
        if (!sim_h2_client_done(&http->h2_clients[index]))
            return false;
    return true;
}

static bool http_done(void *context)
{
    const struct http *http = context;

    if (http->end != END_WHEN_DONE && sim_world->clock.now_ns >= http->end_at_ns)
        return true;
    return clients_done(http) && open_count(http) == 0;
}

static bool http_drained(void *context)
{
    const struct http *http = context;

    return http->drained;
}

static void on_drained(px_server *server, void *context)
{
    struct http *http = context;

    if (http->drained || server != http->server)
        sim_fail("drained twice, or of another server");
    sim_sometimes("a drain ended");
    http->drained = true;
}

static void clients_make(struct http *http)
{
    struct sim_random *random = &sim_world->random;
    bool all_mannerly = http->few_fds || sim_random_chance(random, 32768);

    http->client_count = (uint32_t)sim_random_between(random, 1, CLIENTS_SOME);
    for (uint32_t index = 0; index < http->client_count; index++)
        sim_client_make(&http->clients[index], index, http->place.storage, http->place.bytes,
                        all_mannerly || sim_random_chance(random, 40000));
}

/* In these runs most speak HTTP/2, and a few do not. */
static void h2_clients_make(struct http *http)
{
    struct sim_random *random = &sim_world->random;
    bool all_mannerly = http->few_fds || sim_random_chance(random, 32768);

    http->h2_count = (uint32_t)sim_random_between(random, 1, CLIENTS_SOME);
    for (uint32_t index = 0; index < http->h2_count; index++)
        sim_h2_client_make(&http->h2_clients[index], index, http->place.storage, http->place.bytes,
                           all_mannerly || sim_random_chance(random, 40000));
    http->client_count = (uint32_t)sim_random_below(random, 3);
    for (uint32_t index = 0; index < http->client_count; index++)
        sim_client_make(&http->clients[index], index, http->place.storage, http->place.bytes, true);
}

/* In these runs all speak TLS, some HTTP/2 in it. */
static void tls_clients_make(struct http *http)
{
    clients_make(http);
    if (sim_random_chance(&sim_world->random, 32768)) {
        for (uint32_t index = 0; index < http->client_count; index++)
            sim_client_end(&http->clients[index]);
        h2_clients_make(http);
    }
    for (uint32_t index = 0; index < http->client_count; index++)
        http->clients[index].tls = &http->tls_world;
    for (uint32_t index = 0; index < http->h2_count; index++)
        http->h2_clients[index].tls = &http->tls_world;
}

/* A thousand sites, one in place of the other, while they ask. */
static void on_swap(px_timer *timer, void *context)
{
    struct http *http = context;

    for (uint32_t count = 0; count < SITES_A_TIME && http->site.sites_made < SITES_WANTED; count++)
        sim_site_swap(&http->site);
    if (http->site.sites_made < SITES_WANTED)
        px_timer_start(timer, (uint32_t)sim_random_below(&sim_world->random, 4));
    else if (!clients_done(http))
        sim_sometimes("a thousand sites were served");
}

/* In these runs many speak either version. */
static void sites_clients_make(struct http *http)
{
    struct sim_random *random = &sim_world->random;

    http->h2_count = (uint32_t)sim_random_below(random, CLIENTS_MAX / 2);
    http->client_count = CLIENTS_MAX - http->h2_count;
    for (uint32_t index = 0; index < http->h2_count; index++)
        sim_h2_client_make(&http->h2_clients[index], index, http->place.storage, http->place.bytes,
                           sim_random_chance(random, 40000));
    for (uint32_t index = 0; index < http->client_count; index++)
        sim_client_make(&http->clients[index], index, http->place.storage, http->place.bytes,
                        sim_random_chance(random, 40000));
    http->site.swaps = true;
    http->swaps = px_timer_create(px_server_loop(http->server), on_swap, http);
    if (http->swaps)
        px_timer_start(http->swaps, 0);
}

/* Opens the place, and serves it with TLS where the run is about that. */
static px_err server_listen(struct http *http, px_error *out_error)
{
    px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;

    if (!http->secure)
        return px_server_listen(http->server, http->place.text, out_error);
    px_listener *listener = px_listener_open(http->place.text, NULL, out_error);

    if (!listener)
        return out_error->code;
    sim_tls_begin(&http->tls_world);
    http->tls = sim_tls_server(&http->memory.allocator, &http->few_handshakes);
    options.tls = http->tls;
    return px_server_serve_with(http->server, listener, &options, out_error);
}

static void server_make(struct http *http)
{
    struct sim_random *random = &sim_world->random;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    sim_memory_init(&http->memory);
    options.allocator = &http->memory.allocator;
    loop_options.allocator = &http->memory.allocator;
    if (sim_random_chance(random, 32768)) {
        http->loop = px_loop_create(&loop_options, &error);
        options.loop = http->loop;
    }
    if (sim_random_chance(random, 16384))
        options.output_bytes_max = (uint32_t)sim_random_skewed(random, 64, 65536);
    if (sim_random_chance(random, 16384))
        options.pipeline_count_max = (uint32_t)sim_random_between(random, 1, 4);
    http->server = px_server_create(&options, &error);
    if (!http->server ||
        sim_site_routes(&http->site, http->server, &http->memory.allocator, &error) != PX_OK ||
        server_listen(http, &error) != PX_OK)
        sim_fail("the server does not start: %s", error.text);
    px_server_on_drained(http->server, on_drained, http);
}

/* In one call or hastened by a second one; the last says when at the latest. */
static void http_drain(struct http *http, uint32_t deadline_ms)
{
    struct sim_random *random = &sim_world->random;
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.delay_ms = (uint32_t)sim_random_below(random, 500);
    options.idle_ms =
        sim_random_chance(random, 32768) ? (uint32_t)sim_random_below(random, 3000) : PX_UNLIMITED;
    options.leave_queue = sim_random_chance(random, 16384);
    if (sim_random_chance(random, 32768)) {
        options.deadline_ms = PX_UNLIMITED;
        if (px_server_drain_with(http->server, &options) != PX_OK)
            sim_fail("a drain was refused");
        sim_sometimes("a drain was hastened");
    }
    options.deadline_ms = deadline_ms;
    if (px_server_drain_with(http->server, &options) != PX_OK)
        sim_fail("a drain was refused");
}

static void http_finish(struct http *http)
{
    px_loop *loop = px_server_loop(http->server);

    if (http->end == END_DRAIN) {
        http_drain(http, (uint32_t)sim_random_between(&sim_world->random, 1, 40) * 1000);
        sim_drive(loop, http_drained, http);
        if (open_count(http) != 0)
            sim_fail("drained, but a connection is open");
    }
    px_server_destroy(http->server);
    http->server = NULL;
    px_tls_destroy(http->tls);
    if (http->loop) {
        if (px_loop_handle_count(http->loop) != 0)
            sim_fail("%u handles are left on the loop", px_loop_handle_count(http->loop));
        /* Threads may be late for the server, or for the loop too. */
        if (sim_random_chance(&sim_world->random, 16384))
            sim_site_join(&http->site);
        px_loop_destroy(http->loop);
    }
    sim_world->faults.stopped = true;
    sim_site_join(&http->site);
}

/* In some runs one call fails in a way that no rate brings about. */
static void plan_choose(struct sim_faults *faults)
{
    static const struct {
        const char *call;
        int sys_errno;
    } plans[] = {{"recv", ETIMEDOUT},     {"recv", ENOMEM},      {"recv", EHOSTUNREACH},
                 {"send", ENOBUFS},       {"send", ENETDOWN},    {"sendmsg", ENOMEM},
                 {"sendfile", EIO},       {"sendfile", EINVAL},  {"shutdown", ENOTCONN},
                 {"getsockopt", ENOBUFS}, {"accept4", ENETDOWN}, {"accept4", EINVAL},
                 {"open", ENFILE},        {"read", EIO},         {"preadv2", EIO},
                 {"preadv2", EOPNOTSUPP}, {"openat2", EIO},      {"openat2", ENFILE},
                 {"fstat", EIO},          {"pread", EIO},        {"memory", ENOMEM}};

    if (!sim_random_chance(faults->random, 16384))
        return;
    size_t plan = (size_t)sim_random_below(faults->random, sizeof(plans) / sizeof(plans[0]));

    faults->planned_call = plans[plan].call;
    faults->planned_errno = plans[plan].sys_errno;
    faults->planned_in = sim_random_skewed(faults->random, 1, 200);
}

static void storm_begins(struct http *http, uint32_t memory_rate)
{
    struct sim_random *random = &sim_world->random;

    http->end = (enum http_end)(sim_random_chance(random, 32768) ? END_WHEN_DONE
                                                                 : 1 + sim_random_below(random, 2));
    http->end_at_ns = sim_world->clock.now_ns + sim_random_skewed(random, 0, 8 * SIM_NS_PER_S);
    http->few_fds = sim_random_chance(random, 6000);
    if (http->few_fds)
        sim_world->fd_limit = sim_world->fd_count + (uint32_t)sim_random_between(random, 2, 6);
    sim_world->faults.stopped = false;
    sim_world->faults.rate[SIM_MEMORY] = memory_rate / 2;
    plan_choose(&sim_world->faults);
    /* There are fewer calls on files. */
    sim_world->faults.rate[SIM_FILE_EIO] *= 4;
    sim_world->faults.rate[SIM_FILE_CUT] *= 4;
    sim_world->faults.rate[SIM_FILE_COLD] *= 4;
}

static void run(void (*make)(struct http *http), bool secure)
{
    struct http *http = calloc(1, sizeof(*http));
    struct sim_weather weather;
    uint32_t memory_rate = sim_world->faults.rate[SIM_MEMORY];

    if (!http)
        abort();
    http->secure = secure;
    sim_weather_wire();
    /* Not so slow that an honest client would miss a minimum rate. */
    if (sim_world->wire.segment_bytes_max < 512)
        sim_world->wire.segment_bytes_max = 512;
    sim_site_init(&http->site);
    sim_place_choose(&http->place);
    sim_world->faults.stopped = true;
    server_make(http);
    storm_begins(http, memory_rate);
    make(http);
    sim_weather_begin(&weather, 60, 900);
    sim_drive(px_server_loop(http->server), http_done, http);
    px_timer_destroy(http->swaps);
    /* Connections that were closed to make room had nothing under way, as far as it could know. */
    bool shed = counters_of(http).shed > 0;
    bool gave_way = http->few_handshakes && counters_of(http).handshakes_failed > 0;
    bool excused = sim_weather_cuts() || http->end != END_WHEN_DONE || shed || gave_way;

    if (gave_way)
        sim_sometimes("a handshake gave way");

    if (shed)
        sim_sometimes("the server shed a connection");

    http_finish(http);
    for (uint32_t index = 0; index < http->client_count; index++) {
        sim_client_judge(&http->clients[index], excused);
        sim_client_end(&http->clients[index]);
    }
    for (uint32_t index = 0; index < http->h2_count; index++) {
        sim_h2_client_judge(&http->h2_clients[index], excused);
        sim_h2_client_end(&http->h2_clients[index]);
    }
    if (http->secure)
        sim_tls_end(&http->tls_world);
    sim_weather_end(&weather);
    sim_site_check(&http->site);
    sim_memory_check(&http->memory);
    free(http);
}

static void http_run(void)
{
    run(clients_make, false);
}

static void http2_run(void)
{
    run(h2_clients_make, false);
}

static void sites_run(void)
{
    run(sites_clients_make, false);
}

static void tls_run(void)
{
    run(tls_clients_make, true);
}

const struct sim_scenario scenario_tls = {
    .name = "tls",
    .what = "the whole server, over TLS",
    .run = tls_run,
    .faults = {SIM_SHORT_RECV,     SIM_LATE_RECV,        SIM_SHORT_SEND,    SIM_LATE_SEND,
               SIM_INTERRUPT,      SIM_WAIT_INTERRUPT,   SIM_WAIT_PARTIAL,  SIM_WAIT_LATE,
               SIM_STALL,          SIM_ACCEPT_EMFILE,    SIM_ACCEPT_ENFILE, SIM_ACCEPT_ENOBUFS,
               SIM_ACCEPT_ABORTED, SIM_ACCEPT_INTERRUPT, SIM_ACCEPT_EPERM,  SIM_CTL_ENOSPC,
               SIM_WIRE_RESET,     SIM_WIRE_TIMEOUT,     SIM_CLOCK_FORWARD, SIM_CLOCK_BACK,
               SIM_MEMORY,         SIM_FILE_EIO,         SIM_FILE_SHORT,    SIM_FILE_CUT,
               SIM_FILE_COLD,      SIM_CALL_FAILED},
    .fault_count = 26,
    .states = {"a client got every answer",
               "a handshake was done",
               "a session was resumed",
               "a handshake gave way",
               "an end with close_notify",
               "an end without close_notify",
               "a client garbled a record",
               "a client was told to go on",
               "a producer had nothing yet",
               "pieces waited for room",
               "a handler aborted",
               "another thread answered",
               "a handler paused the content",
               "a handler used some of the content",
               "an answer was cut short, and visibly",
               "an answer ended with its connection",
               "an exchange lost its peer",
               "an exchange lost its server",
               "a drain ended",
               "a tunnel began",
               "a peer fell silent",
               "a peer stopped reading",
               NULL},
};

const struct sim_scenario scenario_http2 = {
    .name = "http2",
    .what = "the whole server, over HTTP/2",
    .run = http2_run,
    .faults = {SIM_SHORT_RECV,     SIM_LATE_RECV,        SIM_SHORT_SEND,    SIM_LATE_SEND,
               SIM_INTERRUPT,      SIM_WAIT_INTERRUPT,   SIM_WAIT_PARTIAL,  SIM_WAIT_LATE,
               SIM_STALL,          SIM_ACCEPT_EMFILE,    SIM_ACCEPT_ENFILE, SIM_ACCEPT_ENOBUFS,
               SIM_ACCEPT_ABORTED, SIM_ACCEPT_INTERRUPT, SIM_ACCEPT_EPERM,  SIM_CTL_ENOSPC,
               SIM_WIRE_RESET,     SIM_WIRE_TIMEOUT,     SIM_CLOCK_FORWARD, SIM_CLOCK_BACK,
               SIM_MEMORY,         SIM_FILE_EIO,         SIM_FILE_SHORT,    SIM_FILE_CUT,
               SIM_FILE_COLD,      SIM_CALL_FAILED},
    .fault_count = 26,
    .states = {"a client got every answer",
               "a client garbled its request",
               "a client was told to go on",
               "a client cancelled a request",
               "a request found no route",
               "a producer had nothing yet",
               "pieces waited for room",
               "room was reported",
               "a handler aborted",
               "another thread answered",
               "a handler paused the content",
               "a handler used some of the content",
               "an answer was cut short, and visibly",
               "an exchange lost its peer",
               "an exchange lost its server",
               "a drain ended",
               "a drain was hastened",
               "a tunnel began",
               "a tunnel was paused",
               "a peer fell silent",
               "a peer stopped reading",
               NULL},
};

const struct sim_scenario scenario_http = {
    .name = "http",
    .what = "the whole server, with every way to answer",
    .run = http_run,
    .faults = {SIM_SHORT_RECV,     SIM_LATE_RECV,        SIM_SHORT_SEND,    SIM_LATE_SEND,
               SIM_INTERRUPT,      SIM_WAIT_INTERRUPT,   SIM_WAIT_PARTIAL,  SIM_WAIT_LATE,
               SIM_STALL,          SIM_ACCEPT_EMFILE,    SIM_ACCEPT_ENFILE, SIM_ACCEPT_ENOBUFS,
               SIM_ACCEPT_ABORTED, SIM_ACCEPT_INTERRUPT, SIM_ACCEPT_EPERM,  SIM_CTL_ENOSPC,
               SIM_WIRE_RESET,     SIM_WIRE_TIMEOUT,     SIM_CLOCK_FORWARD, SIM_CLOCK_BACK,
               SIM_MEMORY,         SIM_FILE_EIO,         SIM_FILE_SHORT,    SIM_FILE_CUT,
               SIM_FILE_COLD,      SIM_FORK_DUPLICATE,   SIM_CALL_FAILED},
    .fault_count = 27,
    .states = {"a client got every answer",
               "a client garbled its request",
               "a client held its content back",
               "a client was told to go on",
               "a request found no route",
               "a producer had nothing yet",
               "a file was replaced",
               "pieces waited for room",
               "room was reported",
               "a handler aborted",
               "another thread answered",
               "another thread came too late",
               "a post found the loop gone",
               "a handler paused the content",
               "a handler used some of the content",
               "an answer was cut short, and visibly",
               "an answer ended with its connection",
               "an exchange lost its peer",
               "an exchange lost its server",
               "an exchange timed out",
               "a drain ended",
               "a drain was hastened",
               "a unix socket",
               "a tunnel began",
               "a tunnel was paused",
               "the server shed a connection",
               "accept ran out of descriptors",
               "a peer fell silent",
               "a peer stopped reading",
               NULL},
};

const struct sim_scenario scenario_sites = {
    .name = "sites",
    .what = "many clients, and sites that are put in place of each other",
    .run = sites_run,
    .faults = {SIM_SHORT_RECV,     SIM_LATE_RECV,        SIM_SHORT_SEND,    SIM_LATE_SEND,
               SIM_INTERRUPT,      SIM_WAIT_INTERRUPT,   SIM_WAIT_PARTIAL,  SIM_WAIT_LATE,
               SIM_STALL,          SIM_ACCEPT_EMFILE,    SIM_ACCEPT_ENFILE, SIM_ACCEPT_ENOBUFS,
               SIM_ACCEPT_ABORTED, SIM_ACCEPT_INTERRUPT, SIM_ACCEPT_EPERM,  SIM_CTL_ENOSPC,
               SIM_WIRE_RESET,     SIM_WIRE_TIMEOUT,     SIM_CLOCK_FORWARD, SIM_CLOCK_BACK,
               SIM_MEMORY},
    .fault_count = 21,
    .states = {"a thousand sites were served", "a site ended, and another was served",
               "another site was served", "a client got every answer", "a drain ended",
               "an exchange lost its peer", "an exchange lost its server",
               "an answer was cut short, and visibly", NULL},
};
