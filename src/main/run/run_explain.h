/*
 * `pollux check --explain METHOD URL`.
 */
#ifndef PX_MAIN_RUN_EXPLAIN_H
#define PX_MAIN_RUN_EXPLAIN_H

#include "main/run/run.h"

/* Says what the request of the command line would meet. */
enum exit_code run_explain(const struct options *options, struct config *config);

#endif
