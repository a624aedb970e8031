/*
 * Running a server: listeners, log, workers, signals, the pid file.
 */
#ifndef PX_MAIN_SERVE_H
#define PX_MAIN_SERVE_H

#include "main/exit_code.h"
#include "main/flags/options.h"

/* Serves until a signal ends it; what went wrong was said on stderr. */
enum exit_code serve(const struct options *options);

#endif
