/*
 * pollux on a libuv loop, by libuv_attach.c.
 *
 *     libuv [ADDR]       curl http://127.0.0.1:8080/
 */
#include <stdlib.h>
#include <uv.h>

#include "site.h"

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

    if (!server)
        return 1;
    libuv_attach(px_server_loop(server));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    px_server_destroy(server);
    return 0;
}
