/* Send clients to another address instead. */
#include <stdio.h>

#include "pollux/pollux.h"

static char there[] = "/new/";

static void moved(px_exchange *exchange, void *context)
{
    px_respond_redirect(exchange, 308, px_str_of(context));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "/old/", moved, there, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
