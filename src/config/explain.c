/*
 * Explaining by asking: the site is asked for the route, each match for the request.
 *
 * Nothing is sent, and no directive acts: what limits, passwords and other servers would decide is
 * not asked.  What needs the request alone is: health, redirect https, allow and deny.  Listeners
 * are tried in their order, first those of the port that is asked for; what came by https is served
 * where TLS is spoken.
 */
#include "config/explain.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "config/explaining.h"
#include "config/serving.h"
#include "pollux/files.h"

static const char *phase_name(const struct config_node *node)
{
    if (build_is_https(node))
        return "https";
    switch (node->row->phase) {
    case PHASE_ACCESS:
        return "access";
    case PHASE_RATE:
        return "limit";
    case PHASE_AUTH:
        return "auth";
    case PHASE_REWRITE:
        return "rewrite";
    case PHASE_REQUEST:
        return "request";
    case PHASE_ERROR_PAGE:
        return "error";
    case PHASE_COMPRESS:
        return "coding";
    case PHASE_HEADER:
        return "header";
    case PHASE_LOG:
        return "log";
    case PHASE_HTTPS:
    case PHASE_ANSWER:
    case PHASE_NONE:
        break;
    }
    return "setting";
}

/* Each match that something of the route waits for, once. */
static void put_matches(struct explaining *explaining)
{
    const struct config_route *route = explaining->route;

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_step *step = &route->steps[i];
        bool is_first = step->match != NULL;

        for (uint32_t other = 0; other < i; other++)
            is_first = is_first && route->steps[other].match != step->match;
        if (is_first)
            explaining_put_node(explaining, "match", step->match,
                                explaining_holds(explaining, step) ? ": yes" : ": no");
    }
}

static bool is_answer(const struct config_step *step)
{
    return step->node->row->phase == PHASE_ANSWER && !build_is_https(step->node);
}

static enum config_phase phase_of(const struct config_node *node)
{
    return build_is_https(node) ? PHASE_HTTPS : node->row->phase;
}

/* Those that act: nothing between what answers early and the answer does, and hsts is of https. */
static void put_steps(struct explaining *explaining, const struct config_node *early)
{
    const struct config_route *route = explaining->route;
    bool is_secure = px_str_equal(explaining->request->scheme, px_str_of("https"));

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;
        enum config_phase phase = phase_of(node);
        bool is_idle = (early && phase > phase_of(early) && phase < PHASE_ANSWER) ||
                       (node_is(node, "hsts") && !is_secure) || (early && phase == PHASE_NONE);

        if (!is_idle && !is_answer(&route->steps[i]) &&
            explaining_holds(explaining, &route->steps[i]))
            explaining_put_node(explaining, phase_name(node), node, "");
    }
}

/* The servers that a proxy asks. */
static void put_upstream(struct explaining *explaining, const struct config_node *answer)
{
    const struct config_upstream *upstream = build_proxied(explaining->build.config, answer);

    if (!upstream || !upstream->is_named)
        return;
    explaining_put_node(explaining, "upstream", upstream->node, "");
    for (const struct config_node *node = upstream->node->children; node; node = node->next)
        if (node_is(node, "server"))
            explaining_put_node(explaining, "server", node, "");
}

/* Behind a prefix that ends at a slash or with the path; all of it where it does not begin so. */
static px_str behind_prefix(px_str path, px_str prefix)
{
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (path.len < prefix.len || memcmp(path.ptr, prefix.ptr, prefix.len) != 0)
        return path;
    if (path.len == prefix.len)
        return px_str_of("/");
    return path.ptr[prefix.len] == '/' ? px_str_make(path.ptr + prefix.len, path.len - prefix.len)
                                       : path;
}

/* The path that the answer is asked for, or ptr NULL: what a request is rewritten to is not known
 * here.  Of prefixes the innermost one counts. */
static px_str asked_path(struct explaining *explaining, bool *out_is_aside)
{
    const struct config_route *route = explaining->route;
    px_str path = explaining->request->raw_path, whole = path;

    CHECK(path.ptr && path.len > 0 && path.ptr[0] == '/');
    for (uint32_t i = route->step_count; i-- > 0;) {
        const struct config_step *step = &route->steps[i];

        if (step->node->row->phase != PHASE_REWRITE || !explaining_holds(explaining, step))
            continue;
        if (node_is(step->node, "rewrite"))
            return px_str_make(NULL, 0);
        if (path.ptr == whole.ptr)
            path = behind_prefix(whole, step->node->values[0].text);
    }
    *out_is_aside = path.ptr != whole.ptr;
    return path;
}

