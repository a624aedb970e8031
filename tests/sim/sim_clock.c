/*
 * A binary heap of events ordered by (time, seeded order).  Memory for the heap is the test's own:
 * when there is none the run ends.
 */
#include "sim_clock.h"

#include <stdio.h>
#include <stdlib.h>

void sim_clock_init(struct sim_clock *clock, struct sim_random *random)
{
    *clock = (struct sim_clock){0};
    clock->random = random;
    /* Some way from zero, so that "zero means never" in the code under test shows. */
    clock->now_ns = 1000 * SIM_NS_PER_S + sim_random_below(random, 100000 * SIM_NS_PER_S);
    clock->real_offset_ns =
        (int64_t)(1700000000 * SIM_NS_PER_S + sim_random_below(random, SIM_NS_PER_S));
}

void sim_clock_deinit(struct sim_clock *clock)
{
    free(clock->heap);
    clock->heap = NULL;
    clock->count = 0;
    clock->room = 0;
}

static bool comes_before(const struct sim_event *one, const struct sim_event *two)
{
    if (one->time_ns != two->time_ns)
        return one->time_ns < two->time_ns;
    return one->order < two->order;
}

static void heap_set(struct sim_clock *clock, uint32_t place, struct sim_event *event)
{
    clock->heap[place] = event;
    event->place = place;
}

static void heap_rise(struct sim_clock *clock, struct sim_event *event, uint32_t place)
{
    while (place > 1 && comes_before(event, clock->heap[place / 2])) {
        heap_set(clock, place, clock->heap[place / 2]);
        place /= 2;
    }
    heap_set(clock, place, event);
}

static void heap_sink(struct sim_clock *clock, struct sim_event *event, uint32_t place)
{
    for (uint32_t child = place * 2; child <= clock->count; child = place * 2) {
        if (child < clock->count && comes_before(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!comes_before(clock->heap[child], event))
            break;
        heap_set(clock, place, clock->heap[child]);
        place = child;
    }
    heap_set(clock, place, event);
}

void sim_event_stop(struct sim_clock *clock, struct sim_event *event)
{
    uint32_t place = event->place;

    if (place == 0)
        return;
    event->place = 0;
    struct sim_event *last = clock->heap[clock->count--];

    if (last == event)
        return;
    if (place > 1 && comes_before(last, clock->heap[place / 2]))
        heap_rise(clock, last, place);
    else
        heap_sink(clock, last, place);
}

void sim_event_start(struct sim_clock *clock, struct sim_event *event, uint64_t delay_ns,
                     void (*fire)(struct sim_event *event))
{
    sim_event_stop(clock, event);
    if (clock->count + 2 > clock->room) {
        uint32_t room = clock->room ? clock->room * 2 : 256;
        void *heap = realloc(clock->heap, room * sizeof(*clock->heap));

        if (!heap) {
            fputs("sim: out of memory for events\n", stderr);
            abort();
        }
        clock->heap = heap;
        clock->room = room;
    }
    event->fire = fire;
    event->time_ns = clock->now_ns + delay_ns;
    event->order = sim_random_next(clock->random);
    heap_rise(clock, event, ++clock->count);
}

uint64_t sim_clock_next(const struct sim_clock *clock)
{
    return clock->count > 0 ? clock->heap[1]->time_ns : SIM_NEVER;
}

void sim_clock_advance(struct sim_clock *clock, uint64_t until_ns)
{
    while (clock->count > 0 && clock->heap[1]->time_ns <= until_ns) {
        struct sim_event *event = clock->heap[1];

        sim_event_stop(clock, event);
        if (event->time_ns > clock->now_ns)
            clock->now_ns = event->time_ns;
        clock->fired++;
        event->fire(event);
    }
    if (until_ns > clock->now_ns)
        clock->now_ns = until_ns;
}

uint64_t sim_clock_real_ns(const struct sim_clock *clock)
{
    return clock->now_ns + (uint64_t)clock->real_offset_ns;
}
