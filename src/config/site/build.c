/*
 * Hosts and routes of a site.
 *
 * The happy path: for each host its names and listeners, for each of its routes what answers and
 * what stands before and behind that.  It can fail by what only the library can tell: a pattern, a
 * conflict of two, a folder that is not there.  Each is noted at its place, all in one go.
 */
#include "config/site/build.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/slips.h"
#include "pollux/files.h"
#include "pollux/response.h"

enum { HOST_LISTENERS_MAX = 64, HOST_TEXT_BYTES = 40 };

void build_note(struct build *build, struct config_place place, const px_error *error)
{
    if (error->code == PX_ERR_MEMORY)
        report_out_of_memory(&build->load->report);
    else
        report_add(&build->load->report, REPORT_MEANING, place, "%s", error->text);
}

/* What holds of a route in the making. */
static void route_check(const struct build_route *route)
{
    CHECK(route->build && route->host && route->route);
    CHECK(route->middleware_count <= BUILD_MIDDLEWARE_MAX);
    CHECK(route->filter_count <= BUILD_FILTERS_MAX);
    for (uint32_t i = 0; i < route->middleware_count; i++)
        CHECK(route->middleware[i].run);
    for (uint32_t i = 0; i < route->filter_count; i++)
        CHECK(route->filters[i].filter);
}

/* A text that an error names whole: not a part of a longer word. */
static bool is_named(const char *text, px_str word)
{
    const char *at = word.len > 0 ? strstr(text, word.ptr) : NULL;

    return at && (at == text || at[-1] == ' ' || at[-1] == '\'' || at[-1] == '"');
}

struct config_place build_place_named(const struct config_node *node, const px_error *error)
{
    for (uint32_t i = 0; node->row->options && node->row->options[i].name; i++)
        if (node->options[i].value && is_named(error->text, node->options[i].text))
            return node->options[i].value->place;
    for (uint32_t i = 0; i < node->value_count; i++)
        if (is_named(error->text, node->values[i].text))
            return node->values[i].value->place;
    return node_place(node);
}

void build_use(struct build_route *route, px_middleware_fn run, void *context,
               void (*release)(void *context))
{
    if (route->middleware_count < BUILD_MIDDLEWARE_MAX) {
        route->middleware[route->middleware_count++] = (px_middleware_use){run, context, release};
        return;
    }
    if (release)
        release(context);
    if (!route->is_too_long)
        report_add(&route->build->load->report, REPORT_MEANING,
                   route->route->node ? node_place(route->route->node)
                                      : config_whole(route->build->load),
                   "more than %d directives act on one request", BUILD_MIDDLEWARE_MAX);
    route->is_too_long = true;
}

void build_filter(struct build_route *route, const px_filter *filter, void *context,
                  void (*release)(void *context))
{
    CHECK(filter && route->filter_count < BUILD_FILTERS_MAX);
    route->filters[route->filter_count++] = (px_filter_use){filter, context, release};
}

static void template_release(void *template_)
{
    px_template_destroy(template_);
}

bool build_text_read(struct build *build, const struct config_typed *value,
                     struct build_text *out_text)
{
    px_str text = value->text;
    px_error error;
    size_t at = 0;

    *out_text = (struct build_text){.constant = text};
    if (text.len == 0 || (!memchr(text.ptr, '{', text.len) && !memchr(text.ptr, '}', text.len)))
        return true;
    px_template *parsed = px_template_create(text, &build->config->allocator, &at, &error);

    if (!parsed) {
        build_note(build, build_place_in(value->value, &error), &error);
        return false;
    }
    if (!build_made_keep(build, NULL, NULL, parsed, template_release))
        return false;
    out_text->template_ = parsed;
    return true;
}

/* --- Routes ----------------------------------------------------------------------------------- */

/* The route of the same host that an error's text names. */
static const struct config_route *route_named(const struct build_route *route, const char *text)
{
    char quoted[300];

    for (const struct config_route *other = route->host->routes; other && other != route->route;
         other = other->next) {
        snprintf(quoted, sizeof(quoted), "\"%s\"", other->pattern);
        if (other->node && strstr(text, quoted))
            return other;
    }
    return NULL;
}

/* A pattern of two values: the method, where the text is about that, or the path. */
static struct config_place pattern_place(const struct config_node *node, const char *text)
{
    uint32_t last = node->value_count - 1;

