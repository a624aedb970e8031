/*
 * The supervisor's events: each records what happened, then everything is settled.
 *
 * The happy path: start, every worker forked and ready, slots assigned and served, a signal to end,
 * every worker dead, exit.  What can go wrong is an event like any other: a fork that fails, a
 * worker that dies, falls silent or is late, a successor that is lost.
 */
#include "process/supervisor.h"

#include <stdlib.h>

#include "base/check.h"

/* --- Making ----------------------------------------------------------------------------------- */

px_err supervisor_init(struct supervisor *supervisor, const struct supervisor_plan *plan)
{
    *supervisor = (struct supervisor){
        .plan = *plan, .worker_count = plan->worker_count, .unserved_due_ms = UINT64_MAX};
    if (plan->slot_count == 0 || plan->slot_count > WORKERS_MAX || plan->worker_count == 0 ||
        plan->worker_count > plan->slot_count)
        return PX_ERR_INVALID;
    supervisor->place_count = plan->slot_count * PLACES_PER_WORKER;
    /* One event tells each worker one thing, stops it and forks another; and moves each slot. */
    supervisor->action_room = 4 * supervisor->place_count + 4 * plan->slot_count + 16;
    supervisor->workers = calloc(supervisor->place_count, sizeof(supervisor->workers[0]));
    supervisor->slots = calloc(plan->slot_count, sizeof(supervisor->slots[0]));
    supervisor->actions = calloc(supervisor->action_room, sizeof(supervisor->actions[0]));
    if (!supervisor->workers || !supervisor->slots || !supervisor->actions) {
        supervisor_deinit(supervisor);
        return PX_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < plan->slot_count; i++)
        supervisor->slots[i] =
            (struct supervised_slot){SUPERVISOR_NOBODY, SUPERVISOR_NOBODY, false};
    return PX_OK;
}

void supervisor_deinit(struct supervisor *supervisor)
{
    free(supervisor->workers);
    free(supervisor->slots);
    free(supervisor->actions);
    *supervisor = (struct supervisor){0};
}

/* --- Actions ---------------------------------------------------------------------------------- */

void supervisor_act(struct supervisor *supervisor, enum supervisor_action_kind kind,
                    uint32_t worker, uint32_t slot, int code)
{
    uint32_t at = supervisor->action_first + supervisor->action_count;

    CHECK(supervisor->action_count < supervisor->action_room);
    CHECK(worker == SUPERVISOR_NOBODY || worker < supervisor->place_count);
    CHECK(slot == SUPERVISOR_NOBODY || slot < supervisor->plan.slot_count);
    supervisor->actions[at % supervisor->action_room] =
        (struct supervisor_action){kind, worker, slot, code};
    supervisor->action_count++;
}

bool supervisor_take(struct supervisor *supervisor, struct supervisor_action *out_action)
{
    if (supervisor->action_count == 0)
        return false;
    CHECK(supervisor->action_first < supervisor->action_room);
    *out_action = supervisor->actions[supervisor->action_first];
    supervisor->action_first = (supervisor->action_first + 1) % supervisor->action_room;
    supervisor->action_count--;
    return true;
}

static void say(struct supervisor *supervisor, enum supervisor_action_kind kind, uint32_t worker,
                int code)
{
    supervisor_act(supervisor, kind, worker, SUPERVISOR_NOBODY, code);
}

/* Tells a worker how to end, unless it was told something stronger.  One that was told only hears
 * the stronger word. */
void supervisor_tell(struct supervisor *supervisor, uint32_t worker,
                     enum supervisor_action_kind kind, uint64_t now_ms)
{
    struct supervised *told = &supervisor->workers[worker];
    enum worker_state state = WORKER_STOPPING;

    CHECK(worker < supervisor->place_count);
    if (kind == ACTION_RETIRE)
        state = WORKER_RETIRING;
    else if (kind == ACTION_DRAIN)
        state = WORKER_DRAINING;
    if (told->state == WORKER_NONE || (state <= told->state && kind != ACTION_KILL))
        return;
    supervisor_act(supervisor, kind, worker, SUPERVISOR_NOBODY, 0);
    supervisor_orphan(supervisor, worker);
    told->state = state;
    told->since_ms = now_ms;
}

static void tell_all(struct supervisor *supervisor, enum supervisor_action_kind kind,
                     uint64_t now_ms)
{
    for (uint32_t i = 0; i < supervisor->place_count; i++)
        supervisor_tell(supervisor, i, kind, now_ms);
}

