/*
 * A chat room: what one says, all that are there read.  By WebSocket, and where that does not get
 * through by a stream of events and POST.  The page is chat.html, beside this file.
 *
 *     chat [ADDR [PAGE]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "pollux/pollux.h"

#define SAID_BYTES_MAX 4096

struct room {
    px_topic *topic;
    char page[16384];
    size_t page_bytes;
};

static void on_open(px_websocket *socket, void *context)
{
    struct room *room = context;

    px_topic_last(room->topic, socket, 50); /* what was said before one came */
    if (px_topic_subscribe(room->topic, socket) != PX_OK)
        px_websocket_close(socket, 1013, px_str_of("the room is full"));
}

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    struct room *room = context;

    if (kind != PX_WEBSOCKET_TEXT)
        px_websocket_close(socket, 1003, px_str_of("text is what people say"));
    else
        px_topic_publish(room->topic, kind, message);
}

static const px_websocket_events events = {
    .struct_size = sizeof(events), .on_open = on_open, .on_message = on_message};

static void enter(px_exchange *exchange, void *context)
{
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;

    options.message_bytes_max = SAID_BYTES_MAX;
    options.backlog = PX_BACKLOG_CLOSE; /* a page that does not keep up comes back */
    options.deflate = 1;
    px_websocket_accept(exchange, &options, &events, context);
}

static void listen_to(px_exchange *exchange, void *context)
{
    struct room *room = context;
    px_events_options options = {.struct_size = sizeof(options), .backlog = PX_BACKLOG_CLOSE};
    px_events *stream = px_events_accept(exchange, &options);

    if (stream && px_topic_subscribe_events(room->topic, stream) != PX_OK)
        px_events_close(stream);
}

static void say(px_exchange *exchange, void *context)
{
    struct room *room = context;
    px_str said = px_request_content(exchange);
    px_err err = PX_OK;

    if (said.len > SAID_BYTES_MAX)
        px_respond_error(exchange, 413);
    else if ((err = px_topic_publish(room->topic, PX_WEBSOCKET_TEXT, said)) != PX_OK)
        px_respond_error(exchange, err == PX_ERR_INVALID ? 400 : 503); /* no UTF-8 */
    else
        px_respond(exchange, 204, px_str_of(NULL), px_str_of(""));
}

static void page(px_exchange *exchange, void *context)
{
    struct room *room = context;

    px_respond(exchange, 200, px_str_of("text/html; charset=utf-8"),
               px_str_make(room->page, room->page_bytes));
}

static int page_read(struct room *room, const char *path)
{
    FILE *file = fopen(path, "r");

    if (file) {
        room->page_bytes = fread(room->page, 1, sizeof(room->page), file);
        fclose(file);
    }
    return room->page_bytes > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    const char *path = argc > 2 ? argv[2] : "examples/chat.html";
    px_topic_options kept = PX_TOPIC_OPTIONS_DEFAULT;
    px_route_options whole = {.struct_size = sizeof(whole), .content_mode = PX_CONTENT_COLLECT};
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    struct room *room = calloc(1, sizeof(*room));

    kept.kept_count = 50;
    if (!server || !room || page_read(room, path) != 0)
        px_error_set(&error, PX_ERR_NOT_FOUND, 0, "cannot read %s", path);
    else if (!(room->topic = px_topic_create(px_server_loop(server), &kept, &error)) ||
             px_server_route(server, "GET /{$}", page, room, &error) != PX_OK ||
             px_server_route(server, "GET /room", enter, room, &error) != PX_OK ||
             px_server_route(server, "GET /events", listen_to, room, &error) != PX_OK ||
             px_server_route_with(server, "POST /say", &whole, say, room, &error) != PX_OK ||
             px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
             px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "chat: %s\n", error.text);
    px_topic_destroy(room ? room->topic : NULL);
    px_server_destroy(server);
    free(room);
    return error.code == PX_OK ? 0 : 1;
}
