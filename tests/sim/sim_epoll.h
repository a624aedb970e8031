/*
 * The fake epoll, after fs/eventpoll.c: an item is put on the ready list by a wake-up whose key
 * meets its events; a wait polls the items it takes off the list, and puts level-triggered ones
 * back. So an edge is seen once, a wake-up for more data is a new edge, and an item stays until the
 * last duplicate of its file is closed, whatever became of the descriptor number.
 */
#ifndef SIM_EPOLL_H
#define SIM_EPOLL_H

#include <sys/epoll.h>

#include "sim_kernel.h"

struct sim_epoll {
    struct sim_desc desc; /* first */
    struct list items;    /* of struct sim_epoll_item */
    uint32_t ready_count;
    bool waking; /* guards against an epoll that watches itself in a circle */
};

struct sim_epoll_item {
    struct list in_desc;
    struct list in_epoll;
    struct sim_epoll *epoll; /* borrowed: outlives the item */
    struct sim_desc *desc;   /* borrowed: its end removes the item */
    int fd;
    uint32_t events;
    epoll_data_t data;
    bool ready;
};

int sim_epoll_create(bool close_on_exec);
int sim_epoll_ctl(struct sim_epoll *epoll, int op, int fd, struct epoll_event *event);
int sim_epoll_wait(struct sim_epoll *epoll, struct epoll_event *events, int events_max,
                   int64_t timeout_ns);
uint32_t sim_epoll_poll(struct sim_epoll *epoll);
void sim_epoll_destroy(struct sim_epoll *epoll);
void sim_epoll_item_wake(struct sim_epoll_item *item, uint32_t key);
void sim_epoll_item_remove(struct sim_epoll_item *item);

/* What poll(2) on one descriptor does: waits until something holds of it, or `timeout_ns`
 * (negative: for ever), and lets the world go on meanwhile.  The bits that hold. */
uint32_t sim_poll_wait(int fd, int64_t timeout_ns);

#endif
