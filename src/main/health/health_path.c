/*
 * Readiness, for load balancers that ask.
 *
 * The happy path: a route of its own, whose answers have no line in the log.  It is 503 while a
 * drain is announced and connections are still accepted (--drain-delay), which is the time that a
 * balancer needs.
 */
#include "main/health/health_path.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "pollux/pollux.h"

enum { PATTERN_BYTES = HEALTH_PATH_BYTES_MAX + 16 };

static void on_request(px_exchange *exchange, void *context)
{
    const struct health_path *health = context;

    /* An answer from a cache would be about another time. */
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    if (px_server_is_draining(health->server))
        px_respond_text(exchange, 503, "draining\n");
    else
        px_respond_text(exchange, 200, "ok\n");
}

px_err health_path_register(const struct health_path *health, px_error *out_error)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    char pattern[PATTERN_BYTES];

    if (!health->path)
        return error_clear(out_error);
    size_t len = strlen(health->path);

    CHECK(len > 0 && len <= HEALTH_PATH_BYTES_MAX);
    options.no_log = 1;
    /* A slash at its end would stand for all that is below. */
    snprintf(pattern, sizeof(pattern), "GET %s%s", health->path,
             health->path[len - 1] == '/' ? "{$}" : "");
    return px_server_route_with(health->server, pattern, &options, on_request,
                                (void *)(uintptr_t)health, out_error);
}