void supervisor_orphan(struct supervisor *supervisor, uint32_t worker)
{
    CHECK(worker < supervisor->place_count);
    supervisor->workers[worker].load = 0;
    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++) {
        struct supervised_slot *slot = &supervisor->slots[i];

        if (slot->previous == worker)
            slot->previous = SUPERVISOR_NOBODY;
        if (slot->holder != worker)
            continue;
        /* The worker that had it before has not been told to let go, and accepts there still. */
        slot->holder = slot->previous;
        slot->previous = SUPERVISOR_NOBODY;
        slot->is_served = slot->holder != SUPERVISOR_NOBODY;
        if (slot->is_served)
            supervisor->workers[slot->holder].load++;
    }
}

/* --- The end ---------------------------------------------------------------------------------- */

void supervisor_drain(struct supervisor *supervisor, uint64_t now_ms)
{
    supervisor->phase = PHASE_DRAINING;
    /* The workers have descriptors of their own, and take what waits in the queues.  What we kept
     * open would let peers in that no worker answers. */
    say(supervisor, ACTION_CLOSE, SUPERVISOR_NOBODY, 0);
    tell_all(supervisor, ACTION_DRAIN, now_ms);
}

static void begin_end(struct supervisor *supervisor, int code, uint64_t now_ms)
{
    supervisor->exit_code = code;
    supervisor->next_generation = 0;
    supervisor->reload_wanted = 0;
    supervisor->replace_wanted = false;
    if (supervisor->successor != SUCCESSOR_NONE) {
        supervisor->successor = SUCCESSOR_NONE;
        say(supervisor, ACTION_ABANDON, SUPERVISOR_NOBODY, 0);
    }
    say(supervisor, ACTION_STOPPING, SUPERVISOR_NOBODY, 0);
    if (supervisor->plan.drain_delay_ms == 0 || code != 0 || supervisor->generation == 0) {
        supervisor_drain(supervisor, now_ms);
        return;
    }
    supervisor->phase = PHASE_DELAYING;
    supervisor->delay_due_ms = now_ms + supervisor->plan.drain_delay_ms;
    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        struct supervised *worker = &supervisor->workers[i];

        if (worker->state == WORKER_READY && worker->generation == supervisor->generation)
            say(supervisor, ACTION_DELAY, i, 0);
        else if (worker->generation > supervisor->generation)
            supervisor_tell(supervisor, i, ACTION_STOP, now_ms);
    }
}

static void on_end(struct supervisor *supervisor, uint64_t now_ms)
{
    supervisor->end_requests++;
    if (supervisor->end_requests > 1) {
        if (supervisor->phase != PHASE_DRAINING)
            supervisor_drain(supervisor, now_ms);
        tell_all(supervisor, supervisor->end_requests == 2 ? ACTION_STOP : ACTION_KILL, now_ms);
    } else if (supervisor->phase == PHASE_GIVEN) {
        supervisor_drain(supervisor, now_ms);
    } else if (supervisor->phase == PHASE_SERVING) {
        begin_end(supervisor, 0, now_ms);
    }
}

/* --- Workers ---------------------------------------------------------------------------------- */

void supervisor_reload_fail(struct supervisor *supervisor, enum supervisor_reason reason, int code,
                            uint64_t now_ms)
{
    uint32_t failed = supervisor->next_generation;

    supervisor->next_generation = 0;
    if (supervisor->generation == 0) {
        /* The first start: there is nothing to go on with. */
        begin_end(supervisor, code != 0 ? code : SUPERVISOR_CRASHED, now_ms);
        return;
    }
    for (uint32_t i = 0; i < supervisor->place_count; i++)
        if (supervisor->workers[i].generation == failed)
            supervisor_tell(supervisor, i, ACTION_STOP, now_ms);
    say(supervisor, ACTION_UNCHANGED, SUPERVISOR_NOBODY, (int)reason);
}

/* No fork for a while, longer with each of `before`. */
static void pause_forks(struct supervisor *supervisor, uint32_t before, uint64_t most_ms,
                        uint64_t now_ms)
{
    uint64_t pause_ms = BACKOFF_FIRST_MS;

    for (uint32_t i = 0; i < before && pause_ms < most_ms; i++)
        pause_ms *= 2;
    supervisor->backoff_due_ms = now_ms + (pause_ms < most_ms ? pause_ms : most_ms);
}

