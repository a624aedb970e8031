/* Make a request to another server. */
#include <stdio.h>

#include "pollux/pollux.h"

struct asking {
    px_loop *loop;
    px_err result;
};

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    (void)fetch, (void)context;
    return fwrite(bytes.ptr, 1, bytes.len, stdout);
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct asking *asking = context;

    fprintf(stderr, "%u %s\n", px_fetch_status(fetch), error->text);
    asking->result = error->code;
    px_loop_stop(asking->loop);
}

int main(int argc, char **argv)
{
    static const px_fetch_callbacks callbacks = {
        .struct_size = sizeof(callbacks), .on_content = on_content, .on_end = on_end};
    px_fetch_options options = PX_FETCH_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    struct asking asking = {px_loop_create(NULL, &error), PX_OK};
    px_client *client = px_client_create(asking.loop, NULL, &error);

    options.url = px_str_of(argc > 1 ? argv[1] : "http://127.0.0.1:8080/");
    if (!px_fetch_start(client, &options, &callbacks, &asking, &error) ||
        px_loop_run(asking.loop, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_client_destroy(client);
    px_loop_destroy(asking.loop);
    return (int)(error.code ? error.code : asking.result);
}