/* The file or folder that is looked for, with the path as it was received. */
static void put_file(struct explaining *explaining, const struct config_node *answer)
{
    CHECK(node_is(answer, "files") && answer->value_count == 1);
    const struct config_route *route = explaining->route;
    bool is_aside = false;
    px_str path = asked_path(explaining, &is_aside);

    if (path.ptr && !is_aside && !build_files_are_whole(route, answer))
        path = px_files_beneath(route->pattern, path);
    if (path.ptr)
        explaining_put_file(explaining, answer, path);
}

/* Whether a block of addresses has the client. */
static bool has_client(struct explaining *explaining, px_str block)
{
    px_matcher *matcher = px_matcher_create(&explaining->build.config->allocator, NULL);
    bool has = matcher &&
               px_matcher_add(matcher, PX_MATCH_CLIENT, &block, 1, NULL, NULL) == PX_OK &&
               px_matcher_matches_request(matcher, explaining->request) == 1;

    if (!matcher)
        explaining->err = PX_ERR_MEMORY;
    px_matcher_destroy(matcher);
    return has;
}

/* The deny that keeps the client out: of allow and deny the first that names it decides. */
static const struct config_node *refusal(struct explaining *explaining)
{
    const struct config_route *route = explaining->route;

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;

        if (node->row->phase != PHASE_ACCESS || !explaining_holds(explaining, &route->steps[i]))
            continue;
        for (uint32_t value = 0; value < node->value_count; value++)
            if (has_client(explaining, node->values[value].text))
                return node_is(node, "deny") ? node : NULL;
    }
    return NULL;
}

/* The redirect to https that a request without TLS meets. */
static const struct config_node *redirect_https(struct explaining *explaining)
{
    const struct config_route *route = explaining->route;
    bool is_secure = px_str_equal(explaining->request->scheme, px_str_of("https"));

    for (uint32_t i = 0; i < route->step_count && !is_secure; i++)
        if (build_is_https(route->steps[i].node) && explaining_holds(explaining, &route->steps[i]))
            return route->steps[i].node;
    return NULL;
}

/* What stands before the answer, and would answer in its place, or NULL. */
static const struct config_node *early_of(struct explaining *explaining)
{
    const struct config_node *https = redirect_https(explaining);

    return https ? https : refusal(explaining);
}

/* Before all hosts. */
static const struct config_node *health_of(const struct explaining *explaining)
{
    const px_match_request *request = explaining->request;
    const struct config_node *node = node_find(explaining->build.settings->nodes, "health");
    bool is_read = px_str_equal(request->method, px_str_of("GET")) ||
                   px_str_equal(request->method, px_str_of("HEAD"));

    return node && is_read && px_str_equal(request->raw_path, node->values[0].text) ? node : NULL;
}

/* Those that wait for a match come first. */
static void put_answer(struct explaining *explaining)
{
    const struct config_route *route = explaining->route;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < route->step_count; i++) {
            const struct config_step *step = &route->steps[i];

            if (!is_answer(step) || (step->match == NULL) != (pass == 1) ||
                !explaining_holds(explaining, step))
                continue;
            explaining_put_node(explaining, "answer", step->node, "");
            put_upstream(explaining, step->node);
            if (node_is(step->node, "files"))
                put_file(explaining, step->node);
            return;
        }
    }
    explaining_put(explaining, "answer    404: no answer of the route is for this request\n");
}

/* The port that is asked for, or 0. */
static unsigned port_of(px_str authority)
{
    const char *colon = authority.len > 0 ? memrchr(authority.ptr, ':', authority.len) : NULL;
    unsigned port = 0;

    if (!colon || memchr(colon, ']', authority.len - (size_t)(colon - authority.ptr)))
        return 0;
    for (const char *at = colon + 1; at < authority.ptr + authority.len; at++) {
        if (*at < '0' || *at > '9' || port > UINT16_MAX)
            return 0;
        port = port * 10 + (unsigned)(*at - '0');
    }
    return port;
}

static bool is_of_port(const struct config_listen *listen, unsigned port)
{
    char text[16];
    const char *colon = strrchr(listen->address.ptr, ':');

    snprintf(text, sizeof(text), ":%u", port);
    return colon && strcmp(colon, text) == 0;
}

