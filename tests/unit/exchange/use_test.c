/*
 * What a program does wrong with an exchange or a loop, and what builds for tests say of it:
 * another thread than the loop's, a pointer that was kept past the end.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/* In place of the library's. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    fprintf(stderr, "%s\n", condition);
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

/* --- Another thread --------------------------------------------------------------------------- */

struct use {
    px_exchange *exchange;
    px_timer *timer;
};

static void *use_exchange(void *context)
{
    struct use *use = context;

    px_request_method(use->exchange);
    return NULL;
}

static void *answer_exchange(void *context)
{
    struct use *use = context;

    px_respond_text(use->exchange, 200, "from elsewhere");
    return NULL;
}

static void *use_timer(void *context)
{
    struct use *use = context;

    px_timer_start(use->timer, 1);
    return NULL;
}

struct tick {
    void *(*call)(void *context);
    struct use use;
};

/* While the loop runs: on a thread of its own. */
static void on_timer(px_timer *timer, void *context)
{
    struct tick *tick = context;
    pthread_t thread;

    tick->use.timer = timer;
    assert_int_equal(pthread_create(&thread, NULL, tick->call, &tick->use), 0);
    pthread_join(thread, NULL);
}

static void in_a_tick(void *(*call)(void *context))
{
    struct stage stage;
    struct call made;
    struct tick tick = {.call = call};

    stage_open(&stage, NULL);
    assert_true(call_begin(&made, &stage, get, nothing, NULL));
    tick.use.exchange = made.exchange;
    px_timer *timer = px_timer_create(stage.loop, on_timer, &tick);

    assert_non_null(timer);
    px_timer_start(timer, 0);
    pump_once(stage.loop, 5);
}

static void reads_elsewhere(void)
{
    in_a_tick(use_exchange);
}

static void answers_elsewhere(void)
{
    in_a_tick(answer_exchange);
}

static void starts_a_timer_elsewhere(void)
{
    in_a_tick(use_timer);
}

static void another_thread(void **state)
{
    static void (*const calls[])(void) = {reads_elsewhere, answers_elsewhere,
                                          starts_a_timer_elsewhere};
    char output[4096];

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(calls); index++) {
        assert_int_equal(test_signal_of(calls[index], output, sizeof(output)), SIGABRT);
        assert_non_null(strstr(output, "called on another thread than the loop's"));
    }
    assert_int_equal(ARRAY_COUNT(calls), 3);
}

/* Between two ticks the loop may be handed to another thread. */
static void handed_over(void **state)
{
    struct stage stage;
    struct call made;
    struct use use;
    pthread_t thread;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&made, &stage, get, nothing, NULL));
    use.exchange = made.exchange;
    pump_once(stage.loop, 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_exchange, &use), 0);
    pthread_join(thread, NULL);
    call_drive(&made);
    assert_int_equal(made.status, 200);
    call_finish(&made);
    stage_close(&stage);
}

/* --- After the end ---------------------------------------------------------------------------- */

static void kept_past_the_end(void)
{
    struct stage stage;
    struct call made;

    stage_open(&stage, NULL);
    assert_true(call_begin(&made, &stage, get, nothing, NULL));
    px_exchange *kept = made.exchange;

    px_respond_text(kept, 200, "ok");
    call_drive(&made);
    call_finish(&made);
    px_respond_text(kept, 200, "again");
}

static void after_the_end(void **state)
{
    char output[4096];

    (void)state;
    if (!ASAN_WATCHES)
        return; /* memory that is free is known with the sanitizer alone */
    assert_int_equal(test_signal_of(kept_past_the_end, output, sizeof(output)), SIGABRT);
    assert_non_null(strstr(output, "an exchange was used after its on_end"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_thread),
        cmocka_unit_test(handed_over),
        cmocka_unit_test(after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
