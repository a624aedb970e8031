/*
 * Whether the folders of a configuration are still those that were opened: a link may have been
 * switched, a folder made anew or mounted over.
 */
#ifndef PX_MAIN_RUN_ROOTS_H
#define PX_MAIN_RUN_ROOTS_H

#include "config/config.h"

enum { RUN_ROOTS_MAX = 1024 }; /* of so many folders; those behind them are seen by a reload */

/* What all of them look like; 0 while one of them is not there. */
uint64_t run_roots_look(const struct config *config);

#endif
