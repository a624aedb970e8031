/*
 * The life of an exchange: exactly one end, references across threads and after everything is gone,
 * going on after a middleware, and every allocation of a whole life failing.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

struct posted {
    px_ref ref;
    pthread_t loop_thread;
    uint32_t delay_us;
    atomic_uint ran;
    px_exchange *exchange;
    px_err status;
    px_err post_err;
};

static void posted_run(px_exchange *exchange, px_err status, void *context)
{
    struct posted *posted = context;

    assert_true(pthread_equal(pthread_self(), posted->loop_thread));
    posted->exchange = exchange;
    posted->status = status;
    assert_int_equal(exchange != NULL, status == PX_OK);
    if (exchange)
        px_respond_text(exchange, 200, "from afar");
    atomic_fetch_add(&posted->ran, 1);
}

static void *posted_main(void *context)
{
    struct posted *posted = context;

    usleep(posted->delay_us);
    posted->post_err = px_ref_post(&posted->ref, posted_run, posted);
    px_ref_release(&posted->ref);
    return NULL;
}

static void answered_from_another_thread(void **state)
{
    struct stage stage;
    struct call call;
    struct posted posted = {.loop_thread = pthread_self(), .delay_us = 5000};
    pthread_t thread;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    posted.ref = px_exchange_ref(call.exchange);
    assert_ptr_equal(px_ref_get(&posted.ref), call.exchange);
    pthread_create(&thread, NULL, posted_main, &posted);
    pump_until(stage.loop, atomic_load(&posted.ran) == 1);
    pthread_join(thread, NULL);
    assert_int_equal(posted.post_err, PX_OK);
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("from afar"));
    call_finish(&call);
    stage_close(&stage);
}

/* The exchange has ended, and another one has its slot. */
static void reference_after_the_end(void **state)
{
    struct stage stage;
    struct call first, second;
    struct posted posted = {.loop_thread = pthread_self()};
    pthread_t thread;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&first, &stage, get, nothing, NULL));
    posted.ref = px_exchange_ref(first.exchange);
    px_exchange *before = first.exchange;

    call_end(&first, PX_END_PEER_GONE);
    assert_null(px_ref_get(&posted.ref)); /* the transport has let go */
    call_finish(&first);
    assert_null(px_ref_get(&posted.ref));
    assert_true(call_begin(&second, &stage, get, nothing, NULL));
    /* Slots rest for a while under AddressSanitizer. */
    for (int round = 0; round < 4 * POOL_RESTING_COUNT && second.exchange != before; round++) {
        call_end(&second, PX_END_PEER_GONE);
        call_finish(&second);
        assert_true(call_begin(&second, &stage, get, nothing, NULL));
    }
    assert_ptr_equal(second.exchange, before);
    assert_null(px_ref_get(&posted.ref));
    pthread_create(&thread, NULL, posted_main, &posted);
    pump_until(stage.loop, atomic_load(&posted.ran) == 1);
    pthread_join(thread, NULL);
    assert_int_equal(posted.status, PX_ERR_CLOSED);
    assert_int_equal(second.heads, 0);
    call_finish(&second);
    stage_close(&stage);
}

static void reference_after_the_service_and_the_loop(void **state)
{
    (void)state;
    for (int queued = 0; queued < 3; queued++) {
        struct stage stage;
        struct call call;
        struct posted posted = {.loop_thread = pthread_self()};
        px_ref second;

        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage, get, nothing, NULL));
        posted.ref = px_exchange_ref(call.exchange);
        second = px_exchange_ref(call.exchange);
        call_finish(&call);
        if (queued == 0) {
            /* A queued call runs once, without its exchange. */
            assert_int_equal(px_ref_post(&posted.ref, posted_run, &posted), PX_OK);
            exchange_service_deinit(&stage.service);
            pump_until(stage.loop, atomic_load(&posted.ran) == 1);
            assert_int_equal(posted.status, PX_ERR_CLOSED);
        } else {
            exchange_service_deinit(&stage.service);
            assert_null(px_ref_get(&posted.ref));
            if (queued == 1)
                assert_int_equal(px_ref_post(&posted.ref, posted_run, &posted), PX_OK);
        }
        px_loop_destroy(stage.loop);
        if (queued == 1) {
            assert_int_equal(posted.ran, 1);
            assert_int_equal(posted.status, PX_ERR_CANCELLED);
        }
        assert_null(px_ref_get(&second));
        assert_int_equal(px_ref_post(&second, posted_run, &posted), PX_ERR_CLOSED);
        assert_int_equal(posted.ran, queued == 2 ? 0 : 1);
        px_ref_release(&second);
        px_ref_release(&posted.ref);
        px_ref_release(&posted.ref); /* harmless */
        fault_alloc_assert_empty(&stage.fault);
    }
}

