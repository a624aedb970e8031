/*
 * The difference between what is and what should be, and the actions that make it smaller.
 *
 * Nothing here remembers why something is missing: a slot without a holder gets one, a generation
 * with too few workers gets another, an old worker without slots retires.  So it does not matter in
 * which order things broke.  What cannot be done now is done after a later event.
 */
#include "process/supervisor.h"

#include "base/check.h"

/* --- Workers ---------------------------------------------------------------------------------- */

static uint32_t count_of(const struct supervisor *supervisor, uint32_t generation, bool ready_only)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];

        if (worker->generation == generation && supervised_counts(worker))
            count += !ready_only || worker->state == WORKER_READY;
    }
    return count;
}

static uint32_t count_free(const struct supervisor *supervisor)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < supervisor->place_count; i++)
        count += supervisor->workers[i].state == WORKER_NONE;
    return count;
}

/* Forks into the first free places, at most `count`. */
static void fork_some(struct supervisor *supervisor, uint32_t generation, uint32_t count,
                      uint64_t now_ms)
{
    CHECK(generation > 0 && generation <= supervisor->last_generation);
    for (uint32_t i = 0; i < supervisor->place_count && count > 0; i++) {
        if (supervisor->workers[i].state != WORKER_NONE)
            continue;
        supervisor->workers[i] = (struct supervised){.state = WORKER_FORKING,
                                                     .generation = generation,
                                                     .since_ms = now_ms,
                                                     .alive_ms = now_ms};
        supervisor_act(supervisor, ACTION_FORK, i, SUPERVISOR_NOBODY, (int)generation);
        count--;
    }
}

static void settle_workers(struct supervisor *supervisor, uint64_t now_ms)
{
    CHECK(supervisor->worker_count > 0);
    if (supervisor->generation == 0 || now_ms < supervisor->backoff_due_ms)
        return;
    uint32_t count = count_of(supervisor, supervisor->generation, false);

    if (now_ms - supervisor->crashed_at_ms >= CRASHES_FORGET_MS)
        supervisor->crashes = 0;
    if (count >= supervisor->worker_count)
        return;
    bool is_careful = supervisor->failures + supervisor->crashes > 0;

    /* After failures one at a time: each of them has its own pause. */
    fork_some(supervisor, supervisor->generation, is_careful ? 1 : supervisor->worker_count - count,
              now_ms);
    if (is_careful)
        supervisor->backoff_due_ms = now_ms + BACKOFF_FIRST_MS;
}

/* --- Generations ------------------------------------------------------------------------------ */

static void reload_begin(struct supervisor *supervisor, uint64_t now_ms)
{
    uint32_t count = supervisor->reload_wanted;
    uint32_t reserve = supervisor->generation == 0 ? 0 : supervisor->worker_count;

    /* Those that serve may all have to be replaced meanwhile. */
    if (count == 0 || supervisor->next_generation != 0 || supervisor->phase != PHASE_SERVING ||
        supervisor->successor != SUCCESSOR_NONE || count_free(supervisor) < count + reserve)
        return;
    supervisor->reload_wanted = 0;
    supervisor->next_generation = ++supervisor->last_generation;
    supervisor->next_count = count;
    if (supervisor->generation != 0)
        supervisor_act(supervisor, ACTION_RELOADING, SUPERVISOR_NOBODY, SUPERVISOR_NOBODY, 0);
    supervisor->next_forked = 1;
    fork_some(supervisor, supervisor->next_generation, 1, now_ms);
}

static void reload_go_on(struct supervisor *supervisor, uint64_t now_ms)
{
    uint32_t next = supervisor->next_generation;
    uint32_t rest = supervisor->next_count - supervisor->next_forked;

    CHECK(supervisor->next_forked <= supervisor->next_count);
    if (next == 0 || rest == 0 || count_of(supervisor, next, true) == 0)
        return;
    supervisor->next_forked = supervisor->next_count;
    fork_some(supervisor, next, rest, now_ms);
}

static void reload_end(struct supervisor *supervisor, uint64_t now_ms)
{
    uint32_t next = supervisor->next_generation;

    /* One that was ready is gone again before the others were: such a generation does not serve. */
    if (next != 0 && count_of(supervisor, next, false) < supervisor->next_forked)
        supervisor_reload_fail(supervisor, REASON_WORKER, 0, now_ms);
    if (supervisor->next_generation == 0 ||
        count_of(supervisor, next, true) < supervisor->next_count)
        return;
    bool is_first = supervisor->generation == 0;

    supervisor->generation = supervisor->next_generation;
    supervisor->worker_count = supervisor->next_count;
    supervisor->next_generation = 0;
    supervisor->failures = 0;
    supervisor->crashes = 0;
    supervisor->backoff_due_ms = 0;
    supervisor_act(supervisor, is_first ? ACTION_ANNOUNCE : ACTION_RELOADED, SUPERVISOR_NOBODY,
                   SUPERVISOR_NOBODY, 0);
}

