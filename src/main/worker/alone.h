/*
 * What a master sees to, where there is none: signals, files that have changed, the watchdog.
 */
#ifndef PX_MAIN_ALONE_H
#define PX_MAIN_ALONE_H

#include "main/worker/life.h"

/* Listens to signals and time from now on.  PX_OK or what the loop refused. */
PX_MUST_CHECK px_err alone_listen(struct life *life, px_error *out_error);

#endif
