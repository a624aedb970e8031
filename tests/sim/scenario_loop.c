/*
 * The loop without streams: timers, calls from other threads, blocking work, signals and a foreign
 * descriptor, all at once.
 *
 * The oracle: a timer fires once for each start, never early, and soon when nothing holds the
 * thread up; posted calls run once, in the order of their thread; work is done once, or cancelled
 * once when the loop ends; a signal is heard of; a watch sees its descriptor in every tick in which
 * it is ready.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pollux/loop.h"
#include "scenarios.h"
#include "sim_drive.h"
#include "sim_memory.h"
#include "sim_weather.h"

enum { TIMERS_MAX = 40, THREADS_MAX = 4, JOBS_MAX = 30, ROUNDS_MAX = 12 };

struct rig;

struct rig_timer {
    struct rig *rig;
    px_timer *timer;
    uint64_t due_ms; /* 0: not started */
    uint32_t rounds; /* left */
};

struct rig_thread {
    struct rig *rig;
    struct sim_event event;
    px_mailbox *mailbox; /* owned */
    uint32_t posts_left;
    uint32_t posted;
    uint32_t ran;
};

struct rig_post {
    struct rig_thread *thread;
    uint32_t number;
};

struct rig_job {
    struct rig *rig;
    uint32_t worked;
    uint32_t done;
    bool submitted;
};

struct rig {
    px_loop *loop;
    struct rig_timer timers[TIMERS_MAX];
    uint32_t timer_count;
    struct rig_thread threads[THREADS_MAX];
    struct rig_job jobs[JOBS_MAX];
    struct sim_event kick; /* writes to the watched descriptor, raises signals */
    px_watch *watch;
    int fd;
    uint32_t kicks_left;
    uint64_t watch_owed;
    uint64_t watch_seen;
    uint32_t raised;
    uint32_t heard;
    uint64_t late_ms_max; /* how late a timer may be */
    bool ending;
    bool leaves_early;
    uint64_t leave_at_ns;
};

/* --- Timers ----------------------------------------------------------------------------------- */

static void timer_begin(struct rig_timer *timer)
{
    uint32_t delay_ms = (uint32_t)sim_random_skewed(&sim_world->random, 0, 5000);

    timer->due_ms = px_loop_now_ms(timer->rig->loop) + delay_ms;
    px_timer_start(timer->timer, delay_ms);
}

static void on_timer(px_timer *timer, void *context)
{
    struct rig_timer *mine = context;
    struct rig *rig = mine->rig;
    uint64_t now_ms = px_loop_now_ms(rig->loop);

    if (timer != mine->timer || mine->due_ms == 0)
        sim_fail("a timer fired that is not started");
    if (now_ms < mine->due_ms)
        sim_fail("a timer fired %llu ms early", (unsigned long long)(mine->due_ms - now_ms));
    if (now_ms > mine->due_ms + rig->late_ms_max)
        sim_fail("a timer fired %llu ms late", (unsigned long long)(now_ms - mine->due_ms));
    mine->due_ms = 0;
    if (mine->rounds-- == 0) {
        sim_sometimes("a timer destroyed itself");
        px_timer_destroy(timer);
        mine->timer = NULL;
        return;
    }
    timer_begin(mine);
    /* Meddles with another one. */
    struct rig_timer *other = &rig->timers[sim_random_below(&sim_world->random, rig->timer_count)];

    if (other->timer && sim_random_chance(&sim_world->random, 16384)) {
        sim_sometimes("a timer was stopped and started anew");
        px_timer_stop(other->timer);
        other->due_ms = 0;
        timer_begin(other);
    }
}

static void timers_make(struct rig *rig)
{
    rig->timer_count = (uint32_t)sim_random_between(&sim_world->random, 1, TIMERS_MAX);
    for (uint32_t index = 0; index < rig->timer_count; index++) {
        struct rig_timer *timer = &rig->timers[index];

        timer->rig = rig;
        timer->rounds = (uint32_t)sim_random_below(&sim_world->random, ROUNDS_MAX);
        timer->timer = px_timer_create(rig->loop, on_timer, timer);
        if (timer->timer)
            timer_begin(timer);
    }
}

/* --- Other threads ---------------------------------------------------------------------------- */