/* A worker ended, or was never there, before it was ready. */
static void start_failed(struct supervisor *supervisor, uint32_t generation,
                         enum supervisor_reason reason, int code, uint64_t now_ms)
{
    if (generation == supervisor->next_generation) {
        supervisor_reload_fail(supervisor, reason, code, now_ms);
        return;
    }
    pause_forks(supervisor, supervisor->failures++, BACKOFF_MOST_MS, now_ms);
}

/* A ready worker has ended.  Not SIGKILL: it comes from outside, and what comes in its place is no
 * worse. */
static void ready_ended(struct supervisor *supervisor, const struct supervised *was,
                        const struct supervisor_event *event, uint64_t now_ms)
{
    say(supervisor, ACTION_SAY_DIED, event->worker, event->code);
    if (event->is_killed || was->generation != supervisor->generation ||
        now_ms - was->since_ms >= YOUNG_MS)
        return;
    pause_forks(supervisor, supervisor->crashes++, CRASH_MOST_MS, now_ms);
    supervisor->crashed_at_ms = now_ms;
}

static void on_died(struct supervisor *supervisor, const struct supervisor_event *event,
                    uint64_t now_ms)
{
    uint32_t place = event->worker;
    int code = event->code;
    const struct supervised was = supervisor->workers[place];

    supervisor_orphan(supervisor, place);
    supervisor->workers[place] = (struct supervised){0};
    switch (was.state) {
    case WORKER_NONE:
        return;
    case WORKER_FORKING:
    case WORKER_STARTING:
        /* One that fails in order has said itself why. */
        if (!was.is_late && code == SUPERVISOR_CRASHED)
            say(supervisor, ACTION_SAY_DIED, place, code);
        start_failed(supervisor, was.generation, was.is_late ? REASON_LATE : REASON_WORKER, code,
                     now_ms);
        return;
    case WORKER_READY:
        ready_ended(supervisor, &was, event, now_ms);
        return;
    case WORKER_RETIRING:
    case WORKER_DRAINING:
        if (code != 0 && was.was_ready)
            say(supervisor, ACTION_SAY_DIED, place, code);
        break;
    case WORKER_STOPPING: /* we have ended it ourselves */
        return;
    }
    if (code != 0 && was.was_ready && supervisor->phase == PHASE_DRAINING &&
        supervisor->exit_code == 0 && supervisor->end_requests < 3)
        supervisor->exit_code = code;
}

static void on_fork_failed(struct supervisor *supervisor, uint32_t place, uint64_t now_ms)
{
    struct supervised *worker = &supervisor->workers[place];
    uint32_t generation = worker->generation;

    bool is_wanted = worker->state == WORKER_FORKING; /* and was not told to end meanwhile */

    supervisor_orphan(supervisor, place);
    *worker = (struct supervised){0};
    if (is_wanted)
        start_failed(supervisor, generation, REASON_FORK, SUPERVISOR_NO_PROCESS, now_ms);
}

static void on_worker(struct supervisor *supervisor, const struct supervisor_event *event,
                      uint64_t now_ms)
{
    struct supervised *worker = &supervisor->workers[event->worker];

    if (event->kind == EVENT_FORKED && worker->state == WORKER_FORKING) {
        worker->state = WORKER_STARTING;
        worker->since_ms = now_ms;
    } else if (event->kind == EVENT_READY && worker->state == WORKER_STARTING) {
        worker->state = WORKER_READY;
        worker->since_ms = now_ms;
        worker->alive_ms = now_ms;
        worker->was_ready = true;
        supervisor->failures = 0;
        if (supervisor->crashes == 0)
            supervisor->backoff_due_ms = 0;
        if (supervisor->phase == PHASE_DELAYING)
            say(supervisor, ACTION_DELAY, event->worker, 0);
    } else if (event->kind == EVENT_ALIVE) {
        if (event->at_ms > worker->alive_ms)
            worker->alive_ms = event->at_ms;
    } else if (event->kind == EVENT_FORK_FAILED) {
        on_fork_failed(supervisor, event->worker, now_ms);
    } else if (event->kind == EVENT_DIED) {
        on_died(supervisor, event, now_ms);
    }
}

