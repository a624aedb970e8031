/*
 * Looking at a configuration that can be served with the eyes of its reader.
 *
 * Each of these is understood, and can do nothing: a page of an error that is not there, a star in
 * a route, a prefix that no path of a route has, an allow behind a deny of all.  Nothing fails
 * here.
 */
#include "main/run/run_judge.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "config/site/build.h"
#include "pollux/files.h"

/* --- Pages of errors -------------------------------------------------------------------------- */

bool run_is_served_at(const struct config_host *host, const struct config_listen *listen)
{
    for (const struct config_bind *bind = host->binds; bind; bind = bind->next)
        if (bind->listen == listen)
            return true;
    return !host->binds && listen->is_shared;
}

/* A name that the host has: its first, with something in the place of a star. */
static px_str name_of(const struct config_host *host, char *out, size_t room)
{
    const char *name = host->node ? host->node->values[0].text.ptr : "*";

    snprintf(out, room, "%s%s", *name == '*' ? "any" : "", *name == '*' ? name + 1 : name);
    return px_str_of(out);
}

/* The folder that a route answers with for every request, or NULL. */
static const struct config_node *folder_of(const struct config_route *route)
{
    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;

        if (node->row->phase == PHASE_REWRITE ||
            (route->steps[i].match && node->row->phase == PHASE_ANSWER))
            return NULL;
    }
    return route->answer && node_is(route->answer, "files") ? route->answer : NULL;
}

/* A fallback stands in for paths whose last segment has no extension (docs/FILES.md). */
static bool may_fall_back(const struct config_route *route, px_str target)
{
    const char *slash = memrchr(target.ptr, '/', target.len);
    bool has_dot = slash && memchr(slash, '.', (size_t)(target.ptr + target.len - slash));
    const struct config_node *fallback = route_setting(route, "fallback");

    return !has_dot && fallback && !fallback->is_none;
}

/* Whether every request is answered with an error. */
static bool answers_error(const struct config_route *route)
{
    for (uint32_t i = 0; i < route->step_count; i++)
        if (route->steps[i].match && route->steps[i].node->row->phase == PHASE_ANSWER)
            return false;
    const struct config_node *answer = route->answer;

    return answer && node_is(answer, "respond") && answer->value_count > 0 &&
           answer->values[0].text.len == 3 && strchr("45", answer->values[0].text.ptr[0]) &&
           strspn(answer->values[0].text.ptr, "0123456789") == 3;
}

static bool has_file(const struct config_route *route, px_str target)
{
    const struct config_node *folder = folder_of(route);
    char path[PATH_MAX];

    if (answers_error(route))
        return false;
    if (!folder || may_fall_back(route, target))
        return true; /* the answer is known when it is asked */
    if (!build_files_are_whole(route, folder))
        target = px_files_beneath(route->pattern, target);
    if (!target.ptr || target.ptr[target.len - 1] == '/' || memchr(target.ptr, '%', target.len))
        return true;
    snprintf(path, sizeof(path), "%s%.*s", folder->values[0].text.ptr, (int)target.len, target.ptr);
    return access(path, F_OK) == 0;
}

/* The route of a host for a path: NULL where the host is served nowhere; false: there is none. */
static bool route_find(const struct config *config, const struct config_host *host, px_str target,
                       const struct config_route **out_route)
{
    CHECK(target.len > 0 && target.ptr[0] == '/');
    const struct config_listen *listen = config->settings->listens;
    const struct config_host *found;
    char name[300];
    void *context;
    unsigned status;

    *out_route = NULL;
    while (listen && !run_is_served_at(host, listen))
        listen = listen->next;
    if (!listen)
        return true;
    if (px_site_find(config->site, listen->index, px_str_of("GET"),
                     name_of(host, name, sizeof(name)), target, &context, &status) != PX_OK)
        return false;
    build_route_of(context, &found, out_route);
    return true;
}

/* Whether a host has something at a path. */
static bool has_page(const struct config *config, const struct config_host *host, px_str target)
{
    const struct config_route *route;

    return route_find(config, host, target, &route) && (!route || has_file(route, target));
}

/* `host` NULL: of the file, so one host that has it is enough. */
static void judge_pages(struct config *config, const struct config_node *nodes,
                        const struct config_host *host)
{
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (!node_is(node, "error_page") || node->is_none)
            continue;
        const struct config_typed *target = &node->values[node->value_count - 1];
        px_str path = px_str_make(target->text.ptr, strcspn(target->text.ptr, "?"));
        bool has = host && has_page(config, host, path);

        for (const struct config_host *any = config->settings->hosts; any && !host && !has;
             any = any->next)
            has = has_page(config, any, path);
        if (!has)
            report_add(&config->load.report, REPORT_WARNING, target->value->place,
                       "there is no file and no route for %s, so the plain error is answered",
                       target->text.ptr);
    }
}

