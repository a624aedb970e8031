/*
 * A site: made, filled with hosts and routes, held, ended.
 *
 * Happy path: px_site_create, px_site_host, px_host_route, and a server holds it; when nothing
 * holds it any more, its contexts are released and its memory goes.  What can go wrong is found
 * before anything is put in, so that a call that fails leaves the site as it was; memory that it
 * took of the arena meanwhile stays taken.
 */
#include "server/site/site.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "pollux/files.h"
#include "route/pattern.h"

static px_err no_memory(px_error *out_error)
{
    return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
}

static px_err is_served(px_error *out_error)
{
    return error_set(out_error, PX_ERR_CLOSED, 0, "the site is served: it does not change");
}

static uint32_t own_or(uint32_t own, uint32_t outer)
{
    return own != 0 ? own : outer;
}

/* --- Making and ending ------------------------------------------------------------------------ */

px_site *px_site_create(const px_site_options *given, px_error *out_error)
{
    px_site_options options;

    error_clear(out_error);
    if (options_take(&options, sizeof(options), given, "site options", out_error) != PX_OK)
        return NULL;
    if (options.log_format > PX_LOG_TEMPLATE ||
        (options.log_format == PX_LOG_TEMPLATE) != (options.log_template != NULL)) {
        error_set(out_error, PX_ERR_INVALID, 0, "site: invalid options");
        return NULL;
    }
    const px_allocator *allocator = options.allocator ? options.allocator : &alloc_libc;
    px_site *site = alloc_take_zeroed(allocator, sizeof(*site));

    if (!site) {
        no_memory(out_error);
        return NULL;
    }
    site->pin.holds = 1;
    list_init(&site->unused);
    site->allocator = *allocator;
    arena_init(&site->arena, &site->allocator, NULL, 0, SITE_BYTES_MAX);
    hosts_init(&site->hosts, &site->allocator, &site->arena);
    site->rules.exchange.on_error_page = options.on_error_page;
    site->rules.exchange.error_page_context = options.error_page_context;
    site->rules.total_timeout_ms = own_or(options.total_timeout_ms, PX_OFF);
    site->rules.exchange.rate_min = own_or(options.content_rate_min, MINIMUM_RATE_DEFAULT);
    site->rules.send_rate_min = own_or(options.send_rate_min, MINIMUM_RATE_DEFAULT);
    site->rules.content_bytes_max =
        options.content_bytes_max ? options.content_bytes_max : CONTENT_BYTES_DEFAULT;
    site->rules.log_format = (uint8_t)options.log_format;
    site->rules.log_template = options.log_template;
    site->rules.log_sample = own_or(options.log_sample, 1);
    site->rules.log_errors = options.log_errors != 0;
    site->rules.measure = &site->measure;
    site->measure_count = 1;
    site->has_totals = site->rules.total_timeout_ms != PX_OFF;
    return site;
}

void site_end(px_site *site)
{
    px_allocator allocator = site->allocator;

    CHECK(site->pin.holds == 0);
    list_remove(&site->unused);
    for (struct site_release *at = site->releases; at; at = at->next)
        at->release(at->context);
    hosts_deinit(&site->hosts);
    arena_reset(&site->arena);
    alloc_put(&allocator, site);
}

void px_site_destroy(px_site *site)
{
    if (site && --site->pin.holds == 0)
        site_end(site);
}

/* --- Chains ----------------------------------------------------------------------------------- */

/* A list that is to have one entry more: the same, or a wider copy; NULL without memory. */
static void *list_widen(struct arena *arena, void *list, uint32_t count, uint32_t *room,
                        size_t entry_bytes)
{
    if (count < *room)
        return list;
    uint32_t wider = *room > 0 ? 2 * *room : 1;
    void *copy = arena_take(arena, wider * entry_bytes);

    if (copy) {
        if (count > 0)
            memcpy(copy, list, count * entry_bytes);
        *room = wider;
    }
    return copy;
}

