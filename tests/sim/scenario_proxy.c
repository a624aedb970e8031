/*
 * A proxy between the program's own client and its own server: three parties on one loop, on the
 * fake kernel, with faults on both sides of the proxy; every mix of HTTP/1.1 and HTTP/2.
 *
 * The oracle: what a fetch is shown is its answer's and no other's, byte by byte, whatever shares
 * its connections; one that ends well is whole; in a run that cut nothing each that was not given
 * up ends well; content that is to be handled once is handled once at most; the books of server and
 * proxy hold, and nothing is left of any of the three.
 */
#include <stdlib.h>
#include <string.h>

#include "pollux/proxy.h"
#include "scenarios.h"
#include "sim_asker.h"
#include "sim_drive.h"
#include "sim_memory.h"
#include "sim_site.h"
#include "sim_weather.h"

enum {
    ASKERS_MAX = 20,
    /* A fetch is sent at most twice by its client, and each of them at most twice by a proxy, or
     * three times where a kept connection was stale. */
    HANDLED_MAX = 6,
    LONG_MS = 600 * 1000,
};

#define BEHIND "127.0.0.1:9090"

struct passing {
    struct sim_place place;
    struct sim_site site;
    struct sim_memory memory;
    struct sim_asker askers[ASKERS_MAX];
    uint32_t asker_count;
    px_loop *loop;
    px_server *behind; /* has the site */
    px_server *front;  /* has the proxy, which ends with it */
    px_client *client;
    bool behind_leaves; /* it gives up kept connections while requests are on their way */
    bool has_dead;      /* the upstream has a server that is not there, and retries have a budget */
    bool over_http2;    /* to the server behind */
    bool ended_early;
    px_timer *ender; /* destroys the client before it is done, or NULL */
};

static px_counters counters_of(const px_server *server)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(server, &counters);
    return counters;
}

static bool askers_done(void *context)
{
    const struct passing *passing = context;

    for (uint32_t index = 0; index < passing->asker_count; index++)
        if (!passing->askers[index].over)
            return false;
    return true;
}

static bool front_done(void *context)
{
    const struct passing *passing = context;

    return counters_of(passing->front).open == 0;
}

static bool behind_done(void *context)
{
    const struct passing *passing = context;

    return counters_of(passing->behind).open == 0;
}

static void end_early(px_timer *timer, void *context)
{
    struct passing *passing = context;

    (void)timer;
    sim_sometimes("a client was destroyed at its work");
    passing->ended_early = true;
    px_client_destroy(passing->client);
    passing->client = NULL;
}

/* --- Making all three ------------------------------------------------------------------------- */

static px_server *server_make(struct passing *passing, bool *out_leaves)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = &passing->memory.allocator;
    options.loop = passing->loop;
    *out_leaves = sim_random_chance(&sim_world->random, 20000);
    if (*out_leaves)
        options.idle_timeout_ms = (uint32_t)sim_random_between(&sim_world->random, 20, 400);
    px_server *server = px_server_create(&options, &error);

    if (!server)
        sim_fail("a server does not start: %s", error.text);
    return server;
}

static void server_listen(px_server *server, const char *address)
{
    px_error error;
    px_listener *listener = px_listener_open(address, NULL, &error);

    if (!listener || px_server_serve(server, listener, &error) != PX_OK)
        sim_fail("a server does not listen: %s", error.text);
}

