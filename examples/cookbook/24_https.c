/* Speak HTTPS, and HTTP/2 with it. */
#include <stdio.h>

#include "pollux/pollux.h"

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), px_request_tls_version(exchange));
}

int main(int argc, char **argv)
{
    px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_listener *listener = px_listener_open(argc > 1 ? argv[1] : "127.0.0.1:8080", NULL, &error);
    px_tls *tls = options.tls = px_tls_create(NULL, &error);

    if (!server || !listener || !tls ||
        px_tls_add_self_signed(tls, "localhost", &error) != PX_OK || /* or px_tls_add_certificate */
        px_server_route(server, "GET /", hello, NULL, &error) != PX_OK ||
        px_server_serve_with(server, listener, &options, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    px_tls_destroy(tls);
    return (int)error.code;
}
