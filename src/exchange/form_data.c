/*
 * A request's content read as multipart/form-data: the codec's events become the handler's calls.
 *
 * Happy path: px_request_multipart finds the boundary, content goes through the codec, the handler
 * hears of each part.  It can fail at any byte; the handler is told once and answers.
 */
#include "exchange/save.h"
#include "http/forms/multipart.h"

/* The rest of what is being fed is not told once there is an end, or an answer of ours. */
static px_err told(const px_exchange *exchange)
{
    return exchange_alive(exchange) ? PX_OK : PX_ERR_CANCELLED;
}

static px_err part_begin(const struct multipart_part *part, void *context)
{
    px_exchange *exchange = context;
    struct input_more *input = exchange->input.more;
    px_part_head head = {sizeof(px_part_head), part->name, part->filename, part->content_type};

    input->in_on_part = true;
    if (TABLE_MEMBER(input->multipart_callbacks, on_part))
        input->multipart_callbacks->on_part(exchange, &head, input->multipart_context);
    input->in_on_part = false;
    return told(exchange);
}

static px_err part_data(px_str bytes, void *context)
{
    px_exchange *exchange = context;
    struct input_more *input = exchange->input.more;

    if (save_has_part(exchange))
        save_part_data(exchange, bytes);
    else if (TABLE_MEMBER(input->multipart_callbacks, on_part_content))
        input->multipart_callbacks->on_part_content(exchange, bytes, input->multipart_context);
    return told(exchange);
}

static void part_end_tell(px_exchange *exchange)
{
    struct input_more *input = exchange->input.more;

    if (TABLE_MEMBER(input->multipart_callbacks, on_part_end))
        input->multipart_callbacks->on_part_end(exchange, input->multipart_context);
}

void form_data_part_saved(px_exchange *exchange)
{
    save_leave_part(exchange);
    if (exchange_alive(exchange))
        part_end_tell(exchange);
}

/* A part that is being saved ends when it is written: until then the form is held back. */
static px_err part_end(void *context)
{
    px_exchange *exchange = context;

    if (save_has_part(exchange))
        save_finish(exchange);
    if (save_is_active(exchange))
        return told(exchange);
    if (save_has_part(exchange))
        save_leave_part(exchange);
    part_end_tell(exchange);
    return told(exchange);
}

static px_err form_end(void *context)
{
    (void)context; /* told by form_data_finish, when the content has ended too */
    return PX_OK;
}

static const struct multipart_events form_events = {part_begin, part_data, part_end, form_end};

px_err px_request_multipart(px_exchange *exchange, const px_multipart_callbacks *callbacks,
                            void *context)
{
    px_str boundary;
    struct input_more *input;

    if (exchange_alive(exchange) &&
        (!callbacks || callbacks->struct_size < sizeof(callbacks->struct_size)))
        exchange_break(exchange, PX_END_ABORTED, TABLE_WITHOUT_SIZE);
    if (!exchange_alive(exchange) || exchange->input.received > 0 ||
        multipart_boundary(px_request_field(exchange, "Content-Type"), &boundary) != PX_OK)
        return PX_ERR_INVALID;
    input = exchange_input_more(exchange);
    if (!input)
        return PX_ERR_MEMORY;
    struct multipart *multipart = arena_take(&exchange->arena, sizeof(*multipart));

    if (!multipart)
        return PX_ERR_MEMORY;
    px_err err = multipart_init(multipart, boundary, &exchange->service->loop->allocator,
                                &form_events, exchange);

    if (err != PX_OK)
        return err;
    input->multipart = multipart;
    input->multipart_callbacks = callbacks;
    input->multipart_context = context;
    exchange->input.sink = SINK_MULTIPART;
    exchange->transport->give_credit(exchange);
    return PX_OK;
}

static void form_data_tell(px_exchange *exchange, px_err result)
{
    struct input_more *input = exchange->input.more;

    if (input->told)
        return;
    const struct end_hook *ends = exchange->handling.ends;

    input->told = true;
    if (TABLE_MEMBER(input->multipart_callbacks, on_multipart_end))
        input->multipart_callbacks->on_multipart_end(exchange, result, input->multipart_context);
    exchange_look_forgotten(exchange, ends);
}

size_t form_data_receive(px_exchange *exchange, px_str bytes)
{
    struct input_more *input = exchange->input.more;
    size_t at = 0;

    while (!input->told && at < bytes.len) {
        size_t left = bytes.len - at;
        size_t piece = left < SAVE_PIECE_BYTES_MAX ? left : SAVE_PIECE_BYTES_MAX;
        size_t used = piece;
        px_err err = multipart_feed(input->multipart, px_str_make(bytes.ptr + at, piece), &used);

        if (err != PX_OK && exchange_alive(exchange))
            form_data_tell(exchange, err);
        if (err != PX_OK)
            return bytes.len;
        at += used;
        if (exchange->input.paused)
            return at;
    }
    return bytes.len;
}

void form_data_pause(px_exchange *exchange)
{
    if (exchange->input.sink == SINK_MULTIPART)
        multipart_pause(exchange->input.more->multipart);
}

void form_data_finish(px_exchange *exchange)
{
    struct input_more *input = exchange->input.more;

    if (!input->told)
        form_data_tell(exchange, multipart_finish(input->multipart));
}

void form_data_release(px_exchange *exchange)
{
    if (exchange->input.more->multipart)
        multipart_deinit(exchange->input.more->multipart);
    exchange->input.more->multipart = NULL;
}
