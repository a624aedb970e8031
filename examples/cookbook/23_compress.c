/* Compress what clients accept compressed. */
#include <stdio.h>
#include <string.h>

#include "pollux/pollux.h"

static void text(px_exchange *exchange, void *context)
{
    static char text[5000];

    (void)context;
    memset(text, 'x', sizeof(text));
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(text, sizeof(text)));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_compress(server, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /", text, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
