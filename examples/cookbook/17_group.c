/* Put routes under a prefix, with limits of their own. */
#include <stdio.h>

#include "pollux/pollux.h"

static void list(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "one two\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_route_options rules = PX_ROUTE_OPTIONS_DEFAULT;
    px_group *api;

    rules.content_bytes_max = 4096, rules.total_timeout_ms = 5000;
    if (!server || px_server_group(server, "/api", &rules, &api, &error) != PX_OK ||
        px_group_route(api, "GET /things", NULL, list, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
