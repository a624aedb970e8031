/* Show how far an upload is. */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "it is here\n");
}

static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                .on_content_end = on_end};

static void upload(px_exchange *exchange, void *context)
{
    px_ref_release(context);
    *(px_ref *)context = px_exchange_ref(exchange); /* of the last upload; it may end at any time */
    px_exchange_set_callbacks(exchange, &callbacks, NULL);
}

static void progress(px_exchange *exchange, void *context)
{
    px_exchange *last = px_ref_get(context);
    char text[64] = "nothing comes\n";

    if (last)
        snprintf(text, sizeof(text), "%llu of %llu\n",
                 (unsigned long long)px_request_received(last),
                 (unsigned long long)px_request_content_length(last));
    px_respond_text(exchange, 200, text);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_ref last = {0};

    if (!server || px_server_route(server, "PUT /upload", upload, &last, &error) != PX_OK ||
        px_server_route(server, "GET /upload", progress, &last, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_ref_release(&last);
    px_server_destroy(server);
    return (int)error.code;
}
