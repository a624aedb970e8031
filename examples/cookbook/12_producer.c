/* Make content while it is sent. */
#include <stdio.h>

#include "pollux/pollux.h"

static px_pull pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes, void *context)
{
    unsigned *line = context;

    (void)exchange;
    *out_bytes = (size_t)snprintf(out, room, "line %u\n", ++*line);
    return *line < 1000 ? PX_PULL_MORE : PX_PULL_END;
}

static void lines(px_exchange *exchange, void *context)
{
    unsigned *line = px_exchange_alloc(exchange, sizeof(*line));
    px_producer producer = {sizeof(producer), pull, NULL, line};

    (void)context;
    if (!line)
        return px_respond_error(exchange, 503);
    *line = 0;
    px_respond_producer(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN, &producer);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /lines", lines, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
