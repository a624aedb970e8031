/*
 * A request's content: handed to the handler as it arrives, collected, read as a form, or dropped.
 *
 * Happy path: the transport calls exchange_receive with borrowed bytes, then exchange_receive_end.
 * It can fail when the content passes its limit (413) or memory runs out.  The handler slows the
 * peer down with pause; the transport looks at content_paused after each piece.
 */
#include "base/check.h"
#include "exchange/save.h"
#include "http/fields/field.h"
#include "http/forms/query.h"

/* A receiver that uses less than all is paused with that. */
static size_t use_some(px_exchange *exchange, px_str bytes, size_t used)
{
    if (used > bytes.len) {
        exchange_break(exchange, PX_END_ABORTED, "a receiver that has used more than there is");
        return bytes.len;
    }
    if (used < bytes.len)
        exchange->input.paused = true;
    return used;
}

static size_t callback_receive(px_exchange *exchange, px_str bytes)
{
    const px_exchange_callbacks *callbacks = exchange->handling.callbacks;
    void *context = exchange->handling.callbacks_context;

    if (callbacks && TABLE_MEMBER(callbacks, on_content_some))
        return use_some(exchange, bytes, callbacks->on_content_some(exchange, bytes, context));
    if (callbacks && TABLE_MEMBER(callbacks, on_content))
        callbacks->on_content(exchange, bytes, context);
    return bytes.len;
}

static size_t tunnel_receive(px_exchange *exchange, px_str bytes)
{
    const px_tunnel_callbacks *tunnel = exchange->output.more->tunnel;
    void *context = exchange->output.more->tunnel_context;

    if (TABLE_MEMBER(tunnel, on_receive_some))
        return use_some(exchange, bytes, tunnel->on_receive_some(exchange, bytes, context));
    if (TABLE_MEMBER(tunnel, on_receive))
        tunnel->on_receive(exchange, bytes, context);
    return bytes.len;
}

px_err exchange_receive(px_exchange *exchange, px_str bytes, size_t *out_used)
{
    px_err err = PX_OK;
    size_t used = bytes.len;

    /* The bytes of a tunnel come behind the end of the request's content. */
    ASSERT(!exchange->input.ended || bytes.len == 0 || exchange->input.sink == SINK_TUNNEL);
    *out_used = used;
    if (exchange->input.received + bytes.len > exchange->input.bytes_max)
        return PX_ERR_LIMIT;
    switch ((enum content_sink)exchange->input.sink) {
    case SINK_DROP:
        break;
    case SINK_CALLBACK:
        used = callback_receive(exchange, bytes);
        break;
    case SINK_COLLECT:
        err = buf_append(&exchange->input.more->collected, bytes);
        break;
    case SINK_MULTIPART:
        used = form_data_receive(exchange, bytes);
        break;
    case SINK_SAVE:
        used = save_receive(exchange, bytes);
        break;
    case SINK_TUNNEL:
        used = tunnel_receive(exchange, bytes);
        break;
    }
    exchange->input.received += used;
    *out_used = used;
    return err;
}

static void collected_tell(px_exchange *exchange)
{
    struct input_more *input = exchange->input.more;

    if (!input->on_collected || input->told)
        return;
    const struct end_hook *ends = exchange->handling.ends;

    input->told = true;
    input->on_collected(exchange, px_request_content(exchange), input->collect_context);
    exchange_look_forgotten(exchange, ends);
}

void exchange_call_handler(px_exchange *exchange)
{
    ASSERT(exchange->handling.handler && exchange->handling.progress < HANDLER_CALLED);
    const struct end_hook *ends = exchange->handling.ends;

    exchange->handling.progress = HANDLER_CALLED;
    exchange->handling.handler(exchange, exchange->handling.handler_context);
    if (PX_UNLIKELY(exchange->answer.state == ANSWER_NONE))
        exchange_look_forgotten(exchange, ends);
}

void exchange_call_when_whole(px_exchange *exchange, bool collect)
{
    exchange->handling.progress = HANDLER_WAITS;
    exchange->input.sink = SINK_DROP;
    if (collect)
        exchange_collect(exchange);
}

void exchange_call_none(px_exchange *exchange)
{
    if (PX_LIKELY(exchange->handling.detour != DETOUR_AHEAD))
        exchange->handling.progress = HANDLER_CALLED;
}

void exchange_tell_whole(px_exchange *exchange)
{
    if (exchange->input.ended && exchange->input.sink == SINK_COLLECT &&
        exchange->handling.progress == HANDLER_CALLED)
        collected_tell(exchange);
    else if (exchange->input.ended && exchange->input.sink == SINK_MULTIPART)
        form_data_finish(exchange);
    else if (exchange->input.ended && exchange->input.sink == SINK_SAVE)
        save_finish(exchange);
}

