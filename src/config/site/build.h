/*
 * From settings to a site: each file of build_*.c makes one kind of thing out of directives.
 *
 *   build.c         hosts, routes, and what of limits and logs differs from host to host
 *   build_answer.c  respond, redirect: which handler answers, and when
 *   build_upstream.c, build_proxy.c   upstream, proxy, forward_auth
 *   build_observe.c metrics, status
 *   build_files.c   files, and what it serves them by
 *   build_gate.c    middleware: what stands before the answer
 *   build_head.c    filters: what is done to an answer's head
 *
 * All that is made lies in the arena of the configuration, or is owned by a route and released with
 * it.  What is wrong is noted at its place.
 */
#ifndef PX_CONFIG_BUILD_H
#define PX_CONFIG_BUILD_H

#include "config/config.h"
#include "pollux/compress.h"
#include "pollux/matcher.h"
#include "pollux/reshape.h"
#include "pollux/template.h"

enum {
    BUILD_MIDDLEWARE_MAX = 64, /* of a route; more is noted */
    BUILD_FILTERS_MAX = 8,
    BUILD_PAGES_FIRST = 400, /* errors that may have a page: 400 to 599 */
    BUILD_PAGES_COUNT = 200,
};

/* Pages of errors, of a host or a route.  In the configuration's memory. */
struct build_pages {
    px_error_pages *list; /* owned by the configuration */
    bool is_named[BUILD_PAGES_COUNT];
};

struct build {
    struct config *config;
    struct config_load *load;
    const struct config_settings *settings;
    px_site *site;
    bool limits_content;          /* the top says how long content may be */
    uint32_t unnamed_count;       /* hosts whose name is another one's */
    uint32_t files_count;         /* folders that the file names: they share what caches may keep */
    const char *https_origin_end; /* what redirect https puts behind the host: "" or ":8443" */
    px_compress *compress;        /* borrowed: the configuration's; NULL: nothing codes yet */
    const px_filter *coding_filter;     /* likewise */
    struct config_upstream **upstreams; /* those with a name, sorted by it; in the load's arena */
    uint32_t upstream_count;
    px_log_options log;                 /* as the top says it, for the log of the process */
    const struct config_node *host_log; /* `access_log` of the host at hand, or NULL */
    struct build_pages *host_pages;     /* of the host at hand; NULL: it names none */
};

/* A text of a directive: as it stands, or made for each request. */
struct build_text {
    px_str constant;
    const px_template *template_; /* borrowed: the configuration's; NULL: `constant` is it */
};

/* What answers. */
struct build_answer {
    px_handler handler;
    void *context;
    void (*release)(void *context); /* NULL: nothing is to be released */
    px_matcher *when;               /* borrowed: the configuration's; NULL: always */
};

/* A route in the making. */
struct build_route {
    struct build *build;
    const struct config_host *host;
    const struct config_route *route;
    px_middleware_use middleware[BUILD_MIDDLEWARE_MAX];
    px_filter_use filters[BUILD_FILTERS_MAX];
    uint32_t middleware_count;
    uint32_t filter_count;
    bool streams;     /* what answers takes content as it comes, and has no limit of its own */
    bool is_too_long; /* noted */
};

/* Fills config->site, or notes why there is none. */
void config_build(struct config *config);

/* A further hold on the configuration, and its end. */
static inline void config_hold(struct config *config)
{
    config->hold_count++;
}
void config_drop(struct config *config);

/* --- Between the files of build --------------------------------------------------------------- */

/* Notes what a library call says, at a place. */
void build_note(struct build *build, struct config_place place, const px_error *error);

/* The place of the value or option that an error names, or of the directive. */
struct config_place build_place_named(const struct config_node *node, const px_error *error);

/* Reads a value as a text; false: noted. */
bool build_text_read(struct build *build, const struct config_typed *value,
                     struct build_text *out_text);

/* The text for a request; absent without memory. */
static inline px_str build_text_of(const struct build_text *text, px_exchange *exchange,
                                   px_template_use use)
{
    return text->template_ ? px_template_text(text->template_, exchange, use) : text->constant;
}

