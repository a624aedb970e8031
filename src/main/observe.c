/*
 * Routes for an operator.
 */
#include "main/observe.h"

#include "base/check.h"
#include "pollux/pollux.h"

enum { OBSERVERS_MAX = 64 /* a few scrapers, a browser, a balancer */ };

static void respond_word(px_exchange *exchange, unsigned status, const char *word)
{
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    px_respond_text(exchange, status, word);
}

/* It answers: it is alive. */
static void handle_health(px_exchange *exchange, void *context)
{
    (void)context;
    respond_word(exchange, 200, "ok\n");
}

static void handle_ready(px_exchange *exchange, void *context)
{
    const struct observe *observe = context;

    if (px_server_is_draining(observe->watched))
        respond_word(exchange, 503, "draining\n");
    else
        respond_word(exchange, 200, "ok\n");
}

px_err observe_open(struct observe *observe, px_loop *loop, const px_server *watched,
                    struct counts *counts, px_error *out_error)
{
    const struct {
        const char *pattern;
        px_handler handler;
        void *context;
    } routes[] = {
        {"GET /metrics", px_metrics_handle, counts->metrics},
        {"GET /status", px_status_handle, counts->metrics},
        {"GET /status.json", px_status_json_handle, counts->metrics},
        {"GET /health", handle_health, NULL},
        {"GET /ready", handle_ready, observe},
    };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_err err = PX_OK;

    options.loop = loop;
    options.connections_max = OBSERVERS_MAX;
    *observe = (struct observe){px_server_create(&options, out_error), watched};
    if (!observe->server)
        return out_error->code;
    for (size_t i = 0; i < ARRAY_COUNT(routes) && err == PX_OK; i++)
        err = px_server_route(observe->server, routes[i].pattern, routes[i].handler,
                              routes[i].context, out_error);
    return err;
}

void observe_close(struct observe *observe)
{
    px_server_destroy(observe->server);
    observe->server = NULL;
}
