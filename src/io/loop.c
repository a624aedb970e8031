/*
 * The loop: one tick after another, until it is stopped.
 *
 * A tick waits for events and runs them, runs the again list once, fires timers, reaps what was
 * closed, and runs the hooks that end a tick.  Everything is bounded; what is left over makes the
 * next wait return at once.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "io/cache.h"
#include "io/engine.h"
#include "io/helper.h"
#include "io/mailbox.h"
#include "io/signal.h"

/* A clock that jumps back stands still. */
static uint64_t clock_us(const px_loop *loop)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;

    return now_us > loop->now_us ? now_us : loop->now_us;
}

static int64_t clock_unix(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

void loop_read_clocks(px_loop *loop)
{
    loop->now_us = clock_us(loop);
    loop->now_ms = loop->now_us / 1000;
    loop->unix_time = clock_unix();
}

/* --- Forks ------------------------------------------------------------------------------------ */

static size_t origin_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Marks this process as the loop's, where the kernel can: the mark costs no system call to read. */
static void origin_set(px_loop *loop)
{
    if (!loop->origin) {
        char *page =
            mmap(NULL, origin_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED)
            return;
        if (madvise(page, origin_bytes(), MADV_WIPEONFORK) != 0) {
            munmap(page, origin_bytes());
            return;
        }
        loop->origin = page;
    }
    *loop->origin = 1;
}

static void origin_clear(px_loop *loop)
{
    if (loop->origin)
        munmap(loop->origin, origin_bytes());
    loop->origin = NULL;
}

static inline bool is_forked(const px_loop *loop)
{
    return loop->origin && *loop->origin == 0;
}

px_err px_loop_after_fork(px_loop *loop, px_error *out_error)
{
    error_clear(out_error);
    CHECK_RULE(!loop->ticking, "px_loop_after_fork was called from a callback");
    if (loop->helpers)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "the loop had helper threads when the process forked: they are not here");
    px_err err = mailbox_renew(loop->mailbox, out_error);

    if (err == PX_OK) {
        loop->wake.handle.fd = mailbox_fd(loop->mailbox);
        err = engine_renew(loop, out_error);
    }
    if (err == PX_OK)
        origin_set(loop);
    return err;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static void wake_ready(px_watch *watch, unsigned events, void *context)
{
    px_loop *loop = context;

    (void)watch;
    (void)events;
    mailbox_run(loop->mailbox, POSTS_PER_TICK);
}

static px_err loop_init(px_loop *loop, const px_loop_options *options, px_error *out_error)
{
    list_init(&loop->again);
    list_init(&loop->tasks);
    list_init(&loop->tenants);
    list_init(&loop->closing);
    list_init(&loop->streams);
    list_init(&loop->caches);
    for (int phase = 0; phase < LOOP_PHASE_COUNT; phase++)
        list_init(&loop->hooks[phase]);
    timer_heap_init(&loop->timers, &loop->allocator);
    atomic_init(&loop->stop, false);
    uint64_t inbox_bytes_max =
        options->inbox_bytes_max ? options->inbox_bytes_max : INBOX_BYTES_TOTAL_DEFAULT;
    budget_init(&loop->memory, UINT64_MAX,
                (uint64_t[]){[BUDGET_HEADS] = HEADS_BYTES_TOTAL_MAX,
                             [BUDGET_INBOX] = inbox_bytes_max,
                             [BUDGET_SOCKETS] = UINT64_MAX,
                             [BUDGET_SOCKET_CODERS] = UINT64_MAX,
                             [BUDGET_EXCHANGES] = UINT64_MAX,
                             [BUDGET_OUTPUT] = UINT64_MAX,
                             [BUDGET_SESSIONS] = UINT64_MAX});
    loop->memory.inbox_bytes_max = inbox_bytes_max;
    loop->helper_threads_max =
        options->helper_threads_max ? options->helper_threads_max : HELPER_THREADS_DEFAULT;
    work_begin(&loop->work, 2 * WORK_TURN_MAX);
    loop_read_clocks(loop);
    origin_set(loop);
    loop->chunk = alloc_take(&loop->allocator, RECV_CHUNK_BYTES);
    if (!loop->chunk)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    px_err err = engine_create(loop, out_error);

    if (err != PX_OK)
        return err;
    loop->mailbox = mailbox_create(loop);
    if (!loop->mailbox)
        return error_set(out_error, error_category(errno), errno,
                         "cannot create an event descriptor: %s", strerror(errno));
    handle_init(&loop->wake.handle, loop, mailbox_fd(loop->mailbox), HANDLE_WATCH);
    loop->wake.events = PX_WATCH_READ;
    loop->wake.on_ready = wake_ready;
    loop->wake.context = loop;
    return engine_watch(&loop->wake, out_error);
}

px_err loop_helpers(px_loop *loop)
{
    if (loop->ending)
        return PX_ERR_CLOSED;
    if (!loop->helpers)
        loop->helpers = helpers_create(&loop->allocator, loop->mailbox, loop->helper_threads_max);
    return loop->helpers ? PX_OK : PX_ERR_MEMORY;
}

static void loop_free(px_loop *loop)
{
    px_allocator allocator = loop->allocator;

    loop->ending = true;
    helpers_destroy(loop->helpers);
    loop->helpers = NULL;
    if (loop->mailbox)
        mailbox_close(loop->mailbox);
    signals_destroy(loop);
    if (loop->engine)
        engine_detach(&loop->wake.handle);
    engine_destroy(loop);
    px_mailbox_release(loop->mailbox);
    loop_caches_end(loop);
    timer_heap_deinit(&loop->timers);
    origin_clear(loop);
    alloc_put(&allocator, loop->chunk);
    alloc_put(&allocator, loop->name_servers);
    alloc_put(&allocator, loop);
}

px_loop *px_loop_create(const px_loop_options *options, px_error *out_error)
{
    px_loop_options wanted;

    error_clear(out_error);
    if (options_read(&wanted, sizeof(wanted), options) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "loop options: unknown or missing struct_size");
        return NULL;
    }
    const px_allocator *allocator = wanted.allocator ? wanted.allocator : &alloc_libc;
    px_loop *loop = alloc_take_zeroed(allocator, sizeof(*loop));

    if (!loop) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    loop->allocator = *allocator;
    loop->told.checks_rules = check_rules_wanted();
    handle_init(&loop->wake.handle, loop, -1, HANDLE_WATCH);
    if (loop_init(loop, &wanted, out_error) != PX_OK) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

static void loop_reap(px_loop *loop);

void px_loop_destroy(px_loop *loop)
{
    if (!loop)
        return;
    CHECK_RULE(!loop->ticking, "px_loop_destroy was called from a callback of the loop");
    /* What an on_closed closes or opens takes another tick. */
    while (!list_empty(&loop->streams)) {
        streams_close(loop);
        loop_reap(loop);
    }
    CHECK(loop->handle_count == 0);
    loop_free(loop);
}

/* --- What a tick costs ------------------------------------------------------------------------ */

/* The clock has just been read, and the tick has done its work.  No clock is read for this alone:
 * it is looked at where it is read anyway. */
static void tick_measure(px_loop *loop)
{
    if (loop->tick_since_us == 0)
        return;
    uint64_t duration_us = loop->now_us - loop->tick_since_us;

    loop->tick_since_us = 0;
    loop->told.last.duration_us = duration_us;
    loop->told.last.count++;
    if (PX_LIKELY(duration_us <= loop->told.longest.duration_us))
        return;
    loop->told.longest.duration_us = duration_us;
    loop->told.longest.bytes = loop->bytes_received + loop->bytes_sent - loop->tick_bytes;
    loop->told.longest.callbacks = loop->tick_callbacks;
}

void loop_woke(px_loop *loop, bool blocked)
{
    if (!blocked)
        tick_measure(loop);
    loop->tick_since_us = loop->now_us;
    loop_turn_begin(loop);
    loop->tick_bytes = loop->turn_bytes;
    loop->tick_callbacks = 0;
    loop->work.tick = 0;
    work_begin(&loop->work, 2 * WORK_TURN_MAX);
}

/* --- A tick --------------------------------------------------------------------------------- */

void loop_hook_add(px_loop *loop, enum loop_phase phase, struct loop_hook *hook)
{
    list_append(&loop->hooks[phase], &hook->node);
}

uint64_t loop_tenant_add(px_loop *loop, struct loop_tenant *tenant)
{
    tenant->id = ++loop->tenant_last;
    list_append(&loop->tenants, &tenant->node);
    return tenant->id;
}

struct loop_tenant *loop_tenant_find(px_loop *loop, uint64_t id)
{
    for (struct list *node = loop->tenants.next; node != &loop->tenants; node = node->next) {
        struct loop_tenant *tenant = LIST_ENTRY(node, struct loop_tenant, node);

        if (tenant->id == id)
            return tenant;
    }
    return NULL;
}

void loop_close(struct io_handle *handle)
{
    work_count(&handle->loop->work, WORK_CLOSE);
    list_remove(&handle->work);
    list_append(&handle->loop->closing, &handle->work);
}

static void loop_run_again(px_loop *loop)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &loop->again);
    loop_turn_begin(loop);
    for (uint32_t budget = AGAIN_PER_TICK;
         budget > 0 && !list_empty(&now) && !work_is_over(&loop->work); budget--) {
        struct io_handle *handle = LIST_ENTRY(now.next, struct io_handle, work);

        list_remove(&handle->work);
        engine_run(handle);
        if (PX_UNLIKELY(loop_turn_bytes(loop) >= TICK_TURN_BYTES))
            break;
    }
    /* What was not served comes first in the next tick. */
    list_splice(&now, &loop->again);
    list_splice(&loop->again, &now);
    loop->work.behind = work_is_over(&loop->work) && !list_empty(&loop->again);
}

