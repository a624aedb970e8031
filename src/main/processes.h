/*
 * What options say of processes, in numbers.
 */
#ifndef PX_MAIN_PROCESSES_H
#define PX_MAIN_PROCESSES_H

#include "main/flags/options.h"
#include "process/supervisor.h"

/* How many workers there shall be: asked anew at every reload, for the quota of a container may
 * have changed. */
uint32_t processes_count(const struct options *options);

struct supervisor_plan processes_plan(const struct options *options, uint32_t worker_count,
                                      uint32_t slot_count);

/* Says what is allowed, and hardly meant. */
void processes_warn(const struct options *options);

#endif
