/*
 * The listener of its own on which an operator looks: /metrics, /status, /health, /ready.
 *
 * It is a server beside the one that is looked at, on the same loop, so what is asked there is not
 * counted here.
 */
#ifndef PX_MAIN_OBSERVE_H
#define PX_MAIN_OBSERVE_H

#include "main/observe/counts.h"
#include "pollux/server.h"

struct observe {
    px_server *server;         /* owned; NULL: none */
    const px_server *watched;  /* borrowed: whose readiness is told */
    const px_metrics *metrics; /* borrowed: which know whether its upstreams are */
};

/* Makes it on that loop.  PX_OK, or the error of px_server_create. */
PX_MUST_CHECK px_err observe_open(struct observe *observe, px_loop *loop, const px_server *watched,
                                  struct counts *counts, px_error *out_error);
/* Ends it once what was asked is answered, for a moment at most. */
void observe_drain(struct observe *observe, px_loop *loop);
void observe_close(struct observe *observe);

#endif
