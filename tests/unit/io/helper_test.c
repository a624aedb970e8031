/*
 * Blocking work on helper threads, and file reads on them: jobs run elsewhere and end here, the
 * queue is bounded, and a loop that ends tells the truth about each.
 */
#include "io/helper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/file.h"
#include "io/io.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool open;
    atomic_uint entered;
};

struct job {
    struct gate *gate; /* waits there, when not NULL */
    pthread_t loop_thread;
    atomic_uint worked;
    uint32_t done;
    px_err status;
};

static void job_work(void *context)
{
    struct job *job = context;

    assert_false(pthread_equal(pthread_self(), job->loop_thread));
    if (job->gate) {
        atomic_fetch_add(&job->gate->entered, 1);
        pthread_mutex_lock(&job->gate->mutex);
        while (!job->gate->open)
            pthread_cond_wait(&job->gate->opened, &job->gate->mutex);
        pthread_mutex_unlock(&job->gate->mutex);
    }
    atomic_fetch_add(&job->worked, 1);
}

static void job_done(px_err status, void *context)
{
    struct job *job = context;

    assert_true(pthread_equal(pthread_self(), job->loop_thread));
    job->done++;
    job->status = status;
}

static void gate_init(struct gate *gate)
{
    memset(gate, 0, sizeof(*gate));
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->opened, NULL);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

static void jobs_run_elsewhere_and_end_here(void **state)
{
    enum { COUNT = 500 };
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct job *jobs = calloc(COUNT, sizeof(*jobs));
    uint32_t done = 0;

    (void)state;
    for (int index = 0; index < COUNT; index++) {
        jobs[index].loop_thread = pthread_self();
        assert_int_equal(px_loop_work(loop, job_work, job_done, &jobs[index]), PX_OK);
        assert_int_equal(jobs[index].done, 0);
    }
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    while (done < COUNT && pump_now_ms() < end) {
        pump_once(loop, 5);
        done = 0;
        for (int index = 0; index < COUNT; index++)
            done += jobs[index].done;
    }
    for (int index = 0; index < COUNT; index++) {
        assert_int_equal(jobs[index].done, 1);
        assert_int_equal(jobs[index].worked, 1);
        assert_int_equal(jobs[index].status, PX_OK);
    }
    px_loop_destroy(loop);
    free(jobs);
}

static void threads_are_as_many_as_allowed(void **state)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct job jobs[6];
    struct gate gate;
    px_error error;

    (void)state;
    gate_init(&gate);
    options.helper_threads_max = 3;
    px_loop *loop = px_loop_create(&options, &error);

    memset(jobs, 0, sizeof(jobs));
    for (int index = 0; index < 6; index++) {
        jobs[index].gate = &gate;
        jobs[index].loop_thread = pthread_self();
        assert_int_equal(px_loop_work(loop, job_work, job_done, &jobs[index]), PX_OK);
    }
    pump_until(loop, atomic_load(&gate.entered) == 3);
    pump_quietly(loop, 20);
    assert_int_equal(gate.entered, 3);
    gate_open(&gate);
    for (int index = 0; index < 6; index++)
        pump_until(loop, jobs[index].done == 1);
    assert_int_equal(gate.entered, 6);
    px_loop_destroy(loop);
}

static void *opener_main(void *context)
{
    usleep(50 * 1000);
    gate_open(context);
    return NULL;
}

/* Queue full; then the loop ends: who had begun is waited for and ends well, who had not is
 * cancelled. */
static void queue_is_bounded_and_destroy_tells_who_began(void **state)
{
    enum { COUNT = HELPER_QUEUE_MAX + 100 };
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct job *jobs = calloc(COUNT, sizeof(*jobs));
    struct gate gate;
    pthread_t opener;
    px_error error;
    uint32_t accepted = 0, worked = 0;

    (void)state;
    gate_init(&gate);
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    options.helper_threads_max = 2;
    px_loop *loop = px_loop_create(&options, &error);

    for (int index = 0; index < COUNT; index++) {
        jobs[index].gate = &gate;
        jobs[index].loop_thread = pthread_self();
        px_err err = px_loop_work(loop, job_work, job_done, &jobs[index]);

        if (err == PX_OK)
            accepted++;
        else
            assert_int_equal(err, PX_ERR_LIMIT);
        if (index == 1)
            pump_until(loop, atomic_load(&gate.entered) == 2);
    }
    assert_int_equal(accepted, HELPER_QUEUE_MAX + 2);
    pthread_create(&opener, NULL, opener_main, &gate);
    px_loop_destroy(loop);
    pthread_join(opener, NULL);
    for (uint32_t index = 0; index < COUNT; index++) {
        assert_int_equal(jobs[index].done, index < accepted ? 1 : 0);
        if (index < accepted)
            assert_int_equal(jobs[index].status, jobs[index].worked ? PX_OK : PX_ERR_CANCELLED);
        worked += jobs[index].worked;
    }
    assert_true(worked >= 2);
    assert_true(worked < accepted);
    fault_alloc_assert_empty(&fault);
    free(jobs);
}

