/*
 * What stands before the answer: health, redirect https, allow and deny, limits, passwords, and
 * what changes the request.
 *
 * Steps come in the order of their phases.  What one directive makes is made once, for all routes
 * that it holds for; lists of a route are one middleware.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "config/site/build.h"
#include "pollux/access.h"
#include "pollux/basic_auth.h"
#include "pollux/connection_limit.h"
#include "pollux/rate_limit.h"
#include "pollux/request.h"
#include "pollux/reshape.h"
#include "pollux/response.h"

enum { HTTPS_PORT = 443, PORT_BYTES = 16 };

/* --- redirect https --------------------------------------------------------------------------- */

struct https {
    const px_template *target; /* borrowed: the configuration's */
    px_matcher *when;          /* borrowed, likewise; NULL: always */
};

/* 301 for GET and HEAD, which every client follows; 308 keeps method and content (RFC 9110 section
 * 15.4.9).  A request without a host cannot be redirected. */
static px_verdict https_check(px_exchange *exchange, void *context)
{
    const struct https *https = context;
    px_str method = px_request_method(exchange);
    bool is_safe =
        px_str_equal(method, px_str_of("GET")) || px_str_equal(method, px_str_of("HEAD"));

    if (px_str_equal(px_request_scheme(exchange), px_str_of("https")) ||
        (https->when && !px_matcher_matches(https->when, exchange)))
        return PX_NEXT;
    px_str target = px_template_text(https->target, exchange, PX_TEMPLATE_TARGET);

    if (!px_request_authority(exchange).ptr || !px_request_raw_path(exchange).ptr)
        px_respond_error(exchange, 400);
    else if (!target.ptr)
        px_respond_error(exchange, 503);
    else
        px_respond_redirect(exchange, is_safe ? 301 : 308, target);
    return PX_STOP;
}

/* ":8443", or nothing for the port that https has of its own. */
static void https_end(const struct build *build, const struct config_node *node, char *out_end)
{
    const struct config_typed *port = node_option(node, "port");

    if (!port)
        snprintf(out_end, PORT_BYTES, "%s", build->https_origin_end);
    else if (port->number == HTTPS_PORT)
        out_end[0] = '\0';
    else
        snprintf(out_end, PORT_BYTES, ":%u", (unsigned)port->number);
}

static bool https_use(struct build_route *route, const struct config_step *step)
{
    struct build *build = route->build;
    char end[PORT_BYTES];
    size_t room = sizeof("https://{host}{uri}") + sizeof(end);
    char *text = load_take(build->load, room);
    struct https *https = load_take(build->load, sizeof(*https));
    struct config_typed value = {.value = &step->node->statement->name};
    struct build_text target;

    if (!text || !https)
        return false;
    https_end(build, step->node, end);
    int len = snprintf(text, room, "https://{host}%s{uri}", end);

    CHECK(len > 0 && (size_t)len < room);
    value.text = px_str_of(text);
    if (!build_text_read(build, &value, &target) || !build_match(build, step->match, &https->when))
        return false;
    CHECK(target.template_); /* it has placeholders */
    https->target = target.template_;
    build_use(route, https_check, https, NULL);
    return true;
}

/* --- allow, deny ------------------------------------------------------------------------------ */

static bool access_add(struct build_route *route, px_access *access, const struct config_step *step)
{
    const struct config_node *node = step->node;
    bool is_good = true;
    px_matcher *when;
    px_error error;

    if (!build_match(route->build, step->match, &when))
        return false;
    for (uint32_t i = 0; i < node->value_count; i++) {
        if (px_access_add(access, node_is(node, "allow"), node->values[i].text, when, &error) ==
            PX_OK)
            continue;
        build_note(route->build, node->values[i].value->place, &error);
        is_good = false;
    }
    return is_good;
}

static bool is_access(const struct config_node *node)
{
    return node_is(node, "allow") || node_is(node, "deny");
}

/* All of a route in one list; the first of them stands for it. */
static bool access_use(struct build_route *route, uint32_t first)
{
    const struct config_route *settings = route->route;
    px_access_options options = PX_ACCESS_OPTIONS_DEFAULT;
    bool is_good = true;
    px_error error;

    options.allocator = &route->build->config->allocator;
    px_access *access = px_access_create(&options, &error);

    if (!access) {
        build_note(route->build, node_place(settings->steps[first].node), &error);
        return false;
    }
    for (uint32_t i = first; i < settings->step_count; i++)
        if (is_access(settings->steps[i].node))
            is_good &= access_add(route, access, &settings->steps[i]);
    build_use(route, px_access_check, access, px_access_destroy);
    return is_good;
}

