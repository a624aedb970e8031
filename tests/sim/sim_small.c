/*
 * eventfd, signalfd, and the signal mask of the one thread there is.
 */
#include "sim_small.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

int sim_eventfd_create(unsigned count, int flags)
{
    struct sim_eventfd *eventfd = calloc(1, sizeof(*eventfd));

    if (!eventfd)
        return -ENOMEM;
    sim_desc_init(&eventfd->desc, SIM_KIND_EVENTFD, flags & EFD_NONBLOCK ? O_NONBLOCK : 0);
    eventfd->count = count;
    eventfd->semaphore = (flags & EFD_SEMAPHORE) != 0;
    int fd = sim_fd_open(&eventfd->desc, (flags & EFD_CLOEXEC) != 0);

    if (fd < 0)
        free(eventfd);
    return fd;
}

uint32_t sim_eventfd_poll(struct sim_eventfd *eventfd)
{
    return (eventfd->count > 0 ? (uint32_t)EPOLLIN : 0) |
           (eventfd->count < UINT64_MAX - 1 ? (uint32_t)EPOLLOUT : 0);
}

int64_t sim_eventfd_read(struct sim_eventfd *eventfd, void *out, size_t bytes)
{
    uint64_t value = eventfd->semaphore ? 1 : eventfd->count;

    if (bytes < sizeof(value))
        return -EINVAL;
    if (eventfd->count == 0)
        return -EAGAIN;
    eventfd->count -= value;
    memcpy(out, &value, sizeof(value));
    sim_progress();
    return (int64_t)sizeof(value);
}

int64_t sim_eventfd_write(struct sim_eventfd *eventfd, const void *in, size_t bytes)
{
    uint64_t value;

    if (bytes < sizeof(value))
        return -EINVAL;
    memcpy(&value, in, sizeof(value));
    if (value > UINT64_MAX - 1 - eventfd->count)
        return -EAGAIN;
    eventfd->count += value;
    sim_desc_wake(&eventfd->desc, EPOLLIN);
    return (int64_t)sizeof(value);
}

int sim_signalfd_create(int fd, const sigset_t *mask, int flags)
{
    if (fd != -1) {
        struct sim_desc *desc = sim_fd_desc(fd);

        if (!desc || desc->kind != SIM_KIND_SIGNALFD)
            return -EINVAL;
        ((struct sim_signalfd *)desc)->mask = *mask;
        sim_signalfds_wake();
        return fd;
    }
    struct sim_signalfd *signalfd = calloc(1, sizeof(*signalfd));

    if (!signalfd)
        return -ENOMEM;
    sim_desc_init(&signalfd->desc, SIM_KIND_SIGNALFD, flags & SFD_NONBLOCK ? O_NONBLOCK : 0);
    signalfd->mask = *mask;
    fd = sim_fd_open(&signalfd->desc, (flags & SFD_CLOEXEC) != 0);
    if (fd < 0)
        free(signalfd);
    return fd;
}

/* The first pending signal of a set, or 0. */
static int pending_of(const sigset_t *set)
{
    for (int number = 1; number < SIM_SIGNAL_COUNT; number++)
        if (sim_world->signals.pending[number] && sigismember(set, number) == 1)
            return number;
    return 0;
}

uint32_t sim_signalfd_poll(struct sim_signalfd *signalfd)
{
    return pending_of(&signalfd->mask) != 0 ? EPOLLIN : 0;
}

int64_t sim_signalfd_read(struct sim_signalfd *signalfd, void *out, size_t bytes)
{
    struct signalfd_siginfo info = {0};
    int number = pending_of(&signalfd->mask);

    if (bytes < sizeof(info))
        return -EINVAL;
    if (number == 0)
        return -EAGAIN;
    sim_world->signals.pending[number] = false;
    info.ssi_signo = (uint32_t)number;
    memcpy(out, &info, sizeof(info));
    sim_progress();
    return (int64_t)sizeof(info);
}

void sim_signalfds_wake(void)
{
    for (int index = 0; index < SIM_FD_ROOM; index++) {
        struct sim_desc *desc = sim_world->fds[index].desc;

        if (desc && desc->kind == SIM_KIND_SIGNALFD)
            sim_desc_wake(desc, EPOLLIN);
    }
}

int sim_signal_mask(int how, const sigset_t *set, sigset_t *out_old)
{
    struct sim_signals *signals = &sim_world->signals;

    if (out_old)
        sigemptyset(out_old);
    for (int number = 1; number < SIM_SIGNAL_COUNT; number++) {
        bool was = signals->blocked[number];
        bool named = set && sigismember(set, number) == 1;

        if (out_old && was)
            sigaddset(out_old, number);
        if (!set)
            continue;
        if (how == SIG_SETMASK)
            signals->blocked[number] = named;
        else if (named)
            signals->blocked[number] = how == SIG_BLOCK;
        if (!signals->blocked[number] && signals->pending[number])
            sim_fail("signal %d was unblocked while it is pending: it would have killed", number);
    }
    return 0;
}

int sim_signal_take(const sigset_t *set, siginfo_t *out_info)
{
    int number = pending_of(set);

    if (number == 0)
        return -EAGAIN;
    sim_world->signals.pending[number] = false;
    if (out_info) {
        memset(out_info, 0, sizeof(*out_info));
        out_info->si_signo = number;
    }
    return number;
}
