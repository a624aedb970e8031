/*
 * Signs of life for the service manager (sd_watchdog_enabled(3)), of a process without a master.
 */
#ifndef PX_MAIN_WATCHDOG_H
#define PX_MAIN_WATCHDOG_H

#include "pollux/loop.h"
#include "process/notify.h"

/* Begins, where the service manager waits for them; else *out_timer stays as it is.
 *  notify: borrowed: outlives the timer.  *out_timer: owned by the caller.  PX_OK or PX_ERR_MEMORY.
 */
PX_MUST_CHECK px_err watchdog_start(px_loop *loop, const struct notify *notify,
                                    px_timer **out_timer, px_error *out_error);

#endif
