/*
 * A server that speaks TLS: with a certificate and its key, or with one made on the spot.
 *
 *     https [ADDR [CERT KEY]]        then: curl -k https://127.0.0.1:8443/
 *
 * HTTP/2 comes by itself where the client offers it.
 */
#include <stdio.h>
#include <string.h>

#include "pollux/pollux.h"

static void whoami(px_exchange *exchange, void *context)
{
    px_str name = px_request_server_name(exchange), version = px_request_tls_version(exchange);
    char text[512];
    int len = snprintf(text, sizeof(text), "%.*s by %.*s\n", (int)name.len,
                       name.ptr ? name.ptr : "", (int)version.len, version.ptr ? version.ptr : "");

    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(text, (size_t)len));
}

static px_err certify(px_tls *tls, int argc, char **argv, px_error *error)
{
    return argc > 3 ? px_tls_add_certificate(tls, argv[2], argv[3], error)
                    : px_tls_add_self_signed(tls, NULL, error);
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:8443";
    px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_tls *tls = server ? px_tls_create(NULL, &error) : NULL;
    px_listener *listener = tls ? px_listener_open(address, NULL, &error) : NULL;

    options.tls = tls;
    if (!listener || px_server_route(server, "GET /", whoami, NULL, &error) != PX_OK ||
        certify(tls, argc, argv, &error) != PX_OK ||
        px_server_serve_with(server, listener, &options, &error) != PX_OK)
        px_listener_close(listener);
    else if (px_server_run(server, &error) == PX_OK)
        puts("https: bye");

    if (error.code != PX_OK)
        fprintf(stderr, "https: %s\n", error.text);
    px_server_destroy(server);
    px_tls_destroy(tls); /* after the server */
    return error.code == PX_OK ? 0 : 1;
}
