/*
 * Rate limits: who is let in when, what the others are told, what happens when the table is full,
 * and that threads and children count together.
 */
#include "pollux/rate_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "gate/rate_table.h"
#include "unit/exchange/double.h"

enum { SECOND = 1000 * 1000 * 1000 };

static const uint64_t start_ns = 100ULL * 24 * 3600 * SECOND; /* since the machine was started */

/* 10 a second, 3 at once. */
static const struct rate_quota quota = {SECOND / 10, 3 * (uint64_t)(SECOND / 10)};

static const struct {
    uint64_t at_ms;
    bool allowed;
    uint64_t wait_ms;
} requests[] = {
    {0, true, 0},   {0, true, 0},      {0, true, 0},    {0, false, 100}, {1, false, 99},
    {100, true, 0}, {100, false, 100}, {250, true, 0},  {300, true, 0},  {399, false, 1},
    {400, true, 0}, {5000, true, 0},   {5000, true, 0}, {5000, true, 0}, {5050, false, 50},
};

static void requests_are_spaced(void **state)
{
    px_rate_table *table = px_rate_table_create(NULL, NULL);

    (void)state;
    for (size_t index = 0; index < sizeof(requests) / sizeof(requests[0]); index++) {
        uint64_t wait_ns = 0;

        assert_int_equal(rate_table_take(table, 77, &quota,
                                         start_ns + requests[index].at_ms * 1000 * 1000, &wait_ns),
                         requests[index].allowed);
        assert_int_equal(wait_ns, requests[index].wait_ms * 1000 * 1000);
    }
    assert_int_equal(sizeof(requests) / sizeof(requests[0]), 15);
    px_rate_table_destroy(table);
}

/* A new key takes the place of the one that has used the least; one over its limit stays. */
static void a_full_bucket_keeps_the_worst(void **state)
{
    px_rate_table_options options = PX_RATE_TABLE_OPTIONS_DEFAULT;
    uint64_t wait_ns;

    (void)state;
    options.bytes = RATE_BYTES_LEAST;
    px_rate_table *table = px_rate_table_create(&options, NULL);

    assert_int_equal(table->bucket_count, 64);
    /* Key 64 is over its limit; any number of others of its bucket come once each. */
    for (int count = 0; count < 3; count++)
        assert_true(rate_table_take(table, 64, &quota, start_ns, &wait_ns));
    for (uint64_t key = 2; key < 1000; key++)
        assert_true(rate_table_take(table, key * 64, &quota, start_ns, &wait_ns));
    assert_false(rate_table_take(table, 64, &quota, start_ns, &wait_ns));
    /* Another bucket knows nothing of it; and hash 0 is a key like any other. */
    assert_true(rate_table_take(table, 65, &quota, start_ns, &wait_ns));
    for (int count = 0; count < 3; count++)
        assert_true(rate_table_take(table, 0, &quota, start_ns + SECOND, &wait_ns));
    assert_false(rate_table_take(table, 0, &quota, start_ns + SECOND, &wait_ns));
    px_rate_table_destroy(table);
}

enum { THREADS = 4, EACH = 20000, ALLOWED = 1000 };

static const struct rate_quota wide = {SECOND, ALLOWED *(uint64_t)SECOND};

struct runner {
    px_rate_table *table;
    uint32_t allowed;
};

static void *run(void *context)
{
    struct runner *runner = context;
    uint64_t wait_ns;

    for (uint32_t count = 0; count < EACH; count++)
        runner->allowed += rate_table_take(runner->table, 5, &wide, start_ns, &wait_ns);
    return NULL;
}

static void threads_count_together(void **state)
{
    px_rate_table *table = px_rate_table_create(NULL, NULL);
    struct runner runners[THREADS];
    pthread_t threads[THREADS];
    uint32_t allowed = 0;

    (void)state;
    for (int index = 0; index < THREADS; index++) {
        runners[index] = (struct runner){.table = table};
        assert_int_equal(pthread_create(&threads[index], NULL, run, &runners[index]), 0);
    }
    for (int index = 0; index < THREADS; index++) {
        pthread_join(threads[index], NULL);
        allowed += runners[index].allowed;
    }
    assert_int_equal(allowed, ALLOWED);
    px_rate_table_destroy(table);
}