/* Old workers that hold nothing any more finish what they have; those that were on their way have
 * come too late. */
static void settle_old(struct supervisor *supervisor, uint64_t now_ms)
{
    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        struct supervised *worker = &supervisor->workers[i];
        bool holds = worker->load > 0;

        if (!supervised_counts(worker) || worker->generation >= supervisor->generation)
            continue;
        for (uint32_t slot = 0; !holds && slot < supervisor->plan.slot_count; slot++)
            holds = supervisor->slots[slot].previous == i;
        if (holds)
            continue;
        supervisor_tell(supervisor, i, worker->state == WORKER_READY ? ACTION_RETIRE : ACTION_STOP,
                        now_ms);
    }
}

/* The oldest generation that retires, and how many there are. */
static uint32_t oldest_retiring(const struct supervisor *supervisor, uint32_t *out_count)
{
    uint32_t oldest = 0;
    uint32_t last = 0;

    *out_count = 0;
    for (;;) {
        uint32_t next = UINT32_MAX;

        for (uint32_t i = 0; i < supervisor->place_count; i++) {
            const struct supervised *worker = &supervisor->workers[i];

            if (worker->state == WORKER_RETIRING && worker->generation > last &&
                worker->generation < next)
                next = worker->generation;
        }
        if (next == UINT32_MAX)
            return oldest;
        if (oldest == 0)
            oldest = next;
        last = next;
        (*out_count)++;
    }
}

static void settle_cap(struct supervisor *supervisor, uint64_t now_ms)
{
    uint32_t count;

    for (;;) {
        uint32_t oldest = oldest_retiring(supervisor, &count);

        if (count <= GENERATIONS_MAX)
            return;
        for (uint32_t i = 0; i < supervisor->place_count; i++)
            if (supervisor->workers[i].generation == oldest)
                supervisor_tell(supervisor, i, ACTION_DRAIN, now_ms);
    }
}

/* --- Slots ------------------------------------------------------------------------------------ */

/* The ready worker of a generation that holds the least (or the most), or SUPERVISOR_NOBODY. */
static uint32_t by_load(const struct supervisor *supervisor, uint32_t generation, bool most)
{
    uint32_t found = SUPERVISOR_NOBODY;

    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];

        if (worker->state != WORKER_READY || worker->generation != generation)
            continue;
        if (found == SUPERVISOR_NOBODY || (most ? worker->load > supervisor->workers[found].load
                                                : worker->load < supervisor->workers[found].load))
            found = i;
    }
    return found;
}

/* What takes a slot: a worker of the generation that serves, else, when all of it has died, of an
 * older one that was not yet told to retire. */
static uint32_t taker(const struct supervisor *supervisor)
{
    uint32_t found = by_load(supervisor, supervisor->generation, false);

    for (uint32_t i = 0; found == SUPERVISOR_NOBODY && i < supervisor->place_count; i++)
        if (supervisor->workers[i].state == WORKER_READY &&
            supervisor->workers[i].generation < supervisor->generation)
            found = i;
    return found;
}

static void slot_move(struct supervisor *supervisor, uint32_t index, uint32_t to)
{
    struct supervised_slot *slot = &supervisor->slots[index];

    CHECK(to < supervisor->place_count && slot->holder != to);
    CHECK(supervisor->workers[to].state == WORKER_READY);
    if (supervisor->is_refusing)
        supervisor_act(supervisor, ACTION_ADMIT, SUPERVISOR_NOBODY, SUPERVISOR_NOBODY, 0);
    supervisor->is_refusing = false;
    slot->previous = slot->holder;
    if (slot->previous != SUPERVISOR_NOBODY)
        supervisor->workers[slot->previous].load--;
    slot->holder = to;
    slot->is_served = false;
    CHECK(slot->previous != slot->holder);
    supervisor->workers[to].load++;
    supervisor_act(supervisor, ACTION_ASSIGN, to, index, 0);
}

