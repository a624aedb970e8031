/*
 * The scenarios there are; a new one is a file, and a line here and in sim_main.c.
 */
#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include "sim_run.h"

extern const struct sim_scenario scenario_stream;
extern const struct sim_scenario scenario_http;

#endif
