/*
 * Serves a folder beneath /static/, with a page of its own for what is not there.
 *
 *     files [ADDR [FOLDER]]       then: curl http://127.0.0.1:8080/static/
 */
#include <stdio.h>

#include "pollux/pollux.h"

static void home(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_redirect(exchange, 302, px_str_of("/static/"));
}

int main(int argc, char **argv)
{
    static const px_files_rule rules[] = {PX_FILES_RULE("*.css", "max-age=3600"),
                                          PX_FILES_RULE("*", "no-cache")};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_files_options files_options = PX_FILES_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:8080";
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(&options, &error);

    files_options.listing = 1;
    files_options.rules = rules;
    files_options.rule_count = 2;
    px_files *files = px_files_create(argc > 2 ? argv[2] : ".", &files_options, &error);

    route.release = px_files_destroy; /* the server ends it, from here on */
    if (!server || !files ||
        px_server_route_with(server, "/static/", &route, px_files_handle, files, &error) != PX_OK ||
        px_server_route(server, "GET /{$}", home, NULL, &error) != PX_OK ||
        px_server_listen(server, address, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "files: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