static void children_count_with_their_parent(void **state)
{
    px_rate_table *table = px_rate_table_create(NULL, NULL);
    uint64_t wait_ns;
    int status = 0;

    (void)state;
    pid_t child = fork();

    if (child == 0) {
        bool both = rate_table_take(table, 9, &quota, start_ns, &wait_ns) &&
                    rate_table_take(table, 9, &quota, start_ns, &wait_ns);

        _exit(both ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(rate_table_take(table, 9, &quota, start_ns, &wait_ns));
    assert_false(rate_table_take(table, 9, &quota, start_ns, &wait_ns));
    px_rate_table_destroy(table);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static void handle(px_exchange *exchange, void *context)
{
    if (px_rate_limit_check(exchange, context) == PX_NEXT)
        px_respond_text(exchange, 200, "");
}

static unsigned ask(struct stage *stage, px_rate_limit *limit, const char *head, char *out_head)
{
    struct call call;

    assert_true(call_begin(&call, stage, head, handle, limit));
    call_drive(&call);
    unsigned status = call.status;

    if (out_head)
        memcpy(out_head, call.head, sizeof(call.head));
    call_finish(&call);
    return status;
}

static const char by_a[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n";
static const char by_b[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Key: b\r\n\r\n";

static px_rate_limit_options options_of(px_rate_table *table)
{
    px_rate_limit_options options = PX_RATE_LIMIT_OPTIONS_DEFAULT;

    options.table = table;
    options.key = "{header.X-Key}";
    options.count = 2;
    options.per_ms = 60 * 60 * 1000;
    options.burst = 1;
    return options;
}

static void clients_are_told(void **state)
{
    struct stage stage;
    char head[8192];
    px_rate_limit_options options = options_of(NULL);

    (void)state;
    options.policy = "hourly";
    px_rate_limit *limit = px_rate_limit_create(&options, NULL);

    assert_true(stage_open(&stage, NULL));
    assert_int_equal(ask(&stage, limit, by_a, head), 200);
    assert_null(strstr(head, "RateLimit"));
    assert_int_equal(ask(&stage, limit, by_a, head), 429);
    assert_non_null(strstr(head, "Retry-After: 1800\n"));
    assert_non_null(strstr(head, "RateLimit-Policy: \"hourly\";q=1;w=1800\n"));
    assert_non_null(strstr(head, "RateLimit: \"hourly\";r=0;t=1800\n"));
    assert_int_equal(ask(&stage, limit, by_b, NULL), 200); /* another key */
    px_rate_limit_destroy(limit);
    px_rate_limit_destroy(NULL);
    stage_close(&stage);
}

/* A limit that is made anew goes on counting; one with another name, key or rate begins anew. */
static void counts_outlive_limits(void **state)
{
    px_rate_table *table = px_rate_table_create(NULL, NULL);
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    for (int change = 0; change < 6; change++) {
        px_rate_limit_options options = options_of(table);

        options.name = change == 2 ? "other" : "one";
        options.key = change == 3 ? "{header.X-Key}{header.X-None}" : "{header.X-Key}";
        options.count = change == 4 ? 3 : 2;
        options.burst = change == 5 ? 2 : 1;
        px_rate_limit *limit = px_rate_limit_create(&options, NULL);

        assert_int_equal(ask(&stage, limit, by_a, NULL), change == 1 ? 429 : 200);
        px_rate_limit_destroy(limit);
    }
    px_rate_table_destroy(table);
    stage_close(&stage);
}

static void a_limit_holds_when_its_matcher_does(void **state)
{
    px_matcher *post = px_matcher_create(NULL, NULL);
    px_str method = px_str_of("POST");
    px_rate_limit_options options = options_of(NULL);
    struct stage stage;

    (void)state;
    assert_int_equal(px_matcher_add(post, PX_MATCH_METHOD, &method, 1, NULL, NULL), PX_OK);
    options.when = post;
    options.status = 503;
    px_rate_limit *limit = px_rate_limit_create(&options, NULL);
    const char *head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

    px_matcher_destroy(post);
    assert_true(stage_open(&stage, NULL));
    assert_int_equal(ask(&stage, limit, by_a, NULL), 200);
    assert_int_equal(ask(&stage, limit, by_a, NULL), 200);
    assert_int_equal(ask(&stage, limit, head, NULL), 200);
    assert_int_equal(ask(&stage, limit, head, NULL), 503);
    px_rate_limit_destroy(limit);
    stage_close(&stage);
}

static void wrong_options_are_told(void **state)
{
    px_error error = PX_ERROR_INIT;
    px_rate_table_options small = PX_RATE_TABLE_OPTIONS_DEFAULT;
    px_rate_limit_options wrong[7];

    (void)state;
    small.bytes = RATE_BYTES_LEAST - 1;
    assert_null(px_rate_table_create(&small, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    for (size_t index = 0; index < 7; index++)
        wrong[index] = options_of(NULL);
    wrong[0].count = 0;
    wrong[1].status = 200;
    wrong[2].policy = "a\"b";
    wrong[3].policy = "";
    wrong[4].key = "{nothing}";
    wrong[5].count = UINT32_MAX;
    wrong[5].per_ms = 1;
    wrong[6].per_ms = UINT32_MAX;
    wrong[6].burst = UINT32_MAX;
    for (size_t index = 0; index < 7; index++) {
        error.code = PX_OK;
        assert_null(px_rate_limit_create(&wrong[index], &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_rate_limit_options options = options_of(NULL);
    px_error error = PX_ERROR_INIT;

    (void)context;
    options.allocator = allocator;
    px_rate_limit *limit = px_rate_limit_create(&options, &error);

    assert_int_equal(error.code, limit ? PX_OK : PX_ERR_MEMORY);
    px_rate_limit_destroy(limit);
}

static void ask_once(const px_allocator *allocator, void *context)
{
    struct stage stage;
    struct call call;

    if (!stage_open(&stage, allocator))
        return;
    if (call_begin(&call, &stage, by_b, handle, context))
        call_drive(&call);
    call_finish(&call);
    stage_close(&stage);
}

static void each_allocation_may_fail(void **state)
{
    px_rate_limit_options options = options_of(NULL);
    px_rate_limit *limit = px_rate_limit_create(&options, NULL);

    (void)state;
    assert_int_equal(fault_alloc_each("rate limit", make_once, NULL), 3);
    assert_true(fault_alloc_each("a limited request", ask_once, limit) >= 3);
    px_rate_limit_destroy(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_spaced),
        cmocka_unit_test(a_full_bucket_keeps_the_worst),
        cmocka_unit_test(threads_count_together),
        cmocka_unit_test(children_count_with_their_parent),
        cmocka_unit_test(clients_are_told),
        cmocka_unit_test(counts_outlive_limits),
        cmocka_unit_test(a_limit_holds_when_its_matcher_does),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
