/*
 * Public watches and timers, and blocking work: thin owners of what the engine, the heap and the
 * helper threads provide.
 */
#include "base/error.h"
#include "io/engine.h"
#include "io/helper.h"

/* --- Watches -------------------------------------------------------------------------------- */

px_watch *px_watch_create(px_loop *loop, int fd, unsigned events,
                          void (*on_ready)(px_watch *watch, unsigned events, void *context),
                          void *context, px_error *out_error)
{
    error_clear(out_error);
    px_watch *watch = alloc_take_zeroed(&loop->allocator, sizeof(*watch));

    if (!watch) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    handle_init(&watch->handle, loop, fd, HANDLE_WATCH);
    watch->on_ready = on_ready;
    watch->context = context;
    watch->events = events;
    if (engine_watch(watch, out_error) != PX_OK) {
        alloc_put(&loop->allocator, watch);
        return NULL;
    }
    loop->handle_count++;
    return watch;
}

px_err px_watch_change(px_watch *watch, unsigned events)
{
    watch->events = events;
    return engine_watch_change(watch);
}

void px_watch_destroy(px_watch *watch)
{
    if (!watch)
        return;
    px_loop *loop = watch->handle.loop;

    engine_detach(&watch->handle);
    loop->handle_count--;
    alloc_put(&loop->allocator, watch);
}

/* --- Timers --------------------------------------------------------------------------------- */

struct px_timer {
    struct io_timer timer;
    px_loop *loop; /* borrowed: outlives the timer */
    void (*on_timer)(px_timer *timer, void *context);
    void *context;
};

static void timer_due(struct io_timer *timer)
{
    px_timer *owner = CONTAINER_OF(timer, px_timer, timer);

    owner->on_timer(owner, owner->context);
}

px_timer *px_timer_create(px_loop *loop, void (*on_timer)(px_timer *timer, void *context),
                          void *context)
{
    px_timer *timer = alloc_take(&loop->allocator, sizeof(*timer));

    loop_used(loop);
    if (!timer)
        return NULL;
    timer->loop = loop;
    timer->on_timer = on_timer;
    timer->context = context;
    if (timer_init(&loop->timers, &timer->timer, timer_due) != PX_OK) {
        alloc_put(&loop->allocator, timer);
        return NULL;
    }
    loop->handle_count++;
    return timer;
}

void px_timer_start(px_timer *timer, uint32_t delay_ms)
{
    timer_start(&timer->loop->timers, &timer->timer, loop_now_ms(timer->loop) + delay_ms);
}

void px_timer_stop(px_timer *timer)
{
    loop_used(timer->loop);
    timer_stop(&timer->loop->timers, &timer->timer);
}

void px_timer_destroy(px_timer *timer)
{
    if (!timer)
        return;
    px_loop *loop = timer->loop;

    loop_used(loop);
    timer_deinit(&loop->timers, &timer->timer);
    loop->handle_count--;
    alloc_put(&loop->allocator, timer);
}

/* --- Blocking work -------------------------------------------------------------------------- */

struct loop_work {
    struct helper_job job;
    px_loop *loop;
    px_post_fn done;
    void *context;
    void (*work)(void *context);
};

static void work_run(void *context)
{
    struct loop_work *work = context;

    work->work(work->context);
}

static void work_done(px_err status, void *context)
{
    struct loop_work *work = context;
    px_post_fn done = work->done;
    void *done_context = work->context;

    work->loop->helper_jobs--;
    alloc_put(&work->loop->allocator, work);
    done(status, done_context);
}

px_err px_loop_work(px_loop *loop, void (*work)(void *context), px_post_fn done, void *context)
{
    px_err err = loop_helpers(loop);

    if (err != PX_OK)
        return err;
    struct loop_work *item = alloc_take(&loop->allocator, sizeof(*item));

    if (!item)
        return PX_ERR_MEMORY;
    item->loop = loop;
    item->work = work;
    item->done = done;
    item->context = context;
    item->job.work = work_run;
    item->job.done = work_done;
    item->job.context = item;
    err = helpers_submit(loop->helpers, &item->job);

    loop->helper_jobs += err == PX_OK;
    if (err != PX_OK)
        alloc_put(&loop->allocator, item);
    return err;
}
