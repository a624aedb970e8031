/* Run it in a loop of your own: what is typed goes to all that listen. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "pollux/pollux.h"

static void listen_to(px_exchange *exchange, void *topic)
{
    px_events *stream = px_events_accept(exchange, NULL);

    if (stream && px_topic_subscribe_events(topic, stream) != PX_OK)
        px_events_close(stream);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_loop *loop = px_loop_create(NULL, &error);
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct pollfd waits[] = {{loop ? px_loop_fd(loop) : -1, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    char line[256];

    options.loop = loop;
    px_server *server = px_server_create(&options, &error);
    px_topic *topic = px_topic_create(loop, NULL, &error);

    if (loop && px_server_route(server, "GET /lines", listen_to, topic, &error) == PX_OK &&
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) == PX_OK)
        while (px_loop_step(loop, &error) == PX_OK) {
            ssize_t len = waits[1].revents ? read(STDIN_FILENO, line, sizeof(line)) : -1;

            if (len == 0)
                break;
            if (len > 0) /* leaves work: ask for the timeout behind it, ahead of the wait */
                px_topic_publish(topic, PX_WEBSOCKET_TEXT, px_str_make(line, (size_t)len - 1));
            poll(waits, 2, px_loop_timeout_ms(loop));
        }
    if (error.code != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    /* Its streams end, then what they had subscribed to, then the loop. */
    px_server_destroy(server);
    px_topic_destroy(topic);
    px_loop_destroy(loop);
    return (int)error.code;
}
