/*
 * A queue with one timer, for the soonest of all deadlines.
 */
#include "proxy/queue.h"

#include "base/check.h"

static void start(struct queue *queue, uint64_t due_ms)
{
    uint64_t now_ms = px_loop_now_ms(queue->loop);

    queue->due_ms = due_ms;
    px_timer_start(queue->timer, due_ms > now_ms ? (uint32_t)(due_ms - now_ms) : 0);
}

/* Starts the timer for the soonest. */
static void watch(struct queue *queue)
{
    uint64_t due_ms = UINT64_MAX;

    for (struct list *node = queue->waiters.next; node != &queue->waiters; node = node->next) {
        const struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

        if (waiter->due_ms < due_ms)
            due_ms = waiter->due_ms;
    }
    queue->due_ms = UINT64_MAX;
    if (due_ms != UINT64_MAX)
        start(queue, due_ms);
}

static void on_timer(px_timer *timer, void *context)
{
    struct queue *queue = context;
    uint64_t now_ms = px_loop_now_ms(queue->loop);
    struct list late;

    (void)timer;
    list_init(&late);
    for (struct list *node = queue->waiters.next, *next; node != &queue->waiters; node = next) {
        next = node->next;
        if (LIST_ENTRY(node, struct waiter, node)->due_ms <= now_ms) {
            list_remove(node);
            list_append(&late, node);
        }
    }
    while (!list_empty(&late)) {
        struct waiter *waiter = LIST_ENTRY(late.next, struct waiter, node);

        queue_leave(queue, waiter);
        waiter->call(waiter, true);
    }
    watch(queue);
}

px_err queue_init(struct queue *queue, px_loop *loop)
{
    *queue = (struct queue){.loop = loop, .due_ms = UINT64_MAX};
    list_init(&queue->waiters);
    queue->timer = px_timer_create(loop, on_timer, queue);
    return queue->timer ? PX_OK : PX_ERR_MEMORY;
}

void queue_deinit(struct queue *queue)
{
    CHECK(queue->count == 0);
    px_timer_destroy(queue->timer);
}

void queue_add(struct queue *queue, struct waiter *waiter, uint64_t due_ms)
{
    CHECK(waiter->call && !list_linked(&waiter->node));
    waiter->due_ms = due_ms;
    list_append(&queue->waiters, &waiter->node);
    queue->count++;
    if (due_ms < queue->due_ms)
        start(queue, due_ms);
}

void queue_leave(struct queue *queue, struct waiter *waiter)
{
    if (!list_linked(&waiter->node))
        return;
    list_remove(&waiter->node);
    CHECK(queue->count > 0);
    queue->count--;
}

static struct waiter *next_of(const struct queue *queue,
                              bool (*is_fair)(const struct waiter *waiter))
{
    for (struct list *node = queue->waiters.next; node != &queue->waiters; node = node->next)
        if (is_fair(LIST_ENTRY(node, struct waiter, node)))
            return LIST_ENTRY(node, struct waiter, node);
    return LIST_ENTRY(queue->waiters.next, struct waiter, node);
}

void queue_serve(struct queue *queue, bool (*has_room)(const void *context),
                 bool (*is_fair)(const struct waiter *waiter), const void *context)
{
    /* One that fails at once frees room itself, and comes here again. */
    if (queue->is_serving)
        return;
    queue->is_serving = true;
    while (!list_empty(&queue->waiters) && has_room(context)) {
        struct waiter *waiter = next_of(queue, is_fair);

        queue_leave(queue, waiter);
        waiter->call(waiter, false);
    }
    queue->is_serving = false;
}