static void on_serving(struct supervisor *supervisor, uint32_t worker, uint32_t index)
{
    if (index >= supervisor->plan.slot_count || supervisor->slots[index].holder != worker)
        return;
    struct supervised_slot *slot = &supervisor->slots[index];

    slot->is_served = true;
    if (slot->previous == SUPERVISOR_NOBODY)
        return;
    supervisor_act(supervisor, ACTION_RELEASE, slot->previous, index, 0);
    slot->previous = SUPERVISOR_NOBODY;
}

/* --- The successor ---------------------------------------------------------------------------- */

static void successor_lost(struct supervisor *supervisor, enum supervisor_reason reason)
{
    if (supervisor->successor == SUCCESSOR_TAKING)
        say(supervisor, ACTION_RECLAIM, SUPERVISOR_NOBODY, 0);
    supervisor->successor = SUCCESSOR_NONE;
    say(supervisor, ACTION_UNCHANGED, SUPERVISOR_NOBODY, (int)reason);
}

static void on_successor(struct supervisor *supervisor, enum supervisor_event_kind kind,
                         uint64_t now_ms)
{
    CHECK(supervisor->successor <= SUCCESSOR_TAKING);
    if (supervisor->successor == SUCCESSOR_NONE)
        return;
    if (kind == EVENT_SUCCESSOR_LOST) {
        successor_lost(supervisor, REASON_SUCCESSOR);
    } else if (kind == EVENT_SUCCESSOR_READY && supervisor->successor == SUCCESSOR_STARTING) {
        supervisor->successor = SUCCESSOR_TAKING;
        supervisor->successor_due_ms = now_ms + TAKE_TIMEOUT_MS;
        say(supervisor, ACTION_GIVE, SUPERVISOR_NOBODY, 0);
    } else if (kind == EVENT_SUCCESSOR_TOOK && supervisor->successor == SUCCESSOR_TAKING) {
        supervisor->successor = SUCCESSOR_NONE;
        supervisor->reload_wanted = 0;
        supervisor->replace_wanted = false;
        supervisor->phase = PHASE_GIVEN;
        say(supervisor, ACTION_GIVEN, SUPERVISOR_NOBODY, 0);
        say(supervisor, ACTION_CLOSE, SUPERVISOR_NOBODY, 0);
        for (uint32_t i = 0; i < supervisor->place_count; i++) {
            bool is_ready = supervisor->workers[i].state == WORKER_READY;

            if (supervised_counts(&supervisor->workers[i]))
                supervisor_tell(supervisor, i, is_ready ? ACTION_RETIRE : ACTION_STOP, now_ms);
        }
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

/* When a worker in this state has waited too long, or UINT64_MAX. */
static uint64_t worker_due_ms(const struct supervisor *supervisor, const struct supervised *worker)
{
    const struct supervisor_plan *plan = &supervisor->plan;
    uint64_t moved_ms = worker->alive_ms > worker->since_ms ? worker->alive_ms : worker->since_ms;
    uint64_t hung_ms = plan->hung_timeout_ms == 0 ? UINT64_MAX : moved_ms + plan->hung_timeout_ms;
    uint64_t end_ms = UINT64_MAX;

    switch (worker->state) {
    case WORKER_NONE:
    case WORKER_FORKING:
        return UINT64_MAX;
    case WORKER_STARTING:
        return worker->is_late ? UINT64_MAX : worker->since_ms + plan->start_timeout_ms;
    case WORKER_READY:
    case WORKER_RETIRING:
        break;
    case WORKER_DRAINING:
        end_ms = worker->since_ms + plan->drain_timeout_ms + DRAIN_MARGIN_MS;
        break;
    case WORKER_STOPPING:
        return worker->since_ms +
               (supervisor->end_requests >= 2 ? STOP_HURRIED_MS : STOP_TIMEOUT_MS);
    }
    return hung_ms < end_ms ? hung_ms : end_ms;
}

static void worker_overdue(struct supervisor *supervisor, uint32_t place, uint64_t now_ms)
{
    struct supervised *worker = &supervisor->workers[place];

    if (worker->state == WORKER_STARTING) {
        say(supervisor, ACTION_SAY_LATE, place, 0);
        say(supervisor, ACTION_KILL, place, 0);
        worker->is_late = true;
        return;
    }
    if (worker->state != WORKER_STOPPING)
        say(supervisor, ACTION_SAY_HUNG, place, 0);
    supervisor_tell(supervisor, place, ACTION_KILL, now_ms);
}

static void on_time(struct supervisor *supervisor, uint64_t now_ms)
{
    for (uint32_t i = 0; i < supervisor->place_count; i++)
        if (worker_due_ms(supervisor, &supervisor->workers[i]) <= now_ms)
            worker_overdue(supervisor, i, now_ms);
    if (supervisor->successor != SUCCESSOR_NONE && supervisor->successor_due_ms <= now_ms) {
        say(supervisor, ACTION_ABANDON, SUPERVISOR_NOBODY, 0);
        successor_lost(supervisor, REASON_LATE);
    }
}

bool supervisor_is_settled(const struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++) {
        const struct supervised_slot *slot = &supervisor->slots[i];

        if (slot->holder == SUPERVISOR_NOBODY || !slot->is_served ||
            supervisor->workers[slot->holder].generation != supervisor->generation)
            return false;
    }
    return true;
}

uint64_t supervisor_due_ms(const struct supervisor *supervisor)
{
    uint64_t due_ms = UINT64_MAX;
    uint32_t count = 0;
    bool has_room = false;

    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];
        uint64_t worker_ms = worker_due_ms(supervisor, worker);

        if (worker_ms < due_ms)
            due_ms = worker_ms;
        count += worker->generation == supervisor->generation && supervised_counts(worker);
        has_room = has_room || worker->state == WORKER_NONE;
    }
    if (supervisor->successor != SUCCESSOR_NONE && supervisor->successor_due_ms < due_ms)
        due_ms = supervisor->successor_due_ms;
    if (supervisor->phase == PHASE_DELAYING && supervisor->delay_due_ms < due_ms)
        due_ms = supervisor->delay_due_ms;
    if (supervisor->phase <= PHASE_DELAYING && supervisor->unserved_due_ms < due_ms)
        due_ms = supervisor->unserved_due_ms;
    if (supervisor->phase <= PHASE_DELAYING && supervisor->generation != 0 && has_room &&
        count < supervisor->worker_count && supervisor->backoff_due_ms < due_ms)
        due_ms = supervisor->backoff_due_ms;
    return due_ms;
}

