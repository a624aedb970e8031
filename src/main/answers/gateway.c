/*
 * The handler of `pollux proxy`.
 *
 * Happy path: the URLs of the command line become an upstream, what the flags say goes to it and to
 * the proxy as it is.  It can fail by a URL that names no server, and by a file of roots.
 */
#include "main/answers/gateway.h"

#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/error.h"
#include "config/config.h"
#include "main/answers/place.h"
#include "main/diagnostics.h"

enum {
    TOLD_MAX = 10, /* lines a second */
};

/* --- The sandbox ------------------------------------------------------------------------------ */

px_err gateway_allow(struct sandbox *sandbox, const struct gateway_options *gateway,
                     px_error *out_error)
{
    px_err err = PX_OK;
    bool has_name = false;

    for (uint32_t i = 0; i < gateway->url_count && err == PX_OK; i++)
        err = place_allow(sandbox, gateway->urls[i], &has_name, out_error);
    return err == PX_OK && has_name ? place_allow_names(sandbox, out_error) : err;
}

/* --- The handler ------------------------------------------------------------------------------ */

/* The access log has every request that failed; of why they did, so many lines a second are told.
 */
static bool may_tell(struct gateway *gateway, int64_t now)
{
    if (gateway->second != now) {
        gateway->second = now;
        gateway->told = 0;
    }
    return gateway->told++ < TOLD_MAX;
}

void gateway_on_failure(px_exchange *exchange, unsigned status, const char *text, void *context)
{
    struct gateway *gateway = context;

    if (!may_tell(gateway, px_loop_unix_time(px_exchange_loop(exchange))))
        return;
    if (status == 0)
        diagnostics_tell(LEVEL_WARNING, "an answer was cut: %s", text);
    else
        diagnostics_tell(LEVEL_WARNING, "answered %u: %s", status, text);
}

void gateway_on_denied(const char *root, const char *path, void *context)
{
    size_t len = strlen(root);

    if (may_tell(context, time(NULL)))
        diagnostics_tell(LEVEL_WARNING, "cannot read %s%s%s: permission denied", root,
                         len > 0 && root[len - 1] == '/' ? "" : "/", path);
}

/* Roots are read here, while files can be reached, and not with the first request. */
static px_err trust_make(const struct gateway_options *gateway, px_tls_trust **out_trust,
                         px_error *out_error)
{
    bool is_needed = gateway->trust.ca_file || gateway->trust.certificate_file;

    *out_trust = NULL;
    for (uint32_t i = 0; i < gateway->url_count; i++)
        is_needed = is_needed || strncmp(gateway->urls[i], "https:", 6) == 0;
    if (!is_needed)
        return PX_OK;
    *out_trust = px_tls_trust_create(&gateway->trust, out_error);
    return *out_trust ? PX_OK : out_error->code;
}

void gateway_on_change(const px_upstream *upstream, const char *text, void *context)
{
    (void)upstream;
    (void)context;
    diagnostics_tell(LEVEL_WARNING, "%s", text);
}

void gateway_on_debug(const char *text)
{
    diagnostics_tell(LEVEL_DEBUG, "%s", text);
}

static px_upstream *upstream_make(const struct gateway *counting, px_server *server,
                                  const struct options *given, px_error *out_error)
{
    const struct gateway_options *gateway = &given->gateway;
    px_upstream_server servers[UPSTREAM_COUNT_MAX];
    px_upstream_options options = gateway->upstream;
    px_tls_trust *trust;

    for (uint32_t i = 0; i < gateway->url_count; i++)
        servers[i] =
            (px_upstream_server){.struct_size = sizeof(servers[i]), .url = gateway->urls[i]};
    if (trust_make(gateway, &trust, out_error) != PX_OK)
        return NULL;
    options.loop = px_server_loop(server);
    options.servers = servers;
    options.server_count = gateway->url_count;
    options.hash_key = gateway->hash_key;
    options.trust = trust;
    options.board = given->run.shared->board;
    options.check = gateway->check.path ? &gateway->check : NULL;
    options.on_change = gateway_on_change;
    options.metrics = counting->metrics;
    px_upstream *upstream = px_upstream_create(&options, out_error);

    px_tls_trust_destroy(trust); /* the upstream has a hold of its own */
    return upstream;
}

/* What a client sends is as long as its server takes; here it is not kept. */
static px_err routes_make(px_server *server, px_proxy *proxy, const struct options *options,
                          px_error *out_error)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    if (options->server.content_bytes_max == 0)
        route.content_bytes_max = PX_UNLIMITED_BYTES;
    px_err err =
        px_server_route_with(server, "CONNECT /", &route, px_proxy_handle, proxy, out_error);

    if (err != PX_OK)
        return err;
    route.release = px_proxy_destroy;
    return px_server_route_with(server, "/", &route, px_proxy_handle, proxy, out_error);
}

px_err gateway_register(struct gateway *gateway, px_server *server, const struct options *options,
                        px_error *out_error)
{
    px_proxy_options proxy_options = options->gateway.proxy;
    px_upstream *upstream = upstream_make(gateway, server, options, out_error);

    if (!upstream)
        return out_error->code;
    proxy_options.upstream = upstream;
    proxy_options.trusted_proxies = options->server.trusted_proxies;
    proxy_options.trusted_proxy_count = options->server.trusted_proxy_count;
    proxy_options.on_failure = gateway_on_failure;
    proxy_options.failure_context = gateway;
    px_proxy *proxy = px_proxy_create(&proxy_options, out_error);

    px_upstream_destroy(upstream); /* the proxy has a hold of its own */
    return proxy ? routes_make(server, proxy, options, out_error) : out_error->code;
}
