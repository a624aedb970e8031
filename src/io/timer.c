/*
 * The heap behind timers.  Firing takes the earliest while it is due.  What is started meanwhile is
 * due in the next millisecond at the earliest, so a callback that restarts its timer with no delay
 * can neither hold the loop nor keep others from firing.
 */
#include "io/timer.h"

#include "base/check.h"

void timer_heap_init(struct timer_heap *heap, const px_allocator *allocator)
{
    heap->nodes = NULL;
    heap->count = 0;
    heap->room = 0;
    heap->timer_count = 0;
    heap->floor_ms = 0;
    heap->allocator = allocator;
}

void timer_heap_deinit(struct timer_heap *heap)
{
    CHECK(heap->timer_count == 0);
    alloc_put(heap->allocator, heap->nodes);
    heap->nodes = NULL;
    heap->room = 0;
}

px_err timer_init(struct timer_heap *heap, struct io_timer *timer,
                  void (*on_due)(struct io_timer *timer))
{
    if (heap->timer_count == heap->room) {
        uint32_t room = heap->room ? heap->room * 2 : 8;
        struct io_timer **nodes = alloc_resize(heap->allocator, heap->nodes, room * sizeof(*nodes));

        if (!nodes)
            return PX_ERR_MEMORY;
        heap->nodes = nodes;
        heap->room = room;
    }
    heap->timer_count++;
    timer->due_ms = 0;
    timer->index = TIMER_IDLE;
    timer->on_due = on_due;
    return PX_OK;
}

void timer_deinit(struct timer_heap *heap, struct io_timer *timer)
{
    timer_stop(heap, timer);
    CHECK(heap->timer_count > 0);
    heap->timer_count--;
}

static void heap_set(struct timer_heap *heap, uint32_t index, struct io_timer *timer)
{
    heap->nodes[index] = timer;
    timer->index = index;
}

static void heap_up(struct timer_heap *heap, uint32_t index, struct io_timer *timer)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (heap->nodes[parent]->due_ms <= timer->due_ms)
            break;
        heap_set(heap, index, heap->nodes[parent]);
        index = parent;
    }
    heap_set(heap, index, timer);
}

static void heap_down(struct timer_heap *heap, uint32_t index, struct io_timer *timer)
{
    for (;;) {
        uint32_t child = 2 * index + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->nodes[child + 1]->due_ms < heap->nodes[child]->due_ms)
            child++;
        if (heap->nodes[child]->due_ms >= timer->due_ms)
            break;
        heap_set(heap, index, heap->nodes[child]);
        index = child;
    }
    heap_set(heap, index, timer);
}

void timer_start(struct timer_heap *heap, struct io_timer *timer, uint64_t due_ms)
{
    timer_stop(heap, timer);
    CHECK(heap->count < heap->room);
    timer->due_ms = due_ms < heap->floor_ms ? heap->floor_ms : due_ms;
    heap->count++;
    heap_up(heap, heap->count - 1, timer);
}

void timer_stop(struct timer_heap *heap, struct io_timer *timer)
{
    uint32_t index = timer->index;

    if (index == TIMER_IDLE)
        return;
    CHECK(heap->nodes[index] == timer);
    timer->index = TIMER_IDLE;
    heap->count--;
    if (index == heap->count)
        return;
    struct io_timer *last = heap->nodes[heap->count];

    if (index > 0 && heap->nodes[(index - 1) / 2]->due_ms > last->due_ms)
        heap_up(heap, index, last);
    else
        heap_down(heap, index, last);
}

bool timer_next(const struct timer_heap *heap, uint64_t *out_due_ms)
{
    if (heap->count == 0)
        return false;
    *out_due_ms = heap->nodes[0]->due_ms;
    return true;
}

void timer_fire(struct timer_heap *heap, uint64_t now_ms)
{
    heap->floor_ms = now_ms + 1;
    while (heap->count > 0 && heap->nodes[0]->due_ms <= now_ms) {
        struct io_timer *timer = heap->nodes[0];

        timer_stop(heap, timer);
        timer->on_due(timer);
    }
    heap->floor_ms = 0;
}

void timer_heap_check(const struct timer_heap *heap)
{
    ASSERT(heap->count <= heap->timer_count && heap->timer_count <= heap->room);
    for (uint32_t index = 0; index < heap->count; index++) {
        const struct io_timer *timer = heap->nodes[index];

        ASSERT(timer->index == index && timer->on_due);
        ASSERT(index == 0 || heap->nodes[(index - 1) / 2]->due_ms <= timer->due_ms);
    }
}
