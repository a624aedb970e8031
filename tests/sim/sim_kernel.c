/*
 * The world, the trace, the table of descriptors, and signals.
 */
#include "sim_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim_epoll.h"
#include "sim_file.h"
#include "sim_small.h"
#include "sim_socket.h"

struct sim *sim_world;
static const char *replay_line;

/* A hidden duplicate: a reference without a number. */
struct sim_clone {
    struct list link;
    struct sim_event drop;
    struct sim_desc *desc; /* shared: a reference */
};

void sim_begin(uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (!sim)
        abort();
    sim_random_seed(&sim->random, seed);
    sim_clock_init(&sim->clock, &sim->random);
    sim_faults_init(&sim->faults, &sim->random);
    sim->wire = (struct sim_wire){.segment_bytes_min = 1,
                                  .segment_bytes_max = 65536,
                                  .buffer_bytes_min = 65536,
                                  .buffer_bytes_max = 65536};
    sim->fd_limit = 1024;
    sim->port_next = 32768;
    sim->waits_limit = 2000;
    sim->time_limit_ns = SIM_NEVER;
    sim->call_costs_time = true;
    sim->trace_hash = 0xcbf29ce484222325u;
    list_init(&sim->socks);
    list_init(&sim->nodes);
    list_init(&sim->clones);
    sim_world = sim;
}

static void clone_end(struct sim_clone *clone)
{
    sim_event_stop(&sim_world->clock, &clone->drop);
    list_remove(&clone->link);
    sim_desc_put(clone->desc);
    free(clone);
}

void sim_end(void)
{
    struct sim *sim = sim_world;

    while (!list_empty(&sim->clones))
        clone_end(LIST_ENTRY(sim->clones.next, struct sim_clone, link));
    for (int index = 0; index < SIM_FD_ROOM; index++)
        if (sim->fds[index].desc)
            sim_fd_close(SIM_FD_BASE + index);
    sim_socks_end();
    sim_nodes_end();
    sim_clock_deinit(&sim->clock);
    sim_world = NULL;
    free(sim);
}

void sim_check_empty(void)
{
    for (int index = 0; index < SIM_FD_ROOM; index++)
        if (sim_world->fds[index].desc)
            sim_fail("descriptor %d is still open (kind %d)", SIM_FD_BASE + index,
                     (int)sim_world->fds[index].desc->kind);
}

void sim_replay_line(const char *text)
{
    replay_line = text;
}

