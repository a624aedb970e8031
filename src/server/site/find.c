/*
 * Which route of a host answers, and what is answered where none does.
 *
 * Happy path: one look-up in the router.  Nothing here can fail; without memory for the plain
 * spelling of a path, the path is taken for another route's.
 */
#include "server/site/site.h"

#include "http/h1/h1_parse.h"
#include "route/pattern.h"
#include "route/router.h"

enum router_result site_find(const px_host *host, uint8_t method_id, px_str method,
                             px_str authority, px_str path, struct arena *arena,
                             struct router_match *out_match)
{
    enum router_result result =
        router_find(host->router, method_id, method, authority, path, out_match);

    if (PX_UNLIKELY(result != ROUTER_FOUND))
        return result;
    const struct site_route *route = out_match->value;

    if ((out_match->has_rest || route->resolves_path) &&
        router_is_elsewhere(host->router, method_id, method, authority, path, arena, out_match))
        return ROUTER_REDIRECT_PLAIN;
    return ROUTER_FOUND;
}

unsigned site_status_of(enum router_result result, uint8_t method, px_str path)
{
    bool safe = method == METHOD_GET || method == METHOD_HEAD;

    switch (result) {
    case ROUTER_FOUND:
        return 0;
    case ROUTER_REDIRECT_SLASH:
    case ROUTER_REDIRECT_PLAIN:
        return safe ? 301 : 308;
    case ROUTER_NO_METHOD:
        return method == METHOD_OPTIONS ? 204 : 405;
    case ROUTER_NO_PATH:
        break;
    }
    if (method == METHOD_OPTIONS && px_str_equal(path, px_str_make("*", 1)))
        return 200;
    if (method == METHOD_CONNECT)
        return 405;
    if (path.len > 0 && router_path_clean_needed(path))
        return safe ? 301 : 308;
    return 404;
}

px_err px_site_find(const px_site *site, uint32_t listener, px_str method, px_str host, px_str path,
                    void **out_context, unsigned *out_status)
{
    uint8_t method_id = pattern_method_id(method);
    struct router_match match;

    *out_status = 404;
    if (listener > UINT16_MAX)
        return PX_ERR_NOT_FOUND;
    const px_host *found = hosts_find(&site->hosts, host, (uint16_t)listener);

    if (!found)
        return PX_ERR_NOT_FOUND;
    struct arena arena;

    arena_init(&arena, &site->allocator, NULL, 0, SITE_BYTES_MAX);
    enum router_result result = site_find(found, method_id, method, host, path, &arena, &match);

    arena_reset(&arena);

    *out_status = site_status_of(result, method_id, path);
    if (result != ROUTER_FOUND)
        return PX_ERR_NOT_FOUND;
    const struct site_route *route = match.value;

    *out_context = route->context;
    return PX_OK;
}
