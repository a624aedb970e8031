/*
 * The scenarios there are; a new one is a file, and a line here and in sim_main.c.
 */
#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include "sim_run.h"

extern const struct sim_scenario scenario_stream;
extern const struct sim_scenario scenario_http;
extern const struct sim_scenario scenario_http2;
extern const struct sim_scenario scenario_sites;
extern const struct sim_scenario scenario_tls;
extern const struct sim_scenario scenario_talk;
extern const struct sim_scenario scenario_loop;
extern const struct sim_scenario scenario_start;
extern const struct sim_scenario scenario_dial;
extern const struct sim_scenario scenario_fetch;
extern const struct sim_scenario scenario_fetch_http2;
extern const struct sim_scenario scenario_fetch_tls;
extern const struct sim_scenario scenario_proxy;

#endif
