/*
 * The probe on the fake kernel, without delays and without faults.
 */
#include <signal.h>

#include "sim_kernel.h"
#include "sim_probe.h"

void probe_settle(void)
{
    sim_clock_advance(&sim_world->clock, sim_world->clock.now_ns + 5 * SIM_NS_PER_MS);
}

int main(void)
{
    sim_begin(1);
    sim_world->signals.blocked[SIGPIPE] = true;
    probe_run("/sim/socket");
    sim_check_empty();
    sim_end();
    return 0;
}
