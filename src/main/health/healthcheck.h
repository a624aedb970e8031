/*
 * `pollux healthcheck URL`: asks once and says by its exit code whether the answer was good.
 */
#ifndef PX_MAIN_HEALTHCHECK_H
#define PX_MAIN_HEALTHCHECK_H

#include "main/exit_code.h"
#include "main/flags/options.h"

/* CODE_OK for 2xx and 3xx, CODE_UNHEALTHY for all else, CODE_USAGE for a URL that is none. */
enum exit_code healthcheck(const struct options *options);

#endif