static void loop_run_tasks(px_loop *loop)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &loop->tasks);
    loop_turn_begin(loop);
    work_begin(&loop->work, WORK_TURN_MAX);
    for (uint32_t budget = TASKS_PER_TICK;
         budget > 0 && !list_empty(&now) && !work_is_over(&loop->work); budget--) {
        struct loop_task *task = LIST_ENTRY(now.next, struct loop_task, node);

        list_remove(&task->node);
        loop->tick_callbacks++;
        task->run(task);
        if (PX_UNLIKELY(loop_turn_bytes(loop) >= TICK_TURN_BYTES))
            break;
    }
    list_splice(&now, &loop->tasks);
    list_splice(&loop->tasks, &now);
}

/* A hook may take itself and others away: "drained" may destroy a server. */
static void loop_run_hooks(px_loop *loop, enum loop_phase phase)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &loop->hooks[phase]);
    while (!list_empty(&now)) {
        struct loop_hook *hook = LIST_ENTRY(now.next, struct loop_hook, node);

        list_remove(&hook->node);
        list_append(&loop->hooks[phase], &hook->node);
        hook->run(hook);
    }
}

/* Reaps what was closed so far; what these last callbacks close waits for the next tick. */
static void loop_reap(px_loop *loop)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &loop->closing);
    for (struct list *node = now.next; node != &now; node = node->next)
        stream_cancel(CONTAINER_OF(LIST_ENTRY(node, struct io_handle, work), px_stream, handle));
    loop_run_hooks(loop, LOOP_ENDS);
    while (!list_empty(&now)) {
        struct io_handle *handle = LIST_ENTRY(now.next, struct io_handle, work);
        px_stream *stream = CONTAINER_OF(handle, px_stream, handle);

        list_remove(&handle->work);
        stream_reap(stream);
    }
    loop_run_hooks(loop, LOOP_LAST);
}

