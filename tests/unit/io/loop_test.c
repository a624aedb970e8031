/*
 * The loop: run and stop, from anywhere; stepped inside of a poll() loop; the order at the end of a
 * tick; tasks, tenants, the clocks, the options.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/options.h"
#include "io/random.h"
#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/io/recorder.h"

static px_loop *loop_make(void)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);

    assert_non_null(loop);
    assert_int_equal(error.code, PX_OK);
    assert_string_equal(error.text, "");
    return loop;
}

/* --- Run and stop ----------------------------------------------------------------------------- */

static void *stop_main(void *context)
{
    usleep(30 * 1000);
    px_loop_stop(context);
    return NULL;
}

static void stop_from_another_thread(void **state)
{
    px_loop *loop = loop_make();
    pthread_t thread;
    px_error error;

    (void)state;
    pthread_create(&thread, NULL, stop_main, loop);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    pthread_join(thread, NULL);
    /* It slept meanwhile. */
    assert_in_range(loop->tick, 1, 3);
    px_loop_destroy(loop);
}

static px_loop *stopped_by_signal;

static void stop_handler(int number)
{
    (void)number;
    px_loop_stop(stopped_by_signal);
}

static void stop_from_a_signal_handler(void **state)
{
    px_loop *loop = loop_make();
    struct sigaction action = {.sa_handler = stop_handler}, before;
    struct itimerspec in_30ms = {.it_value = {.tv_nsec = 30 * 1000 * 1000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    px_error error;

    (void)state;
    stopped_by_signal = loop;
    sigaction(SIGUSR1, &action, &before);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &in_30ms, NULL), 0);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    timer_delete(timer);
    sigaction(SIGUSR1, &before, NULL);
    px_loop_destroy(loop);
}

static void stop_is_remembered(void **state)
{
    px_loop *loop = loop_make();
    px_error error;

    (void)state;
    px_loop_stop(loop);
    px_loop_stop(loop);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    /* Once. */
    pthread_t thread;

    pthread_create(&thread, NULL, stop_main, loop);
    uint64_t before = pump_now_ms();

    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    assert_true(pump_now_ms() - before >= 25);
    pthread_join(thread, NULL);
    px_loop_destroy(loop);
}

static void stop_in_timer(px_timer *timer, void *context)
{
    px_loop_stop(context);
    px_timer_destroy(timer);
}

