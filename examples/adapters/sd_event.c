/*
 * pollux on systemd's sd-event: an I/O source, and a time source that a prepare callback sets.
 *
 *     sd_event [ADDR]    curl http://127.0.0.1:8080/
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "site.h"

static px_loop *loop;
static sd_event *event;
static sd_event_source *timer;

static int step(void)
{
    return px_loop_step(loop, NULL) == PX_OK ? 0 : -1;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source, (void)fd, (void)events, (void)context;
    return step();
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source, (void)usec, (void)context;
    return step();
}

static int prepare(sd_event_source *source, void *context)
{
    int wait_ms = px_loop_timeout_ms(loop);

    (void)source, (void)context;
    if (wait_ms < 0)
        return sd_event_source_set_enabled(timer, SD_EVENT_OFF);
    sd_event_source_set_time_relative(timer, (uint64_t)wait_ms * 1000);
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

struct outer {
    void (*call)(void *context);
    void *context;
};

static int on_outer(sd_event_source *source, uint64_t usec, void *context)
{
    struct outer outer = *(struct outer *)context;

    (void)usec;
    free(context);
    sd_event_source_disable_unref(source);
    outer.call(outer.context);
    return 0;
}

void outer_after(unsigned delay_ms, void (*call)(void *context), void *context)
{
    struct outer *outer = malloc(sizeof(*outer));
    sd_event_source *source;

    if (!outer)
        abort();
    outer->call = call, outer->context = context;
    if (sd_event_add_time_relative(event, &source, CLOCK_MONOTONIC, (uint64_t)delay_ms * 1000, 1000,
                                   on_outer, outer) < 0)
        abort();
}

int main(int argc, char **argv)
{
    px_server *server = site_create("sd-event", argc, argv);
    sd_event_source *io = NULL;

    if (!server)
        return 1;
    loop = px_server_loop(server);
    if (sd_event_default(&event) < 0 ||
        sd_event_add_io(event, &io, px_loop_fd(loop), EPOLLIN, on_ready, NULL) < 0 ||
        sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 0, 1000, on_timer, NULL) < 0 ||
        sd_event_source_set_prepare(io, prepare) < 0 || sd_event_loop(event) < 0)
        fprintf(stderr, "sd_event: the event loop failed\n");
    px_server_destroy(server);
    return 1;
}
