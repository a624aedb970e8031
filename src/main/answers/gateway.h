/*
 * The handler of `pollux proxy`: one upstream, one proxy, one route.
 */
#ifndef PX_MAIN_GATEWAY_H
#define PX_MAIN_GATEWAY_H

#include "main/flags/options.h"
#include "process/sandbox.h"

/* What workers need to reach the servers. */
PX_MUST_CHECK px_err gateway_allow(struct sandbox *sandbox, const struct gateway_options *gateway,
                                   px_error *out_error);

/* How much was told of failures. */
struct gateway {
    int64_t second;
    uint32_t told;        /* in it */
    px_metrics *metrics;  /* borrowed: where upstreams are counted */
    struct log_set *logs; /* borrowed: of hosts and routes; NULL: there is no configuration */
};

/* Tells on stderr why a request failed, so many lines a second; `context` is a struct gateway. */
void gateway_on_failure(px_exchange *exchange, unsigned status, const char *text, void *context);

/* Tells of a file that may not be read, within the same number. */
void gateway_on_denied(const char *root, const char *path, void *context);

/* Tells of a request of a client that is looked at. */
void gateway_on_debug(const char *text);

/* Tells that a server is out or back. */
void gateway_on_change(const px_upstream *upstream, const char *text, void *context);

/* Makes the proxy and its route, which end with the server.  `gateway` is borrowed: outlives it. */
PX_MUST_CHECK px_err gateway_register(struct gateway *gateway, px_server *server,
                                      const struct options *options, px_error *out_error);

#endif