/* --- Routes ----------------------------------------------------------------------------------- */

/* The path of a pattern, behind its method. */
static px_str path_of(const struct config_route *route)
{
    return px_str_of(strchr(route->pattern, '/'));
}

static void judge_star(struct config *config, const struct config_route *route)
{
    const struct config_node *node = route->node;
    px_str path = path_of(route);
    const char *star = path.ptr ? memchr(path.ptr, '*', path.len) : NULL;

    if (star)
        report_add(
            &config->load.report, REPORT_WARNING, node->values[node->value_count - 1].value->place,
            "a star in a route stands for itself; write %.*s{rest...} for all below, or a "
            "match with \"path %s\"",
            (int)((const char *)memrchr(path.ptr, '/', (size_t)(star - path.ptr)) + 1 - path.ptr),
            path.ptr, path.ptr);
}

/* Whether some path of a pattern begins with a prefix, and goes on at a slash or ends there. */
static bool may_begin(px_str path, px_str prefix)
{
    CHECK(path.len > 0 && path.ptr[0] == '/');
    CHECK(prefix.len > 0 && prefix.ptr[0] == '/');
    size_t fixed = strcspn(path.ptr, "{");
    bool is_open = fixed < path.len || path.ptr[path.len - 1] == '/';

    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (prefix.len >= fixed)
        return memcmp(path.ptr, prefix.ptr, fixed) == 0 &&
               (is_open || prefix.len == fixed || path.len == prefix.len);
    return memcmp(path.ptr, prefix.ptr, prefix.len) == 0 && path.ptr[prefix.len] == '/';
}

static void judge_prefix(struct config *config, const struct config_route *route)
{
    px_str path = path_of(route);

    for (uint32_t i = 0; i < route->step_count && path.ptr; i++) {
        const struct config_node *node = route->steps[i].node;

        if (!node_is(node, "strip_prefix") || !node_is_in(route->node->children, node) ||
            node->values[0].is_off || may_begin(path, node->values[0].text) ||
            memchr(node->values[0].text.ptr, '%', node->values[0].text.len))
            continue;
        report_add(&config->load.report, REPORT_WARNING, node->values[0].value->place,
                   "no path of route %s begins with %s", route->pattern, node->values[0].text.ptr);
    }
}

/* Of allow and deny the first that names a client decides, so what stands behind "all" does not. */
static void judge_access(struct config *config, const struct config_route *route,
                         const struct config_node **said)
{
    const struct config_node *all = NULL;

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;
        struct config_place there;

        if (node->row->phase != PHASE_ACCESS)
            continue;
        if (all && node != *said) {
            *said = node;
            there = node_place(all);
            report_add(&config->load.report, REPORT_WARNING, node_place(node),
                       "\"%s all\" at %s:%u comes before it and decides; \"%s none\" begins anew",
                       all->row->name, there.file->name, there.line, all->row->name);
            return;
        }
        for (uint32_t value = 0; value < node->value_count && !route->steps[i].match; value++)
            if (px_str_equal(node->values[value].text, px_str_of("all")))
                all = node;
    }
}

/* --- What answers ----------------------------------------------------------------------------- */

static bool answers_with(const struct config_route *route, const char *name)
{
    for (uint32_t i = 0; i < route->step_count; i++)
        if (node_is(route->steps[i].node, name))
            return true;
    return false;
}

/* Of what acts on one kind of answer alone, and that is not there: of a route (`routes` has one),
 * or of all routes of a host. */
static void judge_idle(struct config *config, const struct config_node *nodes,
                       const struct config_route *routes, bool is_one)
{
    static const struct {
        const char *name, *answer;
    } pairs[] = {{"index", "files"},         {"fallback", "files"},      {"listing", "files"},
                 {"cache_control", "files"}, {"symlinks", "files"},      {"charset", "files"},
                 {"type", "files"},          {"content_type", "respond"}};

    for (const struct config_node *node = nodes; node; node = node->next) {
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
            const struct config_route *route = routes;

            if (!node_is(node, pairs[i].name) || node->is_none)
                continue;
            while (route && !answers_with(route, pairs[i].answer))
                route = is_one ? NULL : route->next;
            if (!route)
                report_add(&config->load.report, REPORT_WARNING, node_place(node),
                           "\"%s\" acts on answers of \"%s\", and there is none here",
                           pairs[i].name, pairs[i].answer);
        }
    }
}

/* RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
static void judge_text(struct config *config, const struct config_node *node)
{
    static const char *const empty[] = {"204", "205", "304"};

    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]) && node->value_count > 1; i++)
        if (px_str_equal(node->values[0].text, px_str_of(empty[i])))
            report_add(&config->load.report, REPORT_WARNING, node->values[1].value->place,
                       "an answer with status %s has no content", empty[i]);
}

/* A client that is sent where it comes from goes round in a circle. */
static void judge_circle(struct config *config, const struct config_host *host,
                         const struct config_route *route, const struct config_node *node)
{
    CHECK(node->value_count > 0);
    const struct config_typed *target = &node->values[node->value_count - 1];
    px_str path = px_str_make(target->text.ptr, strcspn(target->text.ptr, "?#"));
    const struct config_route *found;

    if (path.len == 0 || path.ptr[0] != '/' || memchr(path.ptr, '{', path.len) ||
        (path.len > 1 && path.ptr[1] == '/'))
        return;
    if (route_find(config, host, path, &found) && found == route)
        report_add(&config->load.report, REPORT_WARNING, target->value->place,
                   "%s is redirected to itself, over and over", target->text.ptr);
}

/* What each answer that stands in a block says. */
static void judge_answers(struct config *config, const struct config_host *host,
                          const struct config_route *route)
{
    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;

        /* What it inherits is looked at where it stands. */
        if (route->node && !node_is_in(route->node->children, node))
            continue;
        if (node_is(node, "respond"))
            judge_text(config, node);
        else if (node_is(node, "redirect") && !build_is_https(node) && !route->steps[i].match)
            judge_circle(config, host, route, node);
    }
}

static void judge_hsts(struct config *config, const struct config_node *nodes,
                       const struct config_host *host)
{
    const struct config_node *hsts = node_find(nodes, "hsts");

    if (!hsts || (hsts->value_count > 0 && hsts->values[0].is_off))
        return;
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (listen->is_tls && (!host || run_is_served_at(host, listen)))
            return;
    report_add(&config->load.report, REPORT_WARNING, node_place(hsts),
               "hsts is said over TLS alone, and no address here is listened on with tls");
}

/* A client must be sent to a port where TLS is spoken. */
static void judge_https(struct config *config, const struct config_node *nodes)
{
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (listen->is_tls)
            return;
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (build_is_https(node) && !node_option(node, "port"))
            report_add(&config->load.report, REPORT_WARNING, node_place(node),
                       "no address is listened on with tls, so clients are redirected to port "
                       "443 of something else; say port=443 if that is meant");
        judge_https(config, node->children);
    }
}

/* --- The file --------------------------------------------------------------------------------- */

static void judge_proxies(struct config *config)
{
    const struct config_node *first = NULL;
    bool has_listener = false;

    for (const struct config_node *node = config->settings->nodes; node; node = node->next) {
        if (!node_is(node, "trusted_proxies"))
            continue;
        first = first ? first : node;
        if (node_option(node, "field") && node_option(node, "field")->word != 0)
            return;
    }
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        has_listener |= listen->node && node_option(listen->node, "proxy");
    if (first && !has_listener)
        report_add(&config->load.report, REPORT_WARNING, node_place(first),
                   "a client can send the field that its proxy does not set, and is then logged as "
                   "the proxy; name the one it sets with field=");
}

void run_judge(struct config *config)
{
    const struct config_node *said = NULL;

    CHECK(config->site && !report_has_errors(&config->load.report));
    CHECK(config->settings && config->settings->hosts);
    judge_proxies(config);
    run_doubts(config);
    judge_https(config, config->settings->nodes);
    if (config->settings->hosts->node) {
        judge_pages(config, config->settings->nodes, NULL);
        judge_hsts(config, config->settings->nodes, NULL);
    }
    for (const struct config_host *host = config->settings->hosts; host; host = host->next) {
        const struct config_node *nodes =
            host->node ? host->node->children : config->settings->nodes;

        judge_pages(config, nodes, host);
        judge_idle(config, nodes, host->routes, false);
        judge_hsts(config, nodes, host);
        for (const struct config_route *route = host->routes; route; route = route->next) {
            judge_access(config, route, &said);
            judge_answers(config, host, route);
            if (!route->node)
                continue;
            judge_pages(config, route->node->children, host);
            judge_idle(config, route->node->children, route, true);
            judge_hsts(config, route->node->children, host);
            judge_star(config, route);
            judge_prefix(config, route);
        }
    }
}
