/*
 * Exemplars: kept by bucket, shown in OpenMetrics alone, summed over blocks, and never believed.
 */
#include "metrics/exemplar.h"

#include <stdlib.h>
#include <string.h>

#include "lib/test.h"
#include "metrics/metrics.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define OTHER "ffffffffffffffffffffffffffffffff"

struct page {
    char text[1 << 17];
    size_t len;
};

static void page_put(px_str text, void *context)
{
    struct page *page = context;

    assert_true(page->len + text.len < sizeof(page->text));
    memcpy(page->text + page->len, text.ptr, text.len);
    page->len += text.len;
    page->text[page->len] = '\0';
}

/* How many exemplars of that trace a page shows. */
static int shown(const px_metrics *metrics, px_metrics_format format, const char *text)
{
    static struct page page;
    int count = 0;

    page.len = 0;
    assert_int_equal(px_metrics_write(metrics, format, page_put, &page), PX_OK);
    for (const char *at = page.text; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static px_metrics *metrics_make(void)
{
    px_error error;
    px_metrics *metrics = px_metrics_create(NULL, &error);

    assert_non_null(metrics);
    return metrics;
}

static uint64_t *series_of(px_metrics *metrics, const char *route)
{
    bool is_full = false;
    const struct metrics_request request = {.method = LITERAL("GET"),
                                            .status = 200,
                                            .route = px_str_of(route),
                                            .host = LITERAL("_other"),
                                            .version = "1.1",
                                            .scheme = "http",
                                            .routes = 2,
                                            .is_full = &is_full};

    return metrics_request_cells(metrics, &request);
}

static void count_one(px_metrics *metrics, const char *route, uint64_t ms, int64_t time,
                      const char *trace)
{
    uint64_t *series = series_of(metrics, route);

    metric_observe(series, &metric_bounds_duration, ms);
    metrics_exemplify(metrics, series, ms, time, px_str_of(trace));
}

static void a_bucket_shows_the_last_trace(void **state)
{
    px_metrics *metrics = metrics_make();

    (void)state;
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {"), 0);
    count_one(metrics, "/a", 7, 1700000000, OTHER);
    count_one(metrics, "/a", 8, 1700000001, TRACE);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS,
                           "url_scheme=\"http\",le=\"0.01\"} 2 # {trace_id=\"" TRACE
                           "\"} 0.008 1700000001\n"),
                     1);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {"), 1);
    assert_int_equal(shown(metrics, PX_METRICS_PROMETHEUS, " # {"), 0);
    count_one(metrics, "/a", 0, 1700000002, OTHER);
    count_one(metrics, "/a", 99999, 1700000003, OTHER);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS,
                           "le=\"0.005\"} 1 # {trace_id=\"" OTHER "\"} 0 1700000002\n"),
                     1);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS,
                           "le=\"+Inf\"} 4 # {trace_id=\"" OTHER "\"} 99.999 1700000003\n"),
                     1);
    px_metrics_destroy(metrics);
}

/* The series lie elsewhere in another process's block. */
static void the_newest_of_all_blocks_is_shown(void **state)
{
    px_metrics *metrics = metrics_make();
    void *blocks[2];
    px_error error;

    (void)state;
    for (int i = 0; i < 2; i++) {
        blocks[i] = calloc(1, px_metrics_block_bytes());
        assert_non_null(blocks[i]);
        assert_int_equal(px_metrics_use(metrics, blocks[i], &error), PX_OK);
        assert_int_equal(px_metrics_see(metrics, blocks[i], &error), PX_OK);
        if (i == 1)
            count_one(metrics, "/b", 1, 1700000000, OTHER);
        count_one(metrics, "/a", 7, 1700000002 - i, i == 0 ? TRACE : OTHER);
    }
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {trace_id=\"" TRACE), 1);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {"), 2);

    /* What lies outside of its bucket is shown nowhere, and neither is what is half written. */
    struct metrics_block *block = blocks[0];
    uint64_t *series = block->series_cells + block->series[block->series_count - 1].cells_at;
    const struct exemplar_seen wrong = {.value = 11, .unix_time = 1800000000, .trace = {1, 2}};

    exemplar_put(&block->exemplars, (uint32_t)(series - block->series_cells) + 1, &wrong);
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {"), 1);
    for (int i = 0; i < EXEMPLARS; i++)
        block->exemplars.slots[i].turn |= 1;
    assert_int_equal(shown(metrics, PX_METRICS_OPENMETRICS, " # {"), 2);

    /* A process that begins anew has none. */
    block_begin(block);
    assert_int_equal(block->exemplars.is_used, 0);
    px_metrics_destroy(metrics);
    for (int i = 0; i < 2; i++)
        free(blocks[i]);
}

/* There are fewer places than buckets: one that lost its place shows nothing of another one. */
static void a_place_that_is_taken_is_another_ones(void **state)
{
    static struct exemplars exemplars;
    struct exemplar_seen seen;
    uint32_t kept = 0;

    (void)state;
    for (uint32_t cell = 0; cell < 4 * EXEMPLARS; cell++) {
        seen = (struct exemplar_seen){.value = cell, .unix_time = cell};
        exemplar_put(&exemplars, cell, &seen);
    }
    for (uint32_t cell = 0; cell < 4 * EXEMPLARS; cell++) {
        if (!exemplar_find(&exemplars, cell, &seen))
            continue;
        assert_int_equal(seen.value, cell);
        kept++;
    }
    assert_in_range(kept, EXEMPLARS / 2, EXEMPLARS);
    exemplars_clear(&exemplars);
    for (uint32_t cell = 0; cell < 4 * EXEMPLARS; cell++)
        assert_false(exemplar_find(&exemplars, cell, &seen));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_shows_the_last_trace),
        cmocka_unit_test(the_newest_of_all_blocks_is_shown),
        cmocka_unit_test(a_place_that_is_taken_is_another_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
