/*
 * What is served, seen from inside: hosts, routes, and the rules that hold for them.
 *
 * Rules are three deep: a route's stand before its host's, and those before the site's.  Limits are
 * settled when a host or a route is added; middleware and filters are chains of their own, run one
 * behind the other.  A route that says nothing of its own has the rules of its host.
 *
 * A site is counted (struct exchange_site): its maker, servers and exchanges hold it.  Everything
 * in it but the table of names is in one arena and ends with it.
 */
#ifndef PX_SERVER_SITE_H
#define PX_SERVER_SITE_H

#include "base/list.h"
#include "exchange/exchange.h"
#include "pollux/site.h"
#include "route/router.h"
#include "server/site/hosts.h"

struct site_middleware {
    px_middleware_fn run;
    void *context;
};

/* Where the requests of a route are counted: the series that were used last, by what they are told
 * apart by (measure.h).  Zeroed: none yet. */
enum { MEASURE_KEPT = 2 };

struct site_measure {
    uint64_t keys[MEASURE_KEPT];
    uint64_t *cells[MEASURE_KEPT]; /* borrowed: of a px_metrics, which outlives the site */
    uint32_t next;                 /* which of them gives way */
    bool is_full;                  /* it has made as many as it may */
};

/* Where lines go. */
struct log_way {
    void (*on_log)(px_str lines, void *context);
    void *context; /* borrowed: outlives the site */
};

/* What holds for an exchange: of a route, a host, or the site where it has no host. */
struct site_rules {
    struct exchange_rules exchange; /* its filters are `filters` */
    const px_host *host;            /* borrowed: whose routes are looked at; NULL: there is none */
    struct site_measure *measure;   /* borrowed: of requests without a route */
    struct site_middleware *middleware; /* in the arena */
    struct exchange_filter *filters;    /* in the arena */
    uint32_t middleware_count;
    uint32_t middleware_room;
    uint32_t filter_room;
    uint32_t total_timeout_ms;
    uint32_t send_rate_min;
    uint64_t content_bytes_max;
    const px_template *log_template; /* borrowed: outlives the site; NULL: another format */
    uint32_t log_sample;             /* one answer of so many has a line */
    uint8_t log_format;              /* px_log_format */
    bool log_errors;                 /* beside those, each that is an error or did not end whole */
    struct log_way log;              /* its own; without a function: the server's */
};

/* What a pattern leads to. */
struct site_route {
    px_handler handler;
    void *context;
    uint64_t content_bytes_max;
    const struct site_rules *rules; /* its own, or its host's */
    struct site_measure *measure;   /* in the arena */
    uint8_t content_mode;           /* px_content_mode */
    bool resolves_path;             /* its handler does, see px_route_options */
};

struct px_host {
    struct site_rules rules;
    px_site *site; /* borrowed: it lives there */
    struct router *router;
    const char *name; /* in the arena: the first of its names */
    struct site_measure measure;
};

/* A context to be released with the site. */
struct site_release {
    struct site_release *next;
    void (*release)(void *context);
    void *context;
};

struct px_site {
    struct exchange_site pin;
    struct list unused; /* on a server's list, once nothing holds it */
    struct arena arena;
    px_allocator allocator;
    struct hosts hosts;
    struct site_rules rules;
    struct site_measure measure;   /* of requests without a host */
    uint32_t measure_count;        /* its own, and those of hosts and routes */
    struct site_release *releases; /* the last registered first */
    bool sealed;                   /* it is served: it does not change any more */
    bool has_logs;                 /* one of its rules has a way for lines of its own */
    bool has_totals;               /* one of its rules has a total timeout */
};

static inline struct px_site *site_of(struct exchange_site *pin)
{
    return CONTAINER_OF(pin, struct px_site, pin);
}

/* The rules that hold for an exchange. */
static inline const struct site_rules *site_rules_of(const px_exchange *exchange)
{
    return CONTAINER_OF(exchange_rules_of(exchange), struct site_rules, exchange);
}

/* Nothing holds it any more: releases its contexts and frees it. */
void site_end(px_site *site);

struct router_match;

/* Looks for the route of a request: ROUTER_FOUND and the match, or what is in its place.  What it
 * takes of `arena` stays taken. */
enum router_result site_find(const px_host *host, uint8_t method_id, px_str method,
                             px_str authority, px_str path, struct arena *arena,
                             struct router_match *out_match);

/* The answer to a path that no route has, without content: what dispatch and px_site_find say. */
unsigned site_status_of(enum router_result result, uint8_t method, px_str path);

/* A call of a route failed: what it was given is released. */
void site_route_refused(const px_route_options *options, void *context);

#endif
