/*
 * Metrics: the table, counting, both formats to the byte, labels that come as they come, full
 * blocks, sums over blocks, and each allocation failing.
 */
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "pollux/server.h"

enum { TEXT_BYTES_MAX = 32 * 1024 * 1024, LIBRARY_ROWS = 39 };

struct page {
    char *text; /* ends in NUL */
    size_t len;
};

static void page_put(px_str text, void *context)
{
    struct page *page = context;

    assert_true(text.len > 0 && text.ptr[text.len - 1] == '\n');
    assert_true(page->len + text.len < TEXT_BYTES_MAX);
    memcpy(page->text + page->len, text.ptr, text.len);
    page->len += text.len;
    page->text[page->len] = '\0';
}

static struct page page_of(const px_metrics *metrics, px_metrics_format format)
{
    struct page page = {calloc(1, TEXT_BYTES_MAX), 0};

    assert_non_null(page.text);
    assert_int_equal(px_metrics_write(metrics, format, page_put, &page), PX_OK);
    return page;
}

static void assert_has(const px_metrics *metrics, px_metrics_format format, const char *text)
{
    struct page page = page_of(metrics, format);

    if (!strstr(page.text, text))
        fail_msg("no %s\nin %s", text, page.text);
    free(page.text);
}

static px_metrics *metrics_make(void)
{
    px_error error;
    px_metrics *metrics = px_metrics_create(NULL, &error);

    assert_non_null(metrics);
    return metrics;
}

static px_metric define(px_metrics *metrics, px_metric_options options)
{
    px_metric metric = 0;
    px_error error;

    options.struct_size = sizeof(options);
    options.help = options.help ? options.help : "For a \\test.";
    assert_int_equal(px_metric_define(metrics, &options, &metric, &error), PX_OK);
    return metric;
}

/* --- The table -------------------------------------------------------------------------------- */

static void every_row_is_whole(void **state)
{
    uint32_t cells = 0;

    (void)state;
    assert_int_equal(metrics_library_count, LIBRARY_ROWS);
    for (uint32_t i = 0; i < metrics_library_count; i++) {
        const struct metric_row *row = &metrics_library[i];
        uint32_t sets = 0;

        while (row->labels && row->labels[sets])
            sets++;
        if (i < METRIC_SERIES_ROWS) {
            assert_non_null(row->label_names);
            assert_int_equal(row->cell_count, 0);
        } else {
            assert_null(row->label_names);
            assert_int_equal(row->cells_at, cells);
            assert_int_equal(row->cell_count, (row->labels ? sets : 1) * metric_set_cells(row));
        }
        cells += row->cell_count;
        assert_true(row->help[strlen(row->help) - 1] == '.');
        assert_null(strstr(row->name, "_total"));
        if (row->unit[0]) /* OpenMetrics: a name ends in its unit */
            assert_string_equal(row->name + strlen(row->name) - strlen(row->unit), row->unit);
        for (uint32_t other = 0; other < i; other++)
            assert_string_not_equal(row->name, metrics_library[other].name);
    }
    assert_int_equal(cells, LIBRARY_CELLS);
}

static void a_size_is_in_its_bucket(void **state)
{
    const struct metric_bounds *bounds = NULL;

    (void)state;
    for (uint32_t i = 0; i < metrics_library_count; i++)
        if (strcmp(metrics_library[i].name, "http_server_request_body_size_bytes") == 0)
            bounds = metrics_library[i].bounds;
    assert_non_null(bounds);
    for (uint64_t step = 0; step < 40; step++)
        for (int off = -1; off <= 1; off++) {
            uint64_t fast[SIZE_BOUNDS + 2] = {0}, slow[SIZE_BOUNDS + 2] = {0};
            uint64_t bytes = ((uint64_t)1 << step) + (uint64_t)off;

            metric_observe_size(fast, bytes);
            metric_observe(slow, bounds, bytes);
            assert_memory_equal(fast, slow, sizeof(fast));
        }
}

