/*
 * Calls that are posted to a loop from any thread, for later; and taken back.
 *
 * Happy path: the post comes through the mailbox as any other, waits on a timer of its own, and
 * runs.  Whether it runs or is taken back is decided once, by an exchange of `state`; its memory
 * goes with the last hold: the loop's, the caller's, a cancellation's on its way.  What can go
 * wrong: no memory, or the loop ends first, and the call hears that.
 */
#include "io/posted.h"

#include <stdatomic.h>
#include <time.h>

#include "io/io.h"
#include "io/mailbox.h"

enum posted_state { POSTED_WAITS, POSTED_RAN, POSTED_CANCELLED };

struct px_posted {
    struct mailbox_post arm;  /* brings it to the loop */
    struct mailbox_post stop; /* ... and its cancellation */
    struct io_timer timer;
    struct list node;    /* of those that wait, on the loop's thread */
    px_mailbox *mailbox; /* a reference */
    px_loop *loop;       /* borrowed: outlives its hold; set on the loop's thread */
    uint64_t due_ms;
    px_post_fn call;
    void *context;
    atomic_uint holds;
    atomic_uint state; /* enum posted_state */
};

void px_posted_release(px_posted *posted)
{
    if (!posted || atomic_fetch_sub_explicit(&posted->holds, 1, memory_order_acq_rel) != 1)
        return;
    px_mailbox *mailbox = posted->mailbox;

    CHECK(!list_linked(&posted->node));
    mailbox_free(mailbox, posted);
    px_mailbox_release(mailbox);
}

/* Whether it becomes that now: once. */
static bool posted_become(px_posted *posted, unsigned state)
{
    unsigned waits = POSTED_WAITS;

    return atomic_compare_exchange_strong(&posted->state, &waits, state);
}

/* The loop has done with it. */
static void posted_end(px_posted *posted, px_err status)
{
    if (list_linked(&posted->node)) {
        timer_deinit(&posted->loop->timers, &posted->timer);
        list_remove(&posted->node);
    }
    if (posted_become(posted, POSTED_RAN))
        posted->call(status, posted->context);
    px_posted_release(posted);
}

static void posted_due(struct io_timer *timer)
{
    posted_end(CONTAINER_OF(timer, px_posted, timer), PX_OK);
}

static void arm_run(px_err status, void *context)
{
    px_posted *posted = context;
    px_loop *loop = status == PX_OK ? mailbox_loop(posted->mailbox) : NULL;

    if (!loop || atomic_load(&posted->state) != POSTED_WAITS) {
        posted_end(posted, status);
        return;
    }
    if (timer_init(&loop->timers, &posted->timer, posted_due) != PX_OK) {
        posted_end(posted, PX_ERR_MEMORY);
        return;
    }
    posted->loop = loop;
    list_append(mailbox_waiting(posted->mailbox), &posted->node);
    timer_start(&loop->timers, &posted->timer, posted->due_ms);
}

static void stop_run(px_err status, void *context)
{
    px_posted *posted = context;

    ASSERT(atomic_load(&posted->state) == POSTED_CANCELLED);
    if (list_linked(&posted->node)) /* else it has been told already: the arm came first */
        posted_end(posted, status);
    px_posted_release(posted);
}

void posted_cancel_all(px_mailbox *mailbox)
{
    struct list *waiting = mailbox_waiting(mailbox);

    while (!list_empty(waiting))
        posted_end(LIST_ENTRY(waiting->next, px_posted, node), PX_ERR_CANCELLED);
}

/* The clock of loops. */
static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

px_err px_mailbox_post_after(px_mailbox *mailbox, uint32_t delay_ms, px_post_fn call, void *context,
                             px_posted **out_posted)
{
    px_posted *posted = mailbox_alloc(mailbox, sizeof(*posted));

    if (!posted)
        return PX_ERR_MEMORY;
    *posted = (px_posted){
        .arm = {.call = arm_run, .context = posted},
        .stop = {.call = stop_run, .context = posted},
        .mailbox = px_mailbox_retain(mailbox),
        .due_ms = clock_ms() + delay_ms,
        .call = call,
        .context = context,
    };
    list_init(&posted->node);
    atomic_init(&posted->holds, out_posted ? 2 : 1);
    atomic_init(&posted->state, POSTED_WAITS);
    px_err err = mailbox_push(mailbox, &posted->arm);

    if (err != PX_OK) {
        mailbox_free(mailbox, posted);
        px_mailbox_release(mailbox);
        return err;
    }
    if (out_posted)
        *out_posted = posted;
    return PX_OK;
}

px_err px_posted_cancel(px_posted *posted)
{
    if (!posted_become(posted, POSTED_CANCELLED))
        return PX_ERR_CLOSED;
    /* Its timer is stopped on the loop's thread; a loop that has ended has nothing to stop. */
    atomic_fetch_add_explicit(&posted->holds, 1, memory_order_relaxed);
    if (mailbox_push(posted->mailbox, &posted->stop) != PX_OK)
        px_posted_release(posted);
    return PX_OK;
}
