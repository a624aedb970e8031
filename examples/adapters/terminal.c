/*
 * A program with a text interface of its own and a server in it, on one loop of libuv: lines that
 * are typed go to all browsers, as a stream of events, and the lines they post are shown here.
 *
 *     terminal [ADDR]    then: curl -N http://127.0.0.1:8080/events & curl -d hi 127.0.0.1:8080/say
 *
 * Neither waits for the other: a keystroke is a callback of libuv that publishes, a request is one
 * of pollux that prints.  "count" says how many listen; "quit", or the end of input, lets the
 * open streams end and then the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "site.h"

static px_topic *topic;
static uv_pipe_t input;
static char line[1024];
static size_t line_len;

static void show(const char *text, size_t len)
{
    /* What peers sent is not for the terminal to obey. */
    for (size_t i = 0; i < len; i++)
        putchar(text[i] < ' ' || text[i] > '~' ? '?' : text[i]);
    putchar('\n');
    fflush(stdout);
}

/* --- Requests --------------------------------------------------------------------------------- */

static void listen_to(px_exchange *exchange, void *context)
{
    px_events *stream = px_events_accept(exchange, NULL);

    (void)context;
    if (stream && px_topic_subscribe_events(topic, stream) != PX_OK)
        px_events_close(stream);
}

static void say(px_exchange *exchange, void *context)
{
    px_str said = px_request_content(exchange);

    (void)context;
    show(said.ptr, said.len);
    px_respond(exchange, 204, px_str_of(NULL), px_str_of(NULL));
}

/* --- The terminal ----------------------------------------------------------------------------- */

static void leave(px_server *server)
{
    uv_read_stop((uv_stream_t *)&input);
    px_server_drain(server, 0, 2000); /* on_drained stops the loop */
}

static void take_line(px_server *server)
{
    if (strcmp(line, "quit") == 0)
        leave(server);
    else if (strcmp(line, "count") == 0)
        printf("%u listen\n", (unsigned)px_topic_count(topic));
    else if (px_topic_publish(topic, PX_WEBSOCKET_TEXT, px_str_make(line, line_len)) != PX_OK)
        printf("not sent\n");
    fflush(stdout);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out_room)
{
    static char room[256];

    (void)handle, (void)wanted;
    *out_room = uv_buf_init(room, sizeof(room));
}

static void on_input(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    px_server *server = stream->data;

    if (count < 0)
        leave(server);
    for (ssize_t i = 0; i < count; i++) {
        if (bytes->base[i] == '\n') {
            line[line_len] = '\0';
            take_line(server);
            line_len = 0;
        } else if (line_len < sizeof(line) - 1) {
            line[line_len++] = bytes->base[i];
        }
    }
}

static void on_drained(px_server *server, void *context)
{
    (void)server;
    uv_stop(context);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_route_options whole = PX_ROUTE_OPTIONS_INIT;

    whole.content_mode = PX_CONTENT_COLLECT, whole.content_bytes_max = 1024;
    if (server)
        topic = px_topic_create(px_server_loop(server), NULL, &error);
    if (!topic || px_server_route(server, "GET /events", listen_to, NULL, &error) != PX_OK ||
        px_server_route_with(server, "POST /say", &whole, say, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK) {
        fprintf(stderr, "terminal: %s\n", error.text);
        px_topic_destroy(topic);
        px_server_destroy(server);
        return 1;
    }
    px_server_on_drained(server, on_drained, uv_default_loop());
    libuv_attach(px_server_loop(server));
    uv_pipe_init(uv_default_loop(), &input, 0);
    input.data = server;
    if (uv_guess_handle(0) != UV_FILE && uv_pipe_open(&input, 0) == 0)
        uv_read_start((uv_stream_t *)&input, on_alloc, on_input);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    px_topic_destroy(topic); /* behind the run, ahead of the loop that it is on */
    px_server_destroy(server);
    return 0;
}
