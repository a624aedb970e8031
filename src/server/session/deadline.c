/*
 * The wheel.  A node beyond its horizon stays in the bucket of its due time modulo the wheel and is
 * passed over until then.
 */
#include "server/session/deadline.h"

static struct list *bucket_of(struct deadline_wheel *wheel, uint64_t step)
{
    return &wheel->buckets[step % DEADLINE_BUCKETS];
}

/* Sets the timer to the next bucket that holds something. */
static void wheel_schedule(struct deadline_wheel *wheel)
{
    if (wheel->count == 0) {
        timer_stop(&wheel->loop->timers, &wheel->timer);
        return;
    }
    for (uint64_t ahead = 1; ahead <= DEADLINE_BUCKETS; ahead++) {
        uint64_t step = wheel->step + ahead;

        if (!list_empty(bucket_of(wheel, step))) {
            timer_start(&wheel->loop->timers, &wheel->timer, step * DEADLINE_STEP_MS);
            return;
        }
    }
}

/* False when the work of a tick is over: what is left in the bucket is looked at again. */
static bool bucket_run(struct deadline_wheel *wheel, uint64_t step)
{
    struct list now;

    list_init(&now);
    list_splice(&now, bucket_of(wheel, step));
    while (!list_empty(&now) && !work_is_over(&wheel->loop->work)) {
        struct deadline *deadline = LIST_ENTRY(now.next, struct deadline, node);

        list_remove(&deadline->node);
        if (deadline->due_ms / DEADLINE_STEP_MS + 1 > wheel->step) {
            list_append(bucket_of(wheel, deadline->due_ms / DEADLINE_STEP_MS + 1), &deadline->node);
            continue;
        }
        wheel->count--;
        work_count(&wheel->loop->work, WORK_LOOK);
        wheel->on_due(deadline, wheel);
    }
    bool is_done = list_empty(&now);

    /* What was added meanwhile comes behind. */
    list_splice(&now, bucket_of(wheel, step));
    list_splice(bucket_of(wheel, step), &now);
    return is_done;
}

static void wheel_due(struct io_timer *timer)
{
    struct deadline_wheel *wheel = CONTAINER_OF(timer, struct deadline_wheel, timer);
    uint64_t now = wheel->loop->now_ms / DEADLINE_STEP_MS;

    /* After a pause longer than a turn of the wheel every bucket is looked at once. */
    if (now - wheel->step > DEADLINE_BUCKETS)
        wheel->step = now - DEADLINE_BUCKETS;
    while (wheel->step < now) {
        wheel->step++;
        if (!bucket_run(wheel, wheel->step)) {
            wheel->step--;
            break;
        }
    }
    wheel_schedule(wheel);
}

px_err deadline_wheel_init(struct deadline_wheel *wheel, px_loop *loop,
                           void (*on_due)(struct deadline *deadline, struct deadline_wheel *wheel))
{
    wheel->loop = loop;
    wheel->step = loop->now_ms / DEADLINE_STEP_MS;
    wheel->count = 0;
    wheel->on_due = on_due;
    for (uint32_t index = 0; index < DEADLINE_BUCKETS; index++)
        list_init(&wheel->buckets[index]);
    return timer_init(&loop->timers, &wheel->timer, wheel_due);
}

void deadline_wheel_deinit(struct deadline_wheel *wheel)
{
    CHECK(wheel->count == 0);
    timer_deinit(&wheel->loop->timers, &wheel->timer);
}

void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, uint64_t due_ms)
{
    uint64_t step = due_ms / DEADLINE_STEP_MS + 1; /* the first step that is not before it */

    deadline_clear(wheel, deadline);
    if (wheel->count == 0)
        wheel->step = wheel->loop->now_ms / DEADLINE_STEP_MS;
    if (step <= wheel->step)
        step = wheel->step + 1;
    deadline->due_ms = due_ms;
    list_append(bucket_of(wheel, step), &deadline->node);
    wheel->count++;
    if (!timer_started(&wheel->timer) || wheel->timer.due_ms > step * DEADLINE_STEP_MS)
        timer_start(&wheel->loop->timers, &wheel->timer, step * DEADLINE_STEP_MS);
}

void deadline_clear(struct deadline_wheel *wheel, struct deadline *deadline)
{
    if (!list_linked(&deadline->node))
        return;
    list_remove(&deadline->node);
    wheel->count--;
}

void deadline_wheel_check(const struct deadline_wheel *wheel)
{
    size_t count = 0;
    uint64_t first = UINT64_MAX;

    for (uint32_t index = 0; index < DEADLINE_BUCKETS; index++) {
        const struct list *bucket = &wheel->buckets[index];

        count += list_check(bucket);
        for (const struct list *node = bucket->next; node != bucket; node = node->next) {
            uint64_t step =
                LIST_ENTRY(node, const struct deadline, node)->due_ms / DEADLINE_STEP_MS + 1;

            /* One that was overdue when it was set is in the bucket that comes next. */
            ASSERT(step % DEADLINE_BUCKETS == index || step <= wheel->step + DEADLINE_BUCKETS);
            step = step > wheel->step ? step : wheel->step + 1;
            first = step < first ? step : first;
        }
    }
    ASSERT(count == wheel->count);
    ASSERT(count == 0 || timer_started(&wheel->timer));
    /* Else one would be looked at when another is due.  What a tick has left is due with the next.
     */
    ASSERT(count == 0 || wheel->timer.due_ms <= first * DEADLINE_STEP_MS ||
           wheel->timer.due_ms <= wheel->loop->now_ms + 1);
    ASSERT(wheel->on_due && wheel->loop);
}
