/*
 * Readiness, for load balancers that ask.
 *
 * The happy path: a middleware before every route compares the path.  It is 503 while a drain is
 * announced and connections are still accepted (--drain-delay), which is the time that a balancer
 * needs.
 */
#include "main/health_path.h"

#include <stdint.h>

#include "base/error.h"
#include "pollux/pollux.h"

static px_verdict on_request(px_exchange *exchange, void *context)
{
    const struct health_path *health = context;
    px_str method = px_request_method(exchange);

    if (!px_str_equal(px_request_path(exchange), px_str_of(health->path)) ||
        (!px_str_equal(method, px_str_of("GET")) && !px_str_equal(method, px_str_of("HEAD"))))
        return PX_NEXT;
    /* An answer from a cache would be about another time. */
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    if (px_server_is_draining(health->server))
        px_respond_text(exchange, 503, "draining\n");
    else
        px_respond_text(exchange, 200, "ok\n");
    return PX_STOP;
}

px_err health_path_register(const struct health_path *health, px_error *out_error)
{
    if (!health->path)
        return error_clear(out_error);
    return px_server_use(health->server, on_request, (void *)(uintptr_t)health, NULL, out_error);
}
