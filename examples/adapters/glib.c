/*
 * pollux on a GLib main loop: a source that polls its descriptor and says when it is due.
 *
 *     glib [ADDR]        curl http://127.0.0.1:8080/
 */
#include <glib.h>

#include "site.h"

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

struct outer {
    void (*call)(void *context);
    void *context;
};

static gboolean on_outer(void *context)
{
    struct outer outer = *(struct outer *)context;

    g_free(context);
    outer.call(outer.context);
    return G_SOURCE_REMOVE;
}

void outer_after(unsigned delay_ms, void (*call)(void *context), void *context)
{
    struct outer *outer = g_new(struct outer, 1);

    outer->call = call, outer->context = context;
    g_timeout_add(delay_ms, on_outer, outer);
}

int main(int argc, char **argv)
{
    static GSourceFuncs functions = {.prepare = prepare, .check = check, .dispatch = dispatch};
    px_server *server = site_create("GLib", argc, argv);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    GSource *source = g_source_new(&functions, sizeof(struct source));

    if (!server)
        return 1;
    ((struct source *)source)->loop = px_server_loop(server);
    g_source_add_unix_fd(source, px_loop_fd(px_server_loop(server)), G_IO_IN);
    g_source_attach(source, NULL);
    g_main_loop_run(main_loop);
    px_server_destroy(server);
    return 0;
}