static void post_runs(px_err status, void *context)
{
    struct rig_post *post = context;
    struct rig_thread *thread = post->thread;

    if (post->number != thread->ran)
        sim_fail("post %u ran when %u was due", post->number, thread->ran);
    if (status != (thread->rig->ending ? PX_ERR_CANCELLED : PX_OK))
        sim_fail("a post ran with status %d", (int)status);
    if (status == PX_ERR_CANCELLED)
        sim_sometimes("a post was cancelled");
    thread->ran++;
    free(post);
}

static void thread_turns(struct sim_event *event)
{
    struct rig_thread *thread = CONTAINER_OF(event, struct rig_thread, event);
    struct rig_post *post = malloc(sizeof(*post));

    if (!post)
        abort();
    *post = (struct rig_post){thread, thread->posted};
    px_err err = px_mailbox_post(thread->mailbox, post_runs, post);

    if (err == PX_OK) {
        thread->posted++;
        sim_sometimes("another thread posted");
    } else {
        if (err == PX_ERR_CLOSED)
            sim_sometimes("a post found the loop gone");
        free(post);
    }
    if (--thread->posts_left > 0 && err != PX_ERR_CLOSED)
        sim_event_start(&sim_world->clock, event,
                        sim_random_skewed(&sim_world->random, 0, 500 * SIM_NS_PER_MS),
                        thread_turns);
}

static void threads_make(struct rig *rig)
{
    for (uint32_t index = 0; index < THREADS_MAX; index++) {
        struct rig_thread *thread = &rig->threads[index];

        thread->rig = rig;
        thread->mailbox = px_loop_mailbox(rig->loop);
        thread->posts_left = (uint32_t)sim_random_between(&sim_world->random, 1, 200);
        sim_event_start(&sim_world->clock, &thread->event, SIM_NS_PER_US, thread_turns);
    }
}

/* --- Work ------------------------------------------------------------------------------------- */

static void job_work(void *context)
{
    struct rig_job *job = context;

    job->worked++;
}

static void job_done(px_err status, void *context)
{
    struct rig_job *job = context;

    job->done++;
    if (job->done > 1 || job->worked != (status == PX_OK ? 1U : job->worked))
        sim_fail("work was done %u times, ended %u times, status %d", job->worked, job->done,
                 (int)status);
    if (status == PX_ERR_CANCELLED && !job->rig->ending)
        sim_fail("work was cancelled, but the loop goes on");
}

static void jobs_make(struct rig *rig)
{
    for (uint32_t index = 0; index < JOBS_MAX; index++) {
        struct rig_job *job = &rig->jobs[index];

        job->rig = rig;
        job->submitted = px_loop_work(rig->loop, job_work, job_done, job) == PX_OK;
    }
}

/* --- Signals and a foreign descriptor --------------------------------------------------------- */

static void on_signal(int signal_number, void *context)
{
    struct rig *rig = context;

    if (signal_number != SIGUSR1 || ++rig->heard > rig->raised)
        sim_fail("signal %d was heard of, but not raised", signal_number);
}

static void on_ready(px_watch *watch, unsigned events, void *context)
{
    struct rig *rig = context;
    uint64_t value;

    if (watch != rig->watch || !(events & PX_WATCH_READ))
        sim_fail("a watch saw %u", events);
    /* Sometimes it leaves the descriptor ready: it must be told again. */
    if (sim_random_chance(&sim_world->random, 16384)) {
        sim_sometimes("a watch left its descriptor ready");
        return;
    }
    if (read(rig->fd, &value, sizeof(value)) == (ssize_t)sizeof(value))
        rig->watch_seen += value;
}