/* --- Formats ---------------------------------------------------------------------------------- */

static void both_formats_are_to_the_byte(void **state)
{
    static const char *const sets[] = {"kind=\"a\"", "kind=\"b\"", NULL};
    static const uint64_t bounds[] = {5, 1000, 2500};
    px_metrics *metrics = metrics_make();
    px_metric jobs = define(metrics, (px_metric_options){.name = "jobs", .label_sets = sets});
    px_metric took = define(metrics, (px_metric_options){.name = "took_seconds",
                                                         .unit = "seconds",
                                                         .kind = PX_METRIC_HISTOGRAM,
                                                         .divisor = 1000,
                                                         .bounds = bounds,
                                                         .bound_count = 3});
    px_metric held = define(metrics, (px_metric_options){.name = "held", .kind = PX_METRIC_GAUGE});

    (void)state;
    px_metric_add(metrics, jobs, 1, 3);
    px_metric_observe(metrics, took, 0, 5);
    px_metric_observe(metrics, took, 0, 6);
    px_metric_observe(metrics, took, 0, 9999);
    px_metric_set(metrics, held, 0, 7);
    assert_has(metrics, PX_METRICS_PROMETHEUS,
               "# HELP jobs_total For a \\\\test.\n"
               "# TYPE jobs_total counter\n"
               "jobs_total{kind=\"a\"} 0\n"
               "jobs_total{kind=\"b\"} 3\n"
               "# HELP took_seconds For a \\\\test.\n"
               "# TYPE took_seconds histogram\n"
               "took_seconds_bucket{le=\"0.005\"} 1\n"
               "took_seconds_bucket{le=\"1\"} 2\n"
               "took_seconds_bucket{le=\"2.5\"} 2\n"
               "took_seconds_bucket{le=\"+Inf\"} 3\n"
               "took_seconds_sum 10.01\n"
               "took_seconds_count 3\n"
               "# HELP held For a \\\\test.\n"
               "# TYPE held gauge\n"
               "held 7\n");
    assert_has(metrics, PX_METRICS_OPENMETRICS,
               "# HELP jobs For a \\\\test.\n"
               "# TYPE jobs counter\n"
               "jobs_total{kind=\"a\"} 0\n"
               "jobs_total{kind=\"b\"} 3\n"
               "# HELP took_seconds For a \\\\test.\n"
               "# TYPE took_seconds histogram\n"
               "# UNIT took_seconds seconds\n"
               "took_seconds_bucket{le=\"0.005\"} 1\n"
               "took_seconds_bucket{le=\"1.0\"} 2\n"
               "took_seconds_bucket{le=\"2.5\"} 2\n"
               "took_seconds_bucket{le=\"+Inf\"} 3\n"
               "took_seconds_sum 10.01\n"
               "took_seconds_count 3\n"
               "# HELP held For a \\\\test.\n"
               "# TYPE held gauge\n"
               "held 7\n"
               "# EOF\n");
    px_metrics_destroy(metrics);
}

static void values_of_labels_are_quoted(void **state)
{
    static const char *const names[] = {"file", NULL};
    px_metrics *metrics = metrics_make();
    px_metric opened = define(metrics, (px_metric_options){.name = "opened", .label_names = names});
    px_str values[] = {LITERAL("a\"b\\c\n\x7f"), LITERAL("\xc3\xa9\xff")};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(values); i++)
        px_metric_add(metrics, opened, px_metric_labels(metrics, opened, &values[i]), i + 1);
    assert_has(metrics, PX_METRICS_PROMETHEUS,
               "opened_total{file=\"a\\\"b\\\\c??\"} 1\n"
               "opened_total{file=\"\xc3\xa9?\"} 2\n");
    px_metrics_destroy(metrics);
}

