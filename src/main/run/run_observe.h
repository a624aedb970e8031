/*
 * What a configuration says of traces and name servers: to the options.
 */
#ifndef PX_MAIN_RUN_OBSERVE_H
#define PX_MAIN_RUN_OBSERVE_H

#include "config/config.h"
#include "main/flags/options.h"

/* False: what is wrong is noted at its place. */
bool run_observe_fill(struct config *config, struct options *options);

#endif
