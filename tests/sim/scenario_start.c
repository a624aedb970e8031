/*
 * Starting when something fails: the n-th call of a kind, or the n-th allocation.
 *
 * Whatever it is and whenever it happens, a server is there and answers, or a setup call says no
 * with a line of text; and then nothing is left of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"
#include "sim_client.h"
#include "sim_drive.h"
#include "sim_memory.h"
#include "sim_site.h"
#include "sim_weather.h"

struct start {
    struct sim_place place;
    struct sim_site site;
    struct sim_memory memory;
    struct sim_client client;
    px_server *server;
};

/* A call and how it may fail.  "memory" is an allocation (sim_memory.c). */
static const struct {
    const char *call;
    int sys_errno;
} plans[] = {{"memory", ENOMEM},     {"epoll_create1", EMFILE},   {"eventfd", ENFILE},
             {"epoll_ctl", ENOMEM},  {"socket", EMFILE},          {"bind", EACCES},
             {"listen", EADDRINUSE}, {"setsockopt", ENOPROTOOPT}, {"getsockname", ENOBUFS},
             {"getrandom", ENOSYS},  {"fchmod", EPERM},           {"open", EMFILE}};

static px_err start_try(struct start *start, px_error *out_error)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_err err;

    options.allocator = &start->memory.allocator;
    start->server = px_server_create(&options, out_error);
    if (!start->server)
        return out_error->code;
    err = sim_site_routes(&start->site, start->server, &start->memory.allocator, out_error);
    return err == PX_OK ? px_server_listen(start->server, start->place.text, out_error) : err;
}

static bool start_done(void *context)
{
    const struct start *start = context;

    return sim_client_done(&start->client);
}

/* It started, with or without what failed: one client must be served. */
static void start_serves(struct start *start)
{
    sim_sometimes("it started");
    sim_client_make(&start->client, 0, start->place.storage, start->place.bytes, true);
    sim_drive(px_server_loop(start->server), start_done, start);
    bool excused = sim_weather_cuts();

    px_server_destroy(start->server);
    sim_client_judge(&start->client, excused);
    sim_client_end(&start->client);
    sim_site_join(&start->site);
    sim_site_check(&start->site);
}

static void start_run(void)
{
    struct start *start = calloc(1, sizeof(*start));
    struct sim_weather weather;
    struct sim_faults *faults = &sim_world->faults;
    px_error error = {.code = PX_ERR_SYSTEM};

    if (!start)
        abort();
    size_t plan = (size_t)sim_random_below(&sim_world->random, sizeof(plans) / sizeof(plans[0]));

    /* Allocations are many, and the most of what can fail. */
    if (sim_random_chance(&sim_world->random, 32768))
        plan = 0;
    faults->planned_call = plans[plan].call;
    faults->planned_errno = plans[plan].sys_errno;
    faults->planned_in = sim_random_skewed(&sim_world->random, 1, plan == 0 ? 100 : 6);
    sim_weather_wire();
    sim_site_init(&start->site);
    sim_place_choose(&start->place);
    sim_memory_init(&start->memory);
    sim_weather_begin(&weather, 60, 900);
    px_err err = start_try(start, &error);

    faults->planned_call = NULL;
    if (err == PX_OK) {
        start_serves(start);
    } else {
        sim_sometimes("it did not start");
        if (error.code != err || error.text[0] == '\0' || strchr(error.text, '\n'))
            sim_fail("a setup call failed with %d, and said %d: '%s'", (int)err, (int)error.code,
                     error.text);
        if (faults->injected[SIM_CALL_FAILED] == 0)
            sim_fail("it did not start although nothing failed: %s", error.text);
        px_server_destroy(start->server);
    }
    sim_weather_end(&weather);
    sim_memory_check(&start->memory);
    free(start);
}

const struct sim_scenario scenario_start = {
    .name = "start",
    .what = "starting when the n-th call or allocation fails",
    .run = start_run,
    .faults = {SIM_CALL_FAILED},
    .fault_count = 1,
    .states = {"it started", "it did not start", "a client got every answer", NULL},
};
