/*
 * An exchange and its parts, and what the handler's side asks of it: the lowest file of the folder.
 *
 * Breaking a rule from inside a handler never ends anything there: where nothing was sent an error
 * stands in place of the answer, else the transport is told, which ends it from the loop.  Making,
 * ending and freeing exchanges is done in service.c.
 */
#include "exchange/exchange_private.h"
#include "exchange/upstream.h"

#include <string.h>

enum { STATUS_PEER_GONE = 499 /* in the log alone */ };

void exchange_release_content(px_exchange *exchange)
{
    struct output_more *output = exchange->output.more;

    if (exchange->output.body.release) {
        void (*release)(void *) = exchange->output.body.release;

        exchange->output.body.release = NULL;
        release(exchange->output.body.context);
    }
    if (!output)
        return;
    if (output->file.release) {
        void (*release)(int, void *) = output->file.release;

        output->file.release = NULL;
        release(output->file.fd, output->file.context);
    }
    if (output->producer.release) {
        void (*release)(void *) = output->producer.release;

        output->producer.release = NULL;
        release(output->producer.context);
    }
}

void answer_replace(px_exchange *exchange, unsigned status)
{
    static const px_str texts[] = {{"500 Internal Server Error\n", 26},
                                   {"503 Service Unavailable\n", 24}};

    exchange_release_content(exchange);
    if (exchange->output.more)
        exchange->output.more->trailer_count = 0;
    exchange->handling.progress = HANDLER_CALLED;
    exchange->input.sink = SINK_DROP;
    exchange->input.paused = false;
    exchange->output.filtered = false;
    exchange->answer.close_after = true;
    exchange->answer.no_server = false;
    exchange->answer.no_date = false;
    exchange->answer.fields = NULL;
    exchange->answer.field_count = 0;
    exchange->answer.field_room = 0;
    exchange->answer.status = (uint16_t)status;
    exchange->answer.type = px_str_make("text/plain; charset=utf-8", 25);
    exchange->output.kind = CONTENT_BYTES;
    exchange->output.body = (px_body){.bytes = texts[status == 503]};
    exchange->output.length = exchange->output.body.bytes.len;
    answer_ready(exchange);
}

/* Ends it visibly broken. */
static void exchange_reset(px_exchange *exchange, px_end end)
{
    exchange->broken = true;
    exchange->end = (uint8_t)end;
    exchange->transport->reset(exchange);
}

void exchange_note_fault(px_exchange *exchange, const char *what)
{
    struct exchange_service *service = exchange->service;

    CHECK(what);
    if (exchange->fault)
        return;
    exchange->fault = what;
    if (service->on_fault)
        service->on_fault(exchange, what, service->fault_context);
}

/* What is broken first says why, and the program is told when there is nothing left to answer. */
void exchange_break(px_exchange *exchange, px_end end, const char *what)
{
    if (!exchange_alive(exchange))
        return;
    CHECK(end == PX_END_ABORTED || end == PX_END_NO_MEMORY);
    if (exchange->answer.state >= ANSWER_TAKEN) {
        exchange_reset(exchange, end);
        exchange_note_fault(exchange, what);
        return;
    }
    /* Nothing is out: the peer is told (RFC 9110 section 15.6). */
    exchange->failed = true;
    exchange->end = (uint8_t)end;
    answer_replace(exchange, end == PX_END_NO_MEMORY ? 503 : 500);
    exchange_note_fault(exchange, what);
}

void exchange_set_close_after(px_exchange *exchange)
{
    exchange->answer.close_after = true;
}

void exchange_set_refused(px_exchange *exchange, const char *reason)
{
    exchange->answer.refused = reason;
}

bool exchange_is_unlogged(const px_exchange *exchange)
{
    return exchange->answer.unlogged;
}

const char *exchange_refused(const px_exchange *exchange)
{
    return exchange->answer.refused ? exchange->answer.refused : exchange->fault;
}

bool exchange_refuse(px_exchange *exchange, unsigned status, uint64_t bytes)
{
    if (exchange->answer.state >= ANSWER_TAKEN)
        return false;
    exchange->answer.status = (uint16_t)status;
    exchange->output.passed = bytes;
    return true;
}

void exchange_replace_answer(px_exchange *exchange, unsigned status, px_str allow)
{
    px_field *field = allow.ptr ? arena_take(&exchange->arena, sizeof(*field)) : NULL;

    if (field)
        *field = (px_field){px_str_make("allow", 5), allow};
    exchange->answer.fields = field;
    exchange->answer.field_count = field ? 1 : 0;
    exchange->answer.field_room = exchange->answer.field_count;
    exchange->answer.state = ANSWER_TAKEN;
    exchange->answer.status = (uint16_t)status;
}

px_end exchange_end_of(const px_exchange *exchange, px_end end)
{
    if (exchange->broken || exchange->failed)
        return (px_end)exchange->end;
    /* Both sides of a tunnel have ended, and that of the peer without its protocol's good-bye. */
    if (PX_UNLIKELY(exchange->left) && exchange->output.kind == CONTENT_TUNNEL &&
        end == PX_END_COMPLETE)
        return PX_END_PEER_GONE;
    return end;
}

