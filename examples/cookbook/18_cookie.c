/* Set a cookie and read it. */
#include <stdio.h>

#include "pollux/pollux.h"

static void visit(px_exchange *exchange, void *context)
{
    px_cookie cookie = {.struct_size = sizeof(cookie),
                        .name = px_str_of("seen"),
                        .value = px_str_of("yes"),
                        .path = px_str_of("/"),
                        .same_site = px_str_of("Lax"),
                        .http_only = 1};
    int seen = px_request_cookie(exchange, "seen").ptr != NULL;

    (void)context;
    px_response_add_cookie(exchange, &cookie);
    px_respond_text(exchange, 200, seen ? "again\n" : "welcome\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /{$}", visit, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
