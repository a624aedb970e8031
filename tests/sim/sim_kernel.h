/*
 * The fake kernel: the world of one run, and its table of descriptors.
 *
 * There is one world at a time (sim_world), because system calls have nobody to hand it to.  While
 * it is NULL every wrapped call goes to the real kernel.  Descriptors of the world are numbered
 * from SIM_FD_BASE; smaller ones always belong to the real kernel.  As in Linux the lowest free
 * number is given out, so that numbers are reused at once, which is what brings stale events about.
 *
 * Functions return 0 or more, or a negative errno.  What the kernel finds wrong with the program
 * that runs on it (a spin, a leak, a signal that kills) ends the run by sim_fail.
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/list.h"
#include "sim_clock.h"
#include "sim_fault.h"
#include "sim_random.h"

enum { SIM_FD_BASE = 1000, SIM_FD_ROOM = 16384 };

enum sim_kind { SIM_KIND_EPOLL, SIM_KIND_SOCK, SIM_KIND_EVENTFD, SIM_KIND_SIGNALFD, SIM_KIND_FILE };

/* An open file description: what descriptors refer to, and duplicates share. */
struct sim_desc {
    enum sim_kind kind;
    uint32_t refs;        /* descriptors, and hidden duplicates */
    int status_flags;     /* O_NONBLOCK, O_APPEND, access mode */
    struct list watchers; /* of struct sim_epoll_item: who wants to know */
};

struct sim_fd {
    struct sim_desc *desc; /* shared: a reference; NULL when the number is free */
    bool close_on_exec;
};

/* How the network between two ends behaves. */
struct sim_wire {
    uint64_t delay_ns_min;
    uint64_t delay_ns_max; /* both 0: everything arrives within the call that sends it */
    uint32_t segment_bytes_min;
    uint32_t segment_bytes_max;
    uint32_t buffer_bytes_min; /* of a socket's send and receive buffers */
    uint32_t buffer_bytes_max;
};

enum { SIM_SIGNAL_COUNT = 65 };

struct sim_signals {
    bool blocked[SIM_SIGNAL_COUNT];
    bool pending[SIM_SIGNAL_COUNT];
    uint64_t pipes; /* SIGPIPEs raised */
};

enum { SIM_STATES_MAX = 96 };

struct sim_state {
    const char *name; /* static */
    uint64_t count;
};

struct sim {
    struct sim_random random;
    struct sim_clock clock;
    struct sim_faults faults;
    struct sim_wire wire;
    struct sim_signals signals;
    struct sim_fd fds[SIM_FD_ROOM];
    uint32_t fd_limit; /* descriptors that may be open; reaching it is EMFILE */
    uint32_t fd_count;
    uint32_t fd_peak;
    struct list socks;      /* every socket there is, of struct sim_sock */
    struct list nodes;      /* the file system, of struct sim_node */
    struct list clones;     /* hidden duplicates, of struct sim_clone */
    uint16_t port_next;     /* the next ephemeral port */
    uint64_t calls;         /* system calls made */
    uint64_t waits_idle;    /* waits that returned since anything moved */
    uint64_t waits_limit;   /* more of them in a row are a spin */
    uint64_t trace_hash;    /* of every call and its result */
    uint64_t time_limit_ns; /* of the virtual clock; past it the run has hung */
    bool trace_prints;
    bool call_costs_time;
    struct sim_state states[SIM_STATES_MAX]; /* the "sometimes" counters */
};

extern struct sim *sim_world;

/* Begins and ends a world.  sim_end does not look for leaks; sim_check_empty does. */
void sim_begin(uint64_t seed);
void sim_end(void);

/* Fails the run when a descriptor of the program is still open. */
void sim_check_empty(void);

/* Ends the run: what is wrong, on stderr.  Does not return. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Told to sim_fail: one line that replays the run.  Borrowed. */
void sim_replay_line(const char *text);

/* Adds to the trace: `what` is static; only values that do not depend on addresses. */
void sim_trace(const char *what, int64_t first, int64_t second);

/* Something moved: the engine is not spinning. */
static inline void sim_progress(void)
{
    sim_world->waits_idle = 0;
}

/* Counts an interesting state.  `name` is static. */
void sim_sometimes(const char *name);
uint64_t sim_times(const char *name);

/* The beginning of every system call: time goes by, events that are due happen. */
void sim_call(const char *name);

/* --- descriptors -------------------------------------------------------------------------- */

void sim_desc_init(struct sim_desc *desc, enum sim_kind kind, int status_flags);
/* Drops a reference; at the last one the description is closed. */
void sim_desc_put(struct sim_desc *desc);
/* The EPOLL bits that hold now. */
uint32_t sim_desc_poll(struct sim_desc *desc);
/* Something happened: `key` has the EPOLL bits it is about; 0 concerns everybody. */
void sim_desc_wake(struct sim_desc *desc, uint32_t key);

/* Gives a number to a description, which takes over the caller's reference.  The number, or -EMFILE
 * and the reference stays with the caller. */
int sim_fd_open(struct sim_desc *desc, bool close_on_exec);
int sim_fd_close(int fd);
/* NULL when it is not open. */
struct sim_desc *sim_fd_desc(int fd);
static inline bool sim_fd_ours(int fd)
{
    return sim_world != NULL && fd >= SIM_FD_BASE;
}

/* Keeps a description alive for a while, as a forked child that inherited it would. */
void sim_desc_clone_for(struct sim_desc *desc, uint64_t delay_ns);

/* --- signals ------------------------------------------------------------------------------ */

void sim_signal_raise(int signal_number);

#endif
