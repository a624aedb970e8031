/*
 * pollux on systemd's sd-event: an I/O source, and a time source that a prepare callback sets.
 *
 *     sd_event [ADDR]    curl http://127.0.0.1:8080/
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "pollux/pollux.h"

static px_loop *loop;
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

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello from sd-event\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server_options options = {.struct_size = sizeof(options), .head_timeout_ms = 2000};
    px_server *server = px_server_create(&options, &error);
    sd_event_source *io = NULL;
    sd_event *event = NULL;

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK) {
        fprintf(stderr, "sd_event: %s\n", error.text);
        return 1;
    }
    loop = px_server_loop(server);
    if (sd_event_default(&event) < 0 ||
        sd_event_add_io(event, &io, px_loop_fd(loop), EPOLLIN, on_ready, NULL) < 0 ||
        sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 0, 1000, on_timer, NULL) < 0 ||
        sd_event_source_set_prepare(io, prepare) < 0 || sd_event_loop(event) < 0)
        fprintf(stderr, "sd_event: the event loop failed\n");
    px_server_destroy(server);
    return 1;
}
