/*
 * The way into a loop from other threads: a queue of calls behind a mutex, and an eventfd.
 *
 * It is counted by reference and outlives its loop.  Happy path: a post is linked in, the eventfd
 * is written once per batch, the loop takes the whole queue and runs it.  A post can fail without
 * memory or when the loop is gone; one that was queued runs exactly once, if need be cancelled.
 */
#ifndef PX_IO_MAILBOX_H
#define PX_IO_MAILBOX_H

#include <stdbool.h>

#include "base/list.h"
#include "pollux/alloc.h"
#include "pollux/loop.h"

/* A queued call.  Embedded where posting may not fail when its time comes. */
struct mailbox_post {
    struct mailbox_post *next; /* borrowed: while queued */
    px_post_fn call;
    void *context;
    bool owned; /* allocated by the mailbox, freed after the call */
};

/* Makes a mailbox with one reference: NULL without memory or descriptors (errno says). */
px_mailbox *mailbox_create(px_loop *loop);

/* Its loop, or NULL once that is gone.  The loop's thread. */
px_loop *mailbox_loop(const px_mailbox *mailbox);

/* Calls that wait on its loop for their time (posted.c).  The loop's thread. */
struct list *mailbox_waiting(px_mailbox *mailbox);

/* Memory of the mailbox's allocator, for what is posted.  Any thread that holds a reference. */
void *mailbox_alloc(px_mailbox *mailbox, size_t bytes);
void mailbox_free(px_mailbox *mailbox, void *ptr);

/* The eventfd; owned by the mailbox. */
int mailbox_fd(const px_mailbox *mailbox);

/* In a fork: an eventfd of this process's own. */
PX_MUST_CHECK px_err mailbox_renew(px_mailbox *mailbox, px_error *out_error);

/* Queues `post`, which stays the caller's: PX_OK or PX_ERR_CLOSED.  Any thread. */
PX_MUST_CHECK px_err mailbox_push(px_mailbox *mailbox, struct mailbox_post *post);

/* Wakes the loop without a call.  Any thread, async-signal-safe. */
void mailbox_wake(px_mailbox *mailbox);

/* Runs at most `budget` queued calls; true when some are left. */
bool mailbox_run(px_mailbox *mailbox, uint32_t budget);

/* No post is accepted from now on; what is queued runs, cancelled. */
void mailbox_close(px_mailbox *mailbox);

#endif
