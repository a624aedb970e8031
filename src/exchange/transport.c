/*
 * How a transport takes an answer: its head, once the filters have seen it, and then its content as
 * there is room.
 *
 * It can fail in a filter, a producer or a file: the exchange is broken then, and the transport
 * ends the answer so that what is cut short never looks complete.
 */
#include "exchange/exchange_private.h"

#include "base/check.h"

/* --- The request ------------------------------------------------------------------------------ */

struct http_request *exchange_request_room(px_exchange *exchange)
{
    return &exchange->arrival.request;
}

void exchange_describe(px_exchange *exchange, unsigned method, unsigned version, bool asks_upgrade,
                       uint64_t content_length)
{
    exchange->arrival.method = (uint8_t)method;
    exchange->arrival.version = (uint8_t)version;
    exchange->arrival.asks_upgrade = asks_upgrade;
    exchange->input.length = content_length;
    exchange->input.bytes_max = UINT64_MAX;
}

void *exchange_carrier(const px_exchange *exchange)
{
    return exchange->carrier;
}

bool exchange_takes_content(const px_exchange *exchange)
{
    return !exchange->input.paused && exchange->handling.progress != HANDLER_AHEAD;
}

bool exchange_takes_tunnel(const px_exchange *exchange)
{
    return !exchange->input.paused;
}

void exchange_set_trailers(px_exchange *exchange, const px_field *fields, uint32_t count)
{
    struct input_more *input = exchange_input_more(exchange);

    CHECK(count == 0 || fields);
    if (!input)
        return;
    input->trailers = fields;
    input->trailer_count = count;
}

uint64_t exchange_content_max(const px_exchange *exchange)
{
    return exchange->input.bytes_max;
}

/* --- The head of the answer ------------------------------------------------------------------- */

/* RFC 9110 sections 8.8 and 14.3: validators are of the page as an answer of its own; under the
 * status of an error there is nothing to ask for again, nor a part of it. */
static void validators_remove(px_exchange *exchange)
{
    static const char *const names[] = {"ETag", "Last-Modified", "Accept-Ranges"};

    for (size_t index = 0; index < ARRAY_COUNT(names); index++)
        px_response_set_field(exchange, px_str_of(names[index]), px_str_make(NULL, 0));
}

void exchange_take_head(px_exchange *exchange)
{
    if (PX_UNLIKELY(exchange->handling.detour_status >= 400))
        validators_remove(exchange);
    if (PX_UNLIKELY(exchange->site->has_filters) && exchange->output.kind != CONTENT_TUNNEL)
        filters_take_head(exchange);
    exchange->answer.state = ANSWER_TAKEN;
    exchange->answer.taken_ms = exchange_age_ms(exchange);
    if (exchange->output.filtered) {
        exchange->output.more->source_length = exchange->output.length;
        exchange->output.length = PX_LENGTH_UNKNOWN;
    }
    /* RFC 9110 section 15.3.6: 205 has no content, and says so. */
    if (exchange->answer.status == 205)
        exchange->output.length = 0;
    /* RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5. */
    exchange->answer.head_only = exchange->arrival.method == METHOD_HEAD ||
                                 exchange->answer.status == 204 || exchange->answer.status == 205 ||
                                 exchange->answer.status == 304;
}

px_str exchange_type(const px_exchange *exchange)
{
    return exchange->answer.type;
}

const px_field *exchange_fields(const px_exchange *exchange, uint32_t *out_count)
{
    *out_count = exchange->answer.field_count;
    return exchange->answer.fields;
}

bool exchange_no_server(const px_exchange *exchange)
{
    return exchange->answer.no_server;
}

bool exchange_no_date(const px_exchange *exchange)
{
    return exchange->answer.no_date;
}

bool exchange_head_only(const px_exchange *exchange)
{
    return exchange->answer.head_only;
}

uint64_t exchange_length(const px_exchange *exchange)
{
    return exchange->output.length;
}

bool exchange_has_length(const px_exchange *exchange)
{
    return exchange->output.length != PX_LENGTH_UNKNOWN && exchange->answer.status != 204 &&
           exchange->answer.status != 304;
}

bool exchange_close_after(const px_exchange *exchange)
{
    return exchange->answer.close_after;
}

bool exchange_is_tunnel(const px_exchange *exchange)
{
    return exchange->output.kind == CONTENT_TUNNEL;
}

px_str exchange_upgrade(const px_exchange *exchange)
{
    const struct output_more *output = exchange->output.more;

    return output ? output->upgrade : px_str_make(NULL, 0);
}

const px_field *exchange_trailers(const px_exchange *exchange, uint32_t *out_count)
{
    const struct output_more *output = exchange->output.more;

    *out_count = output ? output->trailer_count : 0;
    return output ? output->trailers : NULL;
}

void exchange_set_mark_sent(px_exchange *exchange, uint64_t bytes)
{
    exchange->answer.mark_sent = bytes;
}

/* --- The content of the answer ---------------------------------------------------------------- */

bool exchange_is_direct(const px_exchange *exchange)
{
    return exchange->output.kind <= CONTENT_FILE && !exchange->output.filtered;
}

bool exchange_is_file(const px_exchange *exchange)
{
    return exchange->output.kind == CONTENT_FILE;
}

px_str exchange_take_bytes(px_exchange *exchange)
{
    exchange->output.passed = exchange->output.body.bytes.len;
    return exchange->output.body.bytes;
}

bool exchange_is_filtered(const px_exchange *exchange)
{
    return exchange->output.filtered;
}

/* Whether an answer that has begun has nothing to send until the program goes on with it. */
static bool content_waits(const px_exchange *exchange)
{
    const struct output_more *more = exchange->output.more;

    if (exchange->output.kind == CONTENT_PRODUCER)
        return exchange->output.later;
    return exchange->output.kind == CONTENT_PIECES && !exchange->output.pieces_done &&
           more->pieces_at == more->pieces.len;
}

bool exchange_waits(const px_exchange *exchange)
{
    if (!exchange->input.ended || !exchange_alive(exchange))
        return false;
    return exchange->answer.state == ANSWER_NONE ||
           (exchange->answer.state == ANSWER_TAKEN && content_waits(exchange));
}

void exchange_tell_peer_end(px_exchange *exchange)
{
    const px_exchange_callbacks *callbacks = exchange->handling.callbacks;

    if (!exchange_waits(exchange) || !callbacks || !TABLE_MEMBER(callbacks, on_peer_end))
        return;
    exchange->left = true;
    callbacks->on_peer_end(exchange, exchange->handling.callbacks_context);
}

bool exchange_tells_end(const px_exchange *exchange)
{
    return exchange->handling.ends ||
           (exchange->handling.callbacks && TABLE_MEMBER(exchange->handling.callbacks, on_end));
}

px_pull exchange_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    px_pull pull = exchange->output.filtered ? filters_pull(exchange, out, room, out_bytes)
                                             : source_pull(exchange, out, room, out_bytes);

    /* What a producer or a filter gave up while it was asked is not whole, whatever it says. */
    if (PX_UNLIKELY(exchange->broken))
        return PX_PULL_ERROR;
    if (PX_UNLIKELY(pull == PX_PULL_ERROR)) {
        exchange->broken = true; /* the transport is told by the result */
        exchange->end = PX_END_ABORTED;
        return pull;
    }
    exchange->output.passed += *out_bytes;
    return pull;
}

uint32_t exchange_take_work(px_exchange *exchange)
{
    uint32_t bytes = 0;

    if (exchange->output.filtered) {
        bytes = exchange->output.more->filtered_bytes;
        exchange->output.more->filtered_bytes = 0;
    }
    return bytes;
}
