/*
 * Calls for later from any thread: not before their time, in order of it, once; taken back, or
 * cancelled by the end of the loop; every allocation failing.
 */
#include "io/posted.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "io/io.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

enum { THREADS = 4, POSTS = 500 };

struct note {
    uint32_t ran;
    px_err status;
    uint64_t at_ms;
    uint32_t order;
    uint32_t *next; /* counts all notes that came */
};

static void note_run(px_err status, void *context)
{
    struct note *note = context;

    note->ran++;
    note->status = status;
    note->at_ms = pump_now_ms();
    if (note->next)
        note->order = ++*note->next;
}

static void in_time_and_in_order(void **state)
{
    static const uint32_t delays[] = {40, 10, 0, 25};
    static const uint32_t orders[] = {4, 2, 1, 3};
    struct note notes[4] = {{0}};
    uint32_t next = 0;
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_mailbox *mailbox = px_loop_mailbox(loop);
    uint64_t begin_ms = pump_now_ms();

    (void)state;
    for (int index = 0; index < 4; index++) {
        notes[index].next = &next;
        assert_int_equal(
            px_mailbox_post_after(mailbox, delays[index], note_run, &notes[index], NULL), PX_OK);
        assert_int_equal(notes[index].ran, 0); /* never inside of the call */
    }
    assert_int_equal(px_loop_handle_count(loop), 0);
    pump_until(loop, next == 4);
    for (int index = 0; index < 4; index++) {
        assert_int_equal(notes[index].ran, 1);
        assert_int_equal(notes[index].status, PX_OK);
        assert_int_equal(notes[index].order, orders[index]);
        assert_true(notes[index].at_ms + 1 >= begin_ms + delays[index]);
    }
    px_mailbox_release(mailbox);
    px_loop_destroy(loop);
}

static void taken_back(void **state)
{
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct note early = {0}, armed = {0}, late = {0};
    px_posted *posted[3];
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);
    px_mailbox *mailbox = px_loop_mailbox(loop);

    /* Before the loop has seen it. */
    assert_int_equal(px_mailbox_post_after(mailbox, 5, note_run, &early, &posted[0]), PX_OK);
    assert_int_equal(px_posted_cancel(posted[0]), PX_OK);
    assert_int_equal(px_posted_cancel(posted[0]), PX_ERR_CLOSED);
    px_posted_release(posted[0]);
    /* While it waits there. */
    assert_int_equal(px_mailbox_post_after(mailbox, 60000, note_run, &armed, &posted[1]), PX_OK);
    pump_quietly(loop, 10);
    assert_int_equal(loop->timers.timer_count, 1);
    assert_int_equal(px_posted_cancel(posted[1]), PX_OK);
    pump_quietly(loop, 5);
    assert_int_equal(loop->timers.timer_count, 0);
    px_posted_release(posted[1]);
    /* Too late. */
    assert_int_equal(px_mailbox_post_after(mailbox, 1, note_run, &late, &posted[2]), PX_OK);
    pump_until(loop, late.ran == 1);
    assert_int_equal(px_posted_cancel(posted[2]), PX_ERR_CLOSED);
    px_posted_release(posted[2]);
    px_posted_release(NULL);
    assert_int_equal(early.ran + armed.ran, 0);
    assert_int_equal(late.ran, 1);
    px_loop_destroy(loop);
    assert_int_equal(px_mailbox_post_after(mailbox, 1, note_run, &late, NULL), PX_ERR_CLOSED);
    px_mailbox_release(mailbox);
    fault_alloc_assert_empty(&fault);
}