static void what_is_gone_is_not_shown(void **state)
{
    static const char *const names[] = {"file", NULL};
    px_metrics *metrics = metrics_make();
    px_metric ends =
        define(metrics,
               (px_metric_options){
                   .name = "ends", .kind = PX_METRIC_GAUGE, .label_names = names, .hides_zero = 1});
    px_str files[] = {LITERAL("a.pem"), LITERAL("b.pem")};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        px_metric_set(metrics, ends, px_metric_labels(metrics, ends, &files[i]), i + 1);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "ends{file=\"a.pem\"} 1\nends{file=\"b.pem\"} 2\n");
    px_metric_clear(metrics, ends);
    px_metric_set(metrics, ends, px_metric_labels(metrics, ends, &files[1]), 3);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "# TYPE ends gauge\nends{file=\"b.pem\"} 3\n");
    px_metrics_destroy(metrics);
}

/* --- Rooms ------------------------------------------------------------------------------------ */

static void what_finds_no_room_is_other(void **state)
{
    static const char *const names[] = {"number", NULL};
    px_metrics *metrics = metrics_make();
    px_metric seen = define(metrics, (px_metric_options){.name = "seen", .label_names = names});
    bool is_full = false;
    struct page page;

    (void)state;
    for (uint32_t i = 0; i < BLOCK_SERIES_MAX + 100; i++) {
        px_str value =
            px_str_make((const char *)&(char[]){(char)('a' + i % 26), (char)('a' + i / 26 % 26),
                                                (char)('a' + i / 676)}[0],
                        3);

        px_metric_add(metrics, seen, px_metric_labels(metrics, seen, &value), 1);
    }
    assert_has(metrics, PX_METRICS_PROMETHEUS, "seen_total{number=\"_other\"} 625\n");

    /* A request with labels that are new is counted without what is many. */
    struct metrics_request request = {.method = LITERAL("GET"),
                                      .status = 200,
                                      .route = LITERAL("/a"),
                                      .host = LITERAL("_other"),
                                      .version = "1.1",
                                      .scheme = "http",
                                      .routes = 2,
                                      .is_full = &is_full};

    metrics_request_cells(metrics, &request)[0]++;
    page = page_of(metrics, PX_METRICS_PROMETHEUS);
    assert_non_null(strstr(page.text, "http_route=\"_other\""));
    free(page.text);
    px_metrics_destroy(metrics);
}

static void requests_keep_their_status_when_routes_are_many(void **state)
{
    px_metrics *metrics = metrics_make();
    char route[] = "/aaaa";

    (void)state;
    for (uint32_t i = 0; i < BLOCK_SERIES_MAX; i++) {
        bool is_full = false;
        struct metrics_request request = {.method = LITERAL("GET"),
                                          .status = 200,
                                          .route = px_str_make(route, 5),
                                          .host = LITERAL("_other"),
                                          .version = "1.1",
                                          .scheme = "http",
                                          .routes = 2,
                                          .is_full = &is_full};

        route[1] = (char)('a' + i % 26);
        route[2] = (char)('a' + i / 26 % 26);
        route[3] = (char)('a' + i / 676);
        metrics_request_cells(metrics, &request)[0]++;
    }
    struct page page = page_of(metrics, PX_METRICS_PROMETHEUS);
    const char *found =
        strstr(page.text, "http_response_status_code=\"200\",http_route=\"_other\","
                          "server_address=\"_other\",network_protocol_version=\"1.1\","
                          "url_scheme=\"http\",le=\"+Inf\"} 524\n");

    assert_non_null(found);
    free(page.text);
    px_metrics_destroy(metrics);
}

/* Everything that a peer can choose of requests to one route, if its handler lets it choose the
 * status: each is counted once. */
