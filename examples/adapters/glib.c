/*
 * pollux on a GLib main loop: a source that polls its descriptor and says when it is due.
 *
 *     glib [ADDR]        curl http://127.0.0.1:8080/
 */
#include <glib.h>
#include <stdio.h>

#include "pollux/pollux.h"

struct source {
    GSource base;
    px_loop *loop;
};

static gboolean prepare(GSource *source, int *timeout_ms)
{
    *timeout_ms = px_loop_timeout_ms(((struct source *)source)->loop);
    return *timeout_ms == 0;
}

static gboolean check(GSource *source)
{
    (void)source; /* a step with nothing to do costs a system call */
    return TRUE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *context)
{
    (void)callback, (void)context;
    return px_loop_step(((struct source *)source)->loop, NULL) == PX_OK;
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello from GLib\n");
}

int main(int argc, char **argv)
{
    static GSourceFuncs functions = {.prepare = prepare, .check = check, .dispatch = dispatch};
    px_error error = PX_ERROR_INIT;
    px_server_options options = {.struct_size = sizeof(options), .head_timeout_ms = 2000};
    px_server *server = px_server_create(&options, &error);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    GSource *source = g_source_new(&functions, sizeof(struct source));

    if (!server || px_server_route(server, "GET /{$}", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK) {
        fprintf(stderr, "glib: %s\n", error.text);
        return 1;
    }
    ((struct source *)source)->loop = px_server_loop(server);
    g_source_add_unix_fd(source, px_loop_fd(px_server_loop(server)), G_IO_IN);
    g_source_attach(source, NULL);
    g_main_loop_run(main_loop);
    px_server_destroy(server);
    return 0;
}
