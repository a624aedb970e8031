/*
 * The supervisor in an invented world: workers that crash, hang, are late, lie and close in any
 * order, forks that fail, reloads and replacements in the middle of each other, signals at any
 * time.  A seed decides everything; a failure prints the seed, and
 *
 *     supervisor_sim_test SEED
 *
 * replays it with every event.  After each event the world is compared with what must always hold,
 * and in the end, when faults have stopped, with what must come true at last.
 */
#include "process/supervisor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test.h"

enum {
    SEEDS = 5000,
    STEPS = 800,
    CALM_STEPS = 4000,
    SLOTS_MAX = 5,
    PLACES_MAX = SLOTS_MAX * PLACES_PER_WORKER,
    CHANNEL_MAX = 64, /* messages to a worker that it has not read */
    START_MS = 2000,
    HUNG_MS = 1000,
    DRAIN_MS = 3000,
};

/* A process, as it really is. */
struct process {
    bool is_alive;
    bool is_ready;
    bool is_hung;
    bool is_ending; /* was told, and has closed its sockets */
    bool serves[SLOTS_MAX];
    uint32_t message_count;
    struct supervisor_action messages[CHANNEL_MAX];
};

struct world {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ms;
    bool is_loud;
    bool is_calm;     /* no more faults */
    bool is_clinging; /* connections that take long to end */
    uint32_t fault_percent;
    struct supervisor supervisor;
    struct supervisor_plan plan;
    struct process processes[PLACES_MAX];
    bool has_announced;
    bool has_exited;
    bool are_sockets_open;
    bool has_stopping;
    bool is_refusing; /* peers are told that nobody serves */
    int exit_code;
    bool owns; /* the pid file is ours */
    bool successor_lives;
    bool successor_ready; /* has said so */
    bool successor_given; /* GIVE is under way */
    bool successor_owns;
    bool successor_took; /* TOOK is under way */
};

/* What a run has seen, over all seeds: each must happen. */
static struct {
    unsigned crash_in_reload, crash_in_replacement, hung, late, fork_failed, reloads, reload_failed,
        replaced, reclaimed, capped, delayed, end_in_reload, end_in_replacement, second_end;
} seen;

static uint32_t draw(struct world *world, uint32_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random >> 20) % below;
}

static bool chance(struct world *world, uint32_t percent)
{
    return draw(world, 100) < percent;
}

#define hold(world, condition) hold_at((world), (condition), #condition, __LINE__)

static void hold_at(const struct world *world, bool condition, const char *text, int line)
{
    if (condition)
        return;
    fprintf(stderr, "seed %" PRIu64 ": line %d: %s does not hold\n", world->seed, line, text);
    abort();
}

/* --- Actions ---------------------------------------------------------------------------------- */

static void event(struct world *world, enum supervisor_event_kind kind, uint32_t worker,
                  uint32_t slot, int code);

static void send_to(struct world *world, const struct supervisor_action *action)
{
    struct process *process = &world->processes[action->worker];

    if (!process->is_alive)
        return;
    hold(world, process->message_count < CHANNEL_MAX);
    process->messages[process->message_count++] = *action;
}

static void process_dies(struct world *world, uint32_t place, int code)
{
    if (!world->processes[place].is_alive)
        return;
    world->processes[place] = (struct process){0};
    event(world, EVENT_DIED, place, 0, code);
}

