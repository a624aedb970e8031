/*
 * The handler of `pollux proxy`.
 *
 * Happy path: the URLs of the command line become an upstream, what the flags say goes to it and to
 * the proxy as it is.  It can fail by a URL that names no server, and by a file of roots.
 */
#include "main/gateway.h"

#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/place.h"

enum {
    DNS_PORT = 53,
    TOLD_MAX = 10, /* lines a second */
};

/* --- The sandbox ------------------------------------------------------------------------------
 */

/* What libc reads to look a name up; what is not there it does without. */
static px_err allow_names(struct sandbox *sandbox, px_error *out_error)
{
    static const char *const files[] = {"/etc/hosts",    "/etc/resolv.conf", "/etc/nsswitch.conf",
                                        "/etc/gai.conf", "/etc/host.conf",   "/etc/services"};
    px_err err = sandbox_allow_port(sandbox, DNS_PORT, out_error);

    for (size_t i = 0; i < ARRAY_COUNT(files) && err == PX_OK; i++)
        if (access(files[i], R_OK) == 0)
            err = sandbox_allow(sandbox, files[i], LANDLOCK_READ, out_error);
    return err;
}

px_err gateway_allow(struct sandbox *sandbox, const struct gateway_options *gateway,
                     px_error *out_error)
{
    px_err err = PX_OK;
    bool has_name = false;

    for (uint32_t i = 0; i < gateway->url_count && err == PX_OK; i++) {
        struct place place;

        CHECK(place_read(gateway->urls[i], &place));
        sandbox->may_dial = true;
        has_name = has_name || place.is_name;
        if (!place.is_unix)
            err = sandbox_allow_port(sandbox, place.port, out_error);
    }
    return err == PX_OK && has_name ? allow_names(sandbox, out_error) : err;
}

/* --- The handler -------------------------------------------------------------------------------
 */

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

static void on_failure(px_exchange *exchange, unsigned status, const char *text, void *context)
{
    struct gateway *gateway = context;

    if (!may_tell(gateway, px_loop_unix_time(px_exchange_loop(exchange))))
        return;
    if (status == 0)
        diagnostics_tell(LEVEL_WARNING, "an answer was cut: %s", text);
    else
        diagnostics_tell(LEVEL_WARNING, "answered %u: %s", status, text);
}

/* Roots are read here, while files can be reached, and not with the first request. */
static px_err trust_make(const struct gateway_options *gateway, px_tls_trust **out_trust,
                         px_error *out_error)
{
    px_tls_trust_options trust = PX_TLS_TRUST_OPTIONS_DEFAULT;
    bool is_needed = gateway->ca_file != NULL;

    *out_trust = NULL;
    for (uint32_t i = 0; i < gateway->url_count; i++)
        is_needed = is_needed || strncmp(gateway->urls[i], "https:", 6) == 0;
    if (!is_needed)
        return PX_OK;
    trust.ca_file = gateway->ca_file;
    *out_trust = px_tls_trust_create(&trust, out_error);
    return *out_trust ? PX_OK : out_error->code;
}

static px_upstream *upstream_make(px_server *server, const struct gateway_options *gateway,
                                  px_error *out_error)
{
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
    px_upstream *upstream = upstream_make(server, &options->gateway, out_error);

    if (!upstream)
        return out_error->code;
    proxy_options.upstream = upstream;
    proxy_options.trusted_proxies = options->server.trusted_proxies;
    proxy_options.trusted_proxy_count = options->server.trusted_proxy_count;
    proxy_options.on_failure = on_failure;
    proxy_options.failure_context = gateway;
    px_proxy *proxy = px_proxy_create(&proxy_options, out_error);

    px_upstream_destroy(upstream); /* the proxy has a hold of its own */
    return proxy ? routes_make(server, proxy, options, out_error) : out_error->code;
}
