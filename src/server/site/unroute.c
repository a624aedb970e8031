/*
 * Routes that are taken out, also while their site is served.
 *
 * Happy path: the router forgets a pattern, and the next request does not find it.  What has begun
 * goes on: the route and all that it was given stay until the site ends.
 */
#include "base/error.h"
#include "server/server.h"
#include "server/site/site.h"

px_err px_host_unroute(px_host *host, const char *pattern, px_error *out_error)
{
    if (!host || !pattern)
        return error_set(out_error, host ? PX_ERR_INVALID : PX_ERR_CLOSED, 0, "%s",
                         host ? "no pattern to take out" : "another site is served");
    return router_remove(host->router, pattern, out_error);
}

px_err px_server_unroute(px_server *server, const char *pattern, px_error *out_error)
{
    return px_host_unroute(server->own, pattern, out_error);
}
