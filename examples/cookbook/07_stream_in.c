/* Take content as it comes, without keeping it. */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    *(unsigned long *)context += bytes.len;
}

static void on_content_end(px_exchange *exchange, void *context)
{
    char text[32];

    snprintf(text, sizeof(text), "%lu bytes\n", *(unsigned long *)context);
    px_respond_text(exchange, 200, text);
}

static void count(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_content = on_content,
                                                    .on_content_end = on_content_end};
    px_exchange_set_callbacks(exchange, &callbacks, context);
}

int main(int argc, char **argv)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    unsigned long bytes = 0; /* of all requests */

    route.content_bytes_max = PX_UNLIMITED_BYTES; /* else 1 MiB */
    if (!server ||
        px_server_route_with(server, "POST /count", &route, count, &bytes, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
