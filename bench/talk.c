/*
 * An embedder with WebSockets: `/` sends each message back, `/room` sends it to all that are there.
 * `talk PORT`; ends on a signal.
 */
#include "pollux/pollux.h"

#include <stdio.h>

static void on_echo(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    (void)context;
    px_websocket_send(socket, kind, message);
}

static void on_enter(px_websocket *socket, void *room)
{
    if (px_topic_subscribe(room, socket) != PX_OK)
        px_websocket_close(socket, 1013, px_str_of("no room"));
}

static void on_say(px_websocket *socket, px_websocket_kind kind, px_str message, void *room)
{
    (void)socket;
    px_topic_publish(room, kind, message);
}

static const px_websocket_events echo = {.struct_size = sizeof(echo), .on_message = on_echo};
static const px_websocket_events talk = {
    .struct_size = sizeof(talk), .on_open = on_enter, .on_message = on_say};

static void accept_with(px_exchange *exchange, const px_websocket_events *events, void *room)
{
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;

    options.detach = 1;
    options.idle_ms = options.ping_ms = PX_OFF;
    px_websocket_accept(exchange, &options, events, room);
}

static void echo_here(px_exchange *exchange, void *context)
{
    accept_with(exchange, &echo, context);
}

static void enter_room(px_exchange *exchange, void *room)
{
    accept_with(exchange, &talk, room);
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    char address[32];

    options.connections_max = 12288;
    snprintf(address, sizeof(address), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    px_server *server = px_server_create(&options, &error);
    px_topic *room = server ? px_topic_create(px_server_loop(server), NULL, &error) : NULL;
    if (!room || px_server_route(server, "GET /{$}", echo_here, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /room", enter_room, room, &error) != PX_OK ||
        px_server_listen(server, address, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "talk: %s\n", error.text);
    px_topic_destroy(room);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
