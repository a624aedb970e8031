/*
 * What is served: hosts, their routes, and what holds for them (middleware, filters, limits,
 * timeouts, error pages, the access log).
 *
 *   px_site *site = px_site_create(NULL, &error);
 *   const char *names[] = {"example.org", "www.example.org"};
 *   px_host *host;
 *   px_site_host(site, names, 2, NULL, &host, &error);
 *   px_host_route(host, "GET /{rest...}", NULL, handler, context, &error);
 *   px_server_set_site(server, site, &error);        the server has a hold of its own now
 *   px_site_destroy(site);
 *
 * A site is filled first and served then; from then on it does not change, except that routes can
 * be taken out.  It is counted: by the hold of its maker, by each server that serves it, and by
 * each exchange, which keeps the site that it began with.  When the last of them has gone, every
 * `release` is called once, the last registered first.  All of it is one thread's: the one of the
 * servers' loop.
 *
 * Where a call fails, the site is as it was, and each `release` of the call was called.
 */
#ifndef PX_SITE_H
#define PX_SITE_H

#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/exchange.h"
#include "pollux/filter.h"
#include "pollux/options.h"
#include "pollux/template.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_site px_site; /**< What is served. */
typedef struct px_host px_host; /**< A host of a site; borrowed: lives as long as its site. */

/** What is written for each request. */
typedef enum px_log_format {
    PX_LOG_OFF,      /**< Nothing. */
    PX_LOG_COMBINED, /**< NCSA combined, a line for each answer. */
    PX_LOG_JSON,     /**< A JSON object a line for each answer. */
    PX_LOG_REQUEST,  /**< 40 dashes, then the head as received, for each accepted head. */
    PX_LOG_ECS,      /**< As PX_LOG_JSON, with the names of Elastic Common Schema. */
    PX_LOG_TEMPLATE  /**< As a template says; of a px_site_options with one. */
} px_log_format;

/** A log of a host's or a route's own.  Zero is what is around it. */
typedef struct px_log_options {
    size_t struct_size;      /**< sizeof(px_log_options). */
    uint32_t format;         /**< A px_log_format, but not PX_LOG_REQUEST; PX_OFF: no lines. */
    uint32_t sample;         /**< As px_site_options.log_sample, with a format. */
    uint32_t errors;         /**< As px_site_options.log_errors, with a sample. */
    uint32_t reserved;       /**< Zero. */
    const px_template *line; /**< As px_site_options.log_template, with PX_LOG_TEMPLATE. */
    /** Takes whole lines, as on_log of px_server_options; NULL: that one does. */
    void (*on_log)(px_str lines, void *context);
    void *context; /**< Handed to it; borrowed: outlives the site. */
} px_log_options;