unsigned exchange_counted_status(const px_exchange *exchange)
{
    unsigned sent = exchange->answer.status;

    if (PX_LIKELY(!exchange->broken))
        return sent;
    bool upstream_cut = sent != 0 && exchange_upstream_broke(exchange);

    /* What the program has cut; of what its peer left, or a server behind it has cut, the status is
     * what was sent. */
    return exchange->end != PX_END_PEER_GONE && !upstream_cut ? 500 : sent;
}

unsigned exchange_log_status(const px_exchange *exchange)
{
    unsigned status = exchange_counted_status(exchange);

    return status != 0 ? status : STATUS_PEER_GONE;
}

struct input_more *exchange_input_more(px_exchange *exchange)
{
    if (exchange->input.more)
        return exchange->input.more;
    struct input_more *input = arena_take(&exchange->arena, sizeof(*input));

    if (!input) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return NULL;
    }
    memset(input, 0, sizeof(*input));
    buf_init(&input->collected, &exchange->service->loop->allocator, SIZE_MAX / 2);
    buf_use_budget(&input->collected, &exchange->service->loop->memory, BUDGET_EXCHANGES);
    exchange->input.more = input;
    return input;
}

struct output_more *exchange_output_more(px_exchange *exchange)
{
    if (exchange->output.more)
        return exchange->output.more;
    struct output_more *output = arena_take(&exchange->arena, sizeof(*output));

    if (!output) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return NULL;
    }
    memset(output, 0, sizeof(*output));
    buf_init(&output->pieces, &exchange->service->loop->allocator,
             exchange->service->output_bytes_max);
    buf_use_budget(&output->pieces, &exchange->service->loop->memory, BUDGET_OUTPUT);
    exchange->output.more = output;
    return output;
}

static void callbacks_end(px_exchange *exchange, const px_exchange_callbacks *callbacks,
                          void *context)
{
    if (callbacks && TABLE_MEMBER(callbacks, on_end))
        callbacks->on_end(exchange, (px_end)exchange->end, context);
}

void exchange_tell_end(px_exchange *exchange)
{
    unsigned status = exchange_log_status(exchange);

    callbacks_end(exchange, exchange->handling.callbacks, exchange->handling.callbacks_context);
    for (struct end_hook *hook = exchange->handling.ends; hook; hook = hook->next) {
        if (hook->call) {
            hook->call(exchange, (px_end)exchange->end, status, hook->context);
            continue;
        }
        exchange->handling.user_data = hook->user_data;
        callbacks_end(exchange, hook->callbacks, hook->context);
    }
}

/* --- Public ----------------------------------------------------------------------------------- */

void px_exchange_set_callbacks(px_exchange *exchange, const px_exchange_callbacks *callbacks,
                               void *context)
{
    exchange_used(exchange);
    if (callbacks && callbacks->struct_size < sizeof(callbacks->struct_size)) {
        exchange_break(exchange, PX_END_ABORTED, TABLE_WITHOUT_SIZE);
        return;
    }
    exchange->handling.callbacks = callbacks;
    exchange->handling.callbacks_context = context;
}

px_err px_exchange_at_end(px_exchange *exchange, px_exchange_end_fn call, void *context)
{
    struct end_hook *hook;

    if (!exchange->transport)
        return PX_ERR_CLOSED;
    hook = arena_take(&exchange->arena, sizeof(*hook));
    if (!hook)
        return PX_ERR_MEMORY;
    *hook = (struct end_hook){.next = exchange->handling.ends, .call = call, .context = context};
    exchange->handling.ends = hook;
    return PX_OK;
}

void px_exchange_set_user_data(px_exchange *exchange, void *user_data)
{
    exchange_used(exchange);
    exchange->handling.user_data = user_data;
}

void *px_exchange_user_data(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->handling.user_data;
}

void *px_exchange_alloc(px_exchange *exchange, size_t bytes)
{
    exchange_used(exchange);
    return arena_take(&exchange->arena, bytes);
}

void px_exchange_abort(px_exchange *exchange)
{
    /* What is given up since the peer has left, was ended by the peer. */
    if (exchange_alive(exchange))
        exchange_reset(exchange, exchange->left ? PX_END_PEER_GONE : PX_END_ABORTED);
}

int px_exchange_is_open(const px_exchange *exchange)
{
    return exchange_alive(exchange);
}

const char *px_exchange_fault(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->fault;
}

px_loop *px_exchange_loop(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->service->loop;
}

void px_exchange_next(px_exchange *exchange)
{
    struct exchange_service *service = exchange->service;

    if (!exchange_alive(exchange) || exchange->answer.state != ANSWER_NONE ||
        list_linked(&exchange->node))
        return;
    list_append(&service->waiting, &exchange->node);
    loop_task_add(service->loop, &service->resume);
}

typedef void (*address_fn)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);

static px_str exchange_address(px_exchange *exchange, address_fn write)
{
    char text[128];
    size_t len = 0;

    write(exchange, text, sizeof(text), &len);
    return arena_copy(&exchange->arena, px_str_make(text, len));
}

px_str px_exchange_peer(px_exchange *exchange)
{
    exchange_used(exchange);
    if (!exchange->arrival.peer.ptr && exchange->transport)
        exchange->arrival.peer = exchange_address(exchange, exchange->transport->peer);
    return exchange->arrival.peer;
}

px_str px_exchange_local(px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->transport ? exchange_address(exchange, exchange->transport->local)
                               : px_str_make(NULL, 0);
}
