/*
 * Groups: routes with a prefix, and rules that hold where a route says nothing.
 *
 * Happy path: a group keeps its prefix and options in its site's arena; each of its routes is
 * registered as any other, with a longer pattern and the options put together.  What can go wrong
 * is said as px_host_route says it, and then what the call was given is released.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "server/server.h"
#include "server/site/site.h"

enum { PATTERN_BYTES_MAX = 1024 };

struct px_group {
    px_host *host;                                /* borrowed: its site's */
    const char *prefix;                           /* in the arena */
    px_route_options options;                     /* its arrays are those below */
    px_middleware_use middleware[MIDDLEWARE_MAX]; /* their contexts are the site's to release */
    px_filter_use filters[FILTERS_MAX];
};

/* What a call that fails was given. */
static px_err refuse(const px_route_options *options, void *context, px_err err)
{
    site_route_refused(options, context);
    return err;
}

static bool prefix_valid(const char *prefix)
{
    size_t len = prefix ? strlen(prefix) : 0;

    return len > 1 && prefix[0] == '/' && prefix[len - 1] != '/' && !strchr(prefix, ' ') &&
           !strstr(prefix, "...}") && !strstr(prefix, "{$}");
}

static px_err options_check(const px_host *host, const char *prefix,
                            const px_route_options *options, px_error *out_error)
{
    if (!host || host->site->sealed)
        return error_set(out_error, PX_ERR_CLOSED, 0, "the site is served: it does not change");
    if (!prefix_valid(prefix))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "group '%s': a prefix is \"/name\", without a slash or a rest at its end",
                         prefix ? prefix : "");
    if (options->release || (options->middleware_count > 0 && !options->middleware) ||
        (options->filter_count > 0 && !options->filters))
        return error_set(out_error, PX_ERR_INVALID, 0, "group '%s': invalid options", prefix);
    if (options->middleware_count > MIDDLEWARE_MAX || options->filter_count > FILTERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0,
                         "group '%s': at most %d middlewares and %d filters", prefix,
                         MIDDLEWARE_MAX, FILTERS_MAX);
    return PX_OK;
}

static void release_note(px_site *site, struct site_release *note, void (*release)(void *),
                         void *context)
{
    *note = (struct site_release){site->releases, release, context};
    site->releases = note;
}

/* The site releases the contexts, once; the group's copies have nothing to release. */
static void group_fill(px_group *group, const px_route_options *options, struct site_release *notes)
{
    px_site *site = group->host->site;

    group->options = *options;
    for (uint32_t index = 0; index < options->middleware_count; index++) {
        group->middleware[index] = options->middleware[index];
        if (group->middleware[index].release)
            release_note(site, notes++, group->middleware[index].release,
                         group->middleware[index].context);
        group->middleware[index].release = NULL;
    }
    for (uint32_t index = 0; index < options->filter_count; index++) {
        group->filters[index] = options->filters[index];
        if (group->filters[index].release)
            release_note(site, notes++, group->filters[index].release,
                         group->filters[index].context);
        group->filters[index].release = NULL;
    }
}

px_err px_host_group(px_host *host, const char *prefix, const px_route_options *given,
                     px_group **out_group, px_error *out_error)
{
    px_route_options options;
    px_err err = PX_OK;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK)
        err = error_set(out_error, PX_ERR_INVALID, 0, "group: unknown or missing struct_size");
    if (err == PX_OK)
        err = options_check(host, prefix, &options, out_error);
    if (err != PX_OK)
        return refuse(&options, NULL, err);
    CHECK(host && prefix);
    struct arena *arena = &host->site->arena;
    px_group *group = arena_take(arena, sizeof(*group));
    px_str kept = arena_copy(arena, px_str_of(prefix));
    struct site_release *notes =
        arena_take(arena, (options.middleware_count + options.filter_count + 1) * sizeof(*notes));

    if (!group || !kept.ptr || !notes)
        return refuse(&options, NULL, error_set(out_error, PX_ERR_MEMORY, 0, "out of memory"));
    memset(group, 0, sizeof(*group));
    group->host = host;
    group->prefix = kept.ptr;
    group_fill(group, &options, notes);
    *out_group = group;
    return PX_OK;
}

