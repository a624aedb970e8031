/*
 * What differs from host to host and route to route: content, times, rates, the log, error pages.
 *
 * limits, timeouts and minimum_rate of an inner block say what holds for requests there; all else
 * in them is of connections and of the process, and stands at the top alone.
 */
#include <string.h>

#include "base/check.h"
#include "config/site/build.h"
#include "config/status_page.h"
#include "pollux/reshape.h"

struct rules {
    uint64_t content_bytes_max;
    uint32_t total_timeout_ms;
    uint32_t content_rate_min;
    uint32_t send_rate_min;
};

static uint32_t number_of(const struct config_typed *value)
{
    return value->is_off ? PX_OFF : (uint32_t)value->number;
}

static void take_block(struct build *build, const struct config_node *block, struct rules *rules)
{
    for (const struct config_node *node = block->children; node; node = node->next) {
        const struct config_typed *value = &node->values[0];

        if (node->value_count == 0)
            continue;
        if (node_is(block, "limits") && node_is(node, "content"))
            rules->content_bytes_max = value->is_off ? PX_UNLIMITED_BYTES : value->number;
        else if (node_is(block, "timeouts") && node_is(node, "total"))
            rules->total_timeout_ms = number_of(value);
        else if (node_is(block, "minimum_rate") && node_is(node, "content"))
            rules->content_rate_min = number_of(value);
        else if (node_is(block, "minimum_rate") && node_is(node, "send"))
            rules->send_rate_min = number_of(value);
        else
            report_add(&build->load->report, REPORT_MEANING, node_place(node),
                       "\"%s\" in %s is for all hosts: it stands at the top alone", node->row->name,
                       block->row->name);
    }
}

static struct rules rules_of(struct build *build, const struct config_node *nodes)
{
    struct rules rules = {0};

    for (; nodes; nodes = nodes->next)
        if (node_is(nodes, "limits") || node_is(nodes, "timeouts") ||
            node_is(nodes, "minimum_rate"))
            take_block(build, nodes, &rules);
    return rules;
}

/* --- Error pages ------------------------------------------------------------------------------ */

static bool page_add(struct build *build, struct build_pages *pages, const struct config_node *node)
{
    CHECK(pages->list && node->value_count > 0);
    px_str target = node->values[node->value_count - 1].text;
    px_error error;

    for (uint32_t i = 0; i + 1 < node->value_count; i++) {
        uint32_t status = (uint32_t)node->values[i].number;

        if (px_error_pages_add(pages->list, status, target, &error) != PX_OK) {
            build_note(build, node->values[i].value->place, &error);
            return false;
        }
        CHECK(status >= BUILD_PAGES_FIRST && status - BUILD_PAGES_FIRST < BUILD_PAGES_COUNT);
        pages->is_named[status - BUILD_PAGES_FIRST] = true;
    }
    return true;
}

static void pages_release(void *pages)
{
    px_error_pages_destroy(pages);
}

/* An empty list, which has the plain line for all. */
static struct build_pages *pages_make(struct build *build)
{
    struct build_pages *pages = load_take(build->load, sizeof(*pages));
    px_error error;

    if (!pages)
        return NULL;
    pages->list = px_error_pages_create(&build->config->allocator, &error);
    if (!pages->list)
        build_note(build, config_whole(build->load), &error);
    else if (build_made_keep(build, NULL, NULL, pages->list, pages_release))
        return pages;
    return NULL;
}

/* Of the file and of the host, in this order; `none` begins anew. */
static bool host_pages(struct build *build, const struct config_host *host,
                       struct build_pages **out_pages)
{
    const struct config_node *lists[] = {build->settings->shared,
                                         host->node ? host->node->children : NULL};

    *out_pages = NULL;
    for (size_t list = 0; list < 2; list++) {
        for (const struct config_node *node = lists[list]; node; node = node->next) {
            if (!node_is(node, "error_page"))
                continue;
            if (node->is_none) {
                *out_pages = NULL;
                continue;
            }
            if (!*out_pages)
                *out_pages = pages_make(build);
            if (!*out_pages || !page_add(build, *out_pages, node))
                return false;
        }
    }
    return true;
}