static void settle_slots(struct supervisor *supervisor)
{
    if (supervisor->generation == 0)
        return;
    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++) {
        const struct supervised_slot *slot = &supervisor->slots[i];
        uint32_t to = SUPERVISOR_NOBODY;

        if (slot->holder == SUPERVISOR_NOBODY)
            to = taker(supervisor);
        else if (supervisor->workers[slot->holder].generation != supervisor->generation &&
                 slot->previous == SUPERVISOR_NOBODY)
            to = by_load(supervisor, supervisor->generation, false);
        if (to != SUPERVISOR_NOBODY)
            slot_move(supervisor, i, to);
    }
}

/* What waits in queues that no worker reads is better told so. */
static void settle_service(struct supervisor *supervisor, uint64_t now_ms)
{
    bool is_served = supervisor->generation == 0; /* no user was told that we listen */

    for (uint32_t i = 0; !is_served && i < supervisor->plan.slot_count; i++)
        is_served = supervisor->slots[i].holder != SUPERVISOR_NOBODY;
    if (is_served || supervisor->is_refusing) {
        supervisor->unserved_due_ms = UINT64_MAX;
        return;
    }
    if (supervisor->unserved_due_ms == UINT64_MAX)
        supervisor->unserved_due_ms = now_ms + UNSERVED_MS;
    if (now_ms < supervisor->unserved_due_ms)
        return;
    supervisor->unserved_due_ms = UINT64_MAX;
    supervisor->is_refusing = true;
    supervisor_act(supervisor, ACTION_REFUSE, SUPERVISOR_NOBODY, SUPERVISOR_NOBODY, 0);
}

/* A slot of `from` that is not on the move, or SUPERVISOR_NOBODY. */
static uint32_t slot_of(const struct supervisor *supervisor, uint32_t from)
{
    for (uint32_t i = 0; i < supervisor->plan.slot_count; i++)
        if (supervisor->slots[i].holder == from &&
            supervisor->slots[i].previous == SUPERVISOR_NOBODY && supervisor->slots[i].is_served)
            return i;
    return SUPERVISOR_NOBODY;
}

/* A worker that took over the slots of a dead one gives some back to the one in its place. */
static void settle_balance(struct supervisor *supervisor)
{
    for (;;) {
        uint32_t most = by_load(supervisor, supervisor->generation, true);
        uint32_t least = by_load(supervisor, supervisor->generation, false);

        if (most == SUPERVISOR_NOBODY ||
            supervisor->workers[most].load <= supervisor->workers[least].load + LOAD_DIFFERENCE_MAX)
            return;
        uint32_t slot = slot_of(supervisor, most);

        if (slot == SUPERVISOR_NOBODY)
            return;
        slot_move(supervisor, slot, least);
    }
}

/* --- All of it -------------------------------------------------------------------------------- */

static void settle_successor(struct supervisor *supervisor, uint64_t now_ms)
{
    if (!supervisor->replace_wanted || supervisor->next_generation != 0 ||
        supervisor->reload_wanted != 0 || supervisor->generation == 0)
        return;
    supervisor->replace_wanted = false;
    supervisor->successor = SUCCESSOR_STARTING;
    supervisor->successor_due_ms = now_ms + supervisor->plan.start_timeout_ms;
    supervisor_act(supervisor, ACTION_EXECUTE, SUPERVISOR_NOBODY, SUPERVISOR_NOBODY, 0);
}

void supervisor_settle(struct supervisor *supervisor, uint64_t now_ms)
{
    if (supervisor->phase == PHASE_DELAYING && now_ms >= supervisor->delay_due_ms)
        supervisor_drain(supervisor, now_ms);
    if (supervisor->phase == PHASE_SERVING || supervisor->phase == PHASE_DELAYING) {
        reload_begin(supervisor, now_ms);
        reload_go_on(supervisor, now_ms);
        reload_end(supervisor, now_ms);
        settle_workers(supervisor, now_ms);
        settle_slots(supervisor);
        settle_balance(supervisor);
        settle_service(supervisor, now_ms);
        settle_old(supervisor, now_ms);
        settle_successor(supervisor, now_ms);
    }
    if (supervisor->phase != PHASE_DRAINING)
        settle_cap(supervisor, now_ms);
    if (supervisor->phase < PHASE_DRAINING || supervisor->phase == PHASE_ENDED ||
        count_free(supervisor) < supervisor->place_count)
        return;
    supervisor->phase = PHASE_ENDED;
    supervisor_act(supervisor, ACTION_EXIT, SUPERVISOR_NOBODY, SUPERVISOR_NOBODY,
                   supervisor->exit_code);
}