static px_err middleware_put(px_site *site, struct site_rules *rules, px_middleware_fn run,
                             void *context, px_error *out_error)
{
    CHECK(site && rules);
    if (!run)
        return error_set(out_error, PX_ERR_INVALID, 0, "a middleware needs a function");
    if (rules->middleware_count == MIDDLEWARE_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "at most %d middlewares in a row",
                         MIDDLEWARE_MAX);
    struct site_middleware *list =
        list_widen(&site->arena, rules->middleware, rules->middleware_count,
                   &rules->middleware_room, sizeof(*list));

    if (!list)
        return no_memory(out_error);
    rules->middleware = list;
    list[rules->middleware_count++] = (struct site_middleware){run, context};
    return PX_OK;
}

static px_err filter_put(px_site *site, struct site_rules *rules, const px_filter *filter,
                         void *context, px_error *out_error)
{
    CHECK(site && rules);
    if (!filter || !TABLE_MEMBER(filter, on_head))
        return error_set(out_error, PX_ERR_INVALID, 0, "a filter needs struct_size and on_head");
    if (rules->exchange.filter_count == FILTERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "at most %d filters in a row", FILTERS_MAX);
    struct exchange_filter *list =
        list_widen(&site->arena, rules->filters, rules->exchange.filter_count, &rules->filter_room,
                   sizeof(*list));

    if (!list)
        return no_memory(out_error);
    rules->filters = list;
    rules->exchange.filters = list;
    list[rules->exchange.filter_count++] = (struct exchange_filter){filter, context};
    return PX_OK;
}

/* A note of what is to be released with the site, not in its list yet; NULL without memory. */
static struct site_release *release_make(px_site *site)
{
    return arena_take(&site->arena, sizeof(struct site_release));
}

static void release_keep(px_site *site, struct site_release *note, void (*release)(void *),
                         void *context)
{
    CHECK(site && note);
    *note = (struct site_release){site->releases, release, context};
    site->releases = note;
}

/* What was put in, or not, and what becomes of its context. */
static px_err put_settle(px_site *site, struct site_release *note, px_err err, void *context,
                         void (*release)(void *context))
{
    if (!release)
        return err;
    if (err == PX_OK)
        release_keep(site, note, release, context);
    else
        release(context);
    return err;
}

/* What runs around handlers: a middleware, or a filter where there is one. */
struct added {
    px_middleware_fn run;
    const px_filter *filter;
    void *context;
    void (*release)(void *context);
    bool is_filter;
};

static px_err rules_add(px_site *site, struct site_rules *rules, const struct added *added,
                        px_error *out_error)
{
    struct site_release *note = NULL;
    px_err err = error_clear(out_error);

    if (!site || site->sealed)
        err = is_served(out_error);
    else if (added->release && !(note = release_make(site)))
        err = no_memory(out_error);
    if (err == PX_OK)
        err = added->is_filter ? filter_put(site, rules, added->filter, added->context, out_error)
                               : middleware_put(site, rules, added->run, added->context, out_error);
    if (err == PX_OK && added->is_filter)
        site->pin.has_filters = true;
    return put_settle(site, note, err, added->context, added->release);
}

px_err px_site_use(px_site *site, px_middleware_fn middleware, void *context,
                   void (*release)(void *context), px_error *out_error)
{
    struct added added = {.run = middleware, .context = context, .release = release};

    return rules_add(site, site ? &site->rules : NULL, &added, out_error);
}

px_err px_host_use(px_host *host, px_middleware_fn middleware, void *context,
                   void (*release)(void *context), px_error *out_error)
{
    struct added added = {.run = middleware, .context = context, .release = release};

    return rules_add(host ? host->site : NULL, host ? &host->rules : NULL, &added, out_error);
}

px_err px_site_filter(px_site *site, const px_filter *filter, void *context,
                      void (*release)(void *context), px_error *out_error)
{
    struct added added = {
        .filter = filter, .context = context, .release = release, .is_filter = true};

    return rules_add(site, site ? &site->rules : NULL, &added, out_error);
}

