/*
 * What must hold of a supervisor after each event; compiled for tests alone to be looked at.
 */
#include "base/check.h"
#include "process/supervisor.h"

/* A worker that a slot names is one that may accept there. */
static bool may_hold(const struct supervisor *supervisor, uint32_t place)
{
    return place == SUPERVISOR_NOBODY ||
           (place < supervisor->place_count && supervisor->workers[place].state == WORKER_READY);
}

static void slots_check(const struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++) {
        const struct supervised_slot *slot = &supervisor->slots[i];

        ASSERT(may_hold(supervisor, slot->holder));
        ASSERT(may_hold(supervisor, slot->previous));
        ASSERT(slot->holder != SUPERVISOR_NOBODY || slot->previous == SUPERVISOR_NOBODY);
        ASSERT(slot->previous == SUPERVISOR_NOBODY || slot->previous != slot->holder);
        ASSERT(!slot->is_served || slot->holder != SUPERVISOR_NOBODY);
        ASSERT(!slot->is_served || slot->previous == SUPERVISOR_NOBODY);
    }
}

static uint32_t slots_of(const struct supervisor *supervisor, uint32_t place)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++)
        count += supervisor->slots[i].holder == place;
    return count;
}

static void workers_check(const struct supervisor *supervisor)
{
    for (uint32_t place = 0; place < supervisor->place_count; place++) {
        const struct supervised *worker = &supervisor->workers[place];

        ASSERT(worker->state <= WORKER_STOPPING);
        if (worker->state == WORKER_NONE)
            continue;
        ASSERT(worker->generation > 0 && worker->generation <= supervisor->last_generation);
        ASSERT(worker->load == slots_of(supervisor, place));
        ASSERT(worker->state == WORKER_READY || worker->load == 0);
        ASSERT(worker->state != WORKER_READY || worker->was_ready);
    }
}

void supervisor_check(const struct supervisor *supervisor)
{
    const struct supervisor_plan *plan = &supervisor->plan;

    ASSERT(plan->slot_count > 0 && plan->slot_count <= WORKERS_MAX);
    ASSERT(supervisor->worker_count > 0 && supervisor->worker_count <= plan->slot_count);
    ASSERT(supervisor->next_count <= plan->slot_count);
    ASSERT(supervisor->next_forked <= supervisor->next_count);
    ASSERT(supervisor->reload_wanted <= plan->slot_count);
    ASSERT(supervisor->phase <= PHASE_ENDED && supervisor->successor <= SUCCESSOR_TAKING);
    ASSERT(supervisor->generation <= supervisor->last_generation);
    ASSERT(supervisor->next_generation == 0 ||
           (supervisor->next_generation > supervisor->generation &&
            supervisor->next_generation <= supervisor->last_generation));
    ASSERT(supervisor->phase == PHASE_SERVING || supervisor->next_generation == 0);
    ASSERT(supervisor->phase == PHASE_SERVING || !supervisor->replace_wanted);
    ASSERT(supervisor->action_count <= supervisor->action_room);
    ASSERT(supervisor->action_first < supervisor->action_room || supervisor->action_room == 0);
    workers_check(supervisor);
    slots_check(supervisor);
}
