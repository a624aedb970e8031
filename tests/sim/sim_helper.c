/*
 * The helper threads, replaced (--wrap=helpers_create and so on): a job runs on the one thread
 * there is, at a seeded time, and reports through the mailbox like any other; so jobs end in any
 * order, and late.
 */
#include "io/helper.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "sim_kernel.h"

struct helpers {
    px_mailbox *mailbox; /* borrowed */
    const px_allocator *allocator;
    struct list waiting; /* of struct sim_job */
};

struct sim_job {
    struct list link;
    struct sim_event due;
    struct helper_job *job;
};

struct helpers *__wrap_helpers_create(const px_allocator *allocator, px_mailbox *mailbox,
                                      uint32_t threads_max);
px_err __wrap_helpers_submit(struct helpers *helpers, struct helper_job *job);
void __wrap_helpers_destroy(struct helpers *helpers);

struct helpers *__wrap_helpers_create(const px_allocator *allocator, px_mailbox *mailbox,
                                      uint32_t threads_max)
{
    struct helpers *helpers = alloc_take(allocator, sizeof(*helpers));

    (void)threads_max;
    if (!helpers)
        return NULL;
    helpers->mailbox = mailbox;
    helpers->allocator = allocator;
    list_init(&helpers->waiting);
    return helpers;
}

static void job_done(px_err status, void *context)
{
    struct helper_job *job = context;

    job->done(job->cancelled ? PX_ERR_CANCELLED : status, job->context);
}

static void job_ends(struct sim_job *entry, bool cancelled)
{
    struct helper_job *job = entry->job;

    sim_event_stop(&sim_world->clock, &entry->due);
    list_remove(&entry->link);
    free(entry);
    job->cancelled = cancelled;
    if (!cancelled)
        job->work(job->context);
    job->post.call = job_done;
    job->post.context = job;
    job->post.owned = false;
    px_err err = mailbox_push(job->helpers->mailbox, &job->post);

    CHECK(err == PX_OK);
    sim_sometimes(cancelled ? "a helper's job was cancelled" : "a helper's job was done");
}

static void job_due(struct sim_event *event)
{
    job_ends(CONTAINER_OF(event, struct sim_job, due), false);
}

px_err __wrap_helpers_submit(struct helpers *helpers, struct helper_job *job)
{
    if (sim_fault_strikes(&sim_world->faults, SIM_HELPER_FULL))
        return PX_ERR_LIMIT;
    struct sim_job *entry = calloc(1, sizeof(*entry));

    if (!entry)
        abort();
    entry->job = job;
    job->helpers = helpers;
    list_append(&helpers->waiting, &entry->link);
    sim_event_start(&sim_world->clock, &entry->due,
                    sim_random_skewed(&sim_world->random, SIM_NS_PER_US, 500 * SIM_NS_PER_MS),
                    job_due);
    return PX_OK;
}

void __wrap_helpers_destroy(struct helpers *helpers)
{
    if (!helpers)
        return;
    while (!list_empty(&helpers->waiting))
        job_ends(LIST_ENTRY(helpers->waiting.next, struct sim_job, link), true);
    alloc_put(helpers->allocator, helpers);
}
