/* Make error pages of your own. */
#include <stdio.h>

#include "pollux/pollux.h"

static void page(px_exchange *exchange, unsigned status, void *context)
{
    char html[64];
    int len = snprintf(html, sizeof(html), "<h1>Sorry: %u</h1>\n", status);

    (void)context;
    px_respond(exchange, status, px_str_of("text/html"), px_str_make(html, (size_t)len));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    options.on_error_page = page; /* 404, 405, 413 and what px_respond_error is given */
    px_server *server = px_server_create(&options, &error);

    if (!server ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