static void run_blocks_sigpipe_and_restores_it(void **state)
{
    px_loop *loop = loop_make();
    px_error error;
    sigset_t set, now;

    (void)state;
    for (int blocked = 0; blocked < 2; blocked++) {
        px_timer *timer = px_timer_create(loop, stop_in_timer, loop);

        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
        px_timer_start(timer, 1);
        assert_int_equal(px_loop_run(loop, &error), PX_OK);
        pthread_sigmask(SIG_BLOCK, NULL, &now);
        assert_int_equal(sigismember(&now, SIGPIPE), blocked);
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
        pthread_sigmask(SIG_BLOCK, NULL, &now);
        assert_int_equal(sigismember(&now, SIGPIPE), blocked);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    px_loop_destroy(loop);
}

/* --- Rule 10: a caller who steps -------------------------------------------------------------- */

struct stepped {
    uint32_t posted;
    uint32_t fired;
};

static void stepped_post(px_err status, void *context)
{
    struct stepped *stepped = context;

    assert_int_equal(status, PX_OK);
    stepped->posted++;
}

static void stepped_timer(px_timer *timer, void *context)
{
    struct stepped *stepped = context;

    stepped->fired++;
    px_timer_start(timer, 10);
}

static void *post_main(void *context)
{
    void **arguments = context;

    usleep(20 * 1000);
    assert_int_equal(px_mailbox_post(arguments[0], stepped_post, arguments[1]), PX_OK);
    px_mailbox_release(arguments[0]);
    return NULL;
}

/* Descriptor, timeout and step are all that a poll() loop needs, and it need not spin. */
static void a_poll_loop_with_descriptor_timeout_and_step(void **state)
{
    px_loop *loop = loop_make();
    struct stepped stepped = {0};
    struct recorder rec;
    void *arguments[2] = {px_loop_mailbox(loop), &stepped};
    px_timer *timer = px_timer_create(loop, stepped_timer, &stepped);
    uint32_t steps = 0;
    pthread_t thread;
    int fds[2], foreign[2];
    bool heard = false;
    px_error error;

    (void)state;
    pair_open(PAIR_UNIX, fds);
    assert_int_equal(pipe(foreign), 0);
    recorder_open(&rec, loop, fds[0]);
    px_stream_recv_start(rec.stream);
    px_timer_start(timer, 10);
    pthread_create(&thread, NULL, post_main, arguments);
    uint64_t end = pump_now_ms() + 200;

    while (pump_now_ms() < end) {
        struct pollfd polls[2] = {{.fd = px_loop_fd(loop), .events = POLLIN},
                                  {.fd = foreign[0], .events = POLLIN}};
        int timeout_ms = px_loop_timeout_ms(loop);

        assert_true(timeout_ms >= 0); /* there is a timer */
        poll(polls, 2, timeout_ms);
        if (polls[1].revents && !heard) {
            char byte;

            assert_int_equal(read(foreign[0], &byte, 1), 1);
            heard = true;
        }
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
        if (++steps == 3) {
            peer_send(fds[1], LITERAL("ping"));
            assert_int_equal(write(foreign[1], "x", 1), 1);
        }
    }
    pthread_join(thread, NULL);
    assert_true(heard);
    assert_int_equal(rec.len, 4);
    assert_int_equal(stepped.posted, 1);
    assert_in_range(stepped.fired, 3, 25); /* its last round may end late */
    assert_true(steps < 100);
    px_timer_destroy(timer);
    recorder_close(&rec);
    close(fds[1]);
    close(foreign[0]);
    close(foreign[1]);
    px_loop_destroy(loop);
}

static void step_never_blocks(void **state)
{
    px_loop *loop = loop_make();
    px_error error;
    uint64_t before = pump_now_ms();

    (void)state;
    for (int count = 0; count < 100; count++)
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_true(pump_now_ms() - before < 500);
    px_loop_destroy(loop);
}

/* --- The end of a tick ------------------------------------------------------------------------ */

struct order {
    char text[64];
    size_t len;
    struct loop_hook ends;
    struct loop_hook last;
    struct loop_task task;
    px_loop *loop;
    uint32_t tasks_left;
};

static void order_note(struct order *order, char what)
{
    if (order->len < sizeof(order->text) - 1)
        order->text[order->len++] = what;
    order->text[order->len] = '\0';
}

static void order_ends(struct loop_hook *hook)
{
    order_note(CONTAINER_OF(hook, struct order, ends), 'E');
}

static void order_last(struct loop_hook *hook)
{
    order_note(CONTAINER_OF(hook, struct order, last), 'L');
}

static void order_act(struct recorder *rec, enum event event)
{
    static const char names[] = "rxsc";

    order_note(rec->context, names[event]);
}

static void order_task(struct loop_task *task)
{
    struct order *order = CONTAINER_OF(task, struct order, task);

    order_note(order, 'T');
    if (order->tasks_left-- > 1)
        loop_task_add(order->loop, task);
}

/* Reports of cancelled operations, hooks of LOOP_ENDS, on_closed, hooks of LOOP_LAST. */
static void order_at_the_end_of_a_tick(void **state)
{
    static char big[8 << 20];
    const px_part part = {.bytes = px_str_make(big, sizeof(big))};
    px_loop *loop = loop_make();
    struct order order = {.loop = loop, .tasks_left = 1};
    struct recorder recs[2];
    int fds[2], peers[2];
    px_error error;

    (void)state;
    order.ends.run = order_ends;
    order.last.run = order_last;
    loop_hook_add(loop, LOOP_LAST, &order.last);
    loop_hook_add(loop, LOOP_ENDS, &order.ends);
    loop_task_init(&order.task, order_task);
    for (int index = 0; index < 2; index++) {
        pair_open(PAIR_UNIX, fds);
        recorder_open(&recs[index], loop, fds[0]);
        recs[index].act = order_act;
        recs[index].context = &order;
        peers[index] = fds[1];
        assert_int_equal(px_stream_send(recs[index].stream, &part, 1), PX_SENT_PENDING);
        px_stream_close(recs[index].stream);
    }
    loop_task_add(loop, &order.task);
    loop_task_add(loop, &order.task); /* twice is once */
    assert_int_equal(px_loop_timeout_ms(loop), 0);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_string_equal(order.text, "TssEccL");
    for (int index = 0; index < 2; index++) {
        recorder_deinit(&recs[index]);
        close(peers[index]);
    }
    list_remove(&order.ends.node);
    list_remove(&order.last.node);
    px_loop_destroy(loop);
}

/* A task that adds itself waits for the next tick, which does not block. */
static void tasks_take_turns(void **state)
{
    px_loop *loop = loop_make();
    struct order order = {.loop = loop, .tasks_left = 5};
    px_error error;

    (void)state;
    loop_task_init(&order.task, order_task);
    loop_task_add(loop, &order.task);
    for (uint32_t tick = 1; tick <= 5; tick++) {
        assert_int_equal(px_loop_timeout_ms(loop), 0);
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
        assert_int_equal(order.len, tick);
    }
    assert_int_equal(px_loop_timeout_ms(loop), -1);
    px_loop_destroy(loop);
}

static void tenants_have_names_that_are_not_reused(void **state)
{
    px_loop *loop = loop_make();
    struct loop_tenant first, second;

    (void)state;
    uint64_t first_id = loop_tenant_add(loop, &first);
    uint64_t second_id = loop_tenant_add(loop, &second);

    assert_true(first_id != second_id);
    assert_ptr_equal(loop_tenant_find(loop, first_id), &first);
    assert_ptr_equal(loop_tenant_find(loop, second_id), &second);
    list_remove(&first.node);
    assert_null(loop_tenant_find(loop, first_id));
    assert_true(loop_tenant_add(loop, &first) > second_id);
    assert_null(loop_tenant_find(loop, first_id));
    list_remove(&first.node);
    list_remove(&second.node);
    px_loop_destroy(loop);
}

/* --- Clocks, options, random bytes ------------------------------------------------------------ */

static void clocks_are_read_in_a_tick(void **state)
{
    px_loop *loop = loop_make();
    px_error error;
    struct timespec now;

    (void)state;
    uint64_t before = px_loop_now_ms(loop);

    usleep(20 * 1000);
    /* No tick runs: a foreign loop asks. */
    assert_in_range(px_loop_now_ms(loop), before + 19, before + 5000);
    before = px_loop_now_ms(loop);
    usleep(20 * 1000);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_in_range(px_loop_now_ms(loop), before + 19, before + 5000);
    clock_gettime(CLOCK_REALTIME, &now);
    assert_in_range((uint64_t)px_loop_unix_time(loop), (uint64_t)now.tv_sec - 1,
                    (uint64_t)now.tv_sec + 1);
    px_loop_destroy(loop);
}

static void end_timer(px_timer *timer, void *context)
{
    (void)timer;
    px_loop_stop(context);
}

static void slow_task(struct loop_task *task)
{
    (void)task;
    usleep(20 * 1000);
}

/* What a tick does is its cost, whether or not the next wait blocks; waiting is none. */
static void longest_tick_is_known(void **state)
{
    px_loop *loop = loop_make();
    px_timer *timer = px_timer_create(loop, end_timer, loop);
    struct loop_task task;
    px_error error;

    (void)state;
    px_timer_start(timer, 1000);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    assert_true(loop->told.longest.duration_us < 900 * 1000);
    loop->told.longest.duration_us = 0;
    loop_task_init(&task, slow_task);
    loop_task_add(loop, &task);
    px_timer_start(timer, 1);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    px_timer_start(timer, 1);
    assert_int_equal(px_loop_run(loop, &error), PX_OK);
    assert_true(loop->told.longest.duration_us >= 20 * 1000);
    assert_true(loop->told.longest.callbacks >= 1);
    px_timer_destroy(timer);
    px_loop_destroy(loop);
}

static void options_of_any_size(void **state)
{
    struct {
        px_loop_options known;
        char tail[16];
    } large;
    px_error error;

    (void)state;
    memset(&large, 0, sizeof(large));
    large.known.struct_size = sizeof(large);
    large.known.inbox_bytes_max = 12345;
    px_loop *loop = px_loop_create(&large.known, &error);

    assert_non_null(loop);
    assert_int_equal(loop->memory.shares[BUDGET_INBOX].bytes_max, 12345);
    px_loop_destroy(loop);
    large.tail[15] = 1;
    assert_null(px_loop_create(&large.known, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    large.known.struct_size = 0;
    assert_null(px_loop_create(&large.known, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_loop_create(&large.known, NULL));
    /* An older program: it knows the first two members. */
    large.known.struct_size = offsetof(px_loop_options, inbox_bytes_max);
    loop = px_loop_create(&large.known, &error);
    assert_non_null(loop);
    assert_int_equal(loop->memory.shares[BUDGET_INBOX].bytes_max, INBOX_BYTES_TOTAL_DEFAULT);
    px_loop_destroy(loop);
    px_loop_destroy(NULL);
}

static void random_bytes_are_all_filled(void **state)
{
    unsigned char first[300], second[300];
    uint32_t equal = 0, zeros = 0;

    (void)state;
    assert_int_equal(random_bytes(first, sizeof(first)), PX_OK);
    assert_int_equal(random_bytes(second, sizeof(second)), PX_OK);
    for (size_t index = 0; index < sizeof(first); index++) {
        equal += first[index] == second[index];
        zeros += first[index] == 0;
    }
    assert_true(equal < 30);
    assert_true(zeros < 30);
    assert_int_equal(random_bytes(first, 0), PX_OK);
}

static void note_time(px_timer *timer, void *context)
{
    (void)timer;
    *(uint64_t *)context = 1;
}

/* A foreign loop starts a timer long after the last tick: the delay counts from there. */
static void a_timer_started_outside_of_a_tick(void **state)
{
    px_loop *loop = loop_make();
    uint64_t fired = 0;
    px_timer *timer = px_timer_create(loop, note_time, &fired);
    px_error error;

    (void)state;
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    usleep(60 * 1000);
    px_timer_start(timer, 50);
    assert_in_range(px_loop_timeout_ms(loop), 20, 50);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_int_equal(fired, 0);
    pump_until(loop, fired != 0);
    px_timer_destroy(timer);
    px_loop_destroy(loop);
}

/* --- Forks ------------------------------------------------------------------------------------ */

static void count_signal(int number, void *context)
{
    (void)number;
    ++*(int *)context;
}

static void count_post(px_err status, void *context)
{
    *(int *)context += status == PX_OK ? 10 : 0;
}

/* Runs in the child: how far it came. */
static int fork_child(px_loop *loop, int *calls, int fd)
{
    px_error error;
    char byte;

    if (px_loop_step(loop, &error) != PX_ERR_INVALID || !strstr(error.text, "after_fork"))
        return 1;
    if (px_loop_after_fork(loop, &error) != PX_OK)
        return 2;
    kill(getpid(), SIGUSR2);
    if (px_loop_post(loop, count_post, calls) != PX_OK)
        return 3;
    for (int i = 0; i < 1000 && *calls != 111; i++) {
        if (px_loop_step(loop, &error) != PX_OK)
            return 4;
        usleep(1000);
    }
    if (*calls != 111)
        return 100 + *calls % 100;
    return read(fd, &byte, 1) == 1 ? 0 : 5;
}

static void count_ready(px_watch *watch, unsigned events, void *context)
{
    (void)events;
    *(int *)context += 100;
    px_watch_destroy(watch);
}

/* What was set up before a program goes to the background works behind the fork: signals, posts,
 * watches; and not by accident, since the loop says first what is missing. */
static void a_loop_goes_on_in_a_fork(void **state)
{
    px_loop *loop = loop_make();
    px_error error;
    int fds[2], calls = 0, status = -1;

    (void)state;
    pair_open(PAIR_UNIX, fds);
    peer_send(fds[1], LITERAL("x"));
    assert_int_equal(px_loop_signal(loop, SIGUSR2, count_signal, &calls, &error), PX_OK);
    px_watch *watch = px_watch_create(loop, fds[0], PX_WATCH_READ, count_ready, &calls, &error);

    assert_non_null(watch);
    pid_t child = fork();

    if (child == 0)
        _exit(fork_child(loop, &calls, fds[0]));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* The parent's own goes on as well. */
    px_watch_destroy(watch);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    kill(getpid(), SIGUSR2);
    pump_until(loop, calls == 1);
    px_loop_destroy(loop);
    close(fds[0]);
    close(fds[1]);
}

static void nothing(void *context)
{
    (void)context;
}

static void ignore(px_err status, void *context)
{
    (void)status;
    ++*(int *)context;
}

/* Threads do not follow a fork. */
static void helper_threads_are_missed_in_a_fork(void **state)
{
    px_loop *loop = loop_make();
    px_error error;
    int done = 0, status = -1;

    (void)state;
    assert_int_equal(px_loop_work(loop, nothing, ignore, &done), PX_OK);
    pump_until(loop, done == 1);
    pid_t child = fork();

    if (child == 0)
        _exit(px_loop_after_fork(loop, &error) == PX_ERR_INVALID ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    px_loop_destroy(loop);
}

/* --- Rules ------------------------------------------------------------------------------------ */

static void step_inside(px_timer *timer, void *context)
{
    px_error error;

    (void)timer;
    fprintf(stderr, "%s", px_err_name(px_loop_step(context, &error)));
}

static void run_inside(px_timer *timer, void *context)
{
    px_error error;

    (void)timer;
    fprintf(stderr, "%s", px_err_name(px_loop_run(context, &error)));
}

static void destroy_inside(px_timer *timer, void *context)
{
    (void)timer;
    px_loop_destroy(context);
}

static void call_inside(void (*on_timer)(px_timer *timer, void *context))
{
    px_loop *loop = loop_make();
    px_error error;
    px_timer *timer = px_timer_create(loop, on_timer, loop);

    px_timer_start(timer, 0);
    fprintf(stderr, "%s", px_err_name(px_loop_step(loop, &error)));
}

static void nested_step(void)
{
    call_inside(step_inside);
}

static void nested_run(void)
{
    call_inside(run_inside);
}

static void nested_destroy(void)
{
    call_inside(destroy_inside);
}

static void calls_from_a_callback_of_the_loop_abort(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(nested_step, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(nested_run, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(nested_destroy, output, sizeof(output)), SIGABRT);
}

static void destroy_with_timer(void)
{
    px_loop *loop = loop_make();

    if (px_timer_create(loop, stepped_timer, NULL))
        px_loop_destroy(loop);
}

static void destroy_with_handles_left_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(destroy_with_timer, output, sizeof(output)), SIGABRT);
}

/* Work that tasks count is bounded in a tick, and tasks take turns: who goes on goes last. */
struct worker {
    struct loop_task task;
    px_loop *loop;
    char name;
    uint32_t left;
    char *log;
};

static void worker_run(struct loop_task *task)
{
    struct worker *worker = CONTAINER_OF(task, struct worker, task);

    worker->log[strlen(worker->log)] = worker->name;
    work_count(&worker->loop->work, WORK_TURN_MAX / 2);
    if (--worker->left > 0)
        loop_task_add(worker->loop, &worker->task);
}

static void work_is_shared_in_turns(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct worker workers[3];
    char log[32] = "";

    (void)state;
    assert_non_null(loop);
    for (int index = 0; index < 3; index++) {
        workers[index] =
            (struct worker){.loop = loop, .name = (char)('a' + index), .left = 4, .log = log};
        loop_task_init(&workers[index].task, worker_run);
        loop_task_add(loop, &workers[index].task);
    }
    for (size_t ticks = 1; ticks <= 6; ticks++) {
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
        assert_int_equal(strlen(log), ticks * 2); /* two halves a tick */
    }
    assert_string_equal(log, "abcabcabcabc");
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    px_loop_destroy(loop);
}

static void wait_woken(px_err status, void *context)
{
    (void)status;
    *(bool *)context = true;
}

static void *wait_waker(void *context)
{
    usleep(20 * 1000);
    assert_int_equal(px_loop_post(((void **)context)[0], wait_woken, ((void **)context)[1]), PX_OK);
    return NULL;
}

/* A wait ends with its time, and with a call from outside. */
static void wait_ends_with_what_comes_first(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    bool woken = false;
    void *context[2] = {loop, &woken};
    pthread_t thread;

    (void)state;
    assert_int_equal(px_loop_wait(loop, 0, &error), PX_OK);
    uint64_t start_ms = px_loop_now_ms(loop);

    assert_int_equal(px_loop_wait(loop, 30, &error), PX_OK);
    assert_in_range(px_loop_now_ms(loop) - start_ms, 29, 5000);
    pthread_create(&thread, NULL, wait_waker, context);
    while (!woken)
        assert_int_equal(px_loop_wait(loop, -1, &error), PX_OK);
    pthread_join(thread, NULL);
    px_loop_stop(loop);
    assert_int_equal(px_loop_wait(loop, -1, &error), PX_OK);
    assert_int_equal(px_loop_run(loop, &error), PX_OK); /* the stop was remembered */
    px_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_shared_in_turns),
        cmocka_unit_test(stop_from_another_thread),
        cmocka_unit_test(stop_from_a_signal_handler),
        cmocka_unit_test(stop_is_remembered),
        cmocka_unit_test(run_blocks_sigpipe_and_restores_it),
        cmocka_unit_test(a_poll_loop_with_descriptor_timeout_and_step),
        cmocka_unit_test(step_never_blocks),
        cmocka_unit_test(wait_ends_with_what_comes_first),
        cmocka_unit_test(order_at_the_end_of_a_tick),
        cmocka_unit_test(tasks_take_turns),
        cmocka_unit_test(tenants_have_names_that_are_not_reused),
        cmocka_unit_test(clocks_are_read_in_a_tick),
        cmocka_unit_test(a_timer_started_outside_of_a_tick),
        cmocka_unit_test(a_loop_goes_on_in_a_fork),
        cmocka_unit_test(helper_threads_are_missed_in_a_fork),
        cmocka_unit_test(calls_from_a_callback_of_the_loop_abort),
        cmocka_unit_test(longest_tick_is_known),
        cmocka_unit_test(options_of_any_size),
        cmocka_unit_test(random_bytes_are_all_filled),
        cmocka_unit_test(destroy_with_handles_left_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