/* Threads that post while exchanges come and go: each call once. */
static void many_references_from_many_threads(void **state)
{
    enum { COUNT = 60 };
    struct stage stage;
    static struct call calls[COUNT];
    static struct posted posted[COUNT];
    pthread_t threads[COUNT];
    uint32_t ok = 0, closed = 0;

    (void)state;
    memset(posted, 0, sizeof(posted));
    stage_open(&stage, NULL);
    for (uint32_t index = 0; index < COUNT; index++) {
        assert_true(call_begin(&calls[index], &stage, get, nothing, NULL));
        posted[index].loop_thread = pthread_self();
        posted[index].delay_us = index % 7 * 1000;
        posted[index].ref = px_exchange_ref(calls[index].exchange);
        pthread_create(&threads[index], NULL, posted_main, &posted[index]);
        if (index % 3 == 0)
            call_finish(&calls[index]);
    }
    for (uint32_t index = 0; index < COUNT; index++) {
        pump_until(stage.loop, atomic_load(&posted[index].ran) == 1);
        pthread_join(threads[index], NULL);
        ok += posted[index].status == PX_OK;
        closed += posted[index].status == PX_ERR_CLOSED;
        if (index % 3 != 0) {
            call_drive(&calls[index]);
            call_finish(&calls[index]);
        }
    }
    assert_int_equal(ok + closed, COUNT);
    assert_true(ok >= COUNT / 2);
    stage_close(&stage);
}

/* --- Going on later --------------------------------------------------------------------------- */

static uint32_t dispatched;

static void dispatch(px_exchange *exchange)
{
    dispatched++;
    exchange->handling.handler = nothing;
    exchange_call_handler(exchange);
}

static void next_goes_on_from_the_loop(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    stage.service.dispatch = dispatch;
    dispatched = 0;
    assert_true(call_make(&call, &stage, get));
    exchange_receive_end(call.exchange);
    px_exchange_next(call.exchange);
    px_exchange_next(call.exchange); /* twice is once */
    assert_int_equal(dispatched, 0); /* never itself */
    assert_int_equal(px_loop_timeout_ms(stage.loop), 0);
    pump_until(stage.loop, dispatched == 1);
    assert_true(call.credits > 0); /* content may be wanted now */
    pump_quietly(stage.loop, 3);
    assert_int_equal(dispatched, 1);
    px_respond_text(call.exchange, 200, "x");
    px_exchange_next(call.exchange); /* there is an answer */
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(dispatched, 1);
    /* Ended while it waited. */
    assert_true(call_make(&call, &stage, get));
    px_exchange_next(call.exchange);
    call_end(&call, PX_END_PEER_GONE);
    pump_quietly(stage.loop, 3);
    call_finish(&call);
    assert_int_equal(dispatched, 1);
    /* Aborted while it waited: not gone on with. */
    assert_true(call_make(&call, &stage, get));
    px_exchange_abort(call.exchange);
    px_exchange_next(call.exchange);
    pump_quietly(stage.loop, 3);
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(dispatched, 1);
    stage_close(&stage);
}

/* --- on_end ----------------------------------------------------------------------------------- */

struct ender {
    uint32_t ended;
    px_end end;
};

static void ender_end(px_exchange *exchange, px_end end, void *context)
{
    struct ender *ender = context;

    ender->ended++;
    ender->end = end;
    /* The handler's last use: all of this is allowed, and nothing comes of it. */
    px_exchange_abort(exchange);
    px_respond_text(exchange, 200, "no");
    px_response_add_field(exchange, LITERAL("a"), LITERAL("b"));
    px_request_pause(exchange);
    px_request_resume(exchange);
    px_resume(exchange);
    px_exchange_next(exchange);
    px_request_collect(exchange, 10, NULL, NULL);
    (void)px_request_path(exchange);
    px_ref ref = px_exchange_ref(exchange);

    assert_null(px_ref_get(&ref));
    px_ref_release(&ref);
}

static void everything_may_be_called_in_on_end(void **state)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_end = ender_end};
    struct stage stage;
    struct call call;
    struct ender ender = {0};

    (void)state;
    stage_open(&stage, NULL);
    for (px_end end = PX_END_COMPLETE; end <= PX_END_SERVER_CLOSED; end++) {
        ender.ended = 0;
        assert_true(call_begin(&call, &stage, get, nothing, NULL));
        px_exchange_set_callbacks(call.exchange, &callbacks, &ender);
        call_end(&call, end);
        pump_until(stage.loop, ender.ended == 1);
        assert_int_equal(ender.end, end);
        pump_quietly(stage.loop, 2);
        assert_int_equal(ender.ended, 1);
        assert_int_equal(stage.service.exchanges.taken, 0);
    }
    stage_close(&stage);
}

static void without_callbacks_it_is_freed_at_once(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    px_exchange_set_callbacks(call.exchange, NULL, NULL);
    call_end(&call, PX_END_PEER_GONE);
    assert_int_equal(stage.service.exchanges.taken, 0);
    stage_close(&stage);
}

