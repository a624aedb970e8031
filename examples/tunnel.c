/*
 * A tunnel that sends back what it gets, after `Upgrade: echo`: two-way bytes of your own protocol
 * on a connection that began as HTTP.
 *
 *     tunnel [ADDR]
 */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_receive(px_exchange *exchange, px_str bytes, void *context)
{
    (void)context;
    px_response_write(exchange, bytes);
    if (px_response_room(exchange) < 64 * 1024)
        px_request_pause(exchange); /* the peer does not read: do not read from it either */
}

static void on_room(px_exchange *exchange, void *context)
{
    (void)context;
    px_request_resume(exchange);
}

static void on_receive_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_end(exchange);
}

static const px_tunnel_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                              .on_receive = on_receive,
                                              .on_receive_end = on_receive_end,
                                              .on_room = on_room};

static void upgrade(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_tunnel(exchange, px_str_of("echo"), &callbacks, NULL);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /", upgrade, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "tunnel: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
