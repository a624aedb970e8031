/*
 * Bytes in order: what a socket has received, or has still to deliver.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stddef.h>

struct sim_queue {
    char *ptr; /* owned */
    size_t head;
    size_t len;
    size_t room;
};

void sim_queue_end(struct sim_queue *queue);
void sim_queue_put(struct sim_queue *queue, const void *bytes, size_t count);
/* Copies out the first `count` bytes, which are there; `out` may be NULL. */
void sim_queue_take(struct sim_queue *queue, void *out, size_t count);
/* Where the first byte is. */
const char *sim_queue_front(const struct sim_queue *queue);

#endif