static uint32_t route_flood(px_metrics *metrics, px_str route, uint32_t routes)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};
    static const char *const versions[] = {"1.0", "1.1", "2"};
    uint32_t count = 0;
    bool is_full = false;

    for (unsigned status = 100; status < 600; status++)
        for (size_t method = 0; method < 6; method++)
            for (size_t version = 0; version < 3; version++, count++) {
                const struct metrics_request request = {.method = px_str_of(methods[method]),
                                                        .status = status,
                                                        .route = route,
                                                        .host = LITERAL("h"),
                                                        .version = versions[version],
                                                        .scheme = "http",
                                                        .routes = routes,
                                                        .is_full = &is_full};

                metrics_request_cells(metrics, &request)[0]++;
            }
    return count;
}

static uint32_t series_of(const px_metrics *metrics)
{
    return atomic_load(&metrics->block->series_count);
}

static void a_route_has_its_share_of_series(void **state)
{
    px_metrics *metrics = metrics_make();
    uint32_t before = series_of(metrics), count;
    bool is_full = false;

    (void)state;
    count = route_flood(metrics, LITERAL("/a"), 2);
    assert_int_equal(count, 9000);
    assert_int_equal(series_of(metrics) - before, BLOCK_SERIES_ROUTE + 5);
    /* None is lost: those beyond its share are told apart by the class of their status. */
    assert_has(metrics, PX_METRICS_PROMETHEUS,
               "_count{http_request_method=\"_other\",http_response_status_code=\"5xx\","
               "http_route=\"/a\",server_address=\"h\",network_protocol_version=\"_other\","
               "url_scheme=\"_other\"} 1800\n");

    /* What was made by a process that was there before counts as well. */
    before = series_of(metrics);
    route_flood(metrics, LITERAL("/a"), 2);
    assert_int_equal(series_of(metrics), before);

    /* Another route has its own. */
    const struct metrics_request request = {.method = LITERAL("GET"),
                                            .status = 418,
                                            .route = LITERAL("/b"),
                                            .host = LITERAL("h"),
                                            .version = "1.1",
                                            .scheme = "http",
                                            .routes = 2,
                                            .is_full = &is_full};

    metrics_request_cells(metrics, &request)[0]++;
    assert_has(metrics, PX_METRICS_PROMETHEUS, "\"418\",http_route=\"/b\"");
    assert_false(is_full);
    px_metrics_destroy(metrics);
}

static void no_routes_take_what_another_needs(void **state)
{
    enum { ROUTES = 200 };
    px_metrics *metrics = metrics_make();
    char route[8];

    (void)state;
    for (int i = 0; i < ROUTES; i++) {
        snprintf(route, sizeof(route), "/%d", i);
        route_flood(metrics, px_str_of(route), ROUTES);
    }
    assert_true(series_of(metrics) < BLOCK_SERIES_MAX - BLOCK_SERIES_RESERVED);
    /* The last one as well has its two, and its classes. */
    assert_has(metrics, PX_METRICS_PROMETHEUS, "\"100\",http_route=\"/199\"");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "\"5xx\",http_route=\"/199\"");
    px_metrics_destroy(metrics);
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static void blocks_are_summed(void **state)
{
    px_metrics *metrics = metrics_make();
    px_metric held = define(metrics, (px_metric_options){.name = "held", .kind = PX_METRIC_GAUGE});
    px_metric most = define(metrics, (px_metric_options){.name = "most", .kind = PX_METRIC_MAX});
    px_metric done = define(metrics, (px_metric_options){.name = "done"});
    void *blocks[2];
    px_error error;

    (void)state;
    for (int i = 0; i < 2; i++) {
        blocks[i] = calloc(1, px_metrics_block_bytes());
        assert_non_null(blocks[i]);
        assert_int_equal(px_metrics_use(metrics, blocks[i], &error), PX_OK);
        assert_int_equal(px_metrics_see(metrics, blocks[i], &error), PX_OK);
        px_metric_add(metrics, held, 0, 2);
        px_metric_set(metrics, most, 0, (uint64_t)(10 - i));
        px_metric_add(metrics, done, 0, 5);
    }
    assert_has(metrics, PX_METRICS_PROMETHEUS, "held 4\n");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "most 10\n");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "done_total 10\n");

    /* Another process takes the first block up: what was there for the time being is gone. */
    assert_int_equal(px_metrics_use(metrics, blocks[0], &error), PX_OK);
    px_metric_add(metrics, done, 0, 1);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "held 2\n");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "done_total 11\n");
    px_metrics_destroy(metrics);
    for (int i = 0; i < 2; i++)
        free(blocks[i]);
}

