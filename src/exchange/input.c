/*
 * A request's content: handed to the handler as it arrives, collected, read as a form, or dropped.
 *
 * Happy path: the transport calls exchange_receive with borrowed bytes, then exchange_receive_end.
 * It can fail when the content passes its limit (413) or memory runs out.  The handler slows the
 * peer down with pause; the transport looks at content_paused after each piece.
 */
#include "exchange/exchange.h"
#include "http/fields/field.h"
#include "http/forms/query.h"

px_err exchange_receive(px_exchange *exchange, px_str bytes)
{
    exchange->content_received += bytes.len;
    if (exchange->content_received > exchange->content_max)
        return PX_ERR_LIMIT;
    switch ((enum content_sink)exchange->sink) {
    case SINK_DROP:
        return PX_OK;
    case SINK_CALLBACK:
        if (exchange->callbacks && TABLE_MEMBER(exchange->callbacks, on_content))
            exchange->callbacks->on_content(exchange, bytes, exchange->callbacks_context);
        return PX_OK;
    case SINK_COLLECT:
        return buf_append(&exchange->input->collected, bytes);
    case SINK_MULTIPART:
        form_data_receive(exchange, bytes);
        return PX_OK;
    case SINK_TUNNEL:
        if (TABLE_MEMBER(exchange->output->tunnel, on_receive))
            exchange->output->tunnel->on_receive(exchange, bytes, exchange->output->tunnel_context);
        return PX_OK;
    }
    return PX_OK;
}

static void collected_tell(px_exchange *exchange)
{
    struct exchange_input *input = exchange->input;

    if (!input->on_collected || input->told)
        return;
    input->told = true;
    input->on_collected(exchange, px_request_content(exchange), input->collect_context);
}

void exchange_call_handler(px_exchange *exchange)
{
    exchange->handler_called = true;
    exchange->handler(exchange, exchange->handler_context);
}

void exchange_tell_whole(px_exchange *exchange)
{
    if (exchange->content_ended && exchange->sink == SINK_COLLECT && exchange->handler_called)
        collected_tell(exchange);
    else if (exchange->content_ended && exchange->sink == SINK_MULTIPART)
        form_data_finish(exchange);
}

/* Collected content ends in NUL too, like every string of a request. */
static bool collected_seal(px_exchange *exchange)
{
    struct buf *collected = &exchange->input->collected;

    if (collected->len == 0)
        return true;
    if (buf_reserve(collected, 1) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return false;
    }
    collected->ptr[collected->len] = '\0';
    return true;
}

void exchange_receive_end(px_exchange *exchange)
{
    exchange->content_ended = true;
    if (exchange->sink == SINK_COLLECT && !collected_seal(exchange))
        return;
    if (!exchange->handler_called && !exchange->call_when_whole)
        return; /* a middleware has stopped it: told when it goes on */
    if (exchange->call_when_whole && !exchange->handler_called) {
        exchange_call_handler(exchange);
        return;
    }
    switch ((enum content_sink)exchange->sink) {
    case SINK_DROP:
        break;
    case SINK_CALLBACK:
        if (exchange->callbacks && TABLE_MEMBER(exchange->callbacks, on_content_end))
            exchange->callbacks->on_content_end(exchange, exchange->callbacks_context);
        break;
    case SINK_COLLECT:
        collected_tell(exchange);
        break;
    case SINK_MULTIPART:
        form_data_finish(exchange);
        break;
    case SINK_TUNNEL:
        if (TABLE_MEMBER(exchange->output->tunnel, on_receive_end))
            exchange->output->tunnel->on_receive_end(exchange, exchange->output->tunnel_context);
        break;
    }
}

void exchange_collect(px_exchange *exchange)
{
    struct exchange_input *input = exchange_input(exchange);

    if (!input)
        return;
    input->collecting = true;
    exchange->sink = SINK_COLLECT;
    input->collected.bytes_max =
        exchange->content_max < SIZE_MAX / 2 ? (size_t)exchange->content_max + 1 : SIZE_MAX / 2;
}

void px_request_collect(px_exchange *exchange, uint64_t bytes_max,
                        void (*on_collected)(px_exchange *exchange, px_str content, void *context),
                        void *context)
{
    if (!exchange_alive(exchange))
        return;
    exchange->content_max = bytes_max;
    exchange_collect(exchange);
    if (!exchange->input)
        return;
    exchange->input->on_collected = on_collected;
    exchange->input->collect_context = context;
    /* Without content the end has been, or will not be, reported by the transport: it asks. */
    if (exchange->transport)
        exchange->transport->give_credit(exchange);
}

px_str px_request_content(const px_exchange *exchange)
{
    const struct exchange_input *input = exchange->input;

    if (!input || !input->collecting || !exchange->content_ended)
        return px_str_make(NULL, 0);
    return px_str_make(input->collected.ptr ? input->collected.ptr : "", input->collected.len);
}

void px_request_pause(px_exchange *exchange)
{
    exchange->content_paused = true;
}

void px_request_resume(px_exchange *exchange)
{
    if (!exchange->content_paused)
        return;
    exchange->content_paused = false;
    if (exchange->transport)
        exchange->transport->give_credit(exchange);
}

/* --- Forms ------------------------------------------------------------------------------------ */

const px_field *px_request_form(px_exchange *exchange, size_t *out_count)
{
    px_str content = px_request_content(exchange);
    struct media_type type;

    *out_count = 0;
    if (!content.ptr)
        return NULL;
    if (!exchange->input->form_parsed) {
        exchange->input->form_parsed = true;
        if (media_type_parse(px_request_field(exchange, "Content-Type"), &type) != PX_OK ||
            !media_type_is(&type, "application", "x-www-form-urlencoded") ||
            query_parse(content, &exchange->arena, &exchange->input->form_pairs,
                        &exchange->input->form_count) != PX_OK)
            exchange->input->form_pairs = NULL;
    }
    if (exchange->input->form_pairs)
        *out_count = exchange->input->form_count;
    return exchange->input->form_pairs;
}

px_str px_request_form_param(px_exchange *exchange, const char *name)
{
    size_t count;
    const px_field *pairs = px_request_form(exchange, &count);
    px_str wanted = px_str_of(name);

    for (size_t index = 0; index < count; index++) {
        if (px_str_equal(pairs[index].name, wanted))
            return pairs[index].value;
    }
    return px_str_make(NULL, 0);
}
