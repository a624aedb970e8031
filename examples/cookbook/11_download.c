/* Send a file under another name. */
#include <stdio.h>

#include "pollux/pollux.h"

static void report(px_exchange *exchange, void *context)
{
    px_response_add_field(exchange, px_str_of("Content-Disposition"),
                          px_str_of("attachment; filename=\"report.txt\""));
    px_files_respond(context, exchange,
                     px_str_of("report.txt")); /* ranges and all; 404 without it */
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_files *files = px_files_create(".", NULL, &error);
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    route.release = px_files_destroy;
    if (!server || !files ||
        px_server_route_with(server, "GET /report", &route, report, files, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