    CHECK(node->value_count > 0); /* a route without a pattern has no settings */
    return node->values[strstr(text, "method") ? 0 : last].value->place;
}

static void note_route(struct build_route *route, const px_error *error)
{
    const struct config_node *node = route->route->node;
    const struct config_route *other =
        error->code == PX_ERR_CONFLICT ? route_named(route, error->text) : NULL;
    struct config_place place =
        node ? pattern_place(node, error->text) : config_whole(route->build->load);

    if (!other) {
        build_note(route->build, place, error);
        return;
    }
    struct config_place there = node_place(other->node);

    if (strcmp(other->pattern, route->route->pattern) == 0) {
        report_add(&route->build->load->report, REPORT_MEANING, place,
                   "route \"%s\" is already at %s:%u", other->pattern, there.file->name,
                   there.line);
        return;
    }
    report_add(&route->build->load->report, REPORT_MEANING, place, "%s; the other is at %s:%u",
               error->text, there.file->name, there.line);
}

/* What a route's context is: it holds the configuration, in whose memory it lies. */
struct route_context {
    struct config *config;
    const struct config_host *host;
    const struct config_route *settings;
    uint32_t count;
    struct build_answer answers[];
};

/* The first whose match holds; where none does there is nothing here. */
static void route_handle(px_exchange *exchange, void *context)
{
    const struct route_context *route = context;

    for (uint32_t i = 0; i < route->count; i++) {
        const struct build_answer *answer = &route->answers[i];

        ASSERT(answer->handler);
        if (answer->when && !px_matcher_matches(answer->when, exchange))
            continue;
        answer->handler(exchange, answer->context);
        return;
    }
    px_respond_error(exchange, 404);
}

static void route_release(void *context)
{
    struct route_context *route = context;

    for (uint32_t i = 0; i < route->count; i++)
        if (route->answers[i].release)
            route->answers[i].release(route->answers[i].context);
    config_drop(route->config);
}

void build_route_of(const void *context, const struct config_host **out_host,
                    const struct config_route **out_route)
{
    const struct route_context *route = context;

    *out_host = route->host;
    *out_route = route->settings;
}

static bool has_content(const struct config_node *nodes)
{
    const struct config_node *limits = node_find(nodes, "limits");

    return limits && node_find(limits->children, "content");
}

/* Whether the file says for its hosts how long content may be. */
static bool limits_content(const struct build_route *route)
{
    const struct config_node *host = route->host->node;

    return route->build->limits_content || (host && has_content(host->children));
}

/* From here on the library releases what the route uses, also when it refuses it. */
static void route_add(struct build_route *route, px_host *host, struct route_context *context)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error;

    (void)build_route_rules(route, &options);
    options.content_mode = route->streams ? PX_CONTENT_STREAM : PX_CONTENT_DROP;
    for (uint32_t i = 0; i < context->count; i++)
        options.resolves_path |= context->answers[i].handler == px_files_handle;
    /* What a client sends is as long as its server takes; here it is not kept. */
    if (route->streams && options.content_bytes_max == 0 && !limits_content(route))
        options.content_bytes_max = PX_UNLIMITED_BYTES;
    options.release = route_release;
    options.middleware = route->middleware;
    options.middleware_count = route->middleware_count;
    options.filters = route->filters;
    options.filter_count = route->filter_count;
    CHECK(context->config->hold_count > 0);
    config_hold(context->config);
    if (px_host_route(host, route->route->pattern, &options, route_handle, context, &error) !=
        PX_OK)
        note_route(route, &error);
}

