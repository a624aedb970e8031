/*
 * The queue of passwords, and the helper threads' work.
 *
 * Happy path: auth_jobs_add puts a job in, run_some hands it to a helper thread, job_done tells
 * the exchanges that are still there.  It can fail by a full queue, the loop's or this one, and for
 * want of memory.
 */
#include "gate/auth_jobs.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "gate/password.h"

/* An exchange that waits for a job. */
struct auth_waiter {
    struct auth_waiter *next;
    px_ref ref;
};

struct auth_job {
    struct list node; /* on waiting or running */
    struct auth_jobs *jobs;
    px_loop *loop;
    struct auth_waiter *waiters; /* owned */
    uint64_t start;              /* virtual */
    uint64_t address;
    struct auth_tag tag;
    const char *hash; /* borrowed */
    void *work;       /* owned: while it runs */
    bool is_user;
    bool is_right; /* written by the helper thread */
    size_t password_bytes;
    char password[]; /* ends in NUL */
};

#define JOB_OF(listed) CONTAINER_OF(listed, struct auth_job, node)

/* --- Exchanges -------------------------------------------------------------------------------- */

static bool waiter_add(struct auth_job *job, px_exchange *exchange)
{
    struct auth_jobs *jobs = job->jobs;
    struct auth_waiter *waiter = jobs->exchange_count < AUTH_EXCHANGES_MAX
                                     ? alloc_take(jobs->allocator, sizeof(*waiter))
                                     : NULL;

    CHECK(jobs->exchange_count <= AUTH_EXCHANGES_MAX);
    if (!waiter)
        return false;
    waiter->ref = px_exchange_ref(exchange);
    waiter->next = job->waiters;
    job->waiters = waiter;
    jobs->exchange_count++;
    return true;
}

/* Tells each exchange that is still there, and lets them go. */
static void waiters_tell(struct auth_job *job, enum auth_result result)
{
    struct auth_jobs *jobs = job->jobs;

    while (job->waiters) {
        struct auth_waiter *waiter = job->waiters;
        px_exchange *exchange = jobs->closing ? NULL : px_ref_get(&waiter->ref);

        job->waiters = waiter->next;
        CHECK(jobs->exchange_count > 0);
        jobs->exchange_count--;
        px_ref_release(&waiter->ref);
        alloc_put(jobs->allocator, waiter);
        if (exchange)
            jobs->tell(exchange, result, jobs->context);
    }
}

static bool is_awaited(const struct auth_job *job)
{
    for (const struct auth_waiter *waiter = job->waiters; waiter; waiter = waiter->next) {
        if (px_ref_get(&waiter->ref))
            return true;
    }
    return false;
}

/* --- Jobs ------------------------------------------------------------------------------------- */

static void job_free(struct auth_job *job)
{
    const px_allocator *allocator = job->jobs->allocator;

    CHECK(!job->waiters && !list_linked(&job->node));
    alloc_put(allocator, job->work);
    explicit_bzero(job->password, job->password_bytes);
    alloc_put(allocator, job);
}

/* Takes a waiting one out, tells its exchanges, and frees it. */
static void job_drop(struct auth_job *job, enum auth_result result)
{
    CHECK(job->jobs->waiting_count > 0 && list_linked(&job->node));
    list_remove(&job->node);
    job->jobs->waiting_count--;
    waiters_tell(job, result);
    job_free(job);
}

static void run_some(struct auth_jobs *jobs);

static void job_work(void *context)
{
    struct auth_job *job = context;

    job->is_right = password_check(job->password, job->hash, job->work) && job->is_user;
}

static void job_done(px_err status, void *context)
{
    struct auth_job *job = context;
    struct auth_jobs *jobs = job->jobs;
    bool is_right = status == PX_OK && job->is_right;

    CHECK(jobs->running_count > 0 && list_linked(&job->node));
    list_remove(&job->node);
    jobs->running_count--;
    if (is_right && !jobs->closing)
        jobs->learn(&job->tag, jobs->context);
    waiters_tell(job, status != PX_OK ? AUTH_BUSY : is_right ? AUTH_RIGHT : AUTH_WRONG);
    job_free(job);
    if (!jobs->closing)
        run_some(jobs);
    else if (jobs->running_count == 0)
        jobs->closed(jobs->context);
}

static void run_some(struct auth_jobs *jobs)
{
    while (jobs->running_count < jobs->running_max && !list_empty(&jobs->waiting)) {
        struct auth_job *job = JOB_OF(jobs->waiting.next);

        if (job->start > jobs->now)
            jobs->now = job->start;
        if (!is_awaited(job)) {
            job_drop(job, AUTH_BUSY);
            continue;
        }
        /* Another job may have shown it meanwhile. */
        if (jobs->knows(&job->tag, job->loop, jobs->context)) {
            job_drop(job, AUTH_RIGHT);
            continue;
        }
        job->work = alloc_take_zeroed(jobs->allocator, password_work_bytes());
        if (!job->work || px_loop_work(job->loop, job_work, job_done, job) != PX_OK) {
            job_drop(job, AUTH_BUSY);
            continue;
        }
        list_remove(&job->node);
        jobs->waiting_count--;
        list_append(&jobs->running, &job->node);
        jobs->running_count++;
    }
}

