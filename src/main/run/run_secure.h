/*
 * Certificates of a configuration's hosts.
 */
#ifndef PX_MAIN_RUN_SECURE_H
#define PX_MAIN_RUN_SECURE_H

#include "config/config.h"
#include "main/flags/options.h"

/* Fills in what the flags of TLS would.  What cannot be is noted: then false. */
bool run_secure_fill(struct config *config, struct options *options);

#endif
