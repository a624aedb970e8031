/*
 * pollux on a libuv loop: its descriptor is polled, its next deadline is a timer, and either steps
 * it.
 *
 *     libuv [ADDR]       curl http://127.0.0.1:8080/
 */
#include <stdio.h>
#include <uv.h>

#include "pollux/pollux.h"

static px_loop *loop;
static uv_timer_t timer;

static void step(void);

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

/* After each step it says anew how long it can wait. */
static void step(void)
{
    int wait_ms;

    if (px_loop_step(loop, NULL) != PX_OK)
        uv_stop(uv_default_loop());
    wait_ms = px_loop_timeout_ms(loop);
    if (wait_ms < 0)
        uv_timer_stop(&timer);
    else
        uv_timer_start(&timer, on_timer, (uint64_t)wait_ms, 0);
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello from libuv\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server_options options = {.struct_size = sizeof(options), .head_timeout_ms = 2000};
    px_server *server = px_server_create(&options, &error);
    uv_poll_t poll;

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK) {
        fprintf(stderr, "libuv: %s\n", error.text);
        return 1;
    }
    loop = px_server_loop(server);
    uv_poll_init(uv_default_loop(), &poll, px_loop_fd(loop));
    uv_poll_start(&poll, UV_READABLE, on_ready);
    uv_timer_init(uv_default_loop(), &timer);
    step();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    px_server_destroy(server);
    return 0;
}
