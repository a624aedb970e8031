/*
 * sim_run: the scenarios, and the runner of sim_run.c.
 */
#include <stdio.h>

#include "pollux/fatal.h"
#include "scenarios.h"

int main(int argc, char **argv)
{
    static const struct sim_scenario *const scenarios[] = {
        &scenario_start, &scenario_loop,        &scenario_dial,      &scenario_stream,
        &scenario_http,  &scenario_http2,       &scenario_tls,       &scenario_sites,
        &scenario_fetch, &scenario_fetch_http2, &scenario_fetch_tls, &scenario_proxy,
        &scenario_talk};

    return sim_run_main(argc, argv, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}

/* A broken assertion says which. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
}