/* --- The queue -------------------------------------------------------------------------------- */

static uint32_t count_of(const struct list *list, uint64_t address)
{
    uint32_t count = 0;

    for (const struct list *node = list->next; node != list; node = node->next)
        count += JOB_OF(node)->address == address;
    return count;
}

/* Of waiting jobs the last of the address that has most of them; NULL: there is none. */
static struct auth_job *most_of(struct auth_jobs *jobs, uint32_t *out_count)
{
    struct auth_job *found = NULL;

    *out_count = 0;
    for (struct list *node = jobs->waiting.next; node != &jobs->waiting; node = node->next) {
        uint32_t count = count_of(&jobs->waiting, JOB_OF(node)->address);

        if (count < *out_count ||
            (found && count == *out_count && JOB_OF(node)->address != found->address))
            continue;
        *out_count = count;
        found = JOB_OF(node);
    }
    return found;
}

/* Makes room for one more job of an address: AUTH_RIGHT, or why there is none. */
static enum auth_result room_make(struct auth_jobs *jobs, uint64_t address)
{
    uint32_t most, own = count_of(&jobs->waiting, address);

    if (jobs->waiting_count < jobs->waiting_max)
        return AUTH_RIGHT;
    for (struct list *node = jobs->waiting.next; node != &jobs->waiting;) {
        struct auth_job *job = JOB_OF(node);

        node = node->next;
        if (!is_awaited(job))
            job_drop(job, AUTH_BUSY);
    }
    if (jobs->waiting_count < jobs->waiting_max)
        return AUTH_RIGHT;
    struct auth_job *job = most_of(jobs, &most);

    if (!job || own + 1 >= most)
        return own > 0 ? AUTH_OFTEN : AUTH_BUSY;
    job_drop(job, AUTH_OFTEN);
    return AUTH_RIGHT;
}

static struct auth_job *job_find(const struct list *list, const struct auth_check *check)
{
    for (struct list *node = list->next; node != list; node = node->next) {
        struct auth_job *job = JOB_OF(node);

        if (job->address == check->address && job->tag.low == check->tag.low &&
            job->tag.high == check->tag.high)
            return job;
    }
    return NULL;
}

/* Behind all that start no later. */
static void job_insert(struct auth_jobs *jobs, struct auth_job *job)
{
    struct list *node = jobs->waiting.prev;

    CHECK(jobs->waiting_count < jobs->waiting_max);
    while (node != &jobs->waiting && JOB_OF(node)->start > job->start)
        node = node->prev;
    list_append(node->next, &job->node); /* in front of what follows */
    jobs->waiting_count++;
}

static struct auth_job *job_make(struct auth_jobs *jobs, px_loop *loop,
                                 const struct auth_check *check)
{
    struct auth_job *job =
        alloc_take_zeroed(jobs->allocator, sizeof(*job) + check->password.len + 1);

    if (!job)
        return NULL;
    list_init(&job->node);
    job->jobs = jobs;
    job->loop = loop;
    job->address = check->address;
    job->tag = check->tag;
    job->hash = check->hash;
    job->is_user = check->is_user;
    job->password_bytes = check->password.len;
    text_write_str(job->password, check->password);
    job->start = jobs->now + count_of(&jobs->waiting, check->address) +
                 count_of(&jobs->running, check->address);
    return job;
}

void auth_jobs_init(struct auth_jobs *jobs)
{
    CHECK(jobs->tell && jobs->learn && jobs->knows && jobs->closed);
    CHECK(jobs->running_max > 0 && jobs->waiting_max > 0);
    list_init(&jobs->waiting);
    list_init(&jobs->running);
}

enum auth_result auth_jobs_add(struct auth_jobs *jobs, px_exchange *exchange,
                               const struct auth_check *check)
{
    struct auth_job *job = job_find(&jobs->waiting, check);

    CHECK(!jobs->closing);
    CHECK(check->hash && check->password.len <= PASSWORD_BYTES_MAX);
    if (!job)
        job = job_find(&jobs->running, check);
    if (job)
        return waiter_add(job, exchange) ? AUTH_RIGHT : AUTH_BUSY;
    enum auth_result room = room_make(jobs, check->address);

    if (room != AUTH_RIGHT)
        return room;
    job = job_make(jobs, px_exchange_loop(exchange), check);
    if (!job)
        return AUTH_BUSY;
    if (!waiter_add(job, exchange)) {
        job_free(job);
        return AUTH_BUSY;
    }
    job_insert(jobs, job);
    run_some(jobs);
    return AUTH_RIGHT;
}

void auth_jobs_close(struct auth_jobs *jobs)
{
    CHECK(!jobs->closing);
    jobs->closing = true;
    while (!list_empty(&jobs->waiting))
        job_drop(JOB_OF(jobs->waiting.next), AUTH_BUSY);
    for (struct list *node = jobs->running.next; node != &jobs->running; node = node->next)
        waiters_tell(JOB_OF(node), AUTH_BUSY);
    if (jobs->running_count == 0)
        jobs->closed(jobs->context);
}
