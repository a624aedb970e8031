/* Forms with files, read as they arrive: counts parts and bytes, and tells.
 *     upload [ADDR]        curl -F 'picture=@cat.jpg' http://127.0.0.1:8080/ */
#include <stdio.h>

#include "pollux/pollux.h"

struct upload {
    unsigned parts;
    size_t bytes;
};

static void on_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    (void)exchange, (void)head; /* head->name, head->filename: what the peer says */
    ((struct upload *)context)->parts++;
}

static void on_part_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    ((struct upload *)context)->bytes += bytes.len; /* a program would write them to a file */
}

static void on_multipart_end(px_exchange *exchange, px_err result, void *context)
{
    struct upload *upload = context;
    char text[64];

    snprintf(text, sizeof(text), "%u parts, %zu bytes\n", upload->parts, upload->bytes);
    px_respond_text(exchange, result == PX_OK ? 200 : 400, result == PX_OK ? text : "bad form\n");
}

static void receive(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {sizeof(callbacks), on_part, on_part_content,
                                                     NULL, on_multipart_end};
    struct upload *upload = px_exchange_alloc(exchange, sizeof(*upload));

    (void)context;
    if (upload)
        *upload = (struct upload){0, 0};
    if (!upload || px_request_multipart(exchange, &callbacks, upload) != PX_OK)
        px_respond_error(exchange, upload ? 415 : 503);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    options.content_bytes_max = PX_UNLIMITED_BYTES;
    px_server *server = px_server_create(&options, &error);

    if (!server || px_server_route(server, "POST /", receive, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "upload: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
