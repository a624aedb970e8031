/*
 * What is counted of an upstream and of its servers, in a px_metrics.
 *
 * Happy path: upstream_counts_open finds the series of each server, so that all are there from the
 * start; then requests are counted as they come, wait and go, and whether a server is up once a
 * second, since it comes back by time alone.  Without a
 * px_metrics nothing is counted.
 */
#ifndef PX_PROXY_UPSTREAM_COUNTS_H
#define PX_PROXY_UPSTREAM_COUNTS_H

#include "pollux/loop.h"
#include <stdbool.h>

#include "pollux/metrics.h"
#include "pollux/proxy.h"

/* Why a request could be sent to another try. */
enum retry_reason {
    RETRY_UNSENT,      /* nothing of it was sent: no connection came about */
    RETRY_UNPROCESSED, /* the server says that it has not begun it */
    RETRY_REUSED,      /* a kept connection ended without a byte of the answer */
    RETRY_DISCONNECT,  /* a new one did, and that is to be tried again */
    RETRY_COUNT
};

/* Sets of labels (px_metric_labels). */
struct server_counts {
    uint32_t requests;
    uint32_t failures;
    uint32_t up;
    uint32_t active;
    uint32_t shown; /* of `active`, by this upstream */
};

struct upstream_counts {
    px_metrics *metrics; /* borrowed; NULL: nothing is counted */
    px_timer *timer;     /* owned */
    uint32_t retries[RETRY_COUNT];
    uint32_t reuses;
    uint32_t queue;
    uint32_t panic;
    uint32_t available;
    uint32_t connect;
    uint32_t first_byte;
    uint32_t queue_shown;
};

struct server;

/* For an upstream that has its servers: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err upstream_counts_open(px_upstream *upstream, px_metrics *metrics);

/* What there is now of it is no more. */
void upstream_counts_close(px_upstream *upstream);

void upstream_counts_request(px_upstream *upstream, const struct server *server);
void upstream_counts_failure(px_upstream *upstream, const struct server *server);
void upstream_counts_retry(px_upstream *upstream, enum retry_reason reason);
void upstream_counts_first_byte(px_upstream *upstream, uint64_t took_ms);

/* It was sent, over a connection that took so long to be made, or that was kept. */
void upstream_counts_connection(px_upstream *upstream, bool is_reused, uint32_t took_ms);

/* A server has one request more, or less. */
void upstream_counts_active(px_upstream *upstream, struct server *server);

/* One more waits for a server, or one less. */
void upstream_counts_waiting(px_upstream *upstream);

/* Servers as they are now. */
void upstream_counts_show(px_upstream *upstream);

#endif
