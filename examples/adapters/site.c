/*
 * What the adapters serve: answers at once, and answers that callbacks of the other loop make.
 *
 *     curl http://127.0.0.1:8080/{,later,timer,post}
 *
 * What a callback of the other loop does to pollux (an answer, a timer) is work that pollux has to
 * be stepped for, though nothing has come from outside.  So an adapter asks px_loop_timeout_ms
 * ahead of each wait, and not only after its own steps.
 */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>

static void hello(px_exchange *exchange, void *name)
{
    char text[64];

    snprintf(text, sizeof(text), "Hello from %s\n", (const char *)name);
    px_respond_text(exchange, 200, text);
}

static void say(px_exchange *exchange, px_err status, void *context)
{
    (void)status;
    if (exchange) /* else its client has left */
        px_respond_text(exchange, 200, context);
}

/* A kept exchange: how it is found again, and what becomes of it. */
struct kept {
    px_ref ref;
    px_timer *timer;
};

static void kept_free(struct kept *kept)
{
    px_timer_destroy(kept->timer);
    px_ref_release(&kept->ref);
    free(kept);
}

static void on_outer(void *context)
{
    static char text[] = "later\n";

    say(px_ref_get(&((struct kept *)context)->ref), PX_OK, text);
    kept_free(context);
}

static void on_timer(px_timer *timer, void *context)
{
    static char text[] = "timer\n";

    (void)timer;
    say(px_ref_get(&((struct kept *)context)->ref), PX_OK, text);
    kept_free(context);
}

static void start_timer(void *context)
{
    px_timer_start(((struct kept *)context)->timer, 20);
}

/* Answers from a callback of the other loop, or has it start a timer of pollux that does. */
static void keep(px_exchange *exchange, void *call)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (kept)
        kept->timer = px_timer_create(px_exchange_loop(exchange), on_timer, kept);
    if (!kept || !kept->timer) {
        free(kept);
        px_respond_error(exchange, 503);
        return;
    }
    kept->ref = px_exchange_ref(exchange);
    outer_after(20, call ? start_timer : on_outer, kept);
}

static void post(px_exchange *exchange, void *text)
{
    px_ref ref = px_exchange_ref(exchange);

    if (px_ref_post(&ref, say, text) != PX_OK)
        px_respond_error(exchange, 503);
    px_ref_release(&ref);
}

px_server *site_create(const char *name, int argc, char **argv)
{
    static char text[] = "post\n";
    px_error error = PX_ERROR_INIT;
    px_server_options options = {.struct_size = sizeof(options), .head_timeout_ms = 2000};
    px_server *server = px_server_create(&options, &error);

    if (server &&
        px_server_route(server, "GET /{$}", hello, (void *)(uintptr_t)name, &error) == PX_OK &&
        px_server_route(server, "GET /later", keep, NULL, &error) == PX_OK &&
        px_server_route(server, "GET /timer", keep, text, &error) == PX_OK &&
        px_server_route(server, "GET /post", post, text, &error) == PX_OK &&
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) == PX_OK)
        return server;
    fprintf(stderr, "%s: %s\n", name, error.text);
    px_server_destroy(server);
    return NULL;
}