/* --- Every allocation of a life --------------------------------------------------------------- */

struct life {
    uint32_t released;
    uint32_t answered;
    uint32_t filters;
    uint32_t filters_ended;
    bool later; /* collected asked, producer said LATER once */
};

static int life_head(px_exchange *exchange, void *context, void **out_state)
{
    struct life *life = context;

    px_response_add_field(exchange, LITERAL("X-Filter"), LITERAL("a value that is copied"));
    life->filters++;
    *out_state = life;
    return 1;
}

static int life_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    size_t count = step->in.len < step->room ? step->in.len : step->room;

    (void)exchange;
    (void)state;
    if (count > 0)
        memcpy(step->out, step->in.ptr, count);
    step->in_used = step->out_used = count;
    step->done = step->last && count == step->in.len;
    return 0;
}

static void life_filter_end(px_exchange *exchange, void *state)
{
    (void)exchange;
    ((struct life *)state)->filters_ended++;
}

static const px_filter life_filter = {.struct_size = sizeof(px_filter),
                                      .on_head = life_head,
                                      .on_content = life_content,
                                      .on_end = life_filter_end};

static px_pull life_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                         void *context)
{
    struct life *life = context;

    if (!life->later) {
        life->later = true;
        return PX_PULL_LATER;
    }
    memset(out, 'x', room / 2);
    *out_bytes = room / 2;
    px_response_add_trailer(exchange, LITERAL("Trailer-Field"), LITERAL("value"));
    return PX_PULL_END;
}

static void life_release(void *context)
{
    ((struct life *)context)->released++;
}

static void life_collected(px_exchange *exchange, px_str content, void *context)
{
    struct life *life = context;
    const px_producer producer = {sizeof(px_producer), life_pull, life_release, life};
    const px_cookie cookie = {
        .struct_size = sizeof(px_cookie), .name = LITERAL("a"), .value = LITERAL("b")};
    char long_value[3000];

    memset(long_value, 'v', sizeof(long_value));
    life->answered++;
    assert_int_equal(content.len, 3000);
    (void)px_request_path(exchange);
    (void)px_request_query_param(exchange, "q");
    (void)px_request_cookie(exchange, "c");
    (void)px_request_form_param(exchange, "f");
    (void)px_exchange_peer(exchange);
    for (int count = 0; count < 12; count++)
        px_response_add_field(exchange, LITERAL("X-Long"),
                              px_str_make(long_value, sizeof(long_value)));
    px_response_add_cookie(exchange, &cookie);
    px_respond_producer(exchange, 200, LITERAL("text/plain"), PX_LENGTH_UNKNOWN, &producer);
}

static void life_handler(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 4000, life_collected, context);
}

static void life_run(const px_allocator *allocator, void *context)
{
    struct life *life = context;
    static char content[3000];
    struct stage stage;
    struct call call;

    memset(life, 0, sizeof(*life));
    memset(content, 'c', sizeof(content));
    if (!stage_open(&stage, allocator))
        return;
    stage_filter(&stage, &life_filter, life);
    if (call_begin(&call, &stage,
                   "POST /%41?q=%41 HTTP/1.1\r\nHost: a\r\nCookie: c=d\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\n"
                   "Content-Length: 3000\r\n\r\n",
                   life_handler, life)) {
        call_receive(&call, px_str_make(content, sizeof(content)));
        if (call.exchange)
            call_receive_end(&call);
        call_drive(&call);
        if (call.exchange) {
            px_resume(call.exchange);
            call_drive(&call);
        }
    }
    bool made = call.exchange || call.ended || call.done || stage.service.exchanges.taken > 0;

    call_finish(&call);
    if (made) {
        assert_int_equal(call.ended, 1);
        assert_true(call.end == PX_END_COMPLETE || call.end == PX_END_NO_MEMORY ||
                    call.end == PX_END_ABORTED);
        /* Without memory the peer may have got a whole answer that says so. */
        assert_int_equal(call.done, call.end == PX_END_COMPLETE || call.status == 503);
    }
    assert_int_equal(life->released, life->answered);
    assert_int_equal(life->filters, life->filters_ended);
    stage_close(&stage);
}

static void every_allocation_of_a_life_may_fail(void **state)
{
    struct life life;

    (void)state;
    assert_true(fault_alloc_each("a whole exchange", life_run, &life) >= 18);
    assert_int_equal(life.answered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered_from_another_thread),
        cmocka_unit_test(reference_after_the_end),
        cmocka_unit_test(reference_after_the_service_and_the_loop),
        cmocka_unit_test(many_references_from_many_threads),
        cmocka_unit_test(next_goes_on_from_the_loop),
        cmocka_unit_test(everything_may_be_called_in_on_end),
        cmocka_unit_test(without_callbacks_it_is_freed_at_once),
        cmocka_unit_test(every_allocation_of_a_life_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
