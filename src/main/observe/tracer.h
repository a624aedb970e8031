/*
 * Traces on their way out: spans of requests that are sampled, sent to a collector by OTLP over
 * HTTP as JSON.
 *
 * Spans are written as requests end, and sent together once in a while.  While the collector is
 * slow or away spans wait, so many; the rest is dropped and counted, and requests never wait.
 */
#ifndef PX_MAIN_TRACER_H
#define PX_MAIN_TRACER_H

#include "main/flags/options.h"
#include "main/observe/counts.h"
#include "main/patience.h"
#include "pollux/client.h"

struct tracer;

/* Makes one, before the sandbox (roots of https are read here), and has a server tell it of what is
 * over; without a collector *out_tracer becomes NULL.  counts: borrowed: outlives it.  PX_OK, or
 * what px_client_create and px_tls_trust_create return. */
PX_MUST_CHECK px_err tracer_open(px_loop *loop, const struct trace_options *options,
                                 struct counts *counts, px_server_options *server,
                                 struct tracer **out_tracer, px_error *out_error);

/* Adds a span for a request that is over.  The signature of on_done in px_server_options. */
void tracer_add(px_exchange *exchange, const px_summary *summary, void *tracer);

/* Sends what is left by stepping the loop, while `patience` lasts, and ends it.  NULL is fine. */
void tracer_close(struct tracer *tracer, const struct patience *patience);

#endif