px_err px_server_group(px_server *server, const char *prefix, const px_route_options *options,
                       px_group **out_group, px_error *out_error)
{
    return px_host_group(server->own, prefix, options, out_group, out_error);
}

/* --- Its routes ------------------------------------------------------------------------------- */

/* What the route says goes before what the group says. */
static void options_join(px_route_options *options, const px_route_options *outer)
{
    options->content_mode = options->content_mode ? options->content_mode : outer->content_mode;
    options->no_log |= outer->no_log;
    options->resolves_path |= outer->resolves_path;
    if (options->content_bytes_max == 0)
        options->content_bytes_max = outer->content_bytes_max;
    if (options->total_timeout_ms == 0)
        options->total_timeout_ms = outer->total_timeout_ms;
    if (options->content_rate_min == 0)
        options->content_rate_min = outer->content_rate_min;
    if (options->send_rate_min == 0)
        options->send_rate_min = outer->send_rate_min;
    if (!options->log)
        options->log = outer->log;
    if (!options->on_error_page) {
        options->on_error_page = outer->on_error_page;
        options->error_page_context = outer->error_page_context;
    }
}

/* "GET a.example/users" of the group "/api" is "GET a.example/api/users". */
static px_err pattern_join(const px_group *group, const char *pattern, char *out, size_t room,
                           px_error *out_error)
{
    const char *path = pattern ? strchr(pattern, '/') : NULL;
    int len =
        path ? snprintf(out, room, "%.*s%s%s", (int)(path - pattern), pattern, group->prefix, path)
             : -1;

    if (len > 0 && (size_t)len < room)
        return PX_OK;
    return error_set(out_error, PX_ERR_INVALID, 0, "group '%s': route '%s': %s", group->prefix,
                     pattern ? pattern : "", path ? "it is too long" : "it has no path");
}

px_err px_group_unroute(px_group *group, const char *pattern, px_error *out_error)
{
    char joined[PATTERN_BYTES_MAX];
    px_err err = pattern_join(group, pattern, joined, sizeof(joined), out_error);

    return err == PX_OK ? px_host_unroute(group->host, joined, out_error) : err;
}

px_err px_group_route(px_group *group, const char *pattern, const px_route_options *given,
                      px_handler handler, void *context, px_error *out_error)
{
    px_middleware_use middleware[MIDDLEWARE_MAX];
    px_filter_use filters[FILTERS_MAX];
    const px_route_options *outer = &group->options;
    char joined[PATTERN_BYTES_MAX];
    px_route_options options;
    px_err err = PX_OK;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK)
        err = error_set(out_error, PX_ERR_INVALID, 0, "route: unknown or missing struct_size");
    if (err == PX_OK)
        err = pattern_join(group, pattern, joined, sizeof(joined), out_error);
    if (err == PX_OK && (options.middleware_count > MIDDLEWARE_MAX - outer->middleware_count ||
                         options.filter_count > FILTERS_MAX - outer->filter_count))
        err = error_set(out_error, PX_ERR_LIMIT, 0,
                        "route '%s': at most %d middlewares and %d filters, those of its group too",
                        joined, MIDDLEWARE_MAX, FILTERS_MAX);
    if (err == PX_OK && ((options.middleware_count > 0 && !options.middleware) ||
                         (options.filter_count > 0 && !options.filters)))
        err = error_set(out_error, PX_ERR_INVALID, 0, "route '%s': invalid options", joined);
    if (err != PX_OK)
        return refuse(&options, context, err);
    CHECK(options.middleware_count == 0 || options.middleware);
    CHECK(options.filter_count == 0 || options.filters);
    /* Middleware runs from the outside in; filters are nearest to the handler first. */
    memcpy(middleware, group->middleware, outer->middleware_count * sizeof(*middleware));
    for (uint32_t index = 0; index < options.middleware_count; index++)
        middleware[outer->middleware_count + index] = options.middleware[index];
    for (uint32_t index = 0; index < options.filter_count; index++)
        filters[index] = options.filters[index];
    memcpy(filters + options.filter_count, group->filters, outer->filter_count * sizeof(*filters));
    options_join(&options, outer);
    options.struct_size = sizeof(options);
    options.middleware = middleware;
    options.middleware_count += outer->middleware_count;
    options.filters = filters;
    options.filter_count += outer->filter_count;
    return px_host_route(group->host, joined, &options, handler, context, out_error);
}
