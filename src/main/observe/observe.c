/*
 * Routes for an operator.
 */
#include "main/observe/observe.h"

#include "base/check.h"
#include "pollux/pollux.h"

enum {
    OBSERVERS_MAX = 64, /* a few scrapers, a browser, a balancer */
    /* A scrape takes some milliseconds; one that reads slowly is not waited for. */
    LAST_SCRAPE_MS = 500,
    LAST_REQUEST_MS = 50, /* ... and its request is on its way */
};

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
    else if (!px_metrics_is_ready(observe->metrics))
        respond_word(exchange, 503, "no server of an upstream is up\n");
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
    *observe = (struct observe){px_server_create(&options, out_error), watched, counts->metrics};
    if (!observe->server)
        return out_error->code;
    for (size_t i = 0; i < ARRAY_COUNT(routes) && err == PX_OK; i++)
        err = px_server_route(observe->server, routes[i].pattern, routes[i].handler,
                              routes[i].context, out_error);
    return err;
}

static void on_drained(px_server *server, void *context)
{
    (void)server;
    *(bool *)context = true;
}

void observe_drain(struct observe *observe, px_loop *loop)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;
    bool is_drained = false;
    px_error error;

    if (!observe->server)
        return;
    options.deadline_ms = LAST_SCRAPE_MS;
    options.idle_ms = LAST_REQUEST_MS;
    px_server_on_drained(observe->server, on_drained, &is_drained);
    px_err err = px_server_drain_with(observe->server, &options);
    uint64_t end_ms = px_loop_now_ms(loop) + LAST_SCRAPE_MS;

    while (err == PX_OK && !is_drained && px_loop_now_ms(loop) < end_ms)
        err = px_loop_wait(loop, (int)(end_ms - px_loop_now_ms(loop)), &error);
    px_server_on_drained(observe->server, NULL, NULL);
}

void observe_close(struct observe *observe)
{
    px_server_destroy(observe->server);
    observe->server = NULL;
}
