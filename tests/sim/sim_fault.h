/*
 * What may go wrong in a run, how often, and how often it did.
 *
 * A fault class has a rate that the scenario sets; whoever could inject it asks sim_fault_strikes.
 * Beside the rates there is a plan: the n-th call of a name fails with an errno.  Every injection
 * is counted, and a scenario asserts that each class it asked for happened, else it proved nothing.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_random.h"

/* name, what it means */
#define SIM_FAULTS(X)                                                                \
    X(SHORT_RECV, "short receive; the rest arrives later")                           \
    X(LATE_RECV, "EAGAIN on a socket that was reported readable")                    \
    X(SHORT_SEND, "short send; room comes later")                                    \
    X(LATE_SEND, "EAGAIN on a socket with room")                                     \
    X(INTERRUPT, "EINTR from a socket call")                                         \
    X(WAIT_INTERRUPT, "EINTR from epoll_wait")                                       \
    X(WAIT_PARTIAL, "epoll_wait hands out part of what is ready")                    \
    X(WAIT_LATE, "the thread wakes late")                                            \
    X(STALL, "the thread is held up in the middle of its work")                      \
    X(ACCEPT_EMFILE, "EMFILE from accept")                                           \
    X(ACCEPT_ENFILE, "ENFILE from accept")                                           \
    X(ACCEPT_ENOBUFS, "ENOBUFS or ENOMEM from accept")                               \
    X(ACCEPT_ABORTED, "ECONNABORTED or EPROTO from accept")                          \
    X(ACCEPT_INTERRUPT, "EINTR from accept")                                         \
    X(ACCEPT_EPERM, "EPERM from accept")                                             \
    X(CTL_ENOSPC, "ENOSPC or ENOMEM from epoll_ctl")                                 \
    X(FORK_DUPLICATE, "a duplicate of an accepted descriptor lives on for a while")  \
    X(WIRE_RESET, "the network resets a connection")                                 \
    X(WIRE_TIMEOUT, "the kernel gives a connection up (ETIMEDOUT)")                  \
    X(CLOCK_FORWARD, "real time jumps forward")                                      \
    X(CLOCK_BACK, "real time jumps back")                                            \
    X(FILE_EIO, "EIO from a file")                                                   \
    X(FILE_SHORT, "short read of a file")                                            \
    X(FILE_CUT, "a file is truncated while it is open")                              \
    X(FILE_COLD, "a file is not in the page cache")                                  \
    X(FILE_FULL, "ENOSPC from a write to a file")                                    \
    X(MEMORY, "an allocation fails")                                                 \
    X(HELPER_FULL, "no helper thread takes a job")                                   \
    X(LOST_EDGE, "an edge is lost: this is no fault of a kernel, but a planted bug") \
    X(CALL_FAILED, "a planned call failed")

enum sim_fault {
#define SIM_FAULT_ENUM(name, text) SIM_##name,
    SIM_FAULTS(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
};

struct sim_faults {
    uint32_t rate[SIM_FAULT_COUNT]; /* of 65,536 */
    uint64_t injected[SIM_FAULT_COUNT];
    const char *planned_call; /* borrowed, static; NULL: no plan */
    uint64_t planned_in;      /* calls of that name until it fails */
    int planned_errno;
    bool stopped;              /* from now on nothing goes wrong */
    struct sim_random *random; /* borrowed */
};

void sim_faults_init(struct sim_faults *faults, struct sim_random *random);

/* Whether the fault is to happen now; counts it when it is. */
bool sim_fault_strikes(struct sim_faults *faults, enum sim_fault fault);

/* The errno with which the n-th call of that name is to fail now, or 0. */
int sim_fault_planned(struct sim_faults *faults, const char *call);

/* Whether it may end a connection for which nobody is to blame. */
bool sim_fault_cuts(enum sim_fault fault);

const char *sim_fault_name(enum sim_fault fault);
const char *sim_fault_text(enum sim_fault fault);

#endif
