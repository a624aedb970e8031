/*
 * metrics and status: what the process counts, as the answer of a route.
 *
 * What is shown is of all workers, and known to the process that serves alone; a configuration that
 * is only read has nothing to show.
 */
#include "base/check.h"
#include "config/site/build.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* They can be read (RFC 9110 section 15.5.6). */
static bool is_read(px_exchange *exchange)
{
    px_str method = px_request_method(exchange);

    return px_str_equal(method, px_str_of("GET")) || px_str_equal(method, px_str_of("HEAD"));
}

static void observe_handle(px_exchange *exchange, const struct config *config, px_handler show)
{
    if (!is_read(exchange)) {
        px_response_add_field(exchange, px_str_of("Allow"), px_str_of("GET, HEAD, OPTIONS"));
        if (px_str_equal(px_request_method(exchange), px_str_of("OPTIONS")))
            px_respond(exchange, 204, px_str_of(NULL), px_str_make("", 0));
        else
            px_respond_error(exchange, 405);
    } else if (config->metrics) {
        show(exchange, config->metrics);
    } else {
        px_respond_error(exchange, 503);
    }
}

static void metrics_handle(px_exchange *exchange, void *config)
{
    observe_handle(exchange, config, px_metrics_handle);
}

static void status_handle(px_exchange *exchange, void *config)
{
    observe_handle(exchange, config, px_status_handle);
}

/* The route holds the configuration. */
bool build_observe(struct build *build, const struct config_node *node,
                   struct build_answer *out_answer)
{
    CHECK(node_is(node, "metrics") || node_is(node, "status"));
    *out_answer = (struct build_answer){
        .handler = node_is(node, "metrics") ? metrics_handle : status_handle,
        .context = build->config,
    };
    return true;
}
