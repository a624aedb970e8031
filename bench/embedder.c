/*
 * An embedder as there are many: three routes, of which the one that is measured reads a field and
 * a query parameter and makes its answer of them. `embedder PORT`; ends on a signal.
 *
 * `GET /hello?name=world` with `Accept-Language: en` is answered `Hello, world!`, as many bytes as
 * the other servers of the bench answer.
 */
#include "pollux/pollux.h"

#include <stdio.h>

static void answer_text(px_exchange *exchange, const char *text, int bytes)
{
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(text, (size_t)bytes));
}

static void home(px_exchange *exchange, void *context)
{
    (void)context;
    answer_text(exchange, "Hello, world!", 13);
}

static void hello(px_exchange *exchange, void *context)
{
    px_str language = px_request_field(exchange, "Accept-Language");
    px_str name = px_request_query_param(exchange, "name");
    char text[128];

    (void)context;
    int bytes = snprintf(text, sizeof(text), "%s, %.*s!",
                         px_str_equal(language, px_str_of("fr")) ? "Bonjour" : "Hello",
                         name.len > 64 ? 64 : (int)name.len, name.ptr ? name.ptr : "");
    answer_text(exchange, text, bytes);
}

static void user(px_exchange *exchange, void *context)
{
    px_str id = px_request_param(exchange, "id");

    (void)context;
    px_respond(exchange, 200, px_str_of("text/plain"), id);
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    char address[32];

    snprintf(address, sizeof(address), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    px_server *server = px_server_create(&options, &error);
    if (!server || px_server_route(server, "GET /{$}", home, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /hello", hello, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /users/{id}", user, NULL, &error) != PX_OK ||
        px_server_listen(server, address, &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "embedder: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
