/*
 * A stream of events that counts seconds, as one line of a page's script reads it:
 *
 *     new EventSource("/").addEventListener("tick", event => console.log(event.data))
 *
 *     ticker [ADDR]
 */
#include <stdio.h>

#include "pollux/pollux.h"

static px_topic *topic;

static void on_tick(px_timer *timer, void *context)
{
    unsigned *count = context;
    char text[16];

    px_topic_publish(topic, PX_WEBSOCKET_TEXT,
                     px_str_make(text, (size_t)snprintf(text, sizeof(text), "%u", ++*count)));
    px_timer_start(timer, 1000);
}

static void listen_to(px_exchange *exchange, void *context)
{
    px_events *stream = px_events_accept(exchange, NULL);

    (void)context;
    if (stream && px_topic_subscribe_events(topic, stream) != PX_OK)
        px_events_close(stream);
}

int main(int argc, char **argv)
{
    px_topic_options options = PX_TOPIC_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_timer *timer = NULL;
    unsigned count = 0;

    options.kept_count = 60; /* a page that comes back within a minute misses nothing */
    options.event = "tick";
    if (server && (topic = px_topic_create(px_server_loop(server), &options, &error)) &&
        (timer = px_timer_create(px_server_loop(server), on_tick, &count)))
        px_timer_start(timer, 1000);
    if (!timer || px_server_route(server, "GET /{$}", listen_to, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "ticker: %s\n", error.text);
    px_timer_destroy(timer);
    px_topic_destroy(topic);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
