/*
 * Tables of callbacks from a program that was built with an older header: they end where its header
 * ended, and what is missing counts as NULL.  Each stands alone in memory of its own size, so that
 * a look behind its end is found.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- Structs that are given with an answer ---------------------------------------------------- */

static void count_release(void *context)
{
    ++*(size_t *)context;
}

static void count_file_release(int fd, void *context)
{
    close(fd);
    ++*(size_t *)context;
}

static px_pull pull_end(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                        void *context)
{
    (void)exchange, (void)room, (void)context;
    memcpy(out, "x", 1);
    *out_bytes = 1;
    return PX_PULL_END;
}

enum given { GIVEN_BODY, GIVEN_FILE, GIVEN_PRODUCER, GIVEN_COOKIE, GIVEN_COUNT };

/* All members, then what a newer header has. */
union given_struct {
    size_t struct_size;
    px_body body;
    px_file_range file;
    px_producer producer;
    px_cookie cookie;
    char bytes[256];
};

struct giving {
    union given_struct given;
    enum given kind;
    size_t released;
};

static size_t given_make(struct giving *giving, enum given kind)
{
    memset(giving, 0, sizeof(*giving));
    giving->kind = kind;
    switch (kind) {
    case GIVEN_BODY:
        giving->given.body =
            (px_body){sizeof(px_body), LITERAL("x"), count_release, &giving->released};
        break;
    case GIVEN_FILE:
        giving->given.file = (px_file_range){.struct_size = sizeof(px_file_range),
                                             .fd = file_make(3),
                                             .length = 3,
                                             .release = count_file_release,
                                             .context = &giving->released};
        break;
    case GIVEN_PRODUCER:
        giving->given.producer =
            (px_producer){sizeof(px_producer), pull_end, count_release, &giving->released};
        break;
    case GIVEN_COOKIE:
    case GIVEN_COUNT:
        giving->given.cookie = (px_cookie){.struct_size = sizeof(px_cookie),
                                           .name = LITERAL("a"),
                                           .value = LITERAL("b"),
                                           .http_only = 1};
        break;
    }
    return giving->given.struct_size;
}

static void give(px_exchange *exchange, void *context)
{
    struct giving *giving = context;
    const union given_struct *given = &giving->given;

    switch (giving->kind) {
    case GIVEN_BODY:
        px_respond_body(exchange, 200, no_type, &given->body);
        break;
    case GIVEN_FILE:
        px_respond_file(exchange, 200, no_type, &given->file);
        break;
    case GIVEN_PRODUCER:
        px_respond_producer(exchange, 200, no_type, PX_LENGTH_UNKNOWN, &given->producer);
        break;
    case GIVEN_COOKIE:
    case GIVEN_COUNT:
        px_response_add_cookie(exchange, &given->cookie);
        px_respond_text(exchange, 200, "ok");
        break;
    }
}

/* The size of an older header, of this one, of a newer one whose rest is zero; without one, and
 * with a rest that means something: a broken rule. */
static void structs_of_every_size(void **state)
{
    size_t ran = 0;

    (void)state;
    for (int kind = 0; kind < GIVEN_COUNT; kind++) {
        for (int way = 0; way < 5; way++, ran++) {
            struct stage stage;
            struct call call;
            struct giving giving;
            size_t known = given_make(&giving, (enum given)kind);
            bool is_good = way < 3;

            if (way == 0 && kind == GIVEN_COOKIE)
                giving.given.struct_size = offsetof(px_cookie, http_only);
            if (way >= 2)
                giving.given.struct_size = known + 16;
            if (way == 3)
                giving.given.struct_size = 0;
            if (way == 4)
                giving.given.bytes[known + 15] = 1;
            stage_open(&stage, NULL);
            assert_true(call_begin(&call, &stage, get, give, &giving));
            assert_int_equal(px_exchange_fault(call.exchange) == NULL, is_good);
            call_drive(&call);
            assert_int_equal(call.status, is_good ? 200 : 500);
            if (kind == GIVEN_COOKIE && is_good)
                assert_int_equal(strstr(call.head, "HttpOnly") != NULL, way != 0);
            call_finish(&call);
            assert_int_equal(call.end, is_good ? PX_END_COMPLETE : PX_END_ABORTED);
            assert_int_equal(giving.released, is_good && kind != GIVEN_COOKIE);
            if (kind == GIVEN_FILE && !is_good)
                close(giving.given.file.fd);
            stage_close(&stage);
        }
    }
    assert_int_equal(ran, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_of_every_size),
        cmocka_unit_test(callbacks_without_a_size),
        cmocka_unit_test(a_tunnel_that_hears_nothing),
        cmocka_unit_test(a_form_that_hears_of_its_parts_alone),
        cmocka_unit_test(a_filter_of_heads),
        cmocka_unit_test(structs_of_every_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
