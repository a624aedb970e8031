/*
 * The program's own client against its own server: both ends on one loop, on the fake kernel, with
 * faults on both sides; plain and over TLS.
 *
 * The oracle: a fetch ends once; what it is shown is its answer's and nobody else's; one that ends
 * well is whole; in a run that cut nothing each that was not given up ends well; a request that may
 * not be repeated reaches its handler once; the server's own book holds; nothing is left of either.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"
#include "sim_asker.h"
#include "sim_drive.h"
#include "sim_memory.h"
#include "sim_site.h"
#include "sim_tls.h"
#include "sim_weather.h"

enum { ASKERS_MAX = 40 };

struct fetching {
    struct sim_place place;
    struct sim_site site;
    struct sim_memory memory;
    struct sim_asker askers[ASKERS_MAX];
    uint32_t asker_count;
    px_loop *loop;
    px_server *server;
    px_client *client;
    px_timer *ender; /* destroys the client before it is done, or NULL */
    bool secure;
    uint32_t protocol; /* px_fetch_protocol */
    bool ended_early;
    struct sim_tls_world tls_world;
    px_tls *tls;
    px_tls_trust *trust;
    bool few_handshakes;
};

static px_counters counters_of(const struct fetching *fetching)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(fetching->server, &counters);
    return counters;
}

static bool askers_done(void *context)
{
    const struct fetching *fetching = context;

    for (uint32_t index = 0; index < fetching->asker_count; index++)
        if (!fetching->askers[index].over)
            return false;
    return true;
}

static bool server_done(void *context)
{
    return counters_of(context).open == 0;
}

static void end_early(px_timer *timer, void *context)
{
    struct fetching *fetching = context;

    (void)timer;
    sim_sometimes("a client was destroyed at its work");
    fetching->ended_early = true;
    px_client_destroy(fetching->client);
    fetching->client = NULL;
}

/* --- Making both ends ------------------------------------------------------------------------- */

static void server_make(struct fetching *fetching)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_serve_options serve = PX_SERVE_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = &fetching->memory.allocator;
    options.loop = fetching->loop;
    /* It gives up kept connections while requests are on their way. */
    if (sim_random_chance(&sim_world->random, 20000))
        options.idle_timeout_ms = (uint32_t)sim_random_between(&sim_world->random, 20, 400);
    fetching->server = px_server_create(&options, &error);
    if (!fetching->server || sim_site_routes(&fetching->site, fetching->server,
                                             &fetching->memory.allocator, &error) != PX_OK)
        sim_fail("the server does not start: %s", error.text);
    px_listener *listener = px_listener_open(fetching->place.text, NULL, &error);

    if (fetching->secure) {
        sim_tls_begin(&fetching->tls_world);
        fetching->tls = sim_tls_server(&fetching->memory.allocator, &fetching->few_handshakes);
        fetching->trust = sim_tls_trust(&fetching->memory.allocator);
        serve.tls = fetching->tls;
    }
    if (!listener || px_server_serve_with(fetching->server, listener, &serve, &error) != PX_OK)
        sim_fail("the server does not listen: %s", error.text);
}

static void client_make(struct fetching *fetching)
{
    struct sim_random *random = &sim_world->random;
    px_client_options options = PX_CLIENT_OPTIONS_DEFAULT;
    px_error error;

    options.trust = fetching->trust;
    options.wait_timeout_ms = PX_OFF;
    if (sim_random_chance(random, 32768))
        options.connections_max = (uint32_t)sim_random_between(random, 1, 8);
    if (sim_random_chance(random, 16384))
        options.origin_connections_max = (uint32_t)sim_random_between(random, 1, 4);
    if (sim_random_chance(random, 16384))
        options.origin_idle_max =
            sim_random_chance(random, 32768) ? PX_OFF : (uint32_t)sim_random_between(random, 1, 3);
    if (sim_random_chance(random, 16384))
        options.keep_timeout_ms = (uint32_t)sim_random_skewed(random, 1, 3000);
    fetching->client = px_client_create(fetching->loop, &options, &error);
    if (!fetching->client)
        sim_fail("the client does not start: %s", error.text);
    px_tls_trust_destroy(fetching->trust); /* it is counted */
    if (!sim_random_chance(random, 8192))
        return;
    fetching->ender = px_timer_create(fetching->loop, end_early, fetching);
    px_timer_start(fetching->ender, (uint32_t)sim_random_skewed(random, 0, 8000));
}

static void askers_make(struct fetching *fetching)
{
    fetching->asker_count = (uint32_t)sim_random_between(&sim_world->random, 1, ASKERS_MAX);
    for (uint32_t index = 0; index < fetching->asker_count; index++) {
        struct sim_asker *asker = &fetching->askers[index];

        asker->client = &fetching->client;
        asker->url = fetching->secure ? "https://sim" : "http://sim";
        asker->address = fetching->place.text;
        asker->protocol = fetching->protocol;
        if (fetching->secure && sim_random_chance(&sim_world->random, 16384))
            asker->protocol = PX_FETCH_HTTP1;
        sim_asker_make(asker, fetching->loop, index + 1);
    }
}

/* --- A run ------------------------------------------------------------------------------------ */