/* --- Limits ----------------------------------------------------------------------------------- */

/* Where a directive stands: counts live on across a reload by that, and not by its line. */
static const char *scope_name(struct build_route *route, const struct config_node *node)
{
    const struct config_node *host = route->host->node, *own = route->route->node;

    CHECK(!host || host->value_count > 0);
    bool is_own = own && node_is_in(own->children, node);
    const char *name =
        host && (is_own || node_is_in(host->children, node)) ? host->values[0].text.ptr : "";
    size_t room = strlen(name) + strlen(route->route->pattern) + 2;
    char *text = load_take(route->build->load, room);

    if (text)
        snprintf(text, room, "%s %s", name, is_own ? route->route->pattern : "");
    return text;
}

static px_rate_limit *rate_make(struct build_route *route, const struct config_node *node,
                                px_matcher *when, px_error *out_error)
{
    struct build *build = route->build;
    const struct config_typed *burst = node_option(node, "burst");
    px_rate_limit_options options = PX_RATE_LIMIT_OPTIONS_DEFAULT;
    struct config_shared *shared = build->config->shared;

    if (!shared->rates)
        shared->rates = px_rate_table_create(NULL, out_error);
    options.name = scope_name(route, node);
    if (!shared->rates)
        return NULL;
    CHECK(node->values[1].number > 0 && node->values[1].per_ms > 0);
    options.allocator = &build->config->allocator;
    options.table = shared->rates;
    options.key = node->values[0].text.ptr;
    options.when = when;
    options.count = (uint32_t)node->values[1].number;
    options.per_ms = (uint32_t)node->values[1].per_ms;
    options.burst = burst ? (uint32_t)burst->number : 0;
    return px_rate_limit_create(&options, out_error);
}

static px_connection_limit *connections_make(struct build_route *route,
                                             const struct config_node *node, px_matcher *when,
                                             px_error *out_error)
{
    px_connection_limit_options options = PX_CONNECTION_LIMIT_OPTIONS_DEFAULT;

    CHECK(node->value_count > 1 && node->values[1].number <= UINT32_MAX);
    options.allocator = &route->build->config->allocator;
    options.key = node->values[0].text.ptr;
    options.when = when;
    options.count = (uint32_t)node->values[1].number;
    return px_connection_limit_create(&options, out_error);
}

/* --- Passwords, targets ----------------------------------------------------------------------- */

static px_basic_auth *auth_make(struct build_route *route, const struct config_node *node,
                                px_matcher *when, px_error *out_error)
{
    px_basic_auth_options options = PX_BASIC_AUTH_OPTIONS_DEFAULT;

    options.allocator = &route->build->config->allocator;
    options.realm = node->values[0].text.ptr;
    options.file = node->values[1].text.ptr;
    options.when = when;
    return px_basic_auth_create(&options, out_error);
}

static px_rewrite *rewrite_make(struct build_route *route, const struct config_node *node,
                                px_matcher *when, px_error *out_error)
{
    px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;

    /* What begins with a placeholder may begin with a slash. */
    if (node_is(node, "rewrite") &&
        (node->values[0].text.len == 0 || !strchr("/{", node->values[0].text.ptr[0]))) {
        error_set(out_error, PX_ERR_INVALID, 0, "\"%s\" is not a path that begins with /",
                  node->values[0].text.ptr);
        return NULL;
    }
    options.allocator = &route->build->config->allocator;
    if (node_is(node, "rewrite"))
        options.target = node->values[0].text.ptr;
    else
        options.prefix = node->values[0].text.ptr;
    options.when = when;
    return px_rewrite_create(&options, out_error);
}

/* A key that is one for all clients lets one of them use up what is there for all. */
static void key_judge(struct build_route *route, const struct config_typed *key)
{
    for (size_t at = 0; at < key->text.len; at++) {
        if (key->text.ptr[at] != '{')
            continue;
        if (at + 1 == key->text.len || key->text.ptr[at + 1] != '{')
            return;
        at++; /* a brace */
    }
    report_add(&route->build->load->report, REPORT_WARNING, key->value->place,
               "the key is the same for all requests, so all clients share one limit; {client} is "
               "one for each of them");
}