static void work_that_ended_before_destroy_is_ok(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct job job = {.loop_thread = pthread_self()};

    (void)state;
    assert_int_equal(px_loop_work(loop, job_work, job_done, &job), PX_OK);
    while (!atomic_load(&job.worked))
        usleep(1000);
    usleep(5000);
    px_loop_destroy(loop); /* its end was posted and never taken by a tick */
    assert_int_equal(job.done, 1);
    assert_int_equal(job.status, PX_OK);
}

/* --- Files ------------------------------------------------------------------------------------ */

/* Some file systems (tmpfs, overlays) cannot say whether a read would wait: then it is always
 * PX_AGAIN, and never anything else. */
static px_err read_now(int file, char *out, size_t room, uint64_t offset, size_t *out_bytes)
{
    px_err err = file_read_now(file, out, room, offset, out_bytes);

    if (err == PX_AGAIN) {
        ssize_t count = pread(file, out, room, (off_t)offset);

        assert_int_equal(*out_bytes, 77); /* written only on success */
        assert_true(count >= 0);
        *out_bytes = (size_t)count;
        return PX_OK;
    }
    return err;
}

static void read_now_from_the_page_cache(void **state)
{
    char path[] = "read_now_"
                  "XX"
                  "XXXX";
    int files[2] = {file_make(10000), mkstemp(path)};
    char text[10000];
    size_t bytes;

    (void)state;
    unlink(path);
    assert_int_equal(pread(files[0], text, sizeof(text), 0), sizeof(text));
    assert_int_equal(write(files[1], text, sizeof(text)), sizeof(text));
    for (int index = 0; index < 2; index++) {
        static const struct {
            uint64_t offset;
            size_t bytes;
        } cases[] = {{5000, 4096}, {9999, 1}, {10000, 0}, {1000000, 0}};

        for (size_t number = 0; number < ARRAY_COUNT(cases); number++) {
            bytes = 77;
            assert_int_equal(read_now(files[index], text, 4096, cases[number].offset, &bytes),
                             PX_OK);
            assert_int_equal(bytes, cases[number].bytes);
            for (size_t at = 0; at < bytes; at++)
                assert_int_equal((unsigned char)text[at], file_byte(cases[number].offset + at));
        }
        close(files[index]);
    }
    bytes = 77;
    assert_int_equal(file_read_now(-1, text, sizeof(text), 0, &bytes), PX_ERR_SYSTEM);
    assert_int_equal(bytes, 77);
}

struct reading {
    uint32_t done;
    px_err status;
};

static void reading_done(struct file_read *read, px_err status)
{
    struct reading *reading = read->context;

    reading->done++;
    reading->status = status;
}

static void read_later_on_a_helper(void **state)
{
    int file = file_make(10000);
    char text[4096];
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct reading reading = {0};
    struct file_read read = {.fd = file,
                             .offset = 7000,
                             .room = sizeof(text),
                             .out = text,
                             .done = reading_done,
                             .context = &reading};

    (void)state;
    assert_int_equal(file_read_later(loop, &read), PX_OK);
    assert_int_equal(reading.done, 0);
    pump_until(loop, reading.done == 1);
    assert_int_equal(reading.status, PX_OK);
    assert_int_equal(read.count, 3000);
    for (size_t at = 0; at < 3000; at++)
        assert_int_equal((unsigned char)text[at], file_byte(7000 + at));
    read.offset = 10000;
    assert_int_equal(file_read_later(loop, &read), PX_OK);
    pump_until(loop, reading.done == 2);
    assert_int_equal(read.count, 0);
    read.fd = -1;
    assert_int_equal(file_read_later(loop, &read), PX_OK);
    pump_until(loop, reading.done == 3);
    assert_int_equal(read.count, -1);
    assert_true(read.sys_errno != 0);
    close(file);
    px_loop_destroy(loop);
}

static void work_and_fail(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct job jobs[3];
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    memset(jobs, 0, sizeof(jobs));
    for (int index = 0; index < 3; index++) {
        jobs[index].loop_thread = pthread_self();
        px_err err = px_loop_work(loop, job_work, job_done, &jobs[index]);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        if (err == PX_OK)
            pump_until(loop, jobs[index].done == 1);
    }
    px_loop_destroy(loop);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("loop with work", work_and_fail, NULL) >= 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_elsewhere_and_end_here),
        cmocka_unit_test(threads_are_as_many_as_allowed),
        cmocka_unit_test(queue_is_bounded_and_destroy_tells_who_began),
        cmocka_unit_test(work_that_ended_before_destroy_is_ok),
        cmocka_unit_test(read_now_from_the_page_cache),
        cmocka_unit_test(read_later_on_a_helper),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
