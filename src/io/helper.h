/*
 * A small pool of threads for calls that block: file opens and reads that miss the page cache, name
 * look-ups, log writes.
 *
 * Happy path: a job is queued, a thread (started on demand) runs it, its end comes back through
 * the loop's mailbox.  It can fail when the queue is full or no thread can be started.  This file
 * is a seam: the simulation replaces it by one that runs jobs at seeded times.
 */
#ifndef PX_IO_HELPER_H
#define PX_IO_HELPER_H

#include "io/mailbox.h"

struct helpers;

/* A job.  The caller's, until `done` was called. */
struct helper_job {
    struct helper_job *next;     /* private */
    struct mailbox_post post;    /* private */
    struct helpers *helpers;     /* private */
    void (*work)(void *context); /* on a helper thread */
    px_post_fn done;             /* on the loop's thread */
    void *context;
    uint32_t *pending; /* borrowed: counts jobs that are not done, for what submits */
    bool cancelled;    /* private: the loop ended before it began */
};

/* NULL without memory. */
struct helpers *helpers_create(const px_allocator *allocator, px_mailbox *mailbox,
                               uint32_t threads_max);

/* Makes those of a loop, where there are none yet: PX_OK, PX_ERR_CLOSED (the loop ends),
 * PX_ERR_MEMORY. */
PX_MUST_CHECK px_err loop_helpers(px_loop *loop);

/* PX_OK, PX_ERR_LIMIT (HELPER_QUEUE_MAX) or PX_ERR_MEMORY (no thread). */
PX_MUST_CHECK px_err helpers_submit(struct helpers *helpers, struct helper_job *job);

/* Waits for jobs that run, hands queued ones to the mailbox as cancelled, ends the threads.  NULL
 * is fine.  Call it before the mailbox is closed. */
void helpers_destroy(struct helpers *helpers);

#endif