static void do_action(struct world *world, const struct supervisor_action *action)
{
    if (world->is_loud)
        fprintf(stderr, "%" PRIu64 "   action %d worker %u slot %u code %d\n", world->now_ms,
                (int)action->kind, action->worker, action->slot, action->code);
    hold(world, !world->has_exited);
    switch (action->kind) {
    case ACTION_FORK:
        hold(world, !world->processes[action->worker].is_alive);
        if (!world->is_calm && chance(world, world->fault_percent / 4)) {
            seen.fork_failed++;
            event(world, EVENT_FORK_FAILED, action->worker, 0, 0);
            break;
        }
        world->processes[action->worker] = (struct process){.is_alive = true};
        event(world, EVENT_FORKED, action->worker, 0, 0);
        break;
    case ACTION_ASSIGN:
        if (world->is_refusing)
            fail_msg("a socket is given away that refuses");
        hold(world, world->are_sockets_open);
        send_to(world, action);
        break;
    case ACTION_RELEASE:
    case ACTION_DELAY:
    case ACTION_RETIRE:
    case ACTION_STOP:
        send_to(world, action);
        break;
    case ACTION_DRAIN:
        seen.capped += world->supervisor.phase == PHASE_SERVING;
        send_to(world, action);
        break;
    case ACTION_KILL:
        process_dies(world, action->worker, SUPERVISOR_CRASHED);
        break;
    case ACTION_ANNOUNCE:
        hold(world, !world->has_announced);
        world->has_announced = true;
        world->owns = true;
        break;
    case ACTION_RELOADED:
        seen.reloads++;
        break;
    case ACTION_UNCHANGED:
        seen.reload_failed += action->code == REASON_WORKER || action->code == REASON_FORK;
        break;
    case ACTION_STOPPING:
        hold(world, !world->has_stopping);
        world->has_stopping = true;
        break;
    case ACTION_CLOSE:
        world->are_sockets_open = false;
        break;
    case ACTION_EXECUTE:
        hold(world, !world->successor_lives);
        world->successor_ready = world->successor_given = world->successor_took = false;
        if (!world->is_calm && chance(world, 10))
            event(world, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0, 0);
        else
            world->successor_lives = true;
        break;
    case ACTION_GIVE:
        world->owns = false;
        world->successor_given = true;
        break;
    case ACTION_ABANDON:
        world->successor_lives = world->successor_owns = false;
        break;
    case ACTION_RECLAIM:
        seen.reclaimed++;
        world->owns = true;
        break;
    case ACTION_GIVEN:
        seen.replaced++;
        break;
    case ACTION_SAY_HUNG:
        seen.hung++;
        break;
    case ACTION_SAY_LATE:
        seen.late++;
        break;
    case ACTION_RELOADING:
    case ACTION_SAY_DIED:
        break;
    case ACTION_REFUSE:
    case ACTION_ADMIT:
        if (world->is_refusing == (action->kind == ACTION_REFUSE))
            fail_msg("peers are refused or let in twice");
        world->is_refusing = action->kind == ACTION_REFUSE;
        break;
    case ACTION_EXIT:
        world->has_exited = true;
        world->exit_code = action->code;
        for (uint32_t i = 0; i < world->supervisor.place_count; i++)
            hold(world, !world->processes[i].is_alive);
        break;
    }
}

/* --- What must always hold -------------------------------------------------------------------- */

/* Whether a process accepts there, or will as soon as it reads what it was sent. */
static bool covers(const struct process *process, uint32_t slot)
{
    bool serves = process->serves[slot];

    for (uint32_t i = 0; i < process->message_count; i++) {
        const struct supervisor_action *message = &process->messages[i];

        if (message->slot == slot && message->kind == ACTION_ASSIGN)
            serves = true;
        else if ((message->slot == slot && message->kind == ACTION_RELEASE) ||
                 message->kind == ACTION_RETIRE || message->kind == ACTION_DRAIN ||
                 message->kind == ACTION_STOP)
            serves = false;
    }
    return process->is_alive && serves && !process->is_ending;
}

static bool is_serving_phase(const struct world *world)
{
    return world->supervisor.phase == PHASE_SERVING || world->supervisor.phase == PHASE_DELAYING;
}