static void rig_kicks(struct sim_event *event)
{
    struct rig *rig = CONTAINER_OF(event, struct rig, kick);
    uint64_t one = 1;

    if (write(rig->fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
        rig->watch_owed++;
    if (sim_random_chance(&sim_world->random, 32768)) {
        rig->raised++;
        sim_signal_raise(SIGUSR1);
    }
    if (--rig->kicks_left > 0)
        sim_event_start(&sim_world->clock, event,
                        sim_random_skewed(&sim_world->random, 0, 900 * SIM_NS_PER_MS), rig_kicks);
}

/* --- The run ---------------------------------------------------------------------------------- */

static bool rig_done(void *context)
{
    const struct rig *rig = context;

    if (rig->leaves_early && sim_world->clock.now_ns >= rig->leave_at_ns)
        return true;
    for (uint32_t index = 0; index < rig->timer_count; index++)
        if (rig->timers[index].timer)
            return false;
    for (uint32_t index = 0; index < THREADS_MAX; index++)
        if (rig->threads[index].posts_left > 0 ||
            rig->threads[index].ran != rig->threads[index].posted)
            return false;
    for (uint32_t index = 0; index < JOBS_MAX; index++)
        if (rig->jobs[index].submitted && !rig->jobs[index].done)
            return false;
    return rig->kicks_left == 0 && rig->watch_seen == rig->watch_owed &&
           !sim_world->signals.pending[SIGUSR1];
}

static void rig_begin(struct rig *rig)
{
    px_error error;

    rig->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rig->watch = px_watch_create(rig->loop, rig->fd, PX_WATCH_READ, on_ready, rig, &error);
    if (!rig->watch || px_loop_signal(rig->loop, SIGUSR1, on_signal, rig, &error) != PX_OK)
        sim_fail("a watch or a signal: %s", error.text);
    rig->kicks_left = (uint32_t)sim_random_between(&sim_world->random, 1, 50);
    sim_event_start(&sim_world->clock, &rig->kick, SIM_NS_PER_MS, rig_kicks);
    timers_make(rig);
    threads_make(rig);
    jobs_make(rig);
}

static void rig_end(struct rig *rig)
{
    sim_event_stop(&sim_world->clock, &rig->kick);
    for (uint32_t index = 0; index < rig->timer_count; index++)
        px_timer_destroy(rig->timers[index].timer);
    px_watch_destroy(rig->watch);
    close(rig->fd);
    /* Whoever did not hear of a signal before is not asked any more. */
    sim_world->signals.pending[SIGUSR1] = false;
    rig->ending = true;
    if (px_loop_handle_count(rig->loop) != 0)
        sim_fail("%u handles are left", px_loop_handle_count(rig->loop));
    px_loop_destroy(rig->loop);
    for (uint32_t index = 0; index < THREADS_MAX; index++) {
        struct rig_thread *thread = &rig->threads[index];

        /* A thread that comes too late is told so. */
        if (thread->posts_left > 0) {
            sim_event_stop(&sim_world->clock, &thread->event);
            thread->posts_left = 1;
            thread_turns(&thread->event);
        }
        if (thread->ran != thread->posted)
            sim_fail("%u calls were posted, %u ran", thread->posted, thread->ran);
        px_mailbox_release(thread->mailbox);
    }
    for (uint32_t index = 0; index < JOBS_MAX; index++)
        if (rig->jobs[index].submitted && rig->jobs[index].done != 1)
            sim_fail("work was lost");
}

static void loop_run(void)
{
    struct sim_weather weather;
    struct sim_memory memory;
    struct rig *rig = calloc(1, sizeof(*rig));
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    if (!rig)
        abort();
    sim_memory_init(&memory);
    options.allocator = &memory.allocator;
    rig->late_ms_max =
        sim_world->faults.rate[SIM_WAIT_LATE] || sim_world->faults.rate[SIM_STALL] ? 5000 : 10;
    sim_world->faults.stopped = true;
    rig->loop = px_loop_create(&options, &error);
    rig_begin(rig);
    sim_world->faults.stopped = false;
    rig->leaves_early = sim_random_chance(&sim_world->random, 32768);
    rig->leave_at_ns =
        sim_world->clock.now_ns + sim_random_skewed(&sim_world->random, 0, 10 * SIM_NS_PER_S);
    sim_weather_begin(&weather, 60, 900);
    sim_drive(rig->loop, rig_done, rig);
    sim_world->faults.stopped = true;
    rig_end(rig);
    sim_weather_end(&weather);
    sim_memory_check(&memory);
    free(rig);
}

const struct sim_scenario scenario_loop = {
    .name = "loop",
    .what = "timers, posts, work, signals and a watch",
    .run = loop_run,
    .faults = {SIM_WAIT_INTERRUPT, SIM_WAIT_PARTIAL, SIM_WAIT_LATE, SIM_STALL, SIM_CLOCK_FORWARD,
               SIM_CLOCK_BACK, SIM_MEMORY},
    .fault_count = 7,
    .states = {"the loop ran itself", "the loop was stepped", "a timer destroyed itself",
               "a timer was stopped and started anew", "another thread posted",
               "a post was cancelled", "a post found the loop gone", "a helper's job was done",
               "a helper's job was cancelled", "a watch left its descriptor ready", NULL},
};
