/*
 * Passwords to be checked by helper threads: a bounded queue that is fair to addresses.
 *
 * Each job has a place in virtual time: now, and one more for each job that its address has
 * already. So the first of an address goes before the second of any other, however many those are.
 * When the queue is full the address with most jobs loses its last one.  Requests with the same
 * credentials from the same address share a job.
 */
#ifndef PX_GATE_AUTH_JOBS_H
#define PX_GATE_AUTH_JOBS_H

#include <stdbool.h>

#include "base/list.h"
#include "pollux/alloc.h"
#include "pollux/exchange.h"

/* A keyed hash of credentials. */
struct auth_tag {
    uint64_t low, high;
};

enum auth_result {
    AUTH_RIGHT,
    AUTH_WRONG,
    AUTH_OFTEN, /* its address has too many checks waiting */
    AUTH_BUSY   /* so have all together, or memory ran out */
};

struct auth_jobs {
    const px_allocator *allocator; /* borrowed: outlives it, and all jobs */
    /* What became of an exchange that waited. */
    void (*tell)(px_exchange *exchange, enum auth_result result, void *context);
    /* A password was right. */
    void (*learn)(const struct auth_tag *tag, void *context);
    /* Whether it is known by now that they are right. */
    bool (*knows)(const struct auth_tag *tag, px_loop *loop, void *context);
    /* The last job has gone after auth_jobs_close. */
    void (*closed)(void *context);
    void *context; /* borrowed: of these */
    uint32_t running_max;
    uint32_t waiting_max;

    /* Private. */
    struct list waiting; /* of auth_job, in virtual time */
    struct list running; /* of auth_job */
    uint64_t now;        /* virtual */
    uint32_t waiting_count;
    uint32_t running_count;
    uint32_t exchange_count;
    bool closing;
};

/* What is to be checked; all borrowed for the call but `hash`. */
struct auth_check {
    uint64_t address; /* a keyed hash of it */
    struct auth_tag tag;
    px_str password;
    const char *hash; /* outlives the jobs */
    bool is_user;     /* false: the hash is another's, and the result is wrong in any case */
};

/* Those above `Private` are set. */
void auth_jobs_init(struct auth_jobs *jobs);

/* Has it checked.  AUTH_RIGHT: the exchange waits, and `tell` follows; else what to answer. */
enum auth_result auth_jobs_add(struct auth_jobs *jobs, px_exchange *exchange,
                               const struct auth_check *check);

/* No exchange is told anything any more; `closed` is called now or when the last job has ended. */
void auth_jobs_close(struct auth_jobs *jobs);

#endif