static void check_slots(const struct world *world)
{
    const struct supervisor *supervisor = &world->supervisor;
    bool is_anybody_ready = false;

    for (uint32_t i = 0; i < supervisor->place_count; i++)
        is_anybody_ready =
            is_anybody_ready || (supervisor->workers[i].state == WORKER_READY &&
                                 supervisor->workers[i].generation <= supervisor->generation);
    for (uint32_t slot = 0; slot < world->plan.slot_count; slot++) {
        const struct supervised_slot *is = &supervisor->slots[slot];

        if (is->holder != SUPERVISOR_NOBODY) {
            hold(world, supervisor->workers[is->holder].state == WORKER_READY);
            hold(world, is->holder != is->previous);
            hold(world, covers(&world->processes[is->holder], slot));
        }
        if (is->previous != SUPERVISOR_NOBODY) {
            hold(world, supervisor->workers[is->previous].state == WORKER_READY);
            hold(world, covers(&world->processes[is->previous], slot));
        }
        /* A slot waits for as long as there is nobody to take it, and not a moment longer. */
        if (is_serving_phase(world) && supervisor->generation != 0 && is_anybody_ready)
            hold(world, is->holder != SUPERVISOR_NOBODY);
        /* Only those who hold it accept. */
        for (uint32_t i = 0; i < supervisor->place_count && is_serving_phase(world); i++)
            if (covers(&world->processes[i], slot))
                hold(world, i == is->holder || i == is->previous);
    }
}

static void check(const struct world *world)
{
    const struct supervisor *supervisor = &world->supervisor;

    hold(world, !(world->owns && world->successor_owns && world->successor_lives));
    hold(world, supervisor->action_count == 0);
    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];
        uint32_t load = 0;

        hold(world, world->processes[i].is_alive == (worker->state != WORKER_NONE));
        for (uint32_t slot = 0; slot < world->plan.slot_count; slot++)
            load += supervisor->slots[slot].holder == i;
        hold(world, load == worker->load);
    }
    check_slots(world);
}

static void event(struct world *world, enum supervisor_event_kind kind, uint32_t worker,
                  uint32_t slot, int code)
{
    const struct supervisor_event happened = {kind, worker,        slot,
                                              code, world->now_ms, (world->now_ms & 1) != 0};
    struct supervisor_action action;

    if (world->is_loud)
        fprintf(stderr, "%" PRIu64 " event %d worker %u slot %u code %d\n", world->now_ms,
                (int)kind, worker, slot, code);
    supervisor_event(&world->supervisor, &happened, world->now_ms);
    while (supervisor_take(&world->supervisor, &action))
        do_action(world, &action);
}

/* --- What happens ----------------------------------------------------------------------------- */

static void process_reads(struct world *world, uint32_t place)
{
    struct process *process = &world->processes[place];

    if (!process->is_alive || process->is_hung || process->message_count == 0)
        return;
    struct supervisor_action message = process->messages[0];

    process->message_count--;
    memmove(process->messages, process->messages + 1,
            process->message_count * sizeof(process->messages[0]));
    switch (message.kind) {
    case ACTION_ASSIGN:
        hold(world, process->is_ready);
        if (process->is_ending)
            break;
        process->serves[message.slot] = true;
        event(world, EVENT_SERVING, place, message.slot, 0);
        break;
    case ACTION_RELEASE:
        process->serves[message.slot] = false;
        break;
    case ACTION_DELAY:
        seen.delayed++;
        break;
    case ACTION_STOP:
        process_dies(world, place, 0);
        break;
    default: /* it ends, some day */
        memset(process->serves, 0, sizeof(process->serves));
        process->is_ending = true;
        break;
    }
}

/* One that is alive, if there is any. */
static uint32_t some_process(struct world *world)
{
    uint32_t first = draw(world, world->supervisor.place_count);

    for (uint32_t i = 0; i < world->supervisor.place_count; i++) {
        uint32_t place = (first + i) % world->supervisor.place_count;

        if (world->processes[place].is_alive)
            return place;
    }
    return first;
}

static void count_crash(const struct world *world)
{
    seen.crash_in_reload +=
        world->supervisor.next_generation != 0 && world->supervisor.generation != 0;
    seen.crash_in_replacement += world->supervisor.successor != SUCCESSOR_NONE;
}

