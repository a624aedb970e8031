/*
 * Runs the hostile table: every case whole, byte by byte and cut at each offset, against guard
 * pages, with every scan table, alone and behind a valid request.
 */
#include "unit/http/h1/h1_cases.h"

#include <string.h>

#include "lib/splits.h"
#include "lib/test.h"
#include "unit/http/h1/h1_flow.h"

enum { TABLES_MAX = 8, CASE_BYTES_MAX = 1024 };

struct case_run {
    struct h1_flow flow;
    const struct scan_table *scan;
    const char *expected;
};

static void case_begin(void *context)
{
    struct case_run *run = context;

    h1_flow_begin(&run->flow, run->scan);
}

static size_t case_feed(px_str bytes, void *context)
{
    struct case_run *run = context;

    return h1_flow_feed(&run->flow, bytes);
}

static void case_end(size_t left, const char *split, void *context)
{
    struct case_run *run = context;
    const char *line = h1_flow_end(&run->flow);

    (void)left;
    if (strcmp(line, run->expected) != 0)
        fail_msg("%s, %s: got \"%s\" (%s), expected \"%s\"", run->scan->name, split, line,
                 run->flow.reason ? run->flow.reason : "no reason", run->expected);
    if (strstr(line, "evil"))
        assert_non_null(strstr(line, "[GET /evil"));
}

static void case_run_all(px_str input, const char *expected)
{
    static struct case_run run;
    const struct scan_table *tables[TABLES_MAX];
    size_t count = scan_tables(tables, TABLES_MAX);
    struct split_reader reader = {case_begin, case_feed, case_end, &run};

    assert_true(count >= 1);
    run.expected = expected;
    for (size_t i = 0; i < count; i++) {
        run.scan = tables[i];
        assert_true(splits_each(input, &reader) >= 2);
    }
    h1_flow_deinit(&run.flow);
}

static void cases_give_what_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < h1_case_count; i++)
        case_run_all(h1_cases[i].input, h1_cases[i].line);
}

static void cases_are_the_same_behind_a_request(void **state)
{
    static const char first[] = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    char input[CASE_BYTES_MAX];
    char expected[CASE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < h1_case_count; i++) {
        size_t len = h1_cases[i].input.len;

        assert_true(sizeof(first) + len <= sizeof(input));
        memcpy(input, first, sizeof(first) - 1);
        memcpy(input + sizeof(first) - 1, h1_cases[i].input.ptr, len);
        snprintf(expected, sizeof(expected), "POST /first[abc];%s", h1_cases[i].line);
        case_run_all(px_str_make(input, sizeof(first) - 1 + len), expected);
    }
}

/* So that none is lost. */
static void cases_are_all_there(void **state)
{
    size_t counts[128] = {0};

    (void)state;
    for (size_t i = 0; i < h1_case_count; i++)
        counts[(uint8_t)h1_cases[i].class]++;
    assert_int_equal(counts['F'], 112);
    assert_int_equal(counts['C'], 97);
    assert_int_equal(counts['L'], 85);
    assert_int_equal(counts['R'], 195);
    assert_int_equal(counts['H'], 97);
    assert_int_equal(counts['P'], 35);
    assert_int_equal(h1_case_count, 621);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_all_there),
        cmocka_unit_test(cases_give_what_they_must),
        cmocka_unit_test(cases_are_the_same_behind_a_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
