/* Answer a request after a time. */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_timer(px_timer *timer, void *context)
{
    (void)timer;
    px_respond_text(context, 200, "here it is\n");
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    (void)exchange, (void)end;
    px_timer_destroy(context); /* the client may have left before */
}

static void wait(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_end = on_end};
    px_timer *timer = px_timer_create(px_exchange_loop(exchange), on_timer, exchange);

    (void)context;
    px_exchange_set_callbacks(exchange, &callbacks, timer);
    px_timer_start(timer, 50);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /wait", wait, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