/* Those of a route; where it says nothing of its own they are its host's. */
static bool route_pages(struct build_route *route, struct build_pages **out_pages)
{
    const struct config_route *settings = route->route;
    bool is_own = false;

    *out_pages = route->build->host_pages;
    for (const struct config_node *node = settings->node ? settings->node->children : NULL; node;
         node = node->next)
        is_own |= node_is(node, "error_page");
    if (!is_own)
        return true;
    *out_pages = pages_make(route->build);
    for (uint32_t i = 0; i < settings->step_count && *out_pages; i++)
        if (node_is(settings->steps[i].node, "error_page") &&
            !page_add(route->build, *out_pages, settings->steps[i].node))
            return false;
    return *out_pages != NULL;
}

/* Where there are files a browser gets a page for an error that the file names none for, as
 * `pollux files` has it. */
static void pages_answer(px_exchange *exchange, unsigned status, void *context)
{
    const struct build_pages *pages = context;
    bool is_named = status >= BUILD_PAGES_FIRST && status < BUILD_PAGES_FIRST + BUILD_PAGES_COUNT &&
                    pages->is_named[status - BUILD_PAGES_FIRST];

    if (is_named)
        px_error_pages_answer(exchange, status, pages->list);
    else
        status_page_answer(exchange, status, NULL);
}

static bool has_files(const struct config_route *route)
{
    for (uint32_t i = 0; i < route->step_count; i++)
        if (node_is(route->steps[i].node, "files"))
            return true;
    return false;
}

/* What answers errors of a route. */
static bool route_errors(struct build_route *route, px_route_options *options)
{
    struct build_pages *pages;

    if (!route_pages(route, &pages))
        return false;
    if (has_files(route->route)) {
        options->on_error_page = pages ? pages_answer : status_page_answer;
        options->error_page_context = pages;
    } else if (pages && pages != route->build->host_pages) {
        options->on_error_page = px_error_pages_answer;
        options->error_page_context = pages->list;
    }
    return true;
}

/* --- Hosts and routes ------------------------------------------------------------------------- */

bool build_host_rules(struct build *build, const struct config_host *host, px_host_options *options)
{
    struct rules rules = rules_of(build, host->node ? host->node->children : NULL);

    options->content_bytes_max = rules.content_bytes_max;
    options->total_timeout_ms = rules.total_timeout_ms;
    options->content_rate_min = rules.content_rate_min;
    options->send_rate_min = rules.send_rate_min;
    if (!host_pages(build, host, &build->host_pages))
        return false;
    build->host_log = host->node ? node_find(host->node->children, "access_log") : NULL;
    if (!build->host_log)
        build->host_log = node_find(build->settings->shared, "access_log");
    if (build->host_log) {
        options->log = build_log(build, build->host_log);
        if (!options->log)
            return false;
    }
    if (build->host_pages) {
        options->on_error_page = px_error_pages_answer;
        options->error_page_context = build->host_pages->list;
    }
    return true;
}

static uint64_t content_max(const struct config_route *route)
{
    const struct config_node *node = route_setting(route, "content_max");

    if (!node || node->value_count == 0)
        return 0;
    return node->values[0].is_off ? PX_UNLIMITED_BYTES : node->values[0].number;
}

bool build_route_rules(struct build_route *route, px_route_options *options)
{
    const struct config_route *settings = route->route;
    struct rules rules = rules_of(route->build, settings->node ? settings->node->children : NULL);
    const struct config_node *log = route_setting(settings, "access_log");

    if (log && log != route->build->host_log) {
        options->log = build_log(route->build, log);
        if (!options->log)
            return false;
    }
    uint64_t content = content_max(settings);

    options->content_bytes_max = content != 0 ? content : rules.content_bytes_max;
    options->total_timeout_ms = rules.total_timeout_ms;
    options->content_rate_min = rules.content_rate_min;
    options->send_rate_min = rules.send_rate_min;
    return route_errors(route, options);
}
