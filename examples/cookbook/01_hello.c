/* Answer every request with a text. */
#include <stdio.h>

#include "pollux/pollux.h"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
