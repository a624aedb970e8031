/*
 * What happens of itself in a run: real time jumps, faults end at some point, and the end of time.
 */
#ifndef SIM_WEATHER_H
#define SIM_WEATHER_H

#include "sim_kernel.h"

struct sim_weather {
    struct sim_event event;
    uint64_t calm_at_ns; /* from then on nothing goes wrong */
};

/* From now on; calm comes after `stormy_s` seconds, and a run that has not ended `limit_s` seconds
 * from now has hung. */
void sim_weather_begin(struct sim_weather *weather, uint32_t stormy_s, uint32_t limit_s);
void sim_weather_end(struct sim_weather *weather);

/* Whether something was injected that may cut any connection. */
bool sim_weather_cuts(void);

/* A wire for the run: fast or slow, with segments and buffers of every size. */
void sim_weather_wire(void);

#endif