/* Where the loop ends first each hears of it once; handles live on, and do nothing. */
static void the_end_of_the_loop_cancels(void **state)
{
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct note notes[4] = {{0}};
    px_posted *posted[4];
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);
    px_mailbox *mailbox = px_loop_mailbox(loop);

    for (int index = 0; index < 4; index++) {
        assert_int_equal(
            px_mailbox_post_after(mailbox, 60000, note_run, &notes[index], &posted[index]), PX_OK);
        if (index == 1)
            pump_quietly(loop, 5); /* the first two wait on the loop, the others in the mailbox */
    }
    assert_int_equal(px_posted_cancel(posted[0]), PX_OK);
    assert_int_equal(px_posted_cancel(posted[2]), PX_OK);
    px_loop_destroy(loop);
    for (int index = 0; index < 4; index++) {
        assert_int_equal(notes[index].ran, index % 2);
        if (index % 2 == 1)
            assert_int_equal(notes[index].status, PX_ERR_CANCELLED);
        assert_int_equal(px_posted_cancel(posted[index]), PX_ERR_CLOSED);
        px_posted_release(posted[index]);
    }
    px_mailbox_release(mailbox);
    fault_alloc_assert_empty(&fault);
}

struct racer {
    pthread_t thread;
    px_mailbox *mailbox;
    atomic_uint ran;
    uint32_t posted, cancelled;
};

static void racer_run(px_err status, void *context)
{
    (void)status;
    atomic_fetch_add(&((struct racer *)context)->ran, 1);
}

static void *racer_main(void *context)
{
    struct racer *racer = context;

    for (uint32_t number = 0; number < POSTS; number++) {
        px_posted *posted;

        if (px_mailbox_post_after(racer->mailbox, number % 3, racer_run, racer, &posted) != PX_OK)
            continue;
        racer->posted++;
        if (number % 2 == 0 && px_posted_cancel(posted) == PX_OK)
            racer->cancelled++;
        px_posted_release(posted);
    }
    px_mailbox_release(racer->mailbox);
    return NULL;
}

/* From several threads, some taken back while the loop runs them: each runs, or is taken back. */
static void each_runs_or_is_taken_back(void **state)
{
    struct racer racers[THREADS] = {0};
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    (void)state;
    for (int index = 0; index < THREADS; index++) {
        racers[index].mailbox = px_loop_mailbox(loop);
        assert_int_equal(pthread_create(&racers[index].thread, NULL, racer_main, &racers[index]),
                         0);
    }
    pump_quietly(loop, 20);
    for (int index = 0; index < THREADS; index++) {
        pthread_join(racers[index].thread, NULL);
        pump_until(loop, atomic_load(&racers[index].ran) ==
                             racers[index].posted - racers[index].cancelled);
        assert_int_equal(racers[index].posted, POSTS);
    }
    pump_quietly(loop, 10);
    for (int index = 0; index < THREADS; index++)
        assert_int_equal(atomic_load(&racers[index].ran),
                         racers[index].posted - racers[index].cancelled);
    px_loop_destroy(loop);
}

static void without_memory(void **state)
{
    uint32_t memory = 0;

    (void)state;
    for (uint32_t number = 1;; number++) {
        struct fault_alloc fault;
        px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
        struct note note = {0};
        px_error error;

        fault_alloc_init(&fault);
        options.allocator = &fault.allocator;
        px_loop *loop = px_loop_create(&options, &error);
        px_mailbox *mailbox = px_loop_mailbox(loop);

        fault.fail_at = atomic_load(&fault.calls) + number;
        px_err err = px_mailbox_post_after(mailbox, 1, note_run, &note, NULL);

        if (err == PX_OK)
            pump_until(loop, note.ran == 1);
        else
            assert_int_equal(err, PX_ERR_MEMORY);
        memory += err != PX_OK || note.status == PX_ERR_MEMORY;
        bool is_done = err == PX_OK && note.status == PX_OK;

        px_mailbox_release(mailbox);
        px_loop_destroy(loop);
        fault_alloc_assert_empty(&fault);
        if (is_done)
            break;
    }
    print_message("%u allocations failed\n", memory);
    assert_int_equal(memory, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_time_and_in_order),
        cmocka_unit_test(taken_back),
        cmocka_unit_test(the_end_of_the_loop_cancels),
        cmocka_unit_test(each_runs_or_is_taken_back),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
