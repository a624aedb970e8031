/*
 * A loop of pollux on a libuv loop: before each wait its next deadline becomes a timer; its
 * descriptor or that timer steps it.
 */
#include <uv.h>

#include "site.h"

static px_loop *loop;
static uv_prepare_t prepare;
static uv_timer_t timer;
static uv_poll_t poll;

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

void libuv_attach(px_loop *attached)
{
    loop = attached;
    uv_poll_init(uv_default_loop(), &poll, px_loop_fd(loop));
    uv_poll_start(&poll, UV_READABLE, on_ready);
    uv_timer_init(uv_default_loop(), &timer);
    uv_prepare_init(uv_default_loop(), &prepare);
    uv_prepare_start(&prepare, on_prepare);
}
