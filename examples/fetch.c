/*
 * A small curl: asks for a URL and writes what is answered to stdout.
 *
 *     fetch URL        http://host/path, https://host/path, unix:/path
 */
#include <stdio.h>

#include "pollux/pollux.h"

struct fetch {
    px_loop *loop;
    px_err result;
};

static void on_head(px_fetch *fetch, void *context)
{
    (void)context;
    fprintf(stderr, "fetch: %u\n", px_fetch_status(fetch));
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    (void)fetch;
    (void)context;
    return fwrite(bytes.ptr, 1, bytes.len, stdout); /* fewer would hold the server back */
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct fetch *state = context;

    (void)fetch;
    if (error->code != PX_OK)
        fprintf(stderr, "fetch: %s\n", error->text);
    state->result = error->code;
    px_loop_stop(state->loop);
}

static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                             .on_head = on_head,
                                             .on_content = on_content,
                                             .on_end = on_end};

int main(int argc, char **argv)
{
    px_fetch_options options = PX_FETCH_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    struct fetch state = {px_loop_create(NULL, &error), PX_OK};
    px_client *client = state.loop ? px_client_create(state.loop, NULL, &error) : NULL;

    options.url = px_str_of(argc > 1 ? argv[1] : "http://127.0.0.1:8080/");
    if (!client || !px_fetch_start(client, &options, &callbacks, &state, &error) ||
        px_loop_run(state.loop, &error) != PX_OK)
        fprintf(stderr, "fetch: %s\n", error.text);
    px_client_destroy(client);
    px_loop_destroy(state.loop);
    return error.code == PX_OK && state.result == PX_OK ? 0 : 1;
}
