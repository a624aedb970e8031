/*
 * Sums over all blocks: for showing them, for a program that takes over, for the past ten minutes.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "metrics/metrics.h"
#include "pollux/server.h"

/* An empty one: PX_OK or PX_ERR_MEMORY. */
static px_err sum_make(struct metrics_sum *sum, const px_metrics *metrics)
{
    const px_allocator *allocator = &metrics->allocator;

    *sum = (struct metrics_sum){.metrics = metrics,
                                .block = alloc_take_zeroed(allocator, sizeof(*sum->block)),
                                .index = alloc_take_zeroed(allocator, sizeof(*sum->index))};
    if (!sum->block || !sum->index) {
        metrics_sum_deinit(sum);
        return PX_ERR_MEMORY;
    }
    block_begin(sum->block);
    for (uint32_t i = 0; i < metrics->row_count; i++) {
        bool has_room = block_put_row(sum->block, &metrics->rows[i]);

        CHECK(has_room); /* as in the block that is counted in */
    }
    return PX_OK;
}

px_err metrics_sum_init(struct metrics_sum *sum, const px_metrics *metrics)
{
    px_err err = sum_make(sum, metrics);

    if (err != PX_OK)
        return err;
    if (metrics->seen_count == 0)
        block_add(sum->block, sum->index, metrics->block, true);
    for (uint32_t i = 0; i < metrics->seen_count; i++)
        block_add(sum->block, sum->index, metrics->seen[i].block, !metrics->seen[i].is_past);
    return PX_OK;
}

void metrics_sum_deinit(struct metrics_sum *sum)
{
    alloc_put(&sum->metrics->allocator, sum->block);
    alloc_put(&sum->metrics->allocator, sum->index);
    sum->block = NULL;
    sum->index = NULL;
}

uint64_t cells_total(const uint64_t *cells, uint32_t count)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < count; i++)
        total += cells[i];
    return total;
}

/* Without the series, of which there may be many: it is asked for every few seconds. */
px_err px_metrics_counters(const px_metrics *metrics, px_counters *out_counters)
{
    enum { CELLS = sizeof(struct metrics_cells) / sizeof(uint64_t) };
    union {
        struct metrics_cells named;
        uint64_t each[CELLS];
    } cells = {.each = {0}};
    px_counters counters = {0};

    if (metrics->seen_count == 0)
        block_add_cells(cells.each, CELLS, metrics->block, metrics->block, true);
    for (uint32_t i = 0; i < metrics->seen_count; i++)
        block_add_cells(cells.each, CELLS, metrics->block, metrics->seen[i].block,
                        !metrics->seen[i].is_past);
    metrics_counters_of(&cells.named, &counters);
    options_give(out_counters, &counters, sizeof(counters));
    return PX_OK;
}

void metrics_counters_of(const struct metrics_cells *cells, px_counters *out_counters)
{
    px_counters *is = out_counters;

    is->accepted = cells->accepts;
    is->open = cells_total(cells->connections, STATE_COUNT);
    is->requests = cells->requests;
    memcpy(&is->responses[1], cells->responses, sizeof(cells->responses));
    is->turned_away = cells->refused[REFUSAL_CONNECTIONS];
    is->refused = cells_total(cells->refused, REFUSAL_COUNT) - is->turned_away;
    is->shed = cells->shed;
    is->timed_out = cells_total(cells->timeouts, TIMEOUT_COUNT);
    is->bytes_received = cells->received;
    is->bytes_sent = cells->sent;
    is->accept_errors = cells->accept_errors;
    is->aborted = cells->aborted;
    is->cut = cells->cut;
    is->handshakes_failed = cells->handshakes[HANDSHAKE_FAILED];
    is->handshakes_resumed =
        cells->handshakes[HANDSHAKE_12_RESUMED] + cells->handshakes[HANDSHAKE_13_RESUMED];
    is->handshakes =
        is->handshakes_resumed + cells->handshakes[HANDSHAKE_12] + cells->handshakes[HANDSHAKE_13];
    is->ticks = cells_total(cells->ticks, TICK_BOUNDS + 1);
    is->longest_tick_us = cells->longest_us;
    is->longest_tick_callbacks = cells->longest_callbacks;
    is->longest_tick_bytes = cells->longest_bytes;
}

px_err px_metrics_hand_over(const px_metrics *metrics, void *given, px_error *out_error)
{
    struct metrics_block *block = given;
    struct block_index *index = alloc_take_zeroed(&metrics->allocator, sizeof(*index));
    struct metrics_sum sum;

    error_clear(out_error);
    if (!index || sum_make(&sum, metrics) != PX_OK) {
        alloc_put(&metrics->allocator, index);
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    }
    for (uint32_t i = 0; i < metrics->seen_count; i++)
        if (metrics->seen[i].is_past)
            block_add(sum.block, sum.index, metrics->seen[i].block, false);
    if (!block_is_sound(block)) {
        block_begin(block);
        for (uint32_t i = 0; i < metrics->row_count; i++) {
            bool has_room = block_put_row(block, &metrics->rows[i]);

            CHECK(has_room); /* as in the block that is counted in */
        }
    }
    block_index_fill(index, block);
    block_raise(block, index, sum.block);
    metrics_sum_deinit(&sum);
    alloc_put(&metrics->allocator, index);
    return PX_OK;
}

void px_metrics_sample(px_metrics *metrics, int64_t unix_time)
{
    struct metrics_block *block = metrics->block;
    uint64_t at = atomic_load_explicit(&block->sample_count, memory_order_relaxed);
    px_counters counters = {.struct_size = sizeof(counters)};

    if (at > 0 && unix_time < block->samples[(at - 1) % BLOCK_SAMPLES].unix_time +
                                  (int64_t)PX_METRICS_SAMPLE_S)
        return;
    if (px_metrics_counters(metrics, &counters) != PX_OK)
        return;
    block->samples[at % BLOCK_SAMPLES] =
        (struct block_sample){unix_time, counters.requests, counters.responses[5]};
    atomic_store_explicit(&block->sample_count, at + 1, memory_order_release);
}
