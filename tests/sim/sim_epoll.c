/*
 * The fake epoll; see sim_epoll.h for what it keeps to.
 */
#include "sim_epoll.h"

#include <errno.h>
#include <stdlib.h>

int sim_epoll_create(bool close_on_exec)
{
    struct sim_epoll *epoll = calloc(1, sizeof(*epoll));

    if (!epoll)
        return -ENOMEM;
    sim_desc_init(&epoll->desc, SIM_KIND_EPOLL, 0);
    list_init(&epoll->items);
    int fd = sim_fd_open(&epoll->desc, close_on_exec);

    if (fd < 0)
        free(epoll);
    return fd;
}

static void item_ready(struct sim_epoll_item *item)
{
    struct sim_epoll *epoll = item->epoll;

    if (item->ready)
        return;
    item->ready = true;
    epoll->ready_count++;
    if (!epoll->waking) {
        epoll->waking = true;
        sim_desc_wake(&epoll->desc, EPOLLIN | EPOLLRDNORM);
        epoll->waking = false;
    }
}

static void item_unready(struct sim_epoll_item *item)
{
    if (!item->ready)
        return;
    item->ready = false;
    item->epoll->ready_count--;
}

/* What the item would report: the bits asked for, and the two that are always asked for. */
static uint32_t item_poll(const struct sim_epoll_item *item)
{
    return sim_desc_poll(item->desc) & (item->events | EPOLLERR | EPOLLHUP);
}

void sim_epoll_item_wake(struct sim_epoll_item *item, uint32_t key)
{
    if (key != 0 && (key & (item->events | EPOLLERR | EPOLLHUP)) == 0)
        return;
    if ((item->events & EPOLLET) && sim_fault_strikes(&sim_world->faults, SIM_LOST_EDGE))
        return;
    item_ready(item);
}

void sim_epoll_item_remove(struct sim_epoll_item *item)
{
    item_unready(item);
    list_remove(&item->in_desc);
    list_remove(&item->in_epoll);
    free(item);
}

void sim_epoll_destroy(struct sim_epoll *epoll)
{
    while (!list_empty(&epoll->items))
        sim_epoll_item_remove(LIST_ENTRY(epoll->items.next, struct sim_epoll_item, in_epoll));
    free(epoll);
}

uint32_t sim_epoll_poll(struct sim_epoll *epoll)
{
    for (struct list *at = epoll->items.next; at != &epoll->items; at = at->next) {
        struct sim_epoll_item *item = LIST_ENTRY(at, struct sim_epoll_item, in_epoll);

        if (item->ready && item_poll(item) != 0)
            return EPOLLIN | EPOLLRDNORM;
    }
    return 0;
}

/* The item of this number and file; as in Linux both are the key. */
static struct sim_epoll_item *item_find(struct sim_epoll *epoll, struct sim_desc *desc, int fd)
{
    for (struct list *at = desc->watchers.next; at != &desc->watchers; at = at->next) {
        struct sim_epoll_item *item = LIST_ENTRY(at, struct sim_epoll_item, in_desc);

        if (item->epoll == epoll && item->fd == fd)
            return item;
    }
    return NULL;
}

static int item_add(struct sim_epoll *epoll, struct sim_desc *desc, int fd,
                    const struct epoll_event *event)
{
    struct sim_epoll_item *item;

    if (sim_fault_strikes(&sim_world->faults, SIM_CTL_ENOSPC))
        return sim_random_below(&sim_world->random, 2) ? -ENOSPC : -ENOMEM;
    item = calloc(1, sizeof(*item));
    if (!item)
        return -ENOMEM;
    item->epoll = epoll;
    item->desc = desc;
    item->fd = fd;
    item->events = event->events;
    item->data = event->data;
    list_append(&desc->watchers, &item->in_desc);
    list_append(&epoll->items, &item->in_epoll);
    if (item_poll(item) != 0)
        item_ready(item);
    return 0;
}

int sim_epoll_ctl(struct sim_epoll *epoll, int op, int fd, struct epoll_event *event)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    if (!desc)
        return -EBADF;
    if (desc->kind == SIM_KIND_FILE)
        return -EPERM;
    if (desc == &epoll->desc)
        return -EINVAL;
    struct sim_epoll_item *item = item_find(epoll, desc, fd);

    switch (op) {
    case EPOLL_CTL_ADD:
        return item ? -EEXIST : item_add(epoll, desc, fd, event);
    case EPOLL_CTL_MOD:
        if (!item)
            return -ENOENT;
        item->events = event->events;
        item->data = event->data;
        if (item_poll(item) != 0)
            item_ready(item);
        return 0;
    case EPOLL_CTL_DEL:
        if (!item)
            return -ENOENT;
        sim_epoll_item_remove(item);
        return 0;
    }
    return -EINVAL;
}