static void worker_step(struct world *world)
{
    uint32_t place = some_process(world);
    struct process *process = &world->processes[place];

    if (!process->is_alive)
        return;
    if (!world->is_calm && chance(world, 50)) { /* most of what happens is what should */
        process_reads(world, place);
        if (process->is_alive && !process->is_ready && !process->is_hung) {
            process->is_ready = true;
            event(world, EVENT_READY, place, 0, 0);
        }
        return;
    }
    switch (draw(world, world->is_calm ? 4 : 8)) {
    case 0:
        process_reads(world, place);
        break;
    case 1:
        if (!process->is_ready && !process->is_hung) {
            process->is_ready = true;
            event(world, EVENT_READY, place, 0, 0);
        }
        break;
    case 2:
        if (!process->is_hung)
            event(world, EVENT_ALIVE, place, 0, 0);
        break;
    case 3:
        if (process->is_ending && !process->is_hung &&
            chance(world, world->is_calm       ? 50
                          : world->is_clinging ? 1
                                               : 10))
            process_dies(world, place, chance(world, 10) ? 71 : 0);
        break;
    case 4:
        if (chance(world, world->fault_percent)) {
            count_crash(world);
            process_dies(world, place, chance(world, 50) ? SUPERVISOR_CRASHED : 77);
        }
        break;
    case 5:
        process->is_hung = process->is_hung || chance(world, world->fault_percent / 2);
        break;
    case 6: /* one that was taken over by an attacker */
        event(world, EVENT_SERVING, place, draw(world, 2 * SLOTS_MAX), 0);
        break;
    case 7:
        if (process->is_ready)
            event(world, EVENT_READY, place, 0, 0);
        break;
    }
}

static void successor_step(struct world *world)
{
    if (!world->successor_lives)
        return;
    if (!world->is_calm && chance(world, 10)) {
        bool was_given = world->supervisor.phase == PHASE_GIVEN;

        world->successor_lives = world->successor_owns = false;
        if (!was_given)
            event(world, EVENT_SUCCESSOR_LOST, SUPERVISOR_NOBODY, 0, 0);
    } else if (!world->successor_ready) {
        world->successor_ready = true;
        event(world, EVENT_SUCCESSOR_READY, SUPERVISOR_NOBODY, 0, 0);
    } else if (world->successor_given && !world->successor_owns) {
        world->successor_owns = true;
        world->successor_took = true;
    } else if (world->successor_took) {
        world->successor_took = false;
        event(world, EVENT_SUCCESSOR_TOOK, SUPERVISOR_NOBODY, 0, 0);
    }
}

static void time_step(struct world *world)
{
    uint64_t due_ms = supervisor_due_ms(&world->supervisor);
    uint64_t step_ms = chance(world, 90) ? draw(world, 20) : draw(world, 600);

    world->now_ms += step_ms;
    /* In a calm world nobody is late. */
    for (uint32_t i = 0; world->is_calm && i < world->supervisor.place_count; i++)
        if (world->processes[i].is_alive && !world->processes[i].is_hung)
            event(world, EVENT_ALIVE, i, 0, 0);
    if (due_ms <= world->now_ms) {
        event(world, EVENT_TIME, SUPERVISOR_NOBODY, 0, 0);
        /* What was due is done: time does not run in circles. */
        hold(world, world->has_exited || supervisor_due_ms(&world->supervisor) > world->now_ms);
    }
}

