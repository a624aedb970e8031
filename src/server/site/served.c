/*
 * What a server serves.
 *
 * Happy path: a site of its own, with one host, from its options; later another in its place, by a
 * pointer: what has begun has its site pinned.  A site that nothing holds any more waits for the
 * end of the tick, so that no `release` runs inside of a handler or a driver.
 */
#include "server/site/served.h"

#include "base/error.h"

/* The last exchange of a site that is no longer served has gone. */
static void on_unused(struct exchange_site *pin, struct exchange_service *service)
{
    px_server *server = CONTAINER_OF(service, px_server, service);

    list_append(&server->unused, &site_of(pin)->unused);
}

static void serve(px_server *server, px_site *site)
{
    server->site = site;
    server->service.site = &site->pin;
    server->service.rules = &site->rules.exchange;
    server->has_totals |= site->has_totals;
    server->has_logs |= site->has_logs;
}

px_err served_init(px_server *server, px_error *out_error)
{
    static const char *const all[] = {"*"};
    const px_server_options *given = &server->options;
    px_site_options options = {
        .struct_size = sizeof(options),
        .allocator = &server->loop->allocator,
        .content_bytes_max = given->content_bytes_max,
        .total_timeout_ms = given->total_timeout_ms,
        .content_rate_min = given->content_rate_min,
        .send_rate_min = given->send_rate_min,
        .log_format = given->log_format,
        .on_error_page = given->on_error_page,
        .error_page_context = given->error_page_context,
    };
    px_site *site = px_site_create(&options, out_error);

    if (!site)
        return PX_ERR_MEMORY;
    site->pin.on_unused = on_unused;
    serve(server, site);
    return px_site_host(site, all, 1, NULL, &server->own, out_error);
}

px_err px_server_set_site(px_server *server, px_site *site, px_error *out_error)
{
    px_site *before = server->site;

    if (!site)
        return error_set(out_error, PX_ERR_INVALID, 0, "no site to serve");
    site->pin.holds++;
    site->pin.on_unused = on_unused;
    site->sealed = true;
    server->own = NULL;
    serve(server, site);
    if (--before->pin.holds == 0)
        list_append(&server->unused, &before->unused);
    if (!server->loop->ticking)
        served_reap(server);
    return error_clear(out_error);
}

void served_reap(px_server *server)
{
    while (PX_UNLIKELY(!list_empty(&server->unused)))
        site_end(LIST_ENTRY(server->unused.next, struct px_site, unused));
}

void served_end(px_server *server)
{
    if (server->site && --server->site->pin.holds == 0)
        list_append(&server->unused, &server->site->unused);
    served_reap(server);
}