static void a_state_is_shown_while_a_process_knows_it(void **state)
{
    static const char *const names[] = {"server", NULL};
    px_metrics *metrics = metrics_make();
    px_metric up = define(
        metrics, (px_metric_options){.name = "up", .kind = PX_METRIC_STATE, .label_names = names});
    px_metric on = define(metrics, (px_metric_options){.name = "on", .kind = PX_METRIC_STATE});
    const px_str one = LITERAL("a"), two = LITERAL("b");
    uint32_t set = px_metric_labels(metrics, up, &one);
    void *blocks[2];
    px_error error;

    (void)state;
    (void)px_metric_labels(metrics, up, &two);
    for (size_t i = 0; i < 2; i++) {
        blocks[i] = calloc(1, px_metrics_block_bytes());
        assert_non_null(blocks[i]);
        assert_int_equal(px_metrics_see(metrics, blocks[i], &error), PX_OK);
        assert_int_equal(px_metrics_use(metrics, blocks[i], &error), PX_OK);
        set = px_metric_labels(metrics, up, &one);
        (void)px_metric_labels(metrics, up, &two);
    }
    assert_has(metrics, PX_METRICS_PROMETHEUS, "# TYPE up gauge\n# HELP on");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "# TYPE on gauge\n");

    /* Not the sum, and 0 is not nothing. */
    px_metric_set(metrics, up, set, 0);
    px_metric_set(metrics, on, 0, 7);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "gauge\nup{server=\"a\"} 0\n# HELP on");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "\non 7\n");
    assert_int_equal(px_metrics_use(metrics, blocks[0], &error), PX_OK);
    px_metric_set(metrics, up, px_metric_labels(metrics, up, &one), 1);
    px_metric_set(metrics, on, 0, 7);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "gauge\nup{server=\"a\"} 1\n# HELP on");
    assert_has(metrics, PX_METRICS_PROMETHEUS, "\non 7\n");

    /* It goes with the process, or when that forgets it. */
    px_metric_forget(metrics, up, px_metric_labels(metrics, up, &one));
    assert_has(metrics, PX_METRICS_PROMETHEUS, "gauge\nup{server=\"a\"} 0\n# HELP on");
    px_metrics_vacate(blocks[1]);
    assert_has(metrics, PX_METRICS_PROMETHEUS, "# TYPE up gauge\n# HELP on");
    px_metrics_destroy(metrics);
    free(blocks[0]);
    free(blocks[1]);
}

static void counters_are_those_of_a_server(void **state)
{
    px_metrics *metrics = metrics_make();
    struct metrics_cells *cells = metrics_cells_of(metrics);
    px_counters counters = {.struct_size = sizeof(counters)};

    (void)state;
    cells->accepts = 1;
    cells->connections[STATE_IDLE] = 2;
    cells->responses[1] = 3;
    cells->refused[REFUSAL_HEAD] = 4;
    cells->refused[REFUSAL_CONNECTIONS] = 5;
    cells->handshakes[HANDSHAKE_12] = 6;
    cells->handshakes[HANDSHAKE_13_RESUMED] = 7;
    cells->handshakes[HANDSHAKE_FAILED] = 8;
    cells->timeouts[TIMEOUT_IDLE] = 9;
    assert_int_equal(px_metrics_counters(metrics, &counters), PX_OK);
    assert_int_equal(counters.accepted, 1);
    assert_int_equal(counters.open, 2);
    assert_int_equal(counters.responses[2], 3);
    assert_int_equal(counters.refused, 4);
    assert_int_equal(counters.turned_away, 5);
    assert_int_equal(counters.handshakes, 13);
    assert_int_equal(counters.handshakes_resumed, 7);
    assert_int_equal(counters.handshakes_failed, 8);
    assert_int_equal(counters.timed_out, 9);
    px_metrics_destroy(metrics);
}

