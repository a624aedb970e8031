/*
 * Signals as events: blocked in the thread, read from a signalfd; no handler is installed.
 */
#ifndef PX_IO_SIGNAL_H
#define PX_IO_SIGNAL_H

#include "pollux/loop.h"

/* Forgets the loop's signals and unblocks those it blocked. */
void signals_destroy(px_loop *loop);

#endif