static px_upstream *upstream_make(struct passing *passing)
{
    struct sim_random *random = &sim_world->random;
    px_upstream_options options = PX_UPSTREAM_OPTIONS_DEFAULT;
    px_upstream_server servers[2];
    px_error error;

    passing->over_http2 = sim_random_chance(random, 24000);
    memset(servers, 0, sizeof(servers));
    for (uint32_t index = 0; index < 2; index++) {
        servers[index].struct_size = sizeof(servers[index]);
        servers[index].url = passing->over_http2 ? "h2c://" BEHIND : "http://" BEHIND;
    }
    /* A server that is not there takes its turns, too. */
    passing->has_dead = sim_random_chance(random, 16384);
    if (passing->has_dead)
        servers[1].url = "http://127.0.0.1:9";
    options.loop = passing->loop;
    options.servers = servers;
    options.server_count = passing->has_dead ? 2 : 1;
    options.balance = (uint32_t)sim_random_below(random, PX_BALANCE_HASH);
    options.first_byte_timeout_ms = LONG_MS;
    options.silence_timeout_ms = LONG_MS;
    options.queue_timeout_ms = LONG_MS;
    options.connect_timeout_ms = LONG_MS;
    if (sim_random_chance(random, 20000))
        options.requests_max = (uint32_t)sim_random_between(random, 1, 6);
    if (sim_random_chance(random, 16384))
        options.keep_max =
            sim_random_chance(random, 32768) ? PX_OFF : (uint32_t)sim_random_between(random, 1, 3);
    if (sim_random_chance(random, 16384))
        options.keep_timeout_ms = (uint32_t)sim_random_skewed(random, 1, 3000);
    px_upstream *upstream = px_upstream_create(&options, &error);

    if (!upstream)
        sim_fail("no upstream: %s", error.text);
    return upstream;
}

static void proxy_make(struct passing *passing)
{
    px_proxy_options options = PX_PROXY_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error;

    options.upstream = upstream_make(passing);
    options.expect_forward = sim_random_chance(&sim_world->random, 16384);
    options.answer_bytes_max = (uint32_t)sim_random_skewed(&sim_world->random, 1024, 65536);
    px_proxy *proxy = px_proxy_create(&options, &error);

    px_upstream_destroy(options.upstream);
    route.content_bytes_max = PX_UNLIMITED_BYTES;
    route.release = px_proxy_destroy;
    if (!proxy ||
        px_server_route_with(passing->front, "/", &route, px_proxy_handle, proxy, &error) != PX_OK)
        sim_fail("no proxy: %s", error.text);
}

static void servers_make(struct passing *passing)
{
    bool front_leaves;
    px_error error;

    passing->behind = server_make(passing, &passing->behind_leaves);
    if (sim_site_routes(&passing->site, passing->behind, &passing->memory.allocator, &error) !=
        PX_OK)
        sim_fail("no routes: %s", error.text);
    server_listen(passing->behind, BEHIND);
    passing->front = server_make(passing, &front_leaves);
    proxy_make(passing);
    server_listen(passing->front, passing->place.text);
}

static void client_make(struct passing *passing)
{
    struct sim_random *random = &sim_world->random;
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;
    px_error error;

    options.wait_timeout_ms = PX_OFF;
    options.first_byte_timeout_ms = LONG_MS;
    options.silence_timeout_ms = LONG_MS;
    if (sim_random_chance(random, 32768))
        options.connections_max = (uint32_t)sim_random_between(random, 1, 8);
    passing->client = px_client_create(passing->loop, &options, &error);
    if (!passing->client)
        sim_fail("the client does not start: %s", error.text);
    if (!sim_random_chance(random, 8192))
        return;
    passing->ender = px_timer_create(passing->loop, end_early, passing);
    px_timer_start(passing->ender, (uint32_t)sim_random_skewed(random, 0, 8000));
}

static void askers_make(struct passing *passing)
{
    bool http2 = sim_random_chance(&sim_world->random, 24000);

    if (http2)
        sim_sometimes("a proxy was asked over HTTP/2");
    if (passing->over_http2)
        sim_sometimes("a proxy asked over HTTP/2");
    passing->asker_count = (uint32_t)sim_random_between(&sim_world->random, 1, ASKERS_MAX);
    for (uint32_t index = 0; index < passing->asker_count; index++) {
        struct sim_asker *asker = &passing->askers[index];

        asker->client = &passing->client;
        asker->url = "http://sim";
        asker->address = passing->place.text;
        asker->protocol = http2 ? PX_FETCH_HTTP2 : PX_FETCH_HTTP1;
        sim_asker_make(asker, passing->loop, index + 1);
    }
}

/* --- A run ------------------------------------------------------------------------------------ */

