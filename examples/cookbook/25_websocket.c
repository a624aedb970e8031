/* Send and receive over a WebSocket. */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    (void)context;
    (void)px_websocket_send(socket, kind, message);
}

static void talk(px_exchange *exchange, void *context)
{
    static const px_websocket_events events = {.struct_size = sizeof(events),
                                               .on_message = on_message};
    px_websocket_accept(exchange, NULL, &events, context); /* or answers what is no handshake */
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /talk", talk, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
