/* Save the files of a form. */
#include <stdio.h>

#include "pollux/pollux.h"

static void saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    (void)exchange;
    printf("%lu bytes\n", (unsigned long)saved->bytes);
    fclose(context);
}

static void on_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    FILE *file = head->filename.ptr ? tmpfile() : NULL; /* never use filename as a path */

    (void)context;
    if (file && px_part_save(exchange, fileno(file), 1 << 30, saved, file) != PX_OK)
        fclose(file);
}

static void on_end(px_exchange *exchange, px_err result, void *context)
{
    (void)context;
    px_respond_text(exchange, result == PX_OK ? 200 : 400, "thanks\n");
}

static void form(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {sizeof(callbacks), on_part, NULL, NULL,
                                                     on_end};

    if (px_request_multipart(exchange, &callbacks, context) != PX_OK)
        px_respond_error(exchange, 415);
}

int main(int argc, char **argv)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    route.content_bytes_max = 1 << 30; /* of all parts; else 1 MiB */
    if (!server ||
        px_server_route_with(server, "POST /form", &route, form, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
