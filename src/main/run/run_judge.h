/*
 * What of a configuration is no error, and yet does not do what it looks like: warnings.
 */
#ifndef PX_MAIN_RUN_JUDGE_H
#define PX_MAIN_RUN_JUDGE_H

#include "config/config.h"

/* Notes them in the configuration's report.  It is without errors, and its site is whole. */
void run_judge(struct config *config);

/* What can be meant and most often is not (run_doubts.c); run_judge's. */
void run_doubts(struct config *config);

struct config_host;
struct config_listen;

/* Whether a host is served at a listener. */
bool run_is_served_at(const struct config_host *host, const struct config_listen *listen);

#endif