/* RFC 9110 section 9.2.2: a POST that the server may have acted on is never sent again. */
static void repeats_check(const struct passing *passing)
{
    for (uint32_t index = 0; index < passing->asker_count; index++) {
        const struct sim_request *request = &passing->askers[index].request;
        uint32_t handled = passing->site.handled[request->tag];

        if (handled > (sim_route_takes_content(request->route) ? 1 : HANDLED_MAX))
            sim_fail("fetch %u (%s) was handled %u times", request->tag,
                     sim_route_name(request->route), handled);
    }
}

static void askers_judge(struct passing *passing, bool excused)
{
    for (uint32_t index = 0; index < passing->asker_count; index++) {
        struct sim_asker *asker = &passing->askers[index];
        bool once = sim_route_takes_content(asker->request.route);
        /* The server behind may leave as it is asked: what may not be repeated is 502 then; and so
         * is what its handler gave up before its head was sent. */
        bool may_fail = (once && passing->behind_leaves) ||
                        asker->request.route == SIM_ROUTE_ABORT || passing->has_dead;

        if (asker->status == 502)
            sim_sometimes("a proxy answered 502");
        sim_asker_judge(asker, excused || (asker->status == 502 && may_fail));
        sim_asker_end(asker);
    }
}

static void proxy_run(void)
{
    struct passing *passing = calloc(1, sizeof(*passing));
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    uint32_t memory_rate = sim_world->faults.rate[SIM_MEMORY];
    struct sim_weather weather;
    px_error error;

    if (!passing)
        abort();
    sim_weather_wire();
    if (sim_world->wire.segment_bytes_max < 512)
        sim_world->wire.segment_bytes_max = 512;
    sim_site_init(&passing->site);
    sim_place_choose(&passing->place);
    sim_world->faults.stopped = true;
    sim_memory_init(&passing->memory);
    options.allocator = &passing->memory.allocator;
    passing->loop = px_loop_create(&options, &error);
    servers_make(passing);
    client_make(passing);
    askers_make(passing);
    sim_world->faults.stopped = false;
    sim_world->faults.rate[SIM_MEMORY] = memory_rate / 4;
    sim_weather_begin(&weather, 60, 900);
    sim_drive(passing->loop, askers_done, passing);
    bool gave_way = counters_of(passing->front).shed > 0 || counters_of(passing->behind).shed > 0;
    bool excused = sim_weather_cuts() || passing->ended_early || gave_way;

    px_client_destroy(passing->client);
    px_timer_destroy(passing->ender);
    sim_drive(passing->loop, front_done, passing);
    px_server_destroy(passing->front); /* the proxy, its upstream and their client end with it */
    sim_drive(passing->loop, behind_done, passing);
    px_server_destroy(passing->behind);
    askers_judge(passing, excused);
    sim_world->faults.stopped = true;
    sim_site_join(&passing->site);
    if (px_loop_handle_count(passing->loop) != 0)
        sim_fail("%u handles are left on the loop", px_loop_handle_count(passing->loop));
    px_loop_destroy(passing->loop);
    sim_weather_end(&weather);
    sim_site_check(&passing->site);
    repeats_check(passing);
    sim_memory_check(&passing->memory);
    free(passing);
}

const struct sim_scenario scenario_proxy = {
    .name = "proxy",
    .what = "a proxy between our client and our server",
    .run = proxy_run,
    .faults = {SIM_SHORT_RECV, SIM_LATE_RECV, SIM_SHORT_SEND, SIM_LATE_SEND, SIM_INTERRUPT,
               SIM_WAIT_INTERRUPT, SIM_WAIT_PARTIAL, SIM_WAIT_LATE, SIM_STALL, SIM_ACCEPT_EMFILE,
               SIM_ACCEPT_ABORTED, SIM_CTL_ENOSPC, SIM_WIRE_RESET, SIM_WIRE_TIMEOUT,
               SIM_CLOCK_FORWARD, SIM_CLOCK_BACK, SIM_MEMORY},
    .fault_count = 17,
    .states = {"a fetch got its answer", "a fetch was held back", "a kept connection served",
               "a fetch was cancelled", "a fetch was cut short, and knows",
               "a fetch became a tunnel", "a client was destroyed at its work",
               "an exchange lost its peer", "a proxy was asked over HTTP/2",
               "a proxy asked over HTTP/2", "a proxy answered 502",
               "a handler used some of the content", "a unix socket", NULL},
};
