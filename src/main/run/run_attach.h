/*
 * A configuration's upstreams and proxies, on the loop that serves it; and their names.
 */
#ifndef PX_MAIN_RUN_ATTACH_H
#define PX_MAIN_RUN_ATTACH_H

#include "config/config.h"
#include "main/answers/gateway.h"

/* Makes them.  `gateway` is borrowed: outlives the loop. */
PX_MUST_CHECK px_err run_attach(struct config *config, px_loop *loop, const struct options *options,
                                struct gateway *gateway, px_error *out_error);

/* Ends what this process has made of configurations; before its loop. */
void run_detach(const struct options *options);

/* Names are looked up as it says, on that loop. */
PX_MUST_CHECK px_err run_resolve(px_loop *loop, const struct resolver_options *resolver,
                                 px_error *out_error);

/* Looks each server's name up, which may take its time; one that is not known is a warning at its
 * place, for it may be known later. */
void run_names_check(struct config *config, const struct resolver_options *resolver);

#endif
