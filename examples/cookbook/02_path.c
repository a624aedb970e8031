/* Take a part of the path. */
#include <stdio.h>

#include "pollux/pollux.h"

static void show(px_exchange *exchange, void *context)
{
    px_str id = px_request_param(exchange, "id"); /* decoded; lives as long as the exchange */

    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), id);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /users/{id}", show, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