static void build_one_route(struct build *build, const struct config_host *from, px_host *host,
                            const struct config_route *settings)
{
    struct build_route route = {.build = build, .host = from, .route = settings};
    size_t room = build_answer_count(settings) * sizeof(struct build_answer);
    struct route_context *context = load_take(build->load, sizeof(*context) + room);

    if (!context)
        return;
    context->config = build->config;
    context->host = from;
    context->settings = settings;
    (void)build_answers(&route, context->answers, &context->count);
    (void)build_middleware(&route);
    (void)build_filters(&route);
    route_check(&route);
    CHECK(context->count <= build_answer_count(settings));
    route_add(&route, host, context);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

/* Which listeners a host is served at, by their tags; none: at every one. */
static uint32_t listeners_of(const struct build *build, const struct config_host *host,
                             uint32_t *out_tags)
{
    uint32_t count = 0;
    bool is_at_all = !host->binds;

    for (const struct config_bind *bind = host->binds; bind; bind = bind->next) {
        if (count == HOST_LISTENERS_MAX) {
            report_add(&build->load->report, REPORT_MEANING, node_place(host->node),
                       "a host is served at %d addresses at most", HOST_LISTENERS_MAX);
            return count;
        }
        CHECK(bind->listen->index < build->settings->listen_count);
        out_tags[count++] = bind->listen->index;
    }
    if (!is_at_all)
        return count;
    for (const struct config_listen *listen = build->settings->listens; listen;
         listen = listen->next)
        is_at_all &= listen->is_shared;
    for (const struct config_listen *listen = build->settings->listens;
         listen && !is_at_all && count < HOST_LISTENERS_MAX; listen = listen->next)
        if (listen->is_shared)
            out_tags[count++] = listen->index;
    return count;
}

/* A host whose name another one has, of which the rest is looked at.  Nothing is served by it, for
 * that was noted. */
static px_host *host_add_unnamed(struct build *build, const struct config_host *from)
{
    px_host_options options = PX_HOST_OPTIONS_DEFAULT;
    char text[HOST_TEXT_BYTES];
    const char *name = text;
    px_host *host = NULL;
    px_error error;

    snprintf(text, sizeof(text), "host-%u.invalid", build->unnamed_count++);
    if (build_host_rules(build, from, &options) &&
        px_site_host(build->site, &name, 1, &options, &host, &error) != PX_OK)
        build_note(build, node_place(from->node), &error);
    return host;
}

static px_host *host_add(struct build *build, const struct config_host *from)
{
    static const char *const all[] = {"*"};
    px_host_options options = PX_HOST_OPTIONS_DEFAULT;
    uint32_t tags[HOST_LISTENERS_MAX], count = from->node ? from->node->value_count : 1;
    const char **names = load_take(build->load, (count + 1) * sizeof(names[0]));
    px_host *host = NULL;
    px_error error;

    if (!names)
        return NULL;
    if (from->is_repeated)
        return host_add_unnamed(build, from);
    for (uint32_t i = 0; from->node && i < count; i++)
        names[i] = from->node->values[i].text.ptr;
    options.listeners = tags;
    options.listener_count = listeners_of(build, from, tags);
    if (!build_host_rules(build, from, &options))
        return NULL;
    if (px_site_host(build->site, from->node ? names : all, count, &options, &host, &error) ==
        PX_OK)
        return host;
    build_note(build, from->node ? node_place(from->node) : config_whole(build->load), &error);
    return NULL;
}

/* --- The site --------------------------------------------------------------------------------- */

static const struct config_node *in_block(const struct build *build, const char *block,
                                          const char *name)
{
    const struct config_node *node = node_find(build->settings->nodes, block);

    node = node ? node_find(node->children, name) : NULL;
    return node && node->value_count > 0 ? node : NULL;
}

static uint32_t number_of(const struct config_node *node)
{
    if (!node)
        return 0;
    return node->values[0].is_off ? PX_OFF : (uint32_t)node->values[0].number;
}

const px_template *build_log_template(struct build *build, const struct config_node *log)
{
    size_t at = 0;
    px_error error;

    if (log->value_count < 2) {
        report_add(&build->load->report, REPORT_MEANING, node_place(log),
                   "a template has a text: %s template \"{client} {status}\" PATH", log->row->name);
        return NULL;
    }
    const struct config_value *value = log->values[1].value;

    slips_judge_variables(build->load, value, false);
    px_template *template_ =
        px_log_template_create(value->text, &build->config->allocator, &at, &error);

    if (!template_)
        build_note(build, build_place_in(value, &error), &error);
    return template_ && build_made_keep(build, NULL, NULL, template_, template_release) ? template_
                                                                                        : NULL;
}

/* What is written for each answer, and for which. */
static void take_log(struct build *build, px_site_options *options)
{
    static const uint32_t formats[] = {PX_LOG_OFF, PX_LOG_COMBINED, PX_LOG_JSON, PX_LOG_REQUEST,
                                       PX_LOG_TEMPLATE};
    const struct config_node *log = node_find(build->settings->nodes, "log");

    options->log_format = PX_LOG_COMBINED;
    if (!log || log->value_count == 0)
        return;
    const struct config_typed *sample = node_option(log, "sample");
    const struct config_typed *errors = node_option(log, "errors");
    const char *slip = NULL;

    CHECK(log->values[0].word < ARRAY_COUNT(formats)); /* the schema has these words alone */
    options->log_format = formats[log->values[0].word];
    if (options->log_format == PX_LOG_TEMPLATE)
        options->log_template = build_log_template(build, log);
    else if (log->value_count > 2)
        slip = "a log goes to one file";
    if (options->log_format == PX_LOG_TEMPLATE && !options->log_template)
        options->log_format = PX_LOG_COMBINED; /* noted */
    if (node_option(log, "ecs") && options->log_format != PX_LOG_JSON)
        slip = "ecs is a spelling of json";
    else if (node_option(log, "ecs"))
        options->log_format = PX_LOG_ECS;
    if (sample)
        options->log_sample = (uint32_t)sample->number;
    if (sample && (options->log_format == PX_LOG_OFF || options->log_format == PX_LOG_REQUEST))
        slip = "a sample is one of answers: of combined and json";
    options->log_errors = errors && errors->word == 1 ? 1 : 0;
    if (errors && !sample)
        slip = "errors says what a sample leaves out: give sample too";
    if (slip)
        report_add(&build->load->report, REPORT_MEANING, node_place(log), "%s", slip);
}

static px_site *site_make(struct build *build)
{
    const struct config_node *content = in_block(build, "limits", "content");
    const struct config_node *total = in_block(build, "timeouts", "total");
    px_site_options options = PX_SITE_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = &build->config->allocator;
    take_log(build, &options);
    build->log = PX_LOG_OPTIONS_DEFAULT;
    build->log.format = options.log_format;
    build->log.sample = options.log_sample;
    build->log.errors = options.log_errors;
    build->log.line = options.log_template;
    if (content)
        options.content_bytes_max =
            content->values[0].is_off ? PX_UNLIMITED_BYTES : content->values[0].number;
    if (total && !total->values[0].is_off)
        options.total_timeout_ms = number_of(total);
    options.content_rate_min = number_of(in_block(build, "minimum_rate", "content"));
    options.send_rate_min = number_of(in_block(build, "minimum_rate", "send"));
    px_site *site = px_site_create(&options, &error);

    if (!site)
        build_note(build, config_whole(build->load), &error);
    return site;
}

/* ":8443" where TLS is spoken on another port than its own. */
static const char *https_end(struct build *build)
{
    for (const struct config_listen *listen = build->settings->listens; listen;
         listen = listen->next) {
        const char *colon = listen->is_tls ? strrchr(listen->address.ptr, ':') : NULL;

        if (colon && strcmp(colon, ":443") != 0 && strcmp(colon, ":0") != 0 &&
            strspn(colon + 1, "0123456789") == strlen(colon + 1))
            return colon;
        if (listen->is_tls)
            return "";
    }
    return "";
}

static void count_files(struct build *build)
{
    for (const struct config_host *host = build->settings->hosts; host; host = host->next)
        for (const struct config_route *route = host->routes; route; route = route->next)
            for (uint32_t i = 0; i < route->step_count; i++)
                build->files_count += node_is(route->steps[i].node, "files");
}

/* Also those that nothing waits for are read. */
static void build_matches(struct build *build, const struct config_node *nodes)
{
    px_matcher *unused;

    for (; nodes; nodes = nodes->next) {
        if (node_is(nodes, "match"))
            (void)build_match(build, nodes, &unused);
        if (node_is(nodes, "host"))
            build_matches(build, nodes->children);
    }
}

void config_build(struct config *config)
{
    struct build build = {.config = config, .load = &config->load, .settings = config->settings};

    CHECK(config->settings && !config->site);
    build.site = site_make(&build);
    if (!build.site)
        return;
    config->site = build.site;
    if (!build_debug(&build) || !build_health(&build))
        return;
    build.https_origin_end = https_end(&build);
    build.limits_content = has_content(config->settings->nodes);
    count_files(&build);
    build_upstreams(&build);
    build_matches(&build, config->settings->nodes);
    for (const struct config_host *from = config->settings->hosts; from; from = from->next) {
        px_host *host = host_add(&build, from);

        for (const struct config_route *route = from->routes; route && host; route = route->next)
            build_one_route(&build, from, host, route);
    }
    build_upstreams_tell_apart(&build);
}
