/* Read the values of a form. */
#include <stdio.h>

#include "pollux/pollux.h"

static void greet(px_exchange *exchange, void *context)
{
    px_str name = px_request_form_param(exchange, "name");

    (void)context;
    px_respond(exchange, name.ptr ? 200 : 422, px_str_of("text/plain"),
               name.ptr ? name : px_str_of("no name"));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    route.content_mode = PX_CONTENT_COLLECT; /* the handler is called with all of it */
    if (!server ||
        px_server_route_with(server, "POST /greet", &route, greet, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
