/*
 * The two ways to run a loop, chosen by seed.
 */
#include "sim_drive.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sim_epoll.h"

struct watchman {
    struct sim_event event;
    px_loop *loop;
    bool (*done)(void *context);
    void *context;
};

static void watchman_looks(struct sim_event *event)
{
    struct watchman *watchman = CONTAINER_OF(event, struct watchman, event);

    if (watchman->done(watchman->context))
        px_loop_stop(watchman->loop);
    else
        sim_event_start(&sim_world->clock, event, 20 * SIM_NS_PER_MS, watchman_looks);
}

static void drive_run(px_loop *loop, bool (*done)(void *context), void *context)
{
    struct watchman watchman = {.loop = loop, .done = done, .context = context};
    px_error error;

    sim_event_start(&sim_world->clock, &watchman.event, 0, watchman_looks);
    if (px_loop_run(loop, &error) != PX_OK)
        sim_fail("px_loop_run: %s", error.text);
    sim_event_stop(&sim_world->clock, &watchman.event);
}

static void drive_steps(px_loop *loop, bool (*done)(void *context), void *context)
{
    px_error error;

    while (!done(context)) {
        int timeout_ms = px_loop_timeout_ms(loop);
        int64_t timeout_ns = timeout_ms < 0 ? -1 : (int64_t)timeout_ms * (int64_t)SIM_NS_PER_MS;

        /* Looking at `done` now and then takes no event of its own here. */
        if (timeout_ns < 0 || timeout_ns > (int64_t)(20 * SIM_NS_PER_MS))
            timeout_ns = (int64_t)(20 * SIM_NS_PER_MS);
        (void)sim_poll_wait(px_loop_fd(loop), timeout_ns);
        if (px_loop_step(loop, &error) != PX_OK)
            sim_fail("px_loop_step: %s", error.text);
    }
}

void sim_drive(px_loop *loop, bool (*done)(void *context), void *context)
{
    if (sim_random_chance(&sim_world->random, 32768)) {
        sim_sometimes("the loop ran itself");
        drive_run(loop, done, context);
    } else {
        sim_sometimes("the loop was stepped");
        drive_steps(loop, done, context);
    }
}

void sim_place_choose(struct sim_place *place)
{
    memset(place, 0, sizeof(*place));
    place->address = (void *)place->storage;
    switch (sim_random_below(&sim_world->random, 4)) {
    case 0:
    case 1: {
        struct sockaddr_in *v4 = (void *)place->storage;

        snprintf(place->text, sizeof(place->text), "127.0.0.1:8080");
        v4->sin_family = AF_INET;
        v4->sin_port = htons(8080);
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        place->bytes = sizeof(*v4);
        break;
    }
    case 2: {
        struct sockaddr_in6 *v6 = (void *)place->storage;

        snprintf(place->text, sizeof(place->text), "[::1]:8080");
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(8080);
        v6->sin6_addr = in6addr_loopback;
        place->bytes = sizeof(*v6);
        break;
    }
    case 3: {
        struct sockaddr_un *local = (void *)place->storage;

        snprintf(place->text, sizeof(place->text), "unix:/sim/socket");
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof(local->sun_path), "/sim/socket");
        place->bytes = sizeof(*local);
        sim_sometimes("a unix socket");
        break;
    }
    }
}
