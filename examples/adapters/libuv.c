/*
 * pollux on a libuv loop: before each wait its next deadline becomes a timer; its descriptor or
 * that timer steps it.
 *
 *     libuv [ADDR]       curl http://127.0.0.1:8080/
 */
#include <stdlib.h>
#include <uv.h>

#include "site.h"

static px_loop *loop;
static uv_timer_t timer;

static void step(void)
{
    if (px_loop_step(loop, NULL) != PX_OK)
        uv_stop(uv_default_loop());
}

static void on_timer(uv_timer_t *handle)
{
    (void)handle;
    step();
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)handle, (void)status, (void)events;
    step();
}

/* Whatever callbacks of libuv have done to pollux since the last step: this is ahead of the wait.
 */
static void on_prepare(uv_prepare_t *handle)
{
    int wait_ms = px_loop_timeout_ms(loop);

    uv_update_time(handle->loop);
    if (wait_ms < 0)
        uv_timer_stop(&timer);
    else
        uv_timer_start(&timer, on_timer, (uint64_t)wait_ms, 0);
}

struct outer {
    uv_timer_t timer;
    void (*call)(void *context);
    void *context;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_outer(uv_timer_t *handle)
{
    struct outer *outer = handle->data;

    outer->call(outer->context);
    uv_close((uv_handle_t *)handle, on_closed);
}

void outer_after(unsigned delay_ms, void (*call)(void *context), void *context)
{
    struct outer *outer = malloc(sizeof(*outer));

    if (!outer)
        abort();
    outer->call = call, outer->context = context;
    uv_timer_init(uv_default_loop(), &outer->timer);
    outer->timer.data = outer;
    uv_timer_start(&outer->timer, on_outer, delay_ms, 0);
}

int main(int argc, char **argv)
{
    px_server *server = site_create("libuv", argc, argv);
    uv_prepare_t prepare;
    uv_poll_t poll;

    if (!server)
        return 1;
    loop = px_server_loop(server);
    uv_poll_init(uv_default_loop(), &poll, px_loop_fd(loop));
    uv_poll_start(&poll, UV_READABLE, on_ready);
    uv_timer_init(uv_default_loop(), &timer);
    uv_prepare_init(uv_default_loop(), &prepare);
    uv_prepare_start(&prepare, on_prepare);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    px_server_destroy(server);
    return 0;
}
