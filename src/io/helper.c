/*
 * The helper threads.  They block all signals, so that the program's are delivered elsewhere.
 */
#include "io/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"

struct helpers {
    const px_allocator *allocator; /* borrowed: the loop's */
    px_mailbox *mailbox;           /* borrowed: the loop's */
    pthread_mutex_t mutex;         /* guards what follows */
    pthread_cond_t more;
    struct helper_job *first;
    struct helper_job **last;
    uint32_t queued;
    uint32_t idle;
    uint32_t thread_count;
    uint32_t threads_max;
    bool ending;
    pthread_t threads[HELPER_THREADS_LIMIT];
};

static void job_done(px_err status, void *context)
{
    struct helper_job *job = context;

    /* A post is cancelled when the loop ends; the work may have been done all the same. */
    (void)status;
    job->done(job->cancelled ? PX_ERR_CANCELLED : PX_OK, job->context);
}

static void job_finish(struct helper_job *job)
{
    job->post.call = job_done;
    job->post.context = job;
    job->post.owned = false;
    px_err err = mailbox_push(job->helpers->mailbox, &job->post);

    /* The mailbox is closed after the helpers have ended. */
    CHECK(err == PX_OK);
}

static struct helper_job *job_pop(struct helpers *helpers)
{
    struct helper_job *job = helpers->first;

    if (!job)
        return NULL;
    helpers->first = job->next;
    if (!helpers->first)
        helpers->last = &helpers->first;
    helpers->queued--;
    return job;
}

static void *helper_main(void *context)
{
    struct helpers *helpers = context;

    pthread_mutex_lock(&helpers->mutex);
    for (;;) {
        struct helper_job *job = helpers->ending ? NULL : job_pop(helpers);

        if (job) {
            pthread_mutex_unlock(&helpers->mutex);
            job->work(job->context);
            job_finish(job);
            pthread_mutex_lock(&helpers->mutex);
            continue;
        }
        if (helpers->ending)
            break;
        helpers->idle++;
        pthread_cond_wait(&helpers->more, &helpers->mutex);
        helpers->idle--;
    }
    pthread_mutex_unlock(&helpers->mutex);
    return NULL;
}

struct helpers *helpers_create(const px_allocator *allocator, px_mailbox *mailbox,
                               uint32_t threads_max)
{
    struct helpers *helpers = alloc_take_zeroed(allocator, sizeof(*helpers));

    if (!helpers)
        return NULL;
    helpers->allocator = allocator;
    helpers->mailbox = mailbox;
    helpers->last = &helpers->first;
    helpers->threads_max = threads_max < HELPER_THREADS_LIMIT ? threads_max : HELPER_THREADS_LIMIT;
    if (pthread_mutex_init(&helpers->mutex, NULL) != 0)
        goto fail;
    if (pthread_cond_init(&helpers->more, NULL) != 0) {
        pthread_mutex_destroy(&helpers->mutex);
        goto fail;
    }
    return helpers;

fail:
    alloc_put(allocator, helpers);
    return NULL;
}

/* With the mutex held: one more thread unless an idle one will take the job.  Fails only when there
 * is none at all. */
static px_err helper_spawn(struct helpers *helpers)
{
    sigset_t all, before;

    if (helpers->idle > helpers->queued || helpers->thread_count >= helpers->threads_max)
        return PX_OK;
    sigfillset(&all);
    sigdelset(&all,
              SIGSYS); /* a program's seccomp filter speaks to the thread that made the call */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed =
        pthread_create(&helpers->threads[helpers->thread_count], NULL, helper_main, helpers);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        helpers->thread_count++;
    return helpers->thread_count > 0 ? PX_OK : PX_ERR_MEMORY;
}

px_err helpers_submit(struct helpers *helpers, struct helper_job *job)
{
    px_err err = PX_ERR_LIMIT;

    job->next = NULL;
    job->helpers = helpers;
    job->cancelled = false;
    pthread_mutex_lock(&helpers->mutex);
    if (helpers->queued < HELPER_QUEUE_MAX)
        err = helper_spawn(helpers);
    if (err == PX_OK) {
        *helpers->last = job;
        helpers->last = &job->next;
        helpers->queued++;
        pthread_cond_signal(&helpers->more);
    }
    pthread_mutex_unlock(&helpers->mutex);
    return err;
}

void helpers_destroy(struct helpers *helpers)
{
    if (!helpers)
        return;
    pthread_mutex_lock(&helpers->mutex);
    helpers->ending = true;
    pthread_cond_broadcast(&helpers->more);
    pthread_mutex_unlock(&helpers->mutex);
    for (uint32_t index = 0; index < helpers->thread_count; index++)
        pthread_join(helpers->threads[index], NULL);
    for (struct helper_job *job; (job = job_pop(helpers)) != NULL;) {
        job->cancelled = true;
        job_finish(job);
    }
    pthread_cond_destroy(&helpers->more);
    pthread_mutex_destroy(&helpers->mutex);
    alloc_put(helpers->allocator, helpers);
}