/* --- What one directive makes for all routes -------------------------------------------------- */

static void *kept_make(struct build_route *route, const struct config_node *node, px_matcher *when,
                       px_error *out_error)
{
    switch (node->row->phase) {
    case PHASE_RATE:
        key_judge(route, &node->values[0]);
        return node_is(node, "rate_limit") ? (void *)rate_make(route, node, when, out_error)
                                           : (void *)connections_make(route, node, when, out_error);
    case PHASE_AUTH:
        return node_is(node, "basic_auth") ? (void *)auth_make(route, node, when, out_error)
                                           : build_auth(route, node, when, out_error);
    default:
        return rewrite_make(route, node, when, out_error);
    }
}

static const struct gate_kind {
    const char *name;
    px_middleware_fn run;
    void (*release)(void *context);
    uint32_t blamed; /* the value that an error is most likely about */
} gate_kinds[] = {
    {"rate_limit", px_rate_limit_check, px_rate_limit_destroy, 0},
    {"connection_limit", px_connection_limit_check, px_connection_limit_destroy, 0},
    {"basic_auth", px_basic_auth_check, px_basic_auth_destroy, 1},
    {"forward_auth", build_auth_check, build_auth_release, 0},
    {"rewrite", px_rewrite_run, px_rewrite_destroy, 0},
    {"strip_prefix", px_rewrite_run, px_rewrite_destroy, 0},
};

static const struct gate_kind *kind_of(const struct config_node *node)
{
    for (size_t i = 0; i < ARRAY_COUNT(gate_kinds); i++)
        if (node_is(node, gate_kinds[i].name))
            return &gate_kinds[i];
    return NULL;
}

/* What a directive makes, once for all routes, while `match` holds; *out_context is NULL where it
 * says off. */
static bool kept_get(struct build_route *route, const struct config_node *node,
                     const struct config_node *match, const struct gate_kind *kind,
                     void **out_context)
{
    void *made = build_made_find(route->build->config, node, match);
    px_matcher *when;
    px_error error;

    *out_context = NULL;
    if (node->values[0].is_off)
        return true;
    if (!made) {
        if (!build_match(route->build, match, &when))
            return false;
        made = kept_make(route, node, when, &error);
        if (!made) {
            uint32_t blamed = kind->blamed < node->value_count ? kind->blamed : 0;

            build_note(route->build, build_place_in(node->values[blamed].value, &error), &error);
            return false;
        }
        if (!build_made_keep(route->build, node, match, made, kind->release))
            return false;
    }
    *out_context = made;
    return true;
}

static bool kept_use(struct build_route *route, const struct config_step *step,
                     const struct gate_kind *kind)
{
    void *made;

    if (!kept_get(route, step->node, step->match, kind, &made))
        return false;
    if (made)
        build_use(route, kind->run, made, NULL);
    return true;
}

/* --- Settings under a when -------------------------------------------------------------------- */

/* A setting that stands more than once: the innermost whose match holds replaces the others. */
struct choice {
    px_middleware_fn run;
    uint32_t count;
    struct {
        px_matcher *when; /* borrowed: the configuration's; NULL: always */
        void *context;    /* borrowed, likewise; NULL: off */
    } each[];             /* from outside in */
};

static px_verdict choice_run(px_exchange *exchange, void *context)
{
    const struct choice *choice = context;

    for (uint32_t i = choice->count; i-- > 0;) {
        if (choice->each[i].when && !px_matcher_matches(choice->each[i].when, exchange))
            continue;
        return choice->each[i].context ? choice->run(exchange, choice->each[i].context) : PX_NEXT;
    }
    return PX_NEXT;
}

static uint32_t count_named(const struct config_route *settings, const char *name)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < settings->step_count; i++)
        count += node_is(settings->steps[i].node, name);
    return count;
}

/* `first` is the first step of its name, and stands for all. */
static bool choice_use(struct build_route *route, uint32_t first, const struct gate_kind *kind)
{
    const struct config_route *settings = route->route;
    uint32_t room = count_named(settings, kind->name);
    struct choice *choice =
        load_take(route->build->load, sizeof(*choice) + room * sizeof(choice->each[0]));

    if (!choice)
        return false;
    choice->run = kind->run;
    for (uint32_t i = first; i < settings->step_count; i++) {
        const struct config_step *step = &settings->steps[i];

        if (!node_is(step->node, kind->name))
            continue;
        if (!build_match(route->build, step->match, &choice->each[choice->count].when) ||
            !kept_get(route, step->node, NULL, kind, &choice->each[choice->count].context))
            return false;
        choice->count++;
    }
    build_use(route, choice_run, choice, NULL);
    return true;
}

