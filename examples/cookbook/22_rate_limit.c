/* Answer each client so many times a minute. */
#include <stdio.h>

#include "pollux/pollux.h"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "hello\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_rate_limit_options options = PX_RATE_LIMIT_OPTIONS_DEFAULT;

    options.count = 2, options.per_ms = 60 * 1000; /* then 429, with Retry-After */
    px_rate_limit *limit = px_rate_limit_create(&options, &error);

    if (!server || !limit ||
        px_server_use(server, px_rate_limit_check, limit, px_rate_limit_destroy, &error) != PX_OK ||
        px_server_route(server, "GET /", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