px_err px_host_filter(px_host *host, const px_filter *filter, void *context,
                      void (*release)(void *context), px_error *out_error)
{
    struct added added = {
        .filter = filter, .context = context, .release = release, .is_filter = true};

    return rules_add(host ? host->site : NULL, host ? &host->rules : NULL, &added, out_error);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static px_err listeners_copy(px_site *site, const px_host_options *options,
                             uint16_t **out_listeners, px_error *out_error)
{
    if (options->listener_count > LISTENERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "a host has at most %d listeners",
                         LISTENERS_MAX);
    uint16_t *listeners = arena_take(&site->arena, options->listener_count * sizeof(*listeners));

    if (!listeners)
        return no_memory(out_error);
    for (uint32_t index = 0; index < options->listener_count; index++) {
        if (options->listeners[index] > UINT16_MAX)
            return error_set(out_error, PX_ERR_INVALID, 0, "listener %u: a tag is at most %u",
                             options->listeners[index], (unsigned)UINT16_MAX);
        listeners[index] = (uint16_t)options->listeners[index];
    }
    *out_listeners = listeners;
    return PX_OK;
}

static px_err log_check(const px_log_options *given, px_error *out_error)
{
    px_log_options read;
    px_err err = options_take(&read, sizeof(read), given, "log options", out_error);

    if (given && err == PX_OK &&
        (read.format == PX_LOG_REQUEST ||
         (read.format > PX_LOG_TEMPLATE && read.format != PX_OFF) ||
         (read.format == PX_LOG_TEMPLATE) != (read.line != NULL)))
        err = error_set(out_error, PX_ERR_INVALID, 0, "log options: a format without what it says");
    return err;
}

/* A log of its own, which is valid. */
static void log_take(px_site *site, struct site_rules *rules, const px_log_options *given)
{
    px_log_options options;
    px_err err = options_read(&options, sizeof(options), given);

    CHECK(err == PX_OK);
    if (options.format != 0) {
        rules->log_format = (uint8_t)(options.format == PX_OFF ? PX_LOG_OFF : options.format);
        rules->log_template = options.line;
        rules->log_sample = own_or(options.sample, 1);
        rules->log_errors = options.errors != 0;
    }
    if (!options.on_log)
        return;
    rules->log = (struct log_way){options.on_log, options.context};
    site->has_logs = true;
}

static void host_rules_init(px_host *host, const px_host_options *options)
{
    const struct site_rules *outer = &host->site->rules;
    struct site_rules *rules = &host->rules;

    rules->host = host;
    rules->measure = &host->measure;
    host->site->measure_count++;
    rules->exchange.outer = &outer->exchange;
    rules->exchange.on_error_page =
        options->on_error_page ? options->on_error_page : outer->exchange.on_error_page;
    rules->exchange.error_page_context =
        options->on_error_page ? options->error_page_context : outer->exchange.error_page_context;
    rules->total_timeout_ms = own_or(options->total_timeout_ms, outer->total_timeout_ms);
    rules->exchange.rate_min = own_or(options->content_rate_min, outer->exchange.rate_min);
    rules->send_rate_min = own_or(options->send_rate_min, outer->send_rate_min);
    rules->content_bytes_max =
        options->content_bytes_max ? options->content_bytes_max : outer->content_bytes_max;
    rules->log_format = outer->log_format;
    rules->log_template = outer->log_template;
    rules->log_sample = outer->log_sample;
    rules->log_errors = outer->log_errors;
    rules->log = outer->log;
    if (options->log)
        log_take(host->site, rules, options->log);
    else if (options->log_format != 0)
        rules->log_format =
            (uint8_t)(options->log_format == PX_OFF ? PX_LOG_OFF : options->log_format);
    host->site->has_totals |= rules->total_timeout_ms != PX_OFF;
}

px_err px_site_host(px_site *site, const char *const *names, size_t name_count,
                    const px_host_options *given, px_host **out_host, px_error *out_error)
{
    px_host_options options;
    uint16_t *listeners = NULL;
    px_err err;

    error_clear(out_error);
    if (site->sealed)
        return is_served(out_error);
    err = options_take(&options, sizeof(options), given, "host options", out_error);
    if (err == PX_OK)
        err = log_check(options.log, out_error);
    if (err != PX_OK)
        return err;
    if (options.log_format == PX_LOG_REQUEST ||
        (options.log_format > PX_LOG_ECS && options.log_format != PX_OFF) ||
        (options.listener_count > 0 && !options.listeners))
        return error_set(out_error, PX_ERR_INVALID, 0, "host: invalid options");
    err = listeners_copy(site, &options, &listeners, out_error);
    if (err != PX_OK)
        return err;
    px_host *host = arena_take(&site->arena, sizeof(*host));

    if (!host)
        return no_memory(out_error);
    memset(host, 0, sizeof(*host));
    host->site = site;
    host->router = router_create(&site->arena);
    char *name = name_count > 0 ? arena_take(&site->arena, strlen(names[0]) + 1) : NULL;
    if (!host->router || (name_count > 0 && !name))
        return no_memory(out_error);
    if (name)
        memcpy(name, names[0], strlen(names[0]) + 1);
    host->name = name;
    err = hosts_add(&site->hosts, names, name_count, listeners, (uint16_t)options.listener_count,
                    host, out_error);
    if (err != PX_OK)
        return err;
    host_rules_init(host, &options);
    *out_host = host;
    return PX_OK;
}

/* --- Routes ----------------------------------------------------------------------------------- */

void site_route_refused(const px_route_options *options, void *context)
{
    for (uint32_t index = 0; options->middleware && index < options->middleware_count; index++)
        if (options->middleware[index].release)
            options->middleware[index].release(options->middleware[index].context);
    for (uint32_t index = 0; options->filters && index < options->filter_count; index++)
        if (options->filters[index].release)
            options->filters[index].release(options->filters[index].context);
    if (options->release)
        options->release(context);
}

static bool route_has_rules(const px_route_options *options)
{
    return options->middleware_count > 0 || options->filter_count > 0 ||
           options->total_timeout_ms != 0 || options->content_rate_min != 0 ||
           options->send_rate_min != 0 || options->no_log != 0 || options->on_error_page ||
           options->log;
}

/* Rules of a route's own, in the arena. */
static px_err route_rules_make(px_host *host, const px_route_options *options,
                               const struct site_rules **out_rules, px_error *out_error)
{
    struct site_rules *rules = arena_take(&host->site->arena, sizeof(*rules));
    px_err err = PX_OK;

    if (!rules)
        return no_memory(out_error);
    *rules = host->rules;
    rules->exchange.outer = &host->rules.exchange;
    rules->exchange.filters = NULL;
    rules->exchange.filter_count = 0;
    rules->middleware = NULL;
    rules->filters = NULL;
    rules->middleware_count = rules->middleware_room = rules->filter_room = 0;
    if (options->on_error_page) {
        rules->exchange.on_error_page = options->on_error_page;
        rules->exchange.error_page_context = options->error_page_context;
    }
    rules->total_timeout_ms = own_or(options->total_timeout_ms, host->rules.total_timeout_ms);
    rules->exchange.rate_min = own_or(options->content_rate_min, host->rules.exchange.rate_min);
    rules->send_rate_min = own_or(options->send_rate_min, host->rules.send_rate_min);
    if (options->log)
        log_take(host->site, rules, options->log);
    if (options->no_log != 0)
        rules->log_format = PX_LOG_OFF;
    for (uint32_t index = 0; index < options->middleware_count && err == PX_OK; index++)
        err = middleware_put(host->site, rules, options->middleware[index].run,
                             options->middleware[index].context, out_error);
    for (uint32_t index = 0; index < options->filter_count && err == PX_OK; index++)
        err = filter_put(host->site, rules, options->filters[index].filter,
                         options->filters[index].context, out_error);
    *out_rules = rules;
    return err;
}

/* Notes of all that a route is to release, not in the site's list yet. */
static px_err route_releases_make(px_site *site, const px_route_options *options,
                                  struct site_release **out_notes, px_error *out_error)
{
    size_t count = 1 + (size_t)options->middleware_count + options->filter_count;

    *out_notes = arena_take(&site->arena, count * sizeof(**out_notes));
    return *out_notes ? PX_OK : no_memory(out_error);
}

static void route_releases_keep(px_site *site, const px_route_options *options, void *context,
                                struct site_release *notes)
{
    if (options->release)
        release_keep(site, notes++, options->release, context);
    for (uint32_t index = 0; index < options->middleware_count; index++)
        if (options->middleware[index].release)
            release_keep(site, notes++, options->middleware[index].release,
                         options->middleware[index].context);
    for (uint32_t index = 0; index < options->filter_count; index++)
        if (options->filters[index].release)
            release_keep(site, notes++, options->filters[index].release,
                         options->filters[index].context);
}

static px_err route_options_check(const px_host *host, const char *pattern,
                                  const px_route_options *options, px_handler handler,
                                  px_error *out_error)
{
    if (!host || host->site->sealed)
        return is_served(out_error);
    if (!pattern || !handler || options->content_mode > PX_CONTENT_DROP || options->no_log > 1 ||
        options->resolves_path > 1 || (options->middleware_count > 0 && !options->middleware) ||
        (options->filter_count > 0 && !options->filters))
        return error_set(out_error, PX_ERR_INVALID, 0, "route '%s': invalid options",
                         pattern ? pattern : "");
    if (options->middleware_count > MIDDLEWARE_MAX || options->filter_count > FILTERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0,
                         "route '%s': at most %d middlewares and %d filters", pattern,
                         MIDDLEWARE_MAX, FILTERS_MAX);
    return log_check(options->log, out_error);
}

static px_err route_put(px_host *host, const char *pattern, const px_route_options *options,
                        px_handler handler, void *context, px_error *out_error)
{
    px_site *site = host->site;
    struct site_route *route = arena_take(&site->arena, sizeof(*route));
    struct site_release *notes = NULL;
    struct site_measure *measure = arena_take(&site->arena, sizeof(*measure));
    px_err err = route && measure ? route_releases_make(site, options, &notes, out_error)
                                  : no_memory(out_error);

    if (err != PX_OK)
        return err;
    CHECK(route && measure);
    memset(measure, 0, sizeof(*measure));
    site->measure_count++;
    *route = (struct site_route){
        .handler = handler,
        .context = context,
        .content_bytes_max =
            options->content_bytes_max ? options->content_bytes_max : host->rules.content_bytes_max,
        .rules = &host->rules,
        .measure = measure,
        .content_mode = (uint8_t)options->content_mode,
        .resolves_path = options->resolves_path > 0 || handler == px_files_handle,
    };
    if (route_has_rules(options))
        err = route_rules_make(host, options, &route->rules, out_error);
    if (err == PX_OK)
        err = router_add(host->router, pattern, route, out_error);
    if (err != PX_OK)
        return err;
    site->pin.has_filters |= options->filter_count > 0;
    site->has_totals |= route->rules->total_timeout_ms != PX_OFF;
    route_releases_keep(site, options, context, notes);
    return PX_OK;
}

px_err px_host_route(px_host *host, const char *pattern, const px_route_options *given,
                     px_handler handler, void *context, px_error *out_error)
{
    px_route_options options;
    px_err err = error_clear(out_error);

    err = options_take(&options, sizeof(options), given, "route options", out_error);
    if (err == PX_OK)
        err = route_options_check(host, pattern, &options, handler, out_error);
    if (err == PX_OK)
        err = route_put(host, pattern, &options, handler, context, out_error);
    if (err != PX_OK)
        site_route_refused(&options, context);
    return err;
}