/* --- What is not taken ------------------------------------------------------------------------ */

static void what_is_no_metric_is_refused(void **state)
{
    static const char *const names[] = {"a", NULL};
    static const uint64_t bounds[] = {2, 1};
    const px_metric_options wrong[] = {
        {.name = NULL, .help = ""},
        {.name = "", .help = ""},
        {.name = "1a", .help = ""},
        {.name = "a-b", .help = ""},
        {.name = "a", .help = NULL},
        {.name = "pollux_requests", .help = ""},
        {.name = "a", .help = "", .kind = PX_METRIC_STATE + 1},
        {.name = "a", .help = "", .kind = PX_METRIC_HISTOGRAM},
        {.name = "a", .help = "", .bounds = bounds, .bound_count = 2},
        {.name = "a", .help = "", .kind = PX_METRIC_HISTOGRAM, .bounds = bounds, .bound_count = 2},
        {.name = "a", .help = "", .kind = PX_METRIC_HISTOGRAM, .bounds = bounds},
        {.name = "a", .help = "", .label_sets = names, .label_names = names},
    };
    px_metrics *metrics = metrics_make();
    px_error error;
    px_metric metric;

    (void)state;
    assert_int_equal(ARRAY_COUNT(wrong), 12);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        px_metric_options options = wrong[i];

        options.struct_size = sizeof(options);
        assert_int_equal(px_metric_define(metrics, &options, &metric, &error), PX_ERR_INVALID);
    }
    px_metrics_destroy(metrics);
}

static void all_of_it(const px_allocator *allocator, void *context)
{
    px_metrics_options options = PX_METRICS_OPTIONS_DEFAULT;
    px_counters counters = {.struct_size = sizeof(counters)};
    struct page page = {context, 0};
    px_error error;

    options.allocator = allocator;
    px_metrics *metrics = px_metrics_create(&options, &error);

    if (!metrics)
        return;
    if (px_metrics_see(metrics, metrics->block, &error) == PX_OK &&
        px_metrics_see_past(metrics, metrics->block, &error) == PX_OK &&
        px_metrics_write(metrics, PX_METRICS_OPENMETRICS, page_put, &page) == PX_OK &&
        px_metrics_counters(metrics, &counters) == PX_OK) {
        px_metrics_sample(metrics, 100);
        void *block = calloc(1, px_metrics_block_bytes());

        assert_non_null(block);
        (void)!(px_metrics_hand_over(metrics, block, &error) == PX_OK);
        free(block);
    }
    px_metrics_destroy(metrics);
}

static void every_allocation_may_fail(void **state)
{
    char *text = calloc(1, TEXT_BYTES_MAX);

    (void)state;
    assert_non_null(text);
    assert_true(fault_alloc_each("metrics", all_of_it, text) >= 10);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(a_size_is_in_its_bucket),
        cmocka_unit_test(both_formats_are_to_the_byte),
        cmocka_unit_test(values_of_labels_are_quoted),
        cmocka_unit_test(what_is_gone_is_not_shown),
        cmocka_unit_test(what_finds_no_room_is_other),
        cmocka_unit_test(requests_keep_their_status_when_routes_are_many),
        cmocka_unit_test(a_route_has_its_share_of_series),
        cmocka_unit_test(no_routes_take_what_another_needs),
        cmocka_unit_test(blocks_are_summed),
        cmocka_unit_test(a_state_is_shown_while_a_process_knows_it),
        cmocka_unit_test(counters_are_those_of_a_server),
        cmocka_unit_test(what_is_no_metric_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
