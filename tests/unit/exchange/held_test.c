/*
 * Requests that are held: everything of them, on another thread, after the exchange, the service
 * and the loop have gone; once and twice; every allocation failing.
 */
#include "pollux/held.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "unit/exchange/double.h"

static const char post[] =
    "POST /a%20b?x=1 HTTP/1.1\r\nHost: h:80\r\nX-Empty:\r\nContent-Length: 5\r\n\r\n";

static void collect(px_exchange *exchange, void *context)
{
    (void)context;
    px_request_collect(exchange, 100, NULL, NULL);
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

/* A call whose content, "hello", was collected. */
static bool call_collected(struct call *call, struct stage *stage)
{
    if (!call_begin(call, stage, post, collect, NULL))
        return false;
    call_receive(call, LITERAL("hel"));
    call_receive(call, LITERAL("lo"));
    call_receive_end(call);
    return true;
}

static void held_is(const px_held *held)
{
    assert_int_equal(held->struct_size, sizeof(*held));
    assert_string_equal(held->method.ptr, "POST");
    assert_string_equal(held->target.ptr, "/a%20b?x=1");
    assert_string_equal(held->path.ptr, "/a b");
    assert_string_equal(held->raw_path.ptr, "/a%20b");
    assert_string_equal(held->query.ptr, "x=1");
    assert_string_equal(held->authority.ptr, "h:80");
    assert_string_equal(held->scheme.ptr, "http");
    assert_null(held->pattern.ptr);
    assert_int_equal(held->version, 11);
    assert_int_equal(held->field_count, 3);
    assert_int_equal(held->param_count, 0);
    assert_string_equal(held->fields[0].name.ptr, "Host");
    assert_str_equal(px_held_field(held, "HOST"), LITERAL("h:80"));
    assert_non_null(px_held_field(held, "x-empty").ptr);
    assert_int_equal(px_held_field(held, "x-empty").len, 0);
    assert_null(px_held_field(held, "x-none").ptr);
    assert_null(px_held_param(held, "id").ptr);
}

static void *read_and_release(void *context)
{
    const px_held *held = context;

    held_is(held);
    assert_string_equal(held->content.ptr, "hello");
    px_held_release(held);
    return NULL;
}

static void on_another_thread_after_the_end(void **state)
{
    struct stage stage;
    struct call call;
    pthread_t thread;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_collected(&call, &stage));
    const px_held *held = px_request_hold(call.exchange);

    assert_non_null(held);
    assert_int_equal(held->content.len, 5);
    /* The exchange can be asked for its content all the same; it was not copied. */
    assert_ptr_equal(px_request_content(call.exchange).ptr, held->content.ptr);
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    assert_int_equal(pthread_create(&thread, NULL, read_and_release, (void *)(uintptr_t)held), 0);
    pthread_join(thread, NULL);
    pump_quietly(stage.loop, 2);
    assert_int_equal(stage.loop->memory.shares[BUDGET_EXCHANGES].bytes, 0);
    stage_close(&stage);
}

/* The second time it is the same; released before the exchange ends, that still has its content. */
static void twice(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_collected(&call, &stage));
    const px_held *held = px_request_hold(call.exchange);

    assert_ptr_equal(px_request_hold(call.exchange), held);
    px_held_release(held);
    px_held_release(held);
    px_held_release(NULL);
    pump_quietly(stage.loop, 2);
    assert_string_equal(px_request_content(call.exchange).ptr, "hello");
    px_respond(call.exchange, 200, LITERAL("text/plain"), px_request_content(call.exchange));
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("hello"));
    call_finish(&call);
    stage_close(&stage);
}

/* Before the content is there a hold has none, and one behind it does. */
static void before_the_content(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, post, collect, NULL));
    const px_held *early = px_request_hold(call.exchange);

    assert_null(early->content.ptr);
    call_receive(&call, LITERAL("hello"));
    call_receive_end(&call);
    const px_held *late = px_request_hold(call.exchange);

    assert_string_equal(late->content.ptr, "hello");
    assert_null(early->content.ptr);
    px_held_release(early);
    px_exchange *exchange = call.exchange;

    call_end(&call, PX_END_PEER_GONE);
    assert_null(px_request_hold(exchange)); /* it has ended, and on_end has not come yet */
    call_finish(&call);
    px_held_release(late);
    stage_close(&stage);
}

/* Released when nothing else is left. */
static void after_the_loop(void **state)
{
    struct fault_alloc fault;
    struct stage stage;
    struct call call;

    (void)state;
    fault_alloc_init(&fault);
    stage_open(&stage, &fault.allocator);
    assert_true(call_collected(&call, &stage));
    const px_held *held = px_request_hold(call.exchange);

    call_end(&call, PX_END_SERVER_CLOSED);
    call_finish(&call);
    stage_close(&stage);
    held_is(held);
    assert_string_equal(held->content.ptr, "hello");
    assert_int_equal(px_ref_post(&held->ref, NULL, NULL), PX_ERR_CLOSED);
    px_held_release(held);
    fault_alloc_assert_empty(&fault);
}

static void hold_and_fail(const px_allocator *allocator, void *context)
{
    struct stage stage;
    struct call call;

    (void)context;
    if (!stage_open(&stage, allocator))
        return;
    if (call_begin(&call, &stage, post, nothing, NULL)) {
        const px_held *held = px_request_hold(call.exchange);

        if (held)
            held_is(held);
        px_held_release(held);
        call_end(&call, PX_END_PEER_GONE);
    }
    call_finish(&call);
    stage_close(&stage);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("hold", hold_and_fail, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_another_thread_after_the_end),
        cmocka_unit_test(twice),
        cmocka_unit_test(before_the_content),
        cmocka_unit_test(after_the_loop),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
