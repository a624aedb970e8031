/* Answer with JSON and a status of your own. */
#include <stdio.h>

#include "pollux/pollux.h"

static void create(px_exchange *exchange, void *context)
{
    unsigned id = ++*(unsigned *)context;
    char json[64], location[64];
    int len = snprintf(json, sizeof(json), "{\"id\": %u}\n", id);

    snprintf(location, sizeof(location), "/things/%u", id);
    px_response_add_field(exchange, px_str_of("Location"), px_str_of(location)); /* copied */
    px_respond(exchange, 201, px_str_of("application/json"), px_str_make(json, (size_t)len));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    unsigned count = 0;

    if (!server || px_server_route(server, "POST /things", create, &count, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
