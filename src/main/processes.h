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

/* How many slots there are: for as many workers as there may ever be.
 *  taken_over: those of a predecessor, 0: there is none.  *out_workers: of them now, 0: the process
 * serves itself. */
uint32_t processes_slots(const struct options *options, uint32_t taken_over, uint32_t *out_workers);

/* What the peers of one of so many workers may make it keep: three quarters of what all of them may
 * use, by its share; the rest is for what the program and its libraries take for themselves, and
 * for the kernel. */
uint64_t processes_memory(const struct options *options, uint32_t worker_count);

/* Says what is allowed, and hardly meant. */
void processes_warn(const struct options *options);

#endif