/* RFC 9110 section 9.2.2: nobody may send a POST again that the server may have acted on. */
static void repeats_check(const struct fetching *fetching)
{
    for (uint32_t index = 0; index < fetching->asker_count; index++) {
        const struct sim_request *request = &fetching->askers[index].request;
        uint32_t handled = fetching->site.handled[request->tag];

        if (handled > (sim_route_takes_content(request->route) ? 1 : 2))
            sim_fail("fetch %u (%s) was handled %u times", request->tag,
                     sim_route_name(request->route), handled);
    }
}

static void run(bool secure, uint32_t protocol)
{
    struct fetching *fetching = calloc(1, sizeof(*fetching));
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    uint32_t memory_rate = sim_world->faults.rate[SIM_MEMORY];
    struct sim_weather weather;
    px_error error;

    if (!fetching)
        abort();
    fetching->secure = secure;
    fetching->protocol = protocol;
    sim_weather_wire();
    if (sim_world->wire.segment_bytes_max < 512)
        sim_world->wire.segment_bytes_max = 512;
    sim_site_init(&fetching->site);
    sim_place_choose(&fetching->place);
    sim_world->faults.stopped = true;
    sim_memory_init(&fetching->memory);
    options.allocator = &fetching->memory.allocator;
    fetching->loop = px_loop_create(&options, &error);
    server_make(fetching);
    client_make(fetching);
    askers_make(fetching);
    sim_world->faults.stopped = false;
    sim_world->faults.rate[SIM_MEMORY] = memory_rate / 4;
    sim_weather_begin(&weather, 60, 900);
    sim_drive(fetching->loop, askers_done, fetching);
    /* A connection that the server closed to make room was idle as far as it could know. */
    bool gave_way = fetching->few_handshakes || counters_of(fetching).shed > 0;
    bool excused = sim_weather_cuts() || fetching->ended_early || gave_way;

    px_client_destroy(fetching->client);
    px_timer_destroy(fetching->ender);
    sim_drive(fetching->loop, server_done, fetching);
    px_server_destroy(fetching->server);
    for (uint32_t index = 0; index < fetching->asker_count; index++) {
        sim_asker_judge(&fetching->askers[index], excused);
        sim_asker_end(&fetching->askers[index]);
    }
    sim_world->faults.stopped = true;
    sim_site_join(&fetching->site);
    if (px_loop_handle_count(fetching->loop) != 0)
        sim_fail("%u handles are left on the loop", px_loop_handle_count(fetching->loop));
    px_loop_destroy(fetching->loop);
    px_tls_destroy(fetching->tls);
    if (secure)
        sim_tls_end(&fetching->tls_world);
    sim_weather_end(&weather);
    sim_site_check(&fetching->site);
    repeats_check(fetching);
    sim_memory_check(&fetching->memory);
    free(fetching);
}

static void plain_run(void)
{
    run(false, PX_FETCH_HTTP1);
}

static void http2_run(void)
{
    run(false, PX_FETCH_HTTP2);
}

/* By ALPN it is HTTP/2 for most, and HTTP/1.1 for those that ask for it. */
static void tls_run(void)
{
    run(true, PX_FETCH_AUTO);
}

#define FETCH_FAULTS                                                                             \
    SIM_SHORT_RECV, SIM_LATE_RECV, SIM_SHORT_SEND, SIM_LATE_SEND, SIM_INTERRUPT,                 \
        SIM_WAIT_INTERRUPT, SIM_WAIT_PARTIAL, SIM_WAIT_LATE, SIM_STALL, SIM_ACCEPT_EMFILE,       \
        SIM_ACCEPT_ABORTED, SIM_CTL_ENOSPC, SIM_WIRE_RESET, SIM_WIRE_TIMEOUT, SIM_CLOCK_FORWARD, \
        SIM_CLOCK_BACK, SIM_MEMORY

#define FETCH_STATES                                                                            \
    "a fetch got its answer", "a fetch was held back", "a fetch had nothing to give yet",       \
        "a fetch was sent again", "a kept connection served", "a fetch was cancelled",          \
        "a fetch was cut short, and knows", "a fetch timed out", "a fetch was refused",         \
        "a client was destroyed at its work", "a handler aborted", "an exchange lost its peer", \
        "a handler paused the content", "a handler used some of the content"

const struct sim_scenario scenario_fetch = {
    .name = "fetch",
    .what = "our client against our server",
    .run = plain_run,
    .faults = {FETCH_FAULTS},
    .fault_count = 17,
    .states = {FETCH_STATES, "a fetch became a tunnel", "a unix socket", NULL},
};

const struct sim_scenario scenario_fetch_http2 = {
    .name = "fetch_http2",
    .what = "our client against our server, over HTTP/2",
    .run = http2_run,
    .faults = {FETCH_FAULTS},
    .fault_count = 17,
    .states = {FETCH_STATES, "a fetch was answered over HTTP/2", NULL},
};

const struct sim_scenario scenario_fetch_tls = {
    .name = "fetch_tls",
    .what = "our client against our server, over TLS",
    .run = tls_run,
    .faults = {FETCH_FAULTS},
    .fault_count = 17,
    .states = {FETCH_STATES, "a fetch became a tunnel", "a fetch was answered over HTTP/2", NULL},
};
