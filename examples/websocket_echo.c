/*
 * Sends every WebSocket message back, as text or binary as it came, over HTTP/1.1 and HTTP/2.
 *
 *     websocket_echo [ADDR]
 */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    (void)context;
    px_websocket_send(socket, kind,
                      message); /* a full backlog holds the peer back, see `backlog` */
}

static const px_websocket_events events = {.struct_size = sizeof(events), .on_message = on_message};

static void upgrade(px_exchange *exchange, void *context)
{
    px_websocket_accept(exchange, context, &events, NULL); /* or answers 400, 403, 426 */
}

int main(int argc, char **argv)
{
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    options.message_bytes_max = 16 * 1024 * 1024;
    options.fragments_max = 65536;
    options.backlog_bytes_max = 16 * 1024 * 1024;
    options.backlog = PX_BACKLOG_PAUSE;
    options.any_origin = 1;
    options.deflate = 1;
    options.deflate_bytes_min = 1;
    options.detach = 1; /* nothing of the request is asked for any more */
    if (!server || px_server_route(server, "GET /{$}", upgrade, &options, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "websocket_echo: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
