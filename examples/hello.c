/*
 * The smallest server: one route, one answer.
 *
 *     hello [ADDR]        then: curl http://127.0.0.1:8080/
 */
#include <stdio.h>

#include "pollux/pollux.h"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:8080";
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(&options, &error);

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, address, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "hello: %s\n", error.text);

    px_server_destroy(server); /* NULL is fine */
    return error.code == PX_OK ? 0 : 1;
}
