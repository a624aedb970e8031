/* Ask for a token before any handler. */
#include <stdio.h>

#include "pollux/pollux.h"

static char token[] = "sesame";

static px_verdict check(px_exchange *exchange, void *context)
{
    if (px_str_equal(px_request_field(exchange, "X-Token"), px_str_of(context)))
        return PX_NEXT;
    px_respond_error(exchange, 401);
    return PX_STOP;
}

static void secret(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "42\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_use(server, check, token, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /secret", secret, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
