/*
 * What of a configuration is no error, and yet does not do what it looks like: warnings.
 */
#ifndef PX_MAIN_RUN_JUDGE_H
#define PX_MAIN_RUN_JUDGE_H

#include "config/config.h"

/* Notes them in the configuration's report.  It is without errors, and its site is whole. */
void run_judge(struct config *config);

#endif
