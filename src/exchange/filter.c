/*
 * Response filters: a chain between the source and the transport.
 *
 * Every filter sees the head, the one nearest to the handler first.  Those that ask for the content
 * become stages; each stage pulls from the one below into a small buffer and writes to the room it
 * is given.  It can fail when a filter makes no progress or reports an error: the answer is broken.
 */
#include "exchange/exchange_private.h"

#include "base/check.h"

enum { STAGE_INPUT_BYTES = 4 * 1024, STAGE_STEPS_MAX = FILTER_TURN_BYTES / STAGE_INPUT_BYTES };

/* The next free stage, or NULL without memory. */
static struct filter_stage *stage_take(px_exchange *exchange)
{
    struct output_more *output = exchange_output_more(exchange);

    if (output && !output->stages) {
        size_t count = 0;

        for (const struct exchange_rules *rules = exchange->rules; rules; rules = rules->outer)
            count += rules->filter_count;
        output->stages = arena_take(&exchange->arena, count * sizeof(*output->stages));
    }
    return output && output->stages ? &output->stages[output->stage_count] : NULL;
}

/* Shows the head to one filter: false when the exchange is broken. */
static bool filter_take_head(px_exchange *exchange, const struct exchange_filter *entry)
{
    void *state = NULL;
    bool is_wanted = entry->filter->on_head(exchange, entry->context, &state) != 0;
    struct filter_stage *stage =
        is_wanted && exchange_alive(exchange) ? stage_take(exchange) : NULL;

    if (is_wanted && !stage) {
        if (TABLE_MEMBER(entry->filter, on_end))
            entry->filter->on_end(exchange, state);
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
    }
    if (!exchange_alive(exchange))
        return false;
    if (!is_wanted)
        return true;
    CHECK(stage);
    *stage = (struct filter_stage){.filter = entry->filter, .state = state};
    exchange->output.more->stage_count++;
    exchange->output.filtered = true;
    stage->input = arena_take(&exchange->arena, STAGE_INPUT_BYTES);
    if (!stage->input)
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
    return stage->input != NULL;
}

void filters_take_head(px_exchange *exchange)
{
    for (const struct exchange_rules *rules = exchange->rules; rules; rules = rules->outer)
        for (uint32_t index = 0; index < rules->filter_count; index++)
            if (!filter_take_head(exchange, &rules->filters[index]))
                return;
}

static px_pull stage_pull(px_exchange *exchange, uint32_t index, char *out, size_t room,
                          size_t *out_bytes);

/* Fills an empty stage buffer from below: PX_PULL_MORE when there is something or the end is known.
 */
static px_pull stage_fill(px_exchange *exchange, uint32_t index, struct filter_stage *stage)
{
    size_t bytes = 0;
    px_pull pull = index == 0
                       ? source_pull(exchange, stage->input, STAGE_INPUT_BYTES, &bytes)
                       : stage_pull(exchange, index - 1, stage->input, STAGE_INPUT_BYTES, &bytes);

    ASSERT(stage->input_at == stage->input_len && !stage->input_last);
    stage->input_at = 0;
    stage->input_len = (uint32_t)bytes;
    if (pull == PX_PULL_END) {
        stage->input_last = true;
        return PX_PULL_MORE;
    }
    return pull;
}

/* The source pauses: what the filter holds back goes on.  A pause for the disk is none that a
 * client waits behind. */
static px_pull stage_flush(px_exchange *exchange, struct filter_stage *stage, char *out,
                           size_t room, size_t *out_bytes)
{
    const px_filter *filter = stage->filter;

    if (exchange->output.kind != CONTENT_FILE && TABLE_MEMBER(filter, on_flush)) {
        px_filter_step step = {
            .in = px_str_make(stage->input, 0), .out = out + *out_bytes, .room = room - *out_bytes};

        if (filter->on_flush(exchange, &step, stage->state) != 0 || step.out_used > step.room)
            return PX_PULL_ERROR;
        *out_bytes += step.out_used;
    }
    return *out_bytes > 0 ? PX_PULL_MORE : PX_PULL_LATER;
}

/* Pulls through one stage.  The recursion is as deep as there are filters (FILTERS_MAX of
 * each of its rules). */
static px_pull stage_pull(px_exchange *exchange, uint32_t index, char *out, size_t room,
                          size_t *out_bytes)
{
    struct filter_stage *stage = &exchange->output.more->stages[index];

    *out_bytes = 0;
    if (stage->done)
        return PX_PULL_END;
    for (uint32_t steps = 0; steps < STAGE_STEPS_MAX; steps++) {
        if (stage->input_at == stage->input_len && !stage->input_last) {
            px_pull pull = stage_fill(exchange, index, stage);

            if (pull == PX_PULL_LATER)
                return stage_flush(exchange, stage, out, room, out_bytes);
            if (pull != PX_PULL_MORE)
                return pull;
        }
        px_filter_step step = {
            .in = px_str_make(stage->input + stage->input_at, stage->input_len - stage->input_at),
            .last = stage->input_last,
            .out = out + *out_bytes,
            .room = room - *out_bytes,
        };

        if (!TABLE_MEMBER(stage->filter, on_content) ||
            stage->filter->on_content(exchange, &step, stage->state) != 0 ||
            step.in_used > step.in.len || step.out_used > step.room)
            return PX_PULL_ERROR;
        /* Little room is no fault of the filter: it is asked again when there is more. */
        if (step.in_used == 0 && step.out_used == 0 && !step.done && (step.in.len > 0 || step.last))
            return *out_bytes > 0 ? PX_PULL_MORE : PX_PULL_ERROR;
        stage->input_at += (uint32_t)step.in_used;
        exchange->output.more->filtered_bytes += (uint32_t)step.in_used;
        *out_bytes += step.out_used;
        if (step.done) {
            stage->done = true;
            return PX_PULL_END;
        }
        if (*out_bytes == room)
            return PX_PULL_MORE;
    }
    return PX_PULL_MORE; /* it takes much and gives little: others go on first */
}

px_pull filters_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    return stage_pull(exchange, exchange->output.more->stage_count - 1, out, room, out_bytes);
}

void filters_end(px_exchange *exchange)
{
    for (uint32_t index = 0; index < exchange->output.more->stage_count; index++) {
        struct filter_stage *stage = &exchange->output.more->stages[index];

        if (TABLE_MEMBER(stage->filter, on_end))
            stage->filter->on_end(exchange, stage->state);
    }
    exchange->output.more->stage_count = 0;
}
