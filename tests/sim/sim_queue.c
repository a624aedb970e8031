/*
 * A buffer that is compacted when it would have to grow otherwise.
 */
#include "sim_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void sim_queue_end(struct sim_queue *queue)
{
    free(queue->ptr);
    *queue = (struct sim_queue){0};
}

void sim_queue_put(struct sim_queue *queue, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    if (queue->head + queue->len + count > queue->room) {
        if (queue->head > 0) {
            memmove(queue->ptr, queue->ptr + queue->head, queue->len);
            queue->head = 0;
        }
        if (queue->len + count > queue->room) {
            queue->room = (queue->len + count) * 2;
            queue->ptr = realloc(queue->ptr, queue->room);
            if (!queue->ptr)
                abort();
        }
    }
    memcpy(queue->ptr + queue->head + queue->len, bytes, count);
    queue->len += count;
}

void sim_queue_take(struct sim_queue *queue, void *out, size_t count)
{
    CHECK(count <= queue->len);
    if (out && count > 0)
        memcpy(out, queue->ptr + queue->head, count);
    queue->head += count;
    queue->len -= count;
    if (queue->len == 0)
        queue->head = 0;
}

const char *sim_queue_front(const struct sim_queue *queue)
{
    return queue->ptr + queue->head;
}