enum { CHECKED_EACH_TICK = 256 };

/* In builds for tests: with many handles not in each tick, so that a test of thousands ends. */
static void tick_check(px_loop *loop)
{
    if (loop->handle_count > CHECKED_EACH_TICK && loop->tick % CHECKED_EACH_TICK != 0)
        return;
    loop_check(loop);
    loop_run_hooks(loop, LOOP_CHECKS);
}

static px_err loop_tick(px_loop *loop, int timeout_ms, px_error *out_error)
{
    if (PX_UNLIKELY(is_forked(loop)))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "the loop belongs to the process that this one was forked from: call "
                         "px_loop_after_fork first");
    if (ASSERTS || loop->told.checks_rules)
        loop->told.thread = pthread_self();
    loop->ticking = true;
    loop->tick++;
    px_err err = engine_wait(loop, timeout_ms, out_error);

    if (err != PX_OK) {
        loop->ticking = false;
        return err;
    }
    loop_run_again(loop);
    uint64_t due_ms;

    if (timer_next(&loop->timers, &due_ms)) {
        loop_read_clocks(loop);
        work_begin(&loop->work, WORK_TURN_MAX);
        timer_fire(&loop->timers, loop->now_ms);
    }
    loop_run_tasks(loop);
    loop_reap(loop);
    if (ASSERTS)
        tick_check(loop);
    loop->ticking = false;
    if (PX_UNLIKELY(loop->work.tick > loop->work.most))
        loop->work.most = loop->work.tick;
    return PX_OK;
}

