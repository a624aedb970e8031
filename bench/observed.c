/*
 * What counting costs: a server on the library, with metrics or without.
 * `observed PORT [metrics]`; ends on a signal.
 *
 * The program counts always, so that it cannot be compared to itself.
 */
#include "pollux/pollux.h"

#include <stdio.h>
#include <string.h>

static void home(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make("Hello, world!", 13));
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_metrics *metrics = NULL;
    char address[32];

    snprintf(address, sizeof(address), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    if (argc > 2 && strcmp(argv[2], "metrics") == 0) {
        metrics = px_metrics_create(NULL, &error);
        options.metrics = metrics;
    }
    px_server *server = error.code == PX_OK ? px_server_create(&options, &error) : NULL;

    if (!server || px_server_route(server, "GET /{$}", home, NULL, &error) != PX_OK ||
        px_server_listen(server, address, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "observed: %s\n", error.text);
    px_server_destroy(server);
    px_metrics_destroy(metrics);
    return error.code == PX_OK ? 0 : 1;
}