static void person_step(struct world *world)
{
    uint32_t what = draw(world, 100);

    if (what < 50) {
        event(world, EVENT_RELOAD, SUPERVISOR_NOBODY, 0, (int)(1 + draw(world, SLOTS_MAX + 1)));
    } else if (what < 90) {
        event(world, EVENT_REPLACE, SUPERVISOR_NOBODY, 0, 0);
    } else if (what < 94) {
        seen.end_in_reload += world->supervisor.next_generation != 0;
        seen.end_in_replacement += world->supervisor.successor != SUCCESSOR_NONE;
        seen.second_end += world->supervisor.end_requests > 0;
        event(world, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    }
}

static void step(struct world *world)
{
    uint32_t what = draw(world, 100);

    if (what < 70)
        worker_step(world);
    else if (what < 85)
        time_step(world);
    else if (what < 92)
        successor_step(world);
    else if (!world->is_calm && chance(world, 30))
        person_step(world);
    if (!world->has_exited)
        check(world);
}

/* --- What must come true at last -------------------------------------------------------------- */

static bool is_settled(const struct world *world)
{
    const struct supervisor *supervisor = &world->supervisor;
    uint32_t ready = 0;

    if (world->has_exited)
        return true;
    if (supervisor->phase != PHASE_SERVING || supervisor->next_generation != 0 ||
        supervisor->successor != SUCCESSOR_NONE)
        return false;
    for (uint32_t i = 0; i < supervisor->place_count; i++) {
        const struct supervised *worker = &supervisor->workers[i];

        if (worker->state == WORKER_NONE)
            continue;
        if (worker->state != WORKER_READY || worker->generation != supervisor->generation)
            return false;
        ready++;
        if (worker->load < world->plan.slot_count / supervisor->worker_count ||
            worker->load > world->plan.slot_count / supervisor->worker_count + 1)
            return false;
    }
    for (uint32_t slot = 0; slot < world->plan.slot_count; slot++)
        if (!supervisor->slots[slot].is_served ||
            !world->processes[supervisor->slots[slot].holder].serves[slot])
            return false;
    return ready == supervisor->worker_count;
}

static void calm_down(struct world *world)
{
    world->is_calm = true;
    for (uint32_t i = 0; i < CALM_STEPS && !world->has_exited; i++)
        step(world);
    hold(world, is_settled(world));
    if (world->has_exited)
        return;
    event(world, EVENT_END, SUPERVISOR_NOBODY, 0, 0);
    for (uint32_t i = 0; i < CALM_STEPS && !world->has_exited; i++)
        step(world);
    hold(world, world->has_exited);
    hold(world, !world->are_sockets_open);
}

static void run(uint64_t seed, bool is_loud)
{
    struct world world = {.seed = seed,
                          .random = seed * 0x9e3779b97f4a7c15u + 1,
                          .now_ms = 1000,
                          .is_loud = is_loud,
                          .are_sockets_open = true};

    for (int i = 0; i < 8; i++)
        draw(&world, 2);
    world.is_clinging = chance(&world, 50);
    world.fault_percent = chance(&world, 30) ? 0 : 1 + draw(&world, 30);
    world.plan = (struct supervisor_plan){.slot_count = 1 + draw(&world, SLOTS_MAX),
                                          .start_timeout_ms = START_MS,
                                          .hung_timeout_ms = HUNG_MS,
                                          .drain_timeout_ms = DRAIN_MS};
    world.plan.worker_count = 1 + draw(&world, world.plan.slot_count);
    world.plan.drain_delay_ms = chance(&world, 50) ? draw(&world, 2000) : 0;
    assert_int_equal(supervisor_init(&world.supervisor, &world.plan), PX_OK);
    event(&world, EVENT_START, SUPERVISOR_NOBODY, 0, 0);
    for (uint32_t i = 0; i < STEPS && !world.has_exited; i++)
        step(&world);
    calm_down(&world);
    supervisor_deinit(&world.supervisor);
}

static void nothing_is_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, false);
    printf("seen: crash in reload %u, in replacement %u, hung %u, late %u, fork failed %u, "
           "reloads %u, failed %u, replaced %u, reclaimed %u, capped %u, delayed %u, end in reload "
           "%u, in replacement %u, second end %u\n",
           seen.crash_in_reload, seen.crash_in_replacement, seen.hung, seen.late, seen.fork_failed,
           seen.reloads, seen.reload_failed, seen.replaced, seen.reclaimed, seen.capped,
           seen.delayed, seen.end_in_reload, seen.end_in_replacement, seen.second_end);
    assert_true(seen.crash_in_reload > 0);
    assert_true(seen.crash_in_replacement > 0);
    assert_true(seen.hung > 0 && seen.late > 0);
    assert_true(seen.fork_failed > 0);
    assert_true(seen.reloads > 0 && seen.reload_failed > 0);
    assert_true(seen.replaced > 0 && seen.reclaimed > 0);
    assert_true(seen.capped > 0 && seen.delayed > 0);
    assert_true(seen.end_in_reload > 0 && seen.end_in_replacement > 0 && seen.second_end > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost)};

    if (argc > 1) {
        run(strtoull(argv[1], NULL, 10), true);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