int px_loop_timeout_ms(px_loop *loop)
{
    uint64_t due_ms;

    if (!list_empty(&loop->again) || !list_empty(&loop->tasks) || !list_empty(&loop->closing))
        return 0;
    if (!timer_next(&loop->timers, &due_ms)) {
        loop->tick_since_us = 0; /* no clock is read before the wait */
        return -1;
    }
    loop_read_clocks(loop);
    tick_measure(loop);
    if (due_ms <= loop->now_ms)
        return 0;
    uint64_t wait_ms = due_ms - loop->now_ms;

    return wait_ms > 60 * 60 * 1000 ? 60 * 60 * 1000 : (int)wait_ms;
}

/* Blocks SIGPIPE in this thread, since a sendfile to a peer that is gone raises it. */
static bool sigpipe_block(void)
{
    sigset_t set, before;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    return !sigismember(&before, SIGPIPE);
}

static void sigpipe_restore(bool blocked_here)
{
    sigset_t set;

    if (!blocked_here)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

px_err px_loop_run(px_loop *loop, px_error *out_error)
{
    px_err err = error_clear(out_error);

    CHECK_RULE(!loop->ticking, "px_loop_run was called from a callback of the loop");
    bool blocked_here = sigpipe_block();

    while (err == PX_OK && !atomic_exchange_explicit(&loop->stop, false, memory_order_acquire))
        err = loop_tick(loop, px_loop_timeout_ms(loop), out_error);
    sigpipe_restore(blocked_here);
    return err;
}

px_err px_loop_wait(px_loop *loop, int timeout_ms, px_error *out_error)
{
    CHECK_RULE(!loop->ticking, "px_loop_wait was called from a callback of the loop");
    int due_ms = px_loop_timeout_ms(loop);
    bool is_first = timeout_ms >= 0 && (due_ms < 0 || timeout_ms < due_ms);

    error_clear(out_error);
    bool blocked_here = sigpipe_block();
    px_err err = loop_tick(loop, is_first ? timeout_ms : due_ms, out_error);

    sigpipe_restore(blocked_here);
    return err;
}

px_err px_loop_step(px_loop *loop, px_error *out_error)
{
    error_clear(out_error);
    CHECK_RULE(!loop->ticking, "px_loop_step was called from a callback of the loop");
    bool blocked_here = sigpipe_block();
    px_err err = loop_tick(loop, 0, out_error);

    sigpipe_restore(blocked_here);
    return err;
}

void px_loop_stop(px_loop *loop)
{
    /* A loop that is awake may return and be destroyed as soon as it sees the flag. */
    px_mailbox *mailbox = px_mailbox_retain(loop->mailbox);

    atomic_store_explicit(&loop->stop, true, memory_order_release);
    mailbox_wake(mailbox);
    px_mailbox_release(mailbox);
}

/* --- Questions ------------------------------------------------------------------------------ */

int px_loop_fd(const px_loop *loop)
{
    return engine_fd(loop);
}

uint64_t px_loop_now_ms(const px_loop *loop)
{
    return loop->ticking ? loop->now_ms : clock_us(loop) / 1000;
}

int64_t px_loop_unix_time(const px_loop *loop)
{
    return loop->ticking ? loop->unix_time : clock_unix();
}

uint32_t px_loop_handle_count(const px_loop *loop)
{
    return loop->handle_count;
}

px_mailbox *px_loop_mailbox(px_loop *loop)
{
    return px_mailbox_retain(loop->mailbox);
}

px_err px_loop_post(px_loop *loop, px_post_fn call, void *context)
{
    return px_mailbox_post(loop->mailbox, call, context);
}