/* What a directive made before, or NULL. */
void *build_made_find(const struct config *config, const struct config_node *node,
                      const struct config_node *match);

/* Keeps it as long as the configuration; also where it fails it is taken. */
bool build_made_keep(struct build *build, const struct config_node *node,
                     const struct config_node *match, void *thing, void (*release)(void *thing));

/* The matcher of a match; NULL stays NULL.  False: noted. */
bool build_match(struct build *build, const struct config_node *match, px_matcher **out_matcher);

/* The placeholder of a value that an error names, in its braces, or the value. */
struct config_place build_place_in(const struct config_value *value, const px_error *error);

/* Which value an error of a field's name and value is about. */
struct config_place build_field_place(const struct config_node *node, const px_error *error);

/* Limits, times and error pages of a host or a route (build_rules.c); false: noted. */
bool build_host_rules(struct build *build, const struct config_host *host,
                      px_host_options *options);
bool build_route_rules(struct build_route *route, px_route_options *options);

/* What an `access_log` says (build_log.c), in the load's arena; NULL without memory. */
const px_log_options *build_log(struct build *build, const struct config_node *node);
void build_log_release(void *options);

/* `... template TEXT`: the text as it stands, not as the path that is second otherwise; NULL:
 * noted.
 */
const px_template *build_log_template(struct build *build, const struct config_node *log);

/* What a route answers with, in the order in which they are tried; false: noted. */
bool build_answers(struct build_route *route, struct build_answer *out_answers,
                   uint32_t *out_count);

/* How many answers it may have. */
uint32_t build_answer_count(const struct config_route *route);

/* What is made of `upstream` (build_upstream.c), before all routes. */
void build_upstreams(struct build *build);

/* Those of proxies that ask the same URL get names of their own, in the order of the file: they are
 * counted apart, and may be asked in other ways.  Behind all routes. */
void build_upstreams_tell_apart(struct build *build);

/* The upstream that a proxy names, or is made for it; NULL: noted. */
struct config_upstream *build_upstream_of(struct build *build, const struct config_node *node);

/* The system's roots, one for all, borrowed; NULL: *out_error says why. */
px_tls_trust *build_roots(struct build *build, px_error *out_error);

/* What a `proxy` asks, or NULL (build_proxy.c). */
const struct config_upstream *build_proxied(const struct config *config,
                                            const struct config_node *node);
bool build_proxy(struct build_route *route, const struct config_node *node,
                 struct build_answer *out_answer);

/* What a `forward_auth` asks, which ends with the configuration; NULL: *out_error says why. */
void *build_auth(struct build_route *route, const struct config_node *node, px_matcher *when,
                 px_error *out_error);
px_verdict build_auth_check(px_exchange *exchange, void *auth);
void build_auth_release(void *auth);

bool build_observe(struct build *build, const struct config_node *node,
                   struct build_answer *out_answer);
/* Whether a folder that a route answers with stands outside of it, and so is asked for the whole
 * path. */
bool build_files_are_whole(const struct config_route *route, const struct config_node *node);
bool build_files(struct build_route *route, const struct config_node *node,
                 struct build_answer *out_answer);

/* What stands before all hosts. */
bool build_health(struct build *build);
bool build_debug(struct build *build);

/* A matcher of the clients that a directive's values name (build_match.c); false: noted. */
bool build_clients(struct build *build, const struct config_node *node, px_matcher **out_matcher);

/* What stands before and behind it. */
bool build_middleware(struct build_route *route);
bool build_filters(struct build_route *route);

/* Appends to a route's; what is too much is noted. */
void build_use(struct build_route *route, px_middleware_fn run, void *context,
               void (*release)(void *context));
void build_filter(struct build_route *route, const px_filter *filter, void *context,
                  void (*release)(void *context));

/* What a route's context was made of. */
void build_route_of(const void *context, const struct config_host **out_host,
                    const struct config_route **out_route);

/* Whether a redirect is the one to https, which comes before all else. */
static inline bool build_is_https(const struct config_node *node)
{
    return node_is(node, "redirect") && node->value_count > 0 && node->values[0].is_word;
}

#endif