static bool is_first_named(const struct config_route *settings, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (node_is(settings->steps[i].node, settings->steps[index].node->row->name))
            return false;
    return true;
}

static bool gate_use(struct build_route *route, uint32_t index, const struct gate_kind *kind)
{
    const struct config_step *step = &route->route->steps[index];

    if (step->node->row->kind != KIND_SETTING || count_named(route->route, kind->name) < 2)
        return kept_use(route, step, kind);
    return !is_first_named(route->route, index) || choice_use(route, index, kind);
}

/* --- request_header --------------------------------------------------------------------------- */

static bool request_header_add(struct build_route *route, px_request_headers *headers,
                               const struct config_step *step)
{
    const struct config_node *node = step->node;
    const struct config_typed *name = &node->values[0];
    px_header_edit edit = name->edit == '+'   ? PX_HEADER_ADD
                          : name->edit == '-' ? PX_HEADER_REMOVE
                                              : PX_HEADER_SET;
    px_str value = node->value_count > 1 ? node->values[1].text : px_str_of(NULL);
    px_matcher *when;
    px_error error;

    if (!build_match(route->build, step->match, &when))
        return false;
    if (px_request_headers_add(headers, edit, name->text, value, when, &error) == PX_OK)
        return true;
    build_note(route->build, build_field_place(node, &error), &error);
    return false;
}

static bool request_headers_use(struct build_route *route, uint32_t first)
{
    const struct config_route *settings = route->route;
    bool is_good = true;
    px_error error;
    px_request_headers *headers =
        px_request_headers_create(&route->build->config->allocator, &error);

    if (!headers) {
        build_note(route->build, node_place(settings->steps[first].node), &error);
        return false;
    }
    for (uint32_t i = first; i < settings->step_count; i++)
        if (node_is(settings->steps[i].node, "request_header"))
            is_good &= request_header_add(route, headers, &settings->steps[i]);
    build_use(route, px_request_headers_run, headers, px_request_headers_destroy);
    return is_good;
}

/* --- health ----------------------------------------------------------------------------------- */

/* Readiness: 503 once a drain is announced, which is when a load balancer should look elsewhere. */
struct health {
    const struct config *config;
    px_str path;
};

static px_verdict health_check(px_exchange *exchange, void *context)
{
    const struct health *health = context;
    const struct config *config = health->config;
    px_str method = px_request_method(exchange);

    if (!px_str_equal(px_request_path(exchange), health->path) ||
        (!px_str_equal(method, px_str_of("GET")) && !px_str_equal(method, px_str_of("HEAD"))))
        return PX_NEXT;
    px_response_unlogged(exchange);
    /* An answer from a cache would be about another time. */
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    if (config->is_draining && config->is_draining(config->drain_context))
        px_respond_text(exchange, 503, "draining\n");
    else
        px_respond_text(exchange, 200, "ok\n");
    return PX_STOP;
}

bool build_health(struct build *build)
{
    const struct config_node *node = node_find(build->settings->nodes, "health");
    struct health *health;
    px_error error;

    if (!node || node->value_count == 0)
        return true;
    health = load_take(build->load, sizeof(*health));
    if (!health)
        return false;
    *health = (struct health){build->config, node->values[0].text};
    if (px_site_use(build->site, health_check, health, NULL, &error) == PX_OK)
        return true;
    build_note(build, node_place(node), &error);
    return false;
}

/* --- All of it -------------------------------------------------------------------------------- */

bool build_middleware(struct build_route *route)
{
    const struct config_route *settings = route->route;
    bool is_good = true, has_access = false, has_headers = false;

    for (uint32_t i = 0; i < settings->step_count; i++) {
        const struct config_step *step = &settings->steps[i];
        const struct gate_kind *kind = kind_of(step->node);

        if (kind)
            is_good &= gate_use(route, i, kind);
        else if (build_is_https(step->node))
            is_good &= https_use(route, step);
        else if (is_access(step->node) && !has_access)
            has_access = true, is_good &= access_use(route, i);
        else if (node_is(step->node, "request_header") && !has_headers)
            has_headers = true, is_good &= request_headers_use(route, i);
    }
    return is_good;
}
