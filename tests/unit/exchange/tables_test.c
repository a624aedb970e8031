/*
 * Tables of callbacks from a program that was built with an older header: they end where its header
 * ended, and what is missing counts as NULL.  Each stands alone in memory of its own size, so that
 * a look behind its end is found.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const px_str no_type = {NULL, 0};

/* The first `bytes` of a table. */
static void *cut(const void *table, size_t bytes)
{
    void *copy = malloc(bytes);

    assert_non_null(copy);
    memcpy(copy, table, bytes);
    memcpy(copy, &bytes, sizeof(bytes));
    return copy;
}

static void never(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
    fail_msg("behind the end of the table");
}

static void count_content(px_exchange *exchange, px_str bytes, void *context)
{
    size_t *counts = context;

    (void)exchange;
    counts[0] += bytes.len;
}

static void count_end(px_exchange *exchange, void *context)
{
    size_t *counts = context;

    (void)exchange;
    counts[1]++;
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static void callbacks_of_every_size(void **state)
{
    static const px_exchange_callbacks all = {.on_content = count_content,
                                              .on_content_end = count_end};
    static const struct {
        size_t bytes;
        size_t counts[2];
    } rows[] = {
        {sizeof(size_t), {0, 0}},
        {offsetof(px_exchange_callbacks, on_content_end) - 1, {0, 0}},
        {offsetof(px_exchange_callbacks, on_content_end), {3, 0}},
        {offsetof(px_exchange_callbacks, on_room), {3, 1}},
        {sizeof(px_exchange_callbacks), {3, 1}},
    };
    size_t ran = 0;

    (void)state;
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++, ran++) {
        struct stage stage;
        struct call call;
        size_t counts[2] = {0, 0};
        size_t bytes = rows[index].bytes - rows[index].bytes % sizeof(size_t);
        void *table = cut(&all, bytes);

        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage,
                               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", nothing,
                               NULL));
        px_exchange_set_callbacks(call.exchange, table, counts);
        assert_int_equal(call_receive(&call, LITERAL("abc")), 3);
        call_receive_end(&call);
        px_respond_text(call.exchange, 200, "ok");
        call_drive(&call);
        assert_true(call.done);
        call_finish(&call);
        stage_close(&stage);
        free(table);
        assert_memory_equal(counts, rows[index].counts, sizeof(counts));
    }
    assert_int_equal(ran, 5);
}

/* One that says nothing of its size is a fault of the program. */
static void callbacks_without_a_size(void **state)
{
    static const px_exchange_callbacks none = {.on_content_end = never};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    px_exchange_set_callbacks(call.exchange, &none, NULL);
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_ABORTED);
    stage_close(&stage);
}

static void tunnel_begin(px_exchange *exchange, void *context)
{
    px_respond_tunnel(exchange, LITERAL("echo"), context, context);
}

static void a_tunnel_that_hears_nothing(void **state)
{
    static const px_tunnel_callbacks all = {.on_receive_end = never, .on_room = never};
    struct stage stage;
    struct call call;
    void *table = cut(&all, sizeof(size_t));

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage,
                           "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n"
                           "\r\n",
                           tunnel_begin, table));
    call_drive(&call);
    assert_int_equal(call.status, 101);
    assert_int_equal(call_receive(&call, LITERAL("abc")), 3);
    call_receive_end(&call);
    px_response_write(call.exchange, LITERAL("bye"));
    px_response_end(call.exchange);
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("bye"));
    call_finish(&call);
    assert_int_equal(call.end, PX_END_COMPLETE);
    stage_close(&stage);
    free(table);
}

static void part_counted(px_exchange *exchange, const px_part_head *head, void *context)
{
    size_t *parts = context;

    (void)exchange;
    (void)head;
    ++*parts;
}

static void a_form_that_hears_of_its_parts_alone(void **state)
{
    static const px_multipart_callbacks all = {.on_part = part_counted, .on_part_end = never};
    static const char content[] = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--";
    struct stage stage;
    struct call call;
    size_t parts = 0;
    void *table = cut(&all, offsetof(px_multipart_callbacks, on_part_content));

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage,
                           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 53\r\n"
                           "Content-Type: multipart/form-data; boundary=b\r\n\r\n",
                           nothing, NULL));
    assert_int_equal(px_request_multipart(call.exchange, table, &parts), PX_OK);
    call_receive(&call, LITERAL(content));
    call_receive_end(&call);
    assert_int_equal(parts, 1);
    call_finish(&call);
    stage_close(&stage);
    free(table);
}

static int head_wants_content(px_exchange *exchange, void *context, void **out_state)
{
    (void)exchange;
    (void)out_state;
    return *(const int *)context;
}

static void respond(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, no_type, LITERAL("content"));
}

/* A filter that sees heads alone; one that asks for content and cannot take it breaks the answer.
 */
static void a_filter_of_heads(void **state)
{
    static const px_filter all = {.on_head = head_wants_content};

    (void)state;
    for (int wants = 0; wants < 2; wants++) {
        struct stage stage;
        struct call call;
        px_filter *filter = cut(&all, offsetof(px_filter, on_content));

        stage_open(&stage, NULL);
        stage_filter(&stage, filter, &wants);
        assert_true(call_begin(&call, &stage, get, respond, NULL));
        call_drive(&call);
        call_finish(&call);
        assert_int_equal(call.end, wants ? PX_END_ABORTED : PX_END_COMPLETE);
        stage_close(&stage);
        free(filter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_of_every_size),
        cmocka_unit_test(callbacks_without_a_size),
        cmocka_unit_test(a_tunnel_that_hears_nothing),
        cmocka_unit_test(a_form_that_hears_of_its_parts_alone),
        cmocka_unit_test(a_filter_of_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
