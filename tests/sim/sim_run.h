/*
 * Scenarios, and what runs them over seeds.
 *
 * A scenario gets a fresh world and a seed and returns when everything it began has ended; what it
 * finds wrong it reports by sim_fail.  Over the seeds of a run each fault it names must have been
 * injected and each state it names must have been reached, or the run proved nothing and fails.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim_kernel.h"

enum { SIM_NAMES_MAX = 40 };

struct sim_scenario {
    const char *name;
    const char *what;                     /* one line */
    void (*run)(void);                    /* the world is there, seeded */
    enum sim_fault faults[SIM_NAMES_MAX]; /* that it may inject; fault_count of them */
    uint32_t fault_count;
    const char *states[SIM_NAMES_MAX]; /* that must be reached sometimes; NULL at the end */
};

/* Sets the rates of the scenario's faults for one seed: each is off, rare or frequent. */
void sim_faults_choose(const struct sim_scenario *scenario);

/* Runs the program's command line (sim_run.c's usage) over these scenarios; the exit status. */
int sim_run_main(int argc, char **argv, const struct sim_scenario *const *scenarios, size_t count);

#endif
