/*
 * A configuration: from the name of its first file to what is served, in one call.
 *
 *     struct config *config = config_open(&reader, "pollux.conf", &alloc_libc, &shared);
 *     if (config && config_is_good(config))
 *         config->settings, config->site ...
 *     config_drop(config);
 *
 * It is counted: by its maker, and by each route of its site, for what a route answers with lies in
 * the configuration's memory.  So a site that was replaced keeps its configuration until its last
 * exchange has ended.  All of it is one thread's.
 */
#ifndef PX_CONFIG_CONFIG_H
#define PX_CONFIG_CONFIG_H

#include "config/settings.h"
#include "pollux/metrics.h"
#include "pollux/proxy.h"
#include "pollux/rate_limit.h"
#include "pollux/site.h"

/* What lives on when one configuration takes the place of another; all zeros at first. */
struct config_shared {
    struct config *attached;  /* borrowed: those with something on a loop, newest first */
    px_rate_table *rates;     /* owned: counts of rate limits, of all workers; NULL: none yet */
    px_upstream_board *board; /* owned: health of servers, likewise */
};

void config_shared_deinit(struct config_shared *shared);

/* Something that belongs to the configuration, and what it was made of. */
struct config_made {
    struct config_made *next;
    struct config_made *beside;      /* in its bucket */
    const struct config_node *node;  /* borrowed: the tree's; NULL: nothing looks for it */
    const struct config_node *match; /* likewise */
    void *thing;                     /* owned */
    void (*release)(void *thing);
};

/* Where lines of `access_log` go; one for each path.  In the load's arena. */
struct config_log {
    struct config_log *next;
    const char *path; /* a file or a sink; NULL: the log of the process */
    struct config_place place;
    /* Set by the process that serves; NULL: lines are lost. */
    void (*write)(px_str lines, void *sink);
    void *sink; /* borrowed: outlives what is served */
};

struct config_auth;
struct config_proxy;
struct config_upstream;

struct config {
    px_allocator allocator;
    struct config_load load;
    const struct config_settings *settings; /* NULL: nothing could be understood */
    px_site
        *site; /* owned until config_drop of its maker; NULL: none.  With errors it is not whole */
    struct config_shared *shared; /* borrowed: outlives the configuration */
    struct config_made *made;     /* newest first */
    struct config_made **buckets; /* those with a node, by node and match */
    uint32_t bucket_count;        /* 0 or a power of two */
    uint32_t made_count;
    struct config_upstream *upstreams; /* in the load's arena (serving.h) */
    struct config_proxy *proxies;      /* likewise */
    struct config_auth *auths;         /* likewise */
    struct config_log *logs;
    px_tls_trust *roots;     /* a hold: the system's; NULL: none of them needs it */
    struct config *attached; /* the next in shared->attached */
    bool is_attached;
    uint32_t hold_count; /* its maker, and routes of the site */
    /* Whether the process is about to end, for `health`; set by what serves the site; NULL: no. */
    bool (*is_draining)(const void *context);
    const void *drain_context; /* borrowed */
    /* Tells of requests that `debug` names; set likewise; NULL: they are not told of. */
    void (*on_debug)(const char *text);
    /* Tells of files that may not be read; set likewise; NULL: they are not told of. */
    void (*on_denied)(const char *root, const char *path, void *context);
    void *denied_context; /* borrowed */
    px_metrics *metrics;  /* borrowed: what `metrics` and `status` show; set likewise; NULL: none */
};

/* Reads, checks and settles a file, and builds its site.  NULL without memory for the least; else
 * what is wrong is in config->load.report. */
struct config *config_open(const struct config_reader *reader, const char *path,
                           const px_allocator *allocator, struct config_shared *shared);

/* Whether it can be served. */
static inline bool config_is_good(const struct config *config)
{
    return config->site && !report_has_errors(&config->load.report);
}

/* Its maker gives it up, with the hold on the site.  NULL is fine. */
void config_close(struct config *config);

#endif
