/* Save an upload in a file. */
#include <stdio.h>

#include "pollux/pollux.h"

static void saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    fclose(context);
    if (exchange) /* else the client has left */
        px_respond_text(exchange, saved->status == PX_OK ? 201 : 507,
                        saved->status == PX_OK ? "saved\n" : "no room\n");
}

static void upload(px_exchange *exchange, void *context)
{
    FILE *file = fopen("upload.bin", "wb");

    (void)context;
    if (!file || px_request_save(exchange, fileno(file), 1 << 30, saved, file) != PX_OK)
        px_respond_error(exchange, 500);
}

int main(int argc, char **argv)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    route.content_bytes_max = 1 << 30; /* else 1 MiB */
    if (!server ||
        px_server_route_with(server, "PUT /upload", &route, upload, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
