/*
 * What a configuration needs of the file system: its folders, and nothing else.
 */
#ifndef PX_MAIN_RUN_CONFINE_H
#define PX_MAIN_RUN_CONFINE_H

#include "config/config.h"
#include "process/sandbox.h"

/* Allows what is read while it is served.  `is_alone`: the one process reads the configuration's
 * files anew, too.  PX_OK, or what sandbox_allow returns. */
PX_MUST_CHECK px_err run_confine(struct sandbox *sandbox, const struct config *config,
                                 bool is_alone, px_error *out_error);

/* Whether a sandbox has room for the ports of all servers; false: noted. */
bool run_confine_fits(struct config *config);

#endif
