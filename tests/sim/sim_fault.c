/*
 * Rates, plan and counters of injected faults.
 */
#include "sim_fault.h"

#include <string.h>

void sim_faults_init(struct sim_faults *faults, struct sim_random *random)
{
    *faults = (struct sim_faults){0};
    faults->random = random;
}

bool sim_fault_strikes(struct sim_faults *faults, enum sim_fault fault)
{
    if (faults->stopped || !sim_random_chance(faults->random, faults->rate[fault]))
        return false;
    faults->injected[fault]++;
    return true;
}

int sim_fault_planned(struct sim_faults *faults, const char *call)
{
    if (faults->stopped || !faults->planned_call || faults->planned_in == 0 ||
        strcmp(faults->planned_call, call) != 0)
        return 0;
    if (--faults->planned_in > 0)
        return 0;
    faults->injected[SIM_CALL_FAILED]++;
    return faults->planned_errno;
}

bool sim_fault_cuts(enum sim_fault fault)
{
    static const enum sim_fault cutting[] = {
        SIM_WIRE_RESET,  SIM_WIRE_TIMEOUT, SIM_ACCEPT_ABORTED, SIM_CTL_ENOSPC, SIM_MEMORY,
        SIM_CALL_FAILED, SIM_HELPER_FULL,  SIM_FILE_EIO,       SIM_FILE_CUT,   SIM_LOST_EDGE};

    for (size_t index = 0; index < sizeof(cutting) / sizeof(cutting[0]); index++)
        if (cutting[index] == fault)
            return true;
    return false;
}

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {
#define SIM_FAULT_NAME(name, text) #name,
        SIM_FAULTS(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
    };

    return names[fault];
}

const char *sim_fault_text(enum sim_fault fault)
{
    static const char *const texts[] = {
#define SIM_FAULT_TEXT(name, text) text,
        SIM_FAULTS(SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
    };

    return texts[fault];
}
