/*
 * One event, a few times a second.
 */
#include "sim_weather.h"

static void weather_turns(struct sim_event *event)
{
    struct sim_weather *weather = CONTAINER_OF(event, struct sim_weather, event);
    struct sim *sim = sim_world;
    int64_t day_ns = (int64_t)(24 * 3600 * SIM_NS_PER_S);
    int64_t jump_ns = (int64_t)sim_random_skewed(&sim->random, 1, (uint64_t)day_ns);

    if (sim->clock.now_ns >= weather->calm_at_ns)
        sim->faults.stopped = true;
    if (sim_fault_strikes(&sim->faults, SIM_CLOCK_FORWARD))
        sim->clock.real_offset_ns += jump_ns;
    if (sim_fault_strikes(&sim->faults, SIM_CLOCK_BACK))
        sim->clock.real_offset_ns -= jump_ns;
    sim_event_start(&sim->clock, event, sim_random_between(&sim->random, 1, 200) * SIM_NS_PER_MS,
                    weather_turns);
}

void sim_weather_begin(struct sim_weather *weather, uint32_t stormy_s, uint32_t limit_s)
{
    struct sim_clock *clock = &sim_world->clock;

    *weather = (struct sim_weather){.calm_at_ns = clock->now_ns + stormy_s * SIM_NS_PER_S};
    sim_world->time_limit_ns = clock->now_ns + limit_s * SIM_NS_PER_S;
    sim_event_start(clock, &weather->event, 0, weather_turns);
}

void sim_weather_end(struct sim_weather *weather)
{
    sim_event_stop(&sim_world->clock, &weather->event);
}

bool sim_weather_cuts(void)
{
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        if (sim_fault_cuts((enum sim_fault)fault) && sim_world->faults.injected[fault] > 0)
            return true;
    return false;
}

void sim_weather_wire(void)
{
    struct sim_random *random = &sim_world->random;
    struct sim_wire *wire = &sim_world->wire;

    *wire = (struct sim_wire){
        .delay_ns_min = SIM_NS_PER_US,
        .delay_ns_max = sim_random_skewed(random, 2 * SIM_NS_PER_US, 20 * SIM_NS_PER_MS),
        .segment_bytes_min = 1,
        .segment_bytes_max = (uint32_t)sim_random_skewed(random, 16, 65536),
        .buffer_bytes_min = 2048,
        .buffer_bytes_max = (uint32_t)sim_random_skewed(random, 4096, 1024 * 1024)};
}