void sim_fail(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fputs("sim: FAILED: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    if (sim_world)
        fprintf(stderr, "sim: at call %llu, %.6f s of virtual time\n",
                (unsigned long long)sim_world->calls,
                (double)sim_world->clock.now_ns / (double)SIM_NS_PER_S);
    if (replay_line)
        fprintf(stderr, "sim: replay: %s\n", replay_line);
    fflush(stderr);
    if (getenv("SIM_ABORT"))
        abort();
    _Exit(1);
}

static void hash_add(uint64_t value)
{
    for (int index = 0; index < 8; index++) {
        sim_world->trace_hash ^= (value >> (index * 8)) & 0xff;
        sim_world->trace_hash *= 0x100000001b3u;
    }
}

void sim_trace(const char *what, int64_t first, int64_t second)
{
    for (const char *at = what; *at; at++)
        hash_add((unsigned char)*at);
    hash_add((uint64_t)first);
    hash_add((uint64_t)second);
    hash_add(sim_world->clock.now_ns);
    if (sim_world->trace_prints)
        fprintf(stderr, "%12.6f %-12s %lld %lld\n",
                (double)sim_world->clock.now_ns / (double)SIM_NS_PER_S, what, (long long)first,
                (long long)second);
}

static struct sim_state *state_of(const char *name)
{
    for (int index = 0; index < SIM_STATES_MAX; index++) {
        struct sim_state *state = &sim_world->states[index];

        if (!state->name)
            state->name = name;
        if (strcmp(state->name, name) == 0)
            return state;
    }
    sim_fail("more than %d states are counted", SIM_STATES_MAX);
}

void sim_sometimes(const char *name)
{
    state_of(name)->count++;
}

uint64_t sim_times(const char *name)
{
    return state_of(name)->count;
}

void sim_call(const char *name)
{
    struct sim *sim = sim_world;

    (void)name;
    sim->calls++;
    if (sim->call_costs_time)
        sim_clock_advance(&sim->clock,
                          sim->clock.now_ns + sim_random_between(&sim->random, 100, 2000));
    if (sim_fault_strikes(&sim->faults, SIM_STALL))
        sim_clock_advance(&sim->clock, sim->clock.now_ns +
                                           sim_random_skewed(&sim->random, 1, 50 * SIM_NS_PER_MS));
    if (sim->clock.now_ns > sim->time_limit_ns)
        sim_fail("the run has not ended by %.3f s of virtual time",
                 (double)sim->time_limit_ns / (double)SIM_NS_PER_S);
}

void sim_desc_init(struct sim_desc *desc, enum sim_kind kind, int status_flags)
{
    desc->kind = kind;
    desc->refs = 1;
    desc->status_flags = status_flags;
    list_init(&desc->watchers);
}

void sim_desc_put(struct sim_desc *desc)
{
    CHECK(desc->refs > 0);
    if (--desc->refs > 0)
        return;
    while (!list_empty(&desc->watchers))
        sim_epoll_item_remove(LIST_ENTRY(desc->watchers.next, struct sim_epoll_item, in_desc));
    switch (desc->kind) {
    case SIM_KIND_EPOLL:
        sim_epoll_destroy((struct sim_epoll *)desc);
        break;
    case SIM_KIND_SOCK:
        sim_sock_close((struct sim_sock *)desc);
        break;
    case SIM_KIND_EVENTFD:
    case SIM_KIND_SIGNALFD:
        free(desc);
        break;
    case SIM_KIND_FILE:
        sim_file_close((struct sim_file *)desc);
        break;
    }
}

uint32_t sim_desc_poll(struct sim_desc *desc)
{
    switch (desc->kind) {
    case SIM_KIND_EPOLL:
        return sim_epoll_poll((struct sim_epoll *)desc);
    case SIM_KIND_SOCK:
        return sim_sock_poll((struct sim_sock *)desc);
    case SIM_KIND_EVENTFD:
        return sim_eventfd_poll((struct sim_eventfd *)desc);
    case SIM_KIND_SIGNALFD:
        return sim_signalfd_poll((struct sim_signalfd *)desc);
    case SIM_KIND_FILE:
        return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
    }
    return 0;
}

void sim_desc_wake(struct sim_desc *desc, uint32_t key)
{
    for (struct list *at = desc->watchers.next; at != &desc->watchers; at = at->next)
        sim_epoll_item_wake(LIST_ENTRY(at, struct sim_epoll_item, in_desc), key);
}

int sim_fd_open(struct sim_desc *desc, bool close_on_exec)
{
    struct sim *sim = sim_world;

    if (sim->fd_count >= sim->fd_limit)
        return -EMFILE;
    for (int index = 0; index < SIM_FD_ROOM; index++) {
        if (sim->fds[index].desc)
            continue;
        sim->fds[index] = (struct sim_fd){desc, close_on_exec};
        sim->fd_count++;
        if (sim->fd_count > sim->fd_peak)
            sim->fd_peak = sim->fd_count;
        return SIM_FD_BASE + index;
    }
    return -EMFILE;
}

struct sim_desc *sim_fd_desc(int fd)
{
    if (fd < SIM_FD_BASE || fd >= SIM_FD_BASE + SIM_FD_ROOM)
        return NULL;
    return sim_world->fds[fd - SIM_FD_BASE].desc;
}

int sim_fd_close(int fd)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    if (!desc)
        sim_fail("close of descriptor %d, which is not open", fd);
    sim_world->fds[fd - SIM_FD_BASE].desc = NULL;
    sim_world->fd_count--;
    sim_desc_put(desc);
    return 0;
}

static void clone_drops(struct sim_event *event)
{
    clone_end(CONTAINER_OF(event, struct sim_clone, drop));
}

void sim_desc_clone_for(struct sim_desc *desc, uint64_t delay_ns)
{
    struct sim_clone *clone = calloc(1, sizeof(*clone));

    if (!clone)
        abort();
    desc->refs++;
    clone->desc = desc;
    list_append(&sim_world->clones, &clone->link);
    sim_event_start(&sim_world->clock, &clone->drop, delay_ns, clone_drops);
}

void sim_signal_raise(int signal_number)
{
    struct sim_signals *signals = &sim_world->signals;

    sim_trace("signal", signal_number, 0);
    if (signal_number == SIGPIPE)
        signals->pipes++;
    if (!signals->blocked[signal_number])
        sim_fail("signal %d would have killed the process: it is not blocked", signal_number);
    signals->pending[signal_number] = true;
    sim_signalfds_wake();
}
