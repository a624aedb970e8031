/* Take the whole content, up to a limit. */
#include <stdio.h>

#include "pollux/pollux.h"

static void got(px_exchange *exchange, px_str content, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_of("application/octet-stream"), content);
}

static void echo(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 64 * 1024, got, context); /* more is answered 413 */
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "POST /echo", echo, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