static bool ask(struct explaining *explaining, const struct config_listen *listen,
                unsigned *out_status)
{
    const px_match_request *request = explaining->request;
    void *context;

    explaining->listen = listen;
    if (px_site_find(explaining->build.config->site, listen->index, request->method,
                     request->authority, request->raw_path, &context, out_status) != PX_OK)
        return false;
    build_route_of(context, &explaining->host, &explaining->route);
    CHECK(explaining->host && explaining->route);
    return true;
}

/* --- Which host, where no route is for it ----------------------------------------------------- */

static bool is_served_at(const struct config_host *host, const struct config_listen *listen)
{
    bool is_there = !host->binds && listen->is_shared;

    for (const struct config_bind *bind = host->binds; bind; bind = bind->next)
        is_there |= bind->listen == listen;
    return is_there;
}

/* How well a host's name fits: 0 is not at all, "*" is 1, and the longer the better. */
static size_t fit_of(px_str name, px_str asked)
{
    CHECK(name.len > 0); /* a host has a name */
    if (name.len == 1 && name.ptr[0] == '*')
        return 1;
    if (name.ptr[0] != '*')
        return name.len == asked.len && strncasecmp(name.ptr, asked.ptr, asked.len) == 0 ? SIZE_MAX
                                                                                         : 0;
    px_str tail = px_str_make(name.ptr + 1, name.len - 1); /* ".example.org" */

    return asked.len > tail.len &&
                   strncasecmp(asked.ptr + asked.len - tail.len, tail.ptr, tail.len) == 0
               ? name.len
               : 0;
}

/* The host that has the name at a listener, or NULL. */
static const struct config_host *host_named(const struct explaining *explaining,
                                            const struct config_listen *listen)
{
    px_str asked = explaining->request->authority;
    const struct config_host *found = NULL;
    size_t best = 0;

    if (port_of(asked) != 0)
        asked.len = (size_t)((const char *)memrchr(asked.ptr, ':', asked.len) - asked.ptr);
    for (const struct config_host *host = explaining->build.settings->hosts; host;
         host = host->next) {
        for (uint32_t i = 0; host->node && i < host->node->value_count; i++) {
            size_t fit = is_served_at(host, listen) ? fit_of(host->node->values[i].text, asked) : 0;

            if (fit > best)
                best = fit, found = host;
        }
    }
    return found;
}

/* --- Asking ----------------------------------------------------------------------------------- */

/* The port that is asked for decides where some listener has it; else it is not looked at.  A
 * status of 0: no listener is of that scheme. */
static bool find(struct explaining *explaining, unsigned *out_status)
{
    bool is_secure = px_str_equal(explaining->request->scheme, px_str_of("https"));
    unsigned asked = port_of(explaining->request->authority);
    unsigned port = asked != 0 ? asked : is_secure ? 443 : 80;

    *out_status = 0;
    for (int pass = 0; pass < 2 && *out_status == 0; pass++)
        for (const struct config_listen *listen = explaining->build.settings->listens; listen;
             listen = listen->next)
            if (listen->is_tls == is_secure && (pass == 1 || is_of_port(listen, port))) {
                if (ask(explaining, listen, out_status))
                    return true;
                if (!explaining->host)
                    explaining->host = host_named(explaining, listen);
            }
    return false;
}

px_err config_explain(struct config *config, const px_match_request *request, struct buf *out)
{
    struct explaining explaining = {
        .build = {.config = config, .load = &config->load, .settings = config->settings},
        .request = request,
        .out = out,
        .err = PX_OK};
    CHECK(config_is_good(config)); /* what is not whole answers otherwise */
    const struct config_node *health = health_of(&explaining);
    unsigned status;

    if (health) {
        explaining_put_node(&explaining, "answer", health, "");
        return explaining.err;
    }
    if (!find(&explaining, &status)) {
        if (explaining.host)
            explaining_put_node(&explaining, "host", explaining.host->node, "");
        if (status == 0)
            explaining_put(&explaining, "answer    none: no address is listened on for %s\n",
                           px_str_equal(request->scheme, px_str_of("https")) ? "https" : "http");
        else
            explaining_put_no_route(&explaining, status);
        return explaining.err;
    }
    if (explaining.host->node)
        explaining_put_node(&explaining, "host", explaining.host->node, "");
    if (explaining.route->node)
        explaining_put_node(&explaining, "route", explaining.route->node, "");
    put_matches(&explaining);
    const struct config_node *early = early_of(&explaining);

    put_steps(&explaining, early);
    if (early)
        explaining_put_node(&explaining, build_is_https(early) ? "answer" : "answer    403:", early,
                            "");
    else
        put_answer(&explaining);
    return explaining.err;
}
