/* Take a value of the query, or say that it is missing. */
#include <stdio.h>

#include "pollux/pollux.h"

static void search(px_exchange *exchange, void *context)
{
    px_str words = px_request_query_param(exchange, "q"); /* "a+b%21" is "a b!" here */

    (void)context;
    if (words.ptr)
        px_respond(exchange, 200, px_str_of("text/plain"), words);
    else
        px_respond_error(exchange, 400);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /search", search, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
