/*
 * What of a configuration lives on a loop: upstreams, proxies, and servers that are asked about
 * requests.
 *
 * A configuration is read before there is a loop, and in a process that serves nothing.  So what
 * answers is described there (build_upstream.c), and made here, once, by the process that serves.
 */
#ifndef PX_CONFIG_SERVING_H
#define PX_CONFIG_SERVING_H

#include "config/config.h"
#include "pollux/forward_auth.h"

enum { CONFIG_URL_BYTES_MAX = 1024 };

/* An `upstream`, or what a proxy names itself.  In the arena of the load. */
struct config_upstream {
    struct config_upstream *next;
    const struct config_node *node; /* borrowed: of the upstream, or of the proxy */
    px_upstream_options options;
    px_upstream_check check;
    px_upstream_server *servers;
    px_tls_trust *trust; /* owned, or the configuration's, or NULL */
    px_upstream *made;   /* owned; NULL: not yet */
    bool is_named;       /* it is an `upstream` */
    uint32_t index;      /* ... in the order of the file */
};

struct config_proxy {
    struct config_proxy *next;
    const struct config_node *node;
    struct config_upstream *upstream;
    px_proxy_options options;
    px_proxy *made; /* owned; NULL: not yet */
};

struct config_auth {
    struct config_auth *next;
    const struct config_node *node;
    px_forward_auth_options options;
    px_tls_trust *trust;   /* borrowed: the configuration's, or NULL */
    px_forward_auth *made; /* owned; NULL: not yet */
};

/* What the process that serves gives. */
struct config_serving {
    px_loop *loop;                      /* borrowed: outlives config_detach */
    const char *const *trusted_proxies; /* borrowed for the call */
    uint32_t trusted_proxy_count;
    void (*on_failure)(px_exchange *exchange, unsigned status, const char *text, void *context);
    void (*on_change)(const px_upstream *upstream, const char *text, void *context);
    void *context; /* borrowed: outlives the loop */
    /* Where a log's lines go, by its path; NULL: nowhere. */
    void *(*log_of)(const char *path, void *context);
    void (*on_log)(px_str lines, void *log);
    void *log_context; /* borrowed for the call */
};

/* Makes what lives on the loop: PX_OK, or an error, and what was made ends with config_detach. */
PX_MUST_CHECK px_err config_attach(struct config *config, const struct config_serving *serving,
                                   px_error *out_error);

/* Ends it, of each configuration that was attached in this process. */
void config_detach_all(struct config_shared *shared);

/* The server of that index that a configuration names: its URL, or NULL behind the last.  Servers
 * that are asked about requests are among them. */
const char *config_server_at(const struct config *config, uint32_t index,
                             struct config_place *out_place);

/* Frees what build_upstream.c has made. */
void serving_release(struct config *config);

#endif