/* --- Events ----------------------------------------------------------------------------------- */

static void on_event(struct supervisor *supervisor, const struct supervisor_event *event,
                     uint64_t now_ms)
{
    switch (event->kind) {
    case EVENT_START:
        supervisor->reload_wanted = supervisor->worker_count;
        break;
    case EVENT_FORKED:
    case EVENT_FORK_FAILED:
    case EVENT_READY:
    case EVENT_ALIVE:
    case EVENT_DIED:
        if (event->worker < supervisor->place_count)
            on_worker(supervisor, event, now_ms);
        break;
    case EVENT_SERVING:
        on_serving(supervisor, event->worker, event->slot);
        break;
    case EVENT_END:
        on_end(supervisor, now_ms);
        break;
    case EVENT_RELOAD:
        if (supervisor->phase == PHASE_SERVING && event->code > 0)
            supervisor->reload_wanted = (uint32_t)event->code < supervisor->plan.slot_count
                                            ? (uint32_t)event->code
                                            : supervisor->plan.slot_count;
        break;
    case EVENT_REPLACE:
        if (supervisor->successor != SUCCESSOR_NONE || supervisor->replace_wanted)
            say(supervisor, ACTION_UNCHANGED, SUPERVISOR_NOBODY, REASON_BUSY);
        else
            supervisor->replace_wanted = supervisor->phase == PHASE_SERVING;
        break;
    case EVENT_EXECUTED:
        break;
    case EVENT_SUCCESSOR_READY:
    case EVENT_SUCCESSOR_TOOK:
    case EVENT_SUCCESSOR_LOST:
        on_successor(supervisor, event->kind, now_ms);
        break;
    case EVENT_REFUSED:
        if (supervisor->phase == PHASE_SERVING)
            begin_end(supervisor, event->code, now_ms);
        break;
    case EVENT_TIME:
        on_time(supervisor, now_ms);
        break;
    }
}

void supervisor_event(struct supervisor *supervisor, const struct supervisor_event *event,
                      uint64_t now_ms)
{
    if (supervisor->phase == PHASE_ENDED)
        return;
    on_event(supervisor, event, now_ms);
    supervisor_settle(supervisor, now_ms);
    if (ASSERTS)
        supervisor_check(supervisor);
}
