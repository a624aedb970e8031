/*
 * pollux on a libev loop: before each wait its next deadline becomes a timer; its descriptor or
 * that timer steps it.
 *
 *     libev [ADDR]       curl http://127.0.0.1:8080/
 */
#define EV_COMPAT3 0
#include <ev.h>
#include <stdlib.h>

#include "site.h"

static px_loop *loop;
static ev_timer timer;

static void step(struct ev_loop *outer)
{
    if (px_loop_step(loop, NULL) != PX_OK)
        ev_break(outer, EVBREAK_ALL);
}

static void on_ready(struct ev_loop *outer, ev_io *watcher, int events)
{
    (void)watcher, (void)events;
    step(outer);
}

static void on_timer(struct ev_loop *outer, ev_timer *watcher, int events)
{
    (void)watcher, (void)events;
    step(outer);
}

static void on_prepare(struct ev_loop *outer, ev_prepare *watcher, int events)
{
    int wait_ms = px_loop_timeout_ms(loop);

    (void)watcher, (void)events;
    ev_timer_stop(outer, &timer);
    ev_now_update(outer);
    ev_timer_set(&timer, wait_ms / 1000.0, 0.0);
    if (wait_ms >= 0)
        ev_timer_start(outer, &timer);
}

struct outer {
    ev_timer timer;
    void (*call)(void *context);
    void *context;
};

static void on_outer(struct ev_loop *loop_of, ev_timer *watcher, int events)
{
    struct outer *outer = watcher->data;

    (void)loop_of, (void)events;
    outer->call(outer->context);
    free(outer);
}

void outer_after(unsigned delay_ms, void (*call)(void *context), void *context)
{
    struct outer *outer = malloc(sizeof(*outer));

    if (!outer)
        abort();
    outer->call = call, outer->context = context;
    ev_timer_init(&outer->timer, on_outer, delay_ms / 1000.0, 0.0);
    outer->timer.data = outer;
    ev_timer_start(EV_DEFAULT_ & outer->timer);
}

int main(int argc, char **argv)
{
    px_server *server = site_create("libev", argc, argv);
    ev_prepare prepare;
    ev_io io;

    if (!server)
        return 1;
    loop = px_server_loop(server);
    ev_io_init(&io, on_ready, px_loop_fd(loop), EV_READ);
    ev_io_start(EV_DEFAULT_ & io);
    ev_timer_init(&timer, on_timer, 0.0, 0.0);
    ev_prepare_init(&prepare, on_prepare);
    ev_prepare_start(EV_DEFAULT_ & prepare);
    ev_run(EV_DEFAULT_ 0);
    px_server_destroy(server);
    return 0;
}
