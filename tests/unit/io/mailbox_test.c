/*
 * The way into a loop from other threads: order, exactly once, cancelled at the end, and a mailbox
 * that outlives its loop.
 */
#include "io/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/limits.h"
#include "io/io.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

enum { THREADS = 4, POSTS = 3000 };

struct sender {
    px_mailbox *mailbox;
    pthread_t thread;
    pthread_t loop_thread;
    atomic_uint refused;
    uint32_t posted;
    uint32_t next; /* the number that is expected, on the loop's thread */
    uint32_t ran;
    uint32_t cancelled;
};

struct letter {
    struct sender *sender;
    uint32_t number;
};

static void letter_arrives(px_err status, void *context)
{
    struct letter *letter = context;
    struct sender *sender = letter->sender;

    assert_true(pthread_equal(pthread_self(), sender->loop_thread));
    assert_int_equal(letter->number, sender->next);
    sender->next++;
    if (status == PX_OK)
        sender->ran++;
    else
        sender->cancelled++;
    assert_true(status == PX_OK || status == PX_ERR_CANCELLED);
    free(letter);
}

static void *sender_main(void *context)
{
    struct sender *sender = context;

    for (uint32_t number = 0; number < POSTS; number++) {
        struct letter *letter = malloc(sizeof(*letter));

        *letter = (struct letter){sender, number};
        px_err err = px_mailbox_post(sender->mailbox, letter_arrives, letter);

        if (err == PX_OK) {
            sender->posted++;
            continue;
        }
        free(letter);
        if (err == PX_ERR_CLOSED)
            atomic_fetch_add(&sender->refused, 1);
    }
    px_mailbox_release(sender->mailbox);
    return NULL;
}

static void senders_start(struct sender *senders, px_loop *loop)
{
    for (int index = 0; index < THREADS; index++) {
        senders[index] =
            (struct sender){.mailbox = px_loop_mailbox(loop), .loop_thread = pthread_self()};
        assert_int_equal(pthread_create(&senders[index].thread, NULL, sender_main, &senders[index]),
                         0);
    }
}

static void each_thread_keeps_its_order(void **state)
{
    struct sender senders[THREADS];
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    (void)state;
    senders_start(senders, loop);
    for (int index = 0; index < THREADS; index++)
        pump_until(loop, senders[index].ran == POSTS);
    for (int index = 0; index < THREADS; index++) {
        pthread_join(senders[index].thread, NULL);
        assert_int_equal(senders[index].cancelled, 0);
    }
    px_loop_destroy(loop);
}

/* The loop ends while they post: each call runs once, or was refused. */
static void destroy_cancels_each_once(void **state)
{
    uint32_t cancelled = 0, refused = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct sender senders[THREADS];
        px_error error;
        px_loop *loop = px_loop_create(NULL, &error);

        senders_start(senders, loop);
        pump_once(loop, 1);
        px_loop_destroy(loop);
        for (int index = 0; index < THREADS; index++) {
            struct sender *sender = &senders[index];

            pthread_join(sender->thread, NULL);
            assert_int_equal(sender->ran + sender->cancelled, sender->posted);
            assert_int_equal(sender->posted + sender->refused, POSTS);
            cancelled += sender->cancelled;
            refused += sender->refused;
        }
    }
    print_message("%u posts were cancelled, %u refused\n", cancelled, refused);
    assert_true(cancelled + refused > 0);
}

struct counted {
    px_mailbox *mailbox;
    uint32_t ran;
    uint32_t cancelled;
    uint32_t again; /* posts itself so often */
};

static void counted_run(px_err status, void *context)
{
    struct counted *counted = context;

    if (status == PX_OK)
        counted->ran++;
    else
        counted->cancelled++;
    if (counted->again > 0) {
        counted->again--;
        px_err err = px_mailbox_post(counted->mailbox, counted_run, counted);

        assert_int_equal(err, status == PX_OK ? PX_OK : PX_ERR_CLOSED);
    }
}

static void post_after_destroy_is_closed(void **state)
{
    struct fault_alloc fault;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct counted counted = {.again = 1};
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    options.allocator = &fault.allocator;
    px_loop *loop = px_loop_create(&options, &error);

    counted.mailbox = px_loop_mailbox(loop);
    px_mailbox *second = px_mailbox_retain(counted.mailbox);

    assert_int_equal(px_loop_post(loop, counted_run, &counted), PX_OK);
    px_loop_destroy(loop);
    /* Cancelled once; what it posted itself was refused. */
    assert_int_equal(counted.ran, 0);
    assert_int_equal(counted.cancelled, 1);
    assert_int_equal(counted.again, 0);
    assert_int_equal(px_mailbox_post(counted.mailbox, counted_run, &counted), PX_ERR_CLOSED);
    px_mailbox_release(counted.mailbox);
    assert_int_equal(px_mailbox_post(second, counted_run, &counted), PX_ERR_CLOSED);
    assert_int_equal(counted.cancelled, 1);
    assert_true(atomic_load(&fault.live) > 0);
    px_mailbox_release(second);
    px_mailbox_release(NULL);
    fault_alloc_assert_empty(&fault);
}

static void calls_that_post_again_do_not_hold_the_loop(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct counted counted = {.mailbox = px_loop_mailbox(loop), .again = 10 * POSTS_PER_TICK};

    (void)state;
    assert_int_equal(px_loop_post(loop, counted_run, &counted), PX_OK);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_true(counted.ran <= POSTS_PER_TICK);
    /* And yet nothing waits for another post to wake it. */
    pump_until(loop, counted.again == 0 && counted.ran == 10 * POSTS_PER_TICK + 1);
    px_mailbox_release(counted.mailbox);
    px_loop_destroy(loop);
}

static void many_posts_before_the_first_tick(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct counted counted = {0};

    (void)state;
    for (int count = 0; count < 3 * POSTS_PER_TICK + 7; count++)
        assert_int_equal(px_loop_post(loop, counted_run, &counted), PX_OK);
    pump_until(loop, counted.ran == 3 * POSTS_PER_TICK + 7);
    px_loop_destroy(loop);
}

static void post_and_fail(const px_allocator *allocator, void *context)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    struct counted counted = {0};
    px_error error;
    uint32_t posted = 0;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop) {
        assert_int_equal(error.code, PX_ERR_MEMORY);
        assert_true(error.text[0] != '\0');
        return;
    }
    assert_int_equal(error.code, PX_OK);
    for (int count = 0; count < 3; count++) {
        px_err err = px_loop_post(loop, counted_run, &counted);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        posted += err == PX_OK;
    }
    pump_until(loop, counted.ran == posted);
    px_loop_destroy(loop);
    assert_int_equal(counted.ran, posted);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("loop with posts", post_and_fail, NULL) >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thread_keeps_its_order),
        cmocka_unit_test(destroy_cancels_each_once),
        cmocka_unit_test(post_after_destroy_is_closed),
        cmocka_unit_test(calls_that_post_again_do_not_hold_the_loop),
        cmocka_unit_test(many_posts_before_the_first_tick),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
