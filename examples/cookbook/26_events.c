/* Tell all browsers that listen what happens. */
#include <stdio.h>

#include "pollux/pollux.h"

static void listen_to(px_exchange *exchange, void *context)
{
    px_events *stream = px_events_accept(exchange, NULL);

    if (stream && px_topic_subscribe_events(context, stream) != PX_OK)
        px_events_close(stream);
}

static void tell(px_exchange *exchange, void *context)
{
    px_topic_publish(context, PX_WEBSOCKET_TEXT, px_request_content(exchange));
    px_respond_text(exchange, 204, "");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_topic *topic = server ? px_topic_create(px_server_loop(server), NULL, &error) : NULL;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    route.content_mode = PX_CONTENT_COLLECT;
    if (!server || !topic ||
        px_server_route(server, "GET /news", listen_to, topic, &error) != PX_OK ||
        px_server_route_with(server, "POST /news", &route, tell, topic, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_topic_destroy(topic);
    px_server_destroy(server);
    return (int)error.code;
}