/** The defaults, as a value.  Any thread. */
static inline px_log_options px_log_options_default(void)
{
    px_log_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_log_options, as a value. */
#define PX_LOG_OPTIONS_DEFAULT px_log_options_default()
/** The same as an initialiser of a static. */
#define PX_LOG_OPTIONS_INIT PX_INIT_OF(px_log_options)

/** Makes the content of an error answer (status 400 to 599): calls px_response_add_field and one
 *  px_respond function with that status, or returns without to get pollux's line of text. */
typedef void (*px_error_page_fn)(px_exchange *exchange, unsigned status, void *context);

/** Options of a site.  Zero is the default everywhere. */
typedef struct px_site_options {
    size_t struct_size;            /**< sizeof(px_site_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
    uint64_t content_bytes_max;    /**< Content of a request; 0: 1 MiB; PX_UNLIMITED_BYTES. */
    uint32_t total_timeout_ms;     /**< A whole exchange, from its head; 0: off. */
    uint32_t content_rate_min;     /**< Request content, bytes a second; 0: 240; PX_OFF. */
    uint32_t send_rate_min;        /**< Peer reading our answer, bytes a second; 0: 240; PX_OFF. */
    /** A px_log_format; 0: off.  Lines go to the server's on_log.  What has no host (a request that
     *  is refused) and the format PX_LOG_REQUEST go by the site's format alone. */
    uint32_t log_format;
    px_error_page_fn on_error_page; /**< NULL: pollux's line of text. */
    void *error_page_context;       /**< Handed to on_error_page; borrowed: outlives the site. */
    /** One answer of so many has a line, by chance; 0 and 1: each.  Heads (PX_LOG_REQUEST) are not
     *  chosen from. */
    uint32_t log_sample;
    uint32_t log_errors; /**< 1: beside those, each that is an error or did not end whole. */
    /** With PX_LOG_TEMPLATE, and then not NULL; borrowed: outlives the site. */
    const px_template *log_template;
} px_site_options;

/** The defaults, as a value.  Any thread. */
static inline px_site_options px_site_options_default(void)
{
    px_site_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_site_options, as a value. */
#define PX_SITE_OPTIONS_DEFAULT px_site_options_default()
/** The same as an initialiser of a static. */
#define PX_SITE_OPTIONS_INIT PX_INIT_OF(px_site_options)

/** Takes a template of log lines apart: as px_template_create, and also with the names of the JSON
 *  log's fields as placeholders ({bytes}, {duration_ms}, {time}, {ended}, ...); {status} is the
 *  one that is logged.  In a line what a request does not have is "-", and control bytes, bytes
 *  from 0x7f, quotes and backslashes are written \\xHH.  The text itself has no control bytes.
 *  @return as px_template_create, and ended likewise.  Any thread. */
px_template *px_log_template_create(px_str text, const px_allocator *allocator, size_t *out_at,
                                    px_error *out_error);

/** Makes a site without hosts: every request is answered 404.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return the caller's hold (px_site_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_INVALID. */
px_site *px_site_create(const px_site_options *options, px_error *out_error);

/** Gives the caller's hold up.  NULL is fine. */
void px_site_destroy(px_site *site);

/** Options of a host.  Zero is what the site says. */
typedef struct px_host_options {
    size_t struct_size; /**< sizeof(px_host_options). */
    /** Listeners that the host is served at, by their px_serve_options.tag; copied. */
    const uint32_t *listeners;
    uint32_t listener_count;        /**< Of listeners; 0: it is served at every one. */
    uint32_t log_format;            /**< One for each answer; PX_OFF: no lines. */
    uint64_t content_bytes_max;     /**< Content of a request; PX_UNLIMITED_BYTES. */
    uint32_t total_timeout_ms;      /**< A whole exchange, from its head; PX_OFF. */
    uint32_t content_rate_min;      /**< Request content, bytes a second; PX_OFF. */
    uint32_t send_rate_min;         /**< Peer reading our answer, bytes a second; PX_OFF. */
    uint32_t reserved;              /**< Zero. */
    px_error_page_fn on_error_page; /**< In place of the site's. */
    void *error_page_context;       /**< Handed to on_error_page; borrowed: outlives the site. */
    const px_log_options *log;      /**< In place of log_format; read in the call; NULL: none. */
} px_host_options;

/** The defaults, as a value.  Any thread. */
static inline px_host_options px_host_options_default(void)
{
    px_host_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_host_options, as a value. */
#define PX_HOST_OPTIONS_DEFAULT px_host_options_default()
/** The same as an initialiser of a static. */
#define PX_HOST_OPTIONS_INIT PX_INIT_OF(px_host_options)

/** Adds a host.  A request goes by its host (RFC 9110 section 7.2) without its port, a dot at its
 *  end and regard to case; a host that no name matches is answered 404, or 421 where the
 *  connection's certificate does not cover it.
 *  @param names `example.org`; `*.example.org`: all names below it, at any depth; `*`: every other
 *  one, and requests without a host.  The most specific one wins.  Copied.
 *  @param options borrowed for the call; NULL: as the site.
 *  @param out_host borrowed from the site.
 *  @return PX_OK, PX_ERR_INVALID (a name, an option), PX_ERR_CONFLICT (a name is there at one of
 *  the listeners), PX_ERR_LIMIT, PX_ERR_MEMORY, PX_ERR_CLOSED (the site is served). */
PX_MUST_CHECK px_err px_site_host(px_site *site, const char *const *names, size_t name_count,
                                  const px_host_options *options, px_host **out_host,
                                  px_error *out_error);

/** What a middleware decides. */
typedef enum px_verdict {
    PX_NEXT, /**< Go on to the next middleware, then to the handler. */
    PX_STOP  /**< It has answered, or will: px_exchange_next goes on where it stopped. */
} px_verdict;

typedef px_verdict (*px_middleware_fn)(px_exchange *exchange, void *context); /**< A middleware. */

/** Runs before every host's middleware, in the order of registration, also for requests that no
 *  host or route is there for.
 *  @param context borrowed until it is released.  @param release may be NULL.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_MEMORY, PX_ERR_LIMIT, PX_ERR_CLOSED (the site is served).
 */
PX_MUST_CHECK px_err px_site_use(px_site *site, px_middleware_fn middleware, void *context,
                                 void (*release)(void *context), px_error *out_error);

/** The same for one host: behind the site's, before its routes are looked at. */
PX_MUST_CHECK px_err px_host_use(px_host *host, px_middleware_fn middleware, void *context,
                                 void (*release)(void *context), px_error *out_error);

/** Registers a response filter for every host.  Nearest to the handler are the route's filters,
 *  then the host's, then the site's, each in the order of registration.
 *  @param filter borrowed: outlives the site.  @param context, @param release as px_site_use.
 *  @return as px_site_use. */
PX_MUST_CHECK px_err px_site_filter(px_site *site, const px_filter *filter, void *context,
                                    void (*release)(void *context), px_error *out_error);

/** The same for one host. */
PX_MUST_CHECK px_err px_host_filter(px_host *host, const px_filter *filter, void *context,
                                    void (*release)(void *context), px_error *out_error);

/** When a route's handler is called, seen from the request's content. */
typedef enum px_content_mode {
    PX_CONTENT_STREAM = 0, /**< As soon as the head is there. */
    PX_CONTENT_COLLECT,    /**< When the content is whole (px_request_content). */
    PX_CONTENT_DROP        /**< When the content is whole, which was read and dropped. */
} px_content_mode;

/** A middleware of a route. */
typedef struct px_middleware_use {
    px_middleware_fn run;           /**< Runs behind the host's, once the route is found. */
    void *context;                  /**< Borrowed until it is released. */
    void (*release)(void *context); /**< May be NULL. */
} px_middleware_use;

/** A response filter of a route. */
typedef struct px_filter_use {
    const px_filter *filter;        /**< Borrowed: outlives the site. */
    void *context;                  /**< Borrowed until it is released. */
    void (*release)(void *context); /**< May be NULL. */
} px_filter_use;

/** Options of a route.  Zero is what its host says. */
typedef struct px_route_options {
    size_t struct_size;             /**< sizeof(px_route_options). */
    uint32_t content_mode;          /**< A px_content_mode. */
    uint32_t no_log;                /**< 1: its answers have no line in the access log. */
    uint64_t content_bytes_max;     /**< More is answered 413; PX_UNLIMITED_BYTES. */
    void (*release)(void *context); /**< For the handler's context: called once when the site ends,
                                         or at once when the call fails; may be NULL. */
    const px_middleware_use *middleware; /**< In the order in which they run; copied. */
    const px_filter_use *filters;        /**< The first is nearest to the handler; copied. */
    uint32_t middleware_count;           /**< Of middleware. */
    uint32_t filter_count;               /**< Of filters. */
    uint32_t total_timeout_ms;           /**< A whole exchange, from its head; PX_OFF. */
    uint32_t content_rate_min;           /**< Request content, bytes a second; PX_OFF. */
    uint32_t send_rate_min;              /**< Peer reading our answer, bytes a second; PX_OFF. */
    /** 1: the handler resolves dot segments, "//" and "%2F" in a path, as a handler of files does
     *  (for px_files_handle, and for patterns with a rest, it need not be said).  A path that
     *  belongs to another route once it is resolved is then redirected there, with 301 or 308, so
     *  that no spelling goes round what that route's middleware guards. */
    uint32_t resolves_path;
    px_error_page_fn on_error_page; /**< In place of the host's. */
    void *error_page_context;       /**< Handed to on_error_page; borrowed: outlives the site. */
    /** Its own; read in the call, of a group in those that add its routes; NULL: its host's. */
    const px_log_options *log;
} px_route_options;

/** The defaults, as a value.  Any thread. */
static inline px_route_options px_route_options_default(void)
{
    px_route_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_route_options, as a value. */
#define PX_ROUTE_OPTIONS_DEFAULT px_route_options_default()
/** The same as an initialiser of a static. */
#define PX_ROUTE_OPTIONS_INIT PX_INIT_OF(px_route_options)

/** Registers a handler.
 *  @param pattern `[METHOD ][HOST]/PATH` with `{name}`, `{rest...}`, `{$}`, as in Go 1.22's
 *  ServeMux: the most specific one wins; GET serves HEAD too.  Copied.  With a HOST it is for that
 *  one of the names that lead here.
 *  @param options borrowed for the call; NULL: the defaults.  @param context borrowed until it is
 *  released.
 *  @return PX_OK, PX_ERR_INVALID (the pattern, an option), PX_ERR_CONFLICT (the text names both
 *  patterns), PX_ERR_LIMIT, PX_ERR_MEMORY, PX_ERR_CLOSED (the site is served). */
PX_MUST_CHECK px_err px_host_route(px_host *host, const char *pattern,
                                   const px_route_options *options, px_handler handler,
                                   void *context, px_error *out_error);

/** Routes of a host with a prefix, and rules of their own; lives as long as its site. */
typedef struct px_group px_group;

/** Makes a group: its routes have `prefix` in front of their path, its middleware in front of and
 *  its filters behind their own, and where their options say nothing (0), what the group's say.
 *  @param prefix "/api", "/users/{id}": without a slash or a rest at its end; copied.
 *  @param options borrowed for the call; NULL: the prefix alone.  Each `release` in its lists is
 *  called once when the site ends, its own is NULL.
 *  @param out_group borrowed from the site.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT, PX_ERR_MEMORY, PX_ERR_CLOSED (the site is served).
 */
PX_MUST_CHECK px_err px_host_group(px_host *host, const char *prefix,
                                   const px_route_options *options, px_group **out_group,
                                   px_error *out_error);

/** Registers a handler in a group; as px_host_route otherwise. */
PX_MUST_CHECK px_err px_group_route(px_group *group, const char *pattern,
                                    const px_route_options *options, px_handler handler,
                                    void *context, px_error *out_error);

/** Takes a route out: a request whose route is looked for from now on is answered as if it had not
 *  been there, by another pattern that matches or 404.  What has it already goes on.  Also while
 * the site is served, and from a handler.  Its memory, its contexts and those of its lists are
 * released with the site and not here; a program that goes on adding and removing serves another
 * site now and then (px_server_set_site).
 *  @param pattern what matches the same requests as what was registered; names of parameters may
 *  differ.
 *  @return PX_OK, PX_ERR_NOT_FOUND (there is none), PX_ERR_INVALID (no pattern), PX_ERR_MEMORY,
 *  PX_ERR_CLOSED (`host` is NULL). */
PX_MUST_CHECK px_err px_host_unroute(px_host *host, const char *pattern, px_error *out_error);

/** The same for a route of a group, by the pattern that px_group_route was given. */
PX_MUST_CHECK px_err px_group_unroute(px_group *group, const char *pattern, px_error *out_error);

/** Which route would answer a request, without one: middleware is not asked.
 *  @param listener the tag of the listener that it would come by.
 *  @param host as in the Host field; absent: none.  @param path as received, without the query.
 *  @param out_context the context of the route's handler.  @param out_status 0, or the status that
 *  is answered without a route: 301 or 308 (another path), 404, 405, or 200 or 204 for OPTIONS.
 *  @return PX_OK, or PX_ERR_NOT_FOUND: then out_status is written, and out_context is not. */
PX_MUST_CHECK px_err px_site_find(const px_site *site, uint32_t listener, px_str method,
                                  px_str host, px_str path, void **out_context,
                                  unsigned *out_status);

#ifdef __cplusplus
}
#endif

#endif