/* Collected content ends in NUL too, like every string of a request. */
static bool collected_seal(px_exchange *exchange)
{
    struct buf *collected = &exchange->input.more->collected;

    if (collected->len == 0)
        return true;
    if (buf_reserve(collected, 1) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY, "no memory for collected content");
        return false;
    }
    collected->ptr[collected->len] = '\0';
    return true;
}

void exchange_receive_end(px_exchange *exchange)
{
    exchange->input.ended = true;
    if (exchange->input.sink == SINK_COLLECT && !collected_seal(exchange))
        return;
    if (exchange->handling.progress == HANDLER_AHEAD)
        return; /* a middleware has stopped it: told when it goes on */
    if (exchange->handling.progress == HANDLER_WAITS) {
        exchange_call_handler(exchange);
        return;
    }
    switch ((enum content_sink)exchange->input.sink) {
    case SINK_DROP:
        break;
    case SINK_CALLBACK:
        if (exchange->handling.callbacks &&
            TABLE_MEMBER(exchange->handling.callbacks, on_content_end))
            exchange->handling.callbacks->on_content_end(exchange,
                                                         exchange->handling.callbacks_context);
        break;
    case SINK_COLLECT:
        collected_tell(exchange);
        break;
    case SINK_MULTIPART:
        form_data_finish(exchange);
        break;
    case SINK_SAVE:
        save_finish(exchange);
        break;
    case SINK_TUNNEL:
        if (TABLE_MEMBER(exchange->output.more->tunnel, on_receive_end))
            exchange->output.more->tunnel->on_receive_end(exchange,
                                                          exchange->output.more->tunnel_context);
        break;
    }
}

void exchange_collect(px_exchange *exchange)
{
    struct input_more *input = exchange_input_more(exchange);

    if (!input)
        return;
    input->collecting = true;
    exchange->input.sink = SINK_COLLECT;
    input->collected.bytes_max = exchange->input.bytes_max < SIZE_MAX / 2
                                     ? (size_t)exchange->input.bytes_max + 1
                                     : SIZE_MAX / 2;
}

void exchange_content_limit(px_exchange *exchange, uint64_t bytes_max)
{
    if (bytes_max < exchange->input.bytes_max)
        exchange->input.bytes_max = bytes_max;
}

void px_request_collect(px_exchange *exchange, uint64_t bytes_max,
                        void (*on_collected)(px_exchange *exchange, px_str content, void *context),
                        void *context)
{
    if (!exchange_alive(exchange))
        return;
    bool is_whole = exchange->input.received == 0 ||
                    (exchange->input.more && exchange->input.more->collecting &&
                     exchange->input.sink == SINK_COLLECT);

    if (!is_whole) {
        exchange_break(exchange, PX_END_ABORTED, "px_request_collect after content had gone by");
        return;
    }
    exchange_content_limit(exchange, bytes_max);
    exchange_collect(exchange);
    if (!exchange->input.more)
        return;
    exchange->input.more->on_collected = on_collected;
    exchange->input.more->collect_context = context;
    /* Without content the end has been, or will not be, reported by the transport: it asks. */
    if (exchange->transport)
        exchange->transport->give_credit(exchange);
}

px_str px_request_content(const px_exchange *exchange)
{
    const struct input_more *input = exchange->input.more;

    if (!input || !input->collecting || !exchange->input.ended)
        return px_str_make(NULL, 0);
    return px_str_make(input->collected.ptr ? input->collected.ptr : "", input->collected.len);
}

void px_request_pause(px_exchange *exchange)
{
    exchange_used(exchange);
    exchange->input.paused = true;
    form_data_pause(exchange);
    (void)save_note_pause(exchange, true);
}

void px_request_resume(px_exchange *exchange)
{
    exchange_used(exchange);
    if (!exchange->input.paused || save_note_pause(exchange, false))
        return;
    exchange->input.paused = false;
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
    if (!exchange->input.more->form_parsed) {
        exchange->input.more->form_parsed = true;
        if (media_type_parse(px_request_field(exchange, "Content-Type"), &type) != PX_OK ||
            !media_type_is(&type, "application", "x-www-form-urlencoded") ||
            query_parse(content, &exchange->arena, &exchange->input.more->form_pairs,
                        &exchange->input.more->form_count) != PX_OK)
            exchange->input.more->form_pairs = NULL;
    }
    if (exchange->input.more->form_pairs)
        *out_count = exchange->input.more->form_count;
    return exchange->input.more->form_pairs;
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