/* The ready items in seeded order.  Owned by the caller. */
static struct sim_epoll_item **ready_shuffled(struct sim_epoll *epoll, uint32_t *out_count)
{
    struct sim_epoll_item **ready =
        malloc((epoll->ready_count + 1) * sizeof(struct sim_epoll_item *));
    uint32_t count = 0;

    if (!ready)
        abort();
    for (struct list *at = epoll->items.next; at != &epoll->items; at = at->next) {
        struct sim_epoll_item *item = LIST_ENTRY(at, struct sim_epoll_item, in_epoll);

        if (item->ready)
            ready[count++] = item;
    }
    CHECK(count == epoll->ready_count);
    for (uint32_t index = count; index > 1; index--) {
        uint32_t other = (uint32_t)sim_random_below(&sim_world->random, index);
        struct sim_epoll_item *swap = ready[index - 1];

        ready[index - 1] = ready[other];
        ready[other] = swap;
    }
    *out_count = count;
    return ready;
}

static int harvest(struct sim_epoll *epoll, struct epoll_event *events, int events_max)
{
    uint32_t count;

    if (epoll->ready_count == 0)
        return 0;
    if (events_max > 1 && sim_fault_strikes(&sim_world->faults, SIM_WAIT_PARTIAL))
        events_max = (int)sim_random_between(&sim_world->random, 1, (uint64_t)events_max / 2);
    struct sim_epoll_item **ready = ready_shuffled(epoll, &count);
    int taken = 0;

    for (uint32_t index = 0; index < count && taken < events_max; index++) {
        struct sim_epoll_item *item = ready[index];
        uint32_t holds = item_poll(item);

        item_unready(item);
        if (holds == 0)
            continue;
        events[taken].events = holds;
        events[taken].data = item->data;
        taken++;
        sim_trace("event", item->fd, holds);
        if (!(item->events & EPOLLET))
            item_ready(item);
    }
    free(ready);
    return taken;
}

static void count_wait(void)
{
    if (++sim_world->waits_idle > sim_world->waits_limit)
        sim_fail("the loop spins: %llu waits and nothing moved",
                 (unsigned long long)sim_world->waits_idle);
}

/* Lets time go on to the next event, at most to `deadline`.  False when the deadline has come. */
static bool time_goes_on(uint64_t deadline)
{
    struct sim_clock *clock = &sim_world->clock;
    uint64_t next = sim_clock_next(clock);

    if (next == SIM_NEVER && deadline == SIM_NEVER)
        sim_fail("the loop waits for ever, and nothing will happen");
    sim_progress();
    if (next > deadline) {
        uint64_t late = 0;

        if (sim_fault_strikes(&sim_world->faults, SIM_WAIT_LATE))
            late = sim_random_skewed(&sim_world->random, 0, 3 * SIM_NS_PER_S);
        sim_clock_advance(clock, deadline + late);
        return false;
    }
    sim_clock_advance(clock, next);
    if (clock->now_ns > sim_world->time_limit_ns)
        sim_fail("the run has not ended by %.3f s of virtual time",
                 (double)sim_world->time_limit_ns / (double)SIM_NS_PER_S);
    return true;
}

static uint64_t deadline_of(int64_t timeout_ns)
{
    return timeout_ns < 0 ? SIM_NEVER : sim_world->clock.now_ns + (uint64_t)timeout_ns;
}

int sim_epoll_wait(struct sim_epoll *epoll, struct epoll_event *events, int events_max,
                   int64_t timeout_ns)
{
    if (events_max <= 0)
        return -EINVAL;
    count_wait();
    uint64_t deadline = deadline_of(timeout_ns);

    for (;;) {
        int taken = harvest(epoll, events, events_max);

        if (taken > 0 || timeout_ns == 0)
            return taken;
        if (sim_fault_strikes(&sim_world->faults, SIM_WAIT_INTERRUPT))
            return -EINTR;
        if (!time_goes_on(deadline))
            return harvest(epoll, events, events_max);
    }
}

uint32_t sim_poll_wait(int fd, int64_t timeout_ns)
{
    struct sim_desc *desc = sim_fd_desc(fd);
    uint64_t deadline = deadline_of(timeout_ns);

    count_wait();
    for (;;) {
        uint32_t holds = sim_desc_poll(desc);

        if (holds != 0 || timeout_ns == 0)
            return holds;
        if (!time_goes_on(deadline))
            return sim_desc_poll(desc);
    }
}
