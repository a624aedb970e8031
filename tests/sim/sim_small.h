/*
 * The small descriptors: eventfd and signalfd.
 */
#ifndef SIM_SMALL_H
#define SIM_SMALL_H

#include <signal.h>
#include <stddef.h>

#include "sim_kernel.h"

struct sim_eventfd {
    struct sim_desc desc; /* first */
    uint64_t count;
    bool semaphore;
};

struct sim_signalfd {
    struct sim_desc desc; /* first */
    sigset_t mask;
};

int sim_eventfd_create(unsigned count, int flags);
uint32_t sim_eventfd_poll(struct sim_eventfd *eventfd);
int64_t sim_eventfd_read(struct sim_eventfd *eventfd, void *out, size_t bytes);
int64_t sim_eventfd_write(struct sim_eventfd *eventfd, const void *in, size_t bytes);

int sim_signalfd_create(int fd, const sigset_t *mask, int flags);
uint32_t sim_signalfd_poll(struct sim_signalfd *signalfd);
int64_t sim_signalfd_read(struct sim_signalfd *signalfd, void *out, size_t bytes);

/* A signal came: whoever reads it by a descriptor learns of it. */
void sim_signalfds_wake(void);

/* pthread_sigmask and sigtimedwait with a zero timeout. */
int sim_signal_mask(int how, const sigset_t *set, sigset_t *out_old);
int sim_signal_take(const sigset_t *set, siginfo_t *out_info);

#endif
