/*
 * What must hold of exchanges between two ticks; compiled for tests alone to be looked at.
 */
#include "base/poison.h"
#include "exchange/exchange_private.h"

static void input_check(const struct exchange_input *input)
{
    ASSERT(input->sink <= SINK_TUNNEL);
    ASSERT(input->received <= input->length || input->sink == SINK_TUNNEL);
    ASSERT(!input->ended || !input->more || !input->more->collecting || input->more->told ||
           input->paused || input->sink == SINK_COLLECT);
    if (input->more)
        buf_check(&input->more->collected);
}

static void answer_check(const struct exchange_answer *answer)
{
    ASSERT(answer->state <= ANSWER_DONE);
    ASSERT(answer->field_count <= answer->field_room || answer->fields_lent);
    ASSERT(answer->field_count == 0 || answer->fields);
    ASSERT(answer->status == 0 || (answer->status >= 100 && answer->status <= 599));
    ASSERT(answer->state != ANSWER_READY || answer->status >= 100);
}

static void output_check(const struct exchange_output *output)
{
    const struct output_more *more = output->more;

    ASSERT(output->kind <= CONTENT_TUNNEL);
    ASSERT(output->kind <= CONTENT_BYTES || more);
    ASSERT(!output->filtered || more);
    ASSERT(output->filtered || output->length == PX_LENGTH_UNKNOWN ||
           output->kind == CONTENT_TUNNEL || output->produced <= output->length);
    if (!more)
        return;
    ASSERT(more->pieces_at <= more->pieces.len);
    ASSERT(more->read_at <= more->read_len);
    ASSERT(more->trailer_count <= more->trailer_room);
    for (uint32_t index = 0; index < more->stage_count; index++)
        ASSERT(more->stages[index].filter &&
               more->stages[index].input_at <= more->stages[index].input_len);
}

static void handling_check(const struct exchange_handling *handling)
{
    ASSERT(handling->progress <= HANDLER_CALLED);
    ASSERT(handling->param_count == 0 || handling->param_values);
    ASSERT(handling->detour <= DETOUR_TAKEN);
    ASSERT(handling->detour_status == 0 || handling->detour != DETOUR_NONE);
    ASSERT(handling->dispatch.stage <= DISPATCH_ROUTE + 1);
    for (const struct end_hook *hook = handling->ends; hook; hook = hook->next)
        ASSERT(hook->call || hook->callbacks);
}

static void exchange_check(void *object, void *context)
{
    const px_exchange *exchange = object;
    struct exchange_service *service = context;

    ASSERT(exchange->service == service && exchange->site && exchange->rules);
    ASSERT(exchange->site->holds > 0);
    ASSERT(exchange->transport == NULL || exchange->carrier);
    ASSERT(exchange->transport || exchange->answer.state == ANSWER_DONE);
    handling_check(&exchange->handling);
    ASSERT(exchange->handling.detour != DETOUR_AHEAD || list_linked(&exchange->node) ||
           !exchange->transport);
    ASSERT(exchange->arrival.started_ms <= service->loop->now_ms);
    arena_check(&exchange->arena);
    input_check(&exchange->input);
    answer_check(&exchange->answer);
    output_check(&exchange->output);
}

void exchange_service_check(struct exchange_service *service)
{
    pool_check(&service->exchanges);
    ASSERT(list_check(&service->ended) <= service->exchanges.taken);
    ASSERT(list_check(&service->waiting) <= service->exchanges.taken);
    ASSERT(service->id > 0 && service->dispatch && service->on_read_ended);
    pool_each(&service->exchanges, exchange_check, service);
}

void exchange_use_check(const px_exchange *exchange)
{
    CHECK_RULE(!is_poisoned(&exchange->service) && (exchange->item.generation & 1),
               "an exchange was used after its on_end, or, without callbacks, after its answer");
    loop_used(exchange->service->loop);
}
