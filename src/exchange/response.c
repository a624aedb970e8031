/*
 * Answering: the public calls that record status and content.
 *
 * Happy path: px_respond copies what it is given into the arena and tells the transport, which
 * picks it up.  A call that breaks a rule, or finds no memory, breaks the exchange; nothing is
 * returned, on_end says so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exchange/exchange_private.h"
#include "http/fields/field.h"
#include "http/message/status.h"

/* Which rule an answer would break; NULL: none. */
static const char *answer_fault(const px_exchange *exchange, unsigned status, px_str type)
{
    if (exchange->answer.state != ANSWER_NONE)
        return "a second answer";
    if (exchange->handling.detour == DETOUR_AHEAD)
        return "an answer after px_respond_from";
    if (status < 200 || status > 599)
        return "a status that is not one of 200 to 599";
    /* RFC 9110 section 9.3.6: a 2xx to CONNECT begins a tunnel, whatever its fields say. */
    if (exchange->arrival.method == METHOD_CONNECT && status < 300)
        return "a 2xx to CONNECT that is no tunnel";
    if (type.ptr && !field_value_valid(type))
        return "a Content-Type with bytes that no field may have";
    return NULL;
}

bool answer_begin(px_exchange *exchange, unsigned status, px_str type, enum content_kind kind,
                  uint64_t length)
{
    if (!exchange_alive(exchange))
        return false;
    const char *fault = answer_fault(exchange, status, type);

    if (PX_UNLIKELY(fault != NULL)) {
        exchange_break(exchange, PX_END_ABORTED, fault);
        return false;
    }
    if (PX_UNLIKELY(exchange->handling.detour_status != 0))
        status = exchange->handling.detour_status;
    exchange->answer.status = (uint16_t)status;
    if (type.ptr && type.len > 0) {
        exchange->answer.type = arena_copy(&exchange->arena, type);
        if (!exchange->answer.type.ptr) {
            exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
            return false;
        }
    }
    exchange->output.kind = (uint8_t)kind;
    exchange->output.length = length;
    return true;
}

/* Content that was copied beside the arena. */
struct content_copied {
    struct exchange_service *service; /* borrowed: outlives it */
    size_t bytes;
    char text[];
};

static void content_copied_release(void *context)
{
    struct content_copied *copied = context;

    copied->service->copied_bytes -= copied->bytes;
    budget_give(&copied->service->loop->memory, BUDGET_OUTPUT, copied->bytes);
    alloc_put(&copied->service->loop->allocator, copied);
}

/* Without memory, or beyond a bound, its bytes are absent. */
static px_body content_copy(struct exchange_service *service, px_str content)
{
    uint64_t all_max = (uint64_t)service->respond_bytes_max * RESPOND_COPIES_MAX;
    struct budget *memory = &service->loop->memory;
    struct content_copied *copied;

    if (content.len > service->respond_bytes_max || content.len > all_max - service->copied_bytes ||
        !budget_take_fair(memory, BUDGET_OUTPUT, 0, content.len))
        return (px_body){.bytes = {NULL, 0}};
    copied = alloc_take(&service->loop->allocator, sizeof(*copied) + content.len);
    if (!copied)
        budget_give(memory, BUDGET_OUTPUT, content.len);
    if (!copied)
        return (px_body){.bytes = {NULL, 0}};
    *copied = (struct content_copied){.service = service, .bytes = content.len};
    memcpy(copied->text, content.ptr, content.len);
    service->copied_bytes += content.len;
    return (px_body){.bytes = px_str_make(copied->text, content.len),
                     .release = content_copied_release,
                     .context = copied};
}

void px_respond(px_exchange *exchange, unsigned status, px_str type, px_str content)
{
    if (!answer_begin(exchange, status, type, CONTENT_BYTES, content.len))
        return;
    if (content.len > RESPOND_ARENA_BYTES_MAX)
        exchange->output.body = content_copy(exchange->service, content);
    else
        exchange->output.body.bytes = arena_copy(&exchange->arena, content);
    if (!exchange->output.body.bytes.ptr) {
        exchange_break(exchange, PX_END_NO_MEMORY,
                       "content of more than respond_bytes_max, or no memory for it");
        return;
    }
    answer_ready(exchange);
}

void px_respond_text(px_exchange *exchange, unsigned status, const char *text)
{
    px_respond(exchange, status, px_str_of("text/plain; charset=utf-8"), px_str_of(text));
}

void px_respond_body(px_exchange *exchange, unsigned status, px_str type, const px_body *given)
{
    px_body body;

    if (!struct_read(exchange, &body, sizeof(body), given))
        return;
    if (!answer_begin(exchange, status, type, CONTENT_BYTES, body.bytes.len)) {
        if (body.release)
            body.release(body.context);
        return;
    }
    exchange->output.body = body;
    if (!exchange->output.body.bytes.ptr)
        exchange->output.body.bytes = px_str_make("", 0);
    answer_ready(exchange);
}

void px_respond_take(px_exchange *exchange, unsigned status, px_str type, void *memory,
                     size_t bytes)
{
    const px_body body = {.struct_size = sizeof(px_body),
                          .bytes = px_str_make(memory, bytes),
                          .release = free,
                          .context = memory};

    CHECK_RULE(memory || bytes == 0, "px_respond_take was given bytes without memory");
    px_respond_body(exchange, status, type, &body);
}

void px_response_replace(px_exchange *exchange, const px_body *given)
{
    px_body body;

    if (!struct_read(exchange, &body, sizeof(body), given))
        return;
    if (!exchange_alive(exchange) || exchange->answer.state != ANSWER_READY ||
        exchange->output.filtered || exchange->output.kind == CONTENT_TUNNEL) {
        if (body.release)
            body.release(body.context);
        exchange_break(exchange, PX_END_ABORTED,
                       "px_response_replace outside of the on_head of a filter");
        return;
    }
    exchange_release_content(exchange);
    exchange->output.kind = CONTENT_BYTES;
    exchange->output.body = body;
    exchange->output.length = body.bytes.len;
}

void px_respond_file(px_exchange *exchange, unsigned status, px_str type,
                     const px_file_range *given)
{
    struct output_more *output = NULL;
    px_file_range range;

    if (!struct_read(exchange, &range, sizeof(range), given))
        return;
    if (answer_begin(exchange, status, type, CONTENT_FILE, range.length))
        output = exchange_output_more(exchange);
    if (!output) {
        if (range.release)
            range.release(range.fd, range.context);
        return;
    }
    output->file = range;
    answer_ready(exchange);
}

void px_respond_producer(px_exchange *exchange, unsigned status, px_str type, uint64_t length,
                         const px_producer *given)
{
    struct output_more *output = NULL;
    px_producer producer;

    if (!struct_read(exchange, &producer, sizeof(producer), given))
        return;
    if (answer_begin(exchange, status, type, CONTENT_PRODUCER, length))
        output = exchange_output_more(exchange);
    if (!output) {
        if (producer.release)
            producer.release(producer.context);
        return;
    }
    output->producer = producer;
    answer_ready(exchange);
}

void px_resume(px_exchange *exchange)
{
    exchange_used(exchange);
    if (!exchange->output.later)
        return;
    exchange->output.later = false;
    if (exchange->transport)
        exchange->transport->send_content(exchange);
}

void px_response_unlogged(px_exchange *exchange)
{
    exchange->answer.unlogged = true;
}

size_t px_response_offer(px_exchange *exchange, px_str bytes)
{
    struct exchange_output *output = &exchange->output;

    /* The producer has nothing in flight, and no filter has to see what it gives. */
    if (output->kind != CONTENT_PRODUCER || !output->later || output->filtered ||
        output->length == PX_LENGTH_UNKNOWN || bytes.len == 0 ||
        bytes.len > output->length - output->produced || !exchange_alive(exchange) ||
        !exchange->transport->offer)
        return 0;
    size_t sent = exchange->transport->offer(exchange, bytes);

    output->produced += sent;
    output->passed += sent;
    return sent;
}

void px_respond_redirect(px_exchange *exchange, unsigned status, px_str location)
{
    if (!exchange_alive(exchange))
        return;
    switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        px_response_set_field(exchange, px_str_make("Location", 8), location);
        px_respond(exchange, status, px_str_make(NULL, 0), px_str_make("", 0));
        return;
    }
    exchange_break(exchange, PX_END_ABORTED,
                   "a redirect with another status than 301, 302, 303, 307 or 308");
}

void px_respond_error(px_exchange *exchange, unsigned status)
{
    const struct exchange_rules *rules = exchange->rules;
    char text[STATUS_TEXT_BYTES + 1];

    if (!exchange_alive(exchange))
        return;
    if (status < 400 || status > 599 || exchange->handling.detour == DETOUR_AHEAD) {
        exchange_break(exchange, PX_END_ABORTED,
                       status < 400 || status > 599
                           ? "an error with a status that is not one of 400 to 599"
                           : "an answer after px_respond_from");
        return;
    }
    /* A page for an error that is none itself: the error is that of before. */
    if (PX_UNLIKELY(exchange->handling.detour_status != 0)) {
        if (exchange->handling.detour_status >= 400)
            status = exchange->handling.detour_status;
        exchange->handling.detour_status = 0;
    }
    if (rules->on_error_page && !exchange->answer.error_page) {
        exchange->answer.error_page = true;
        rules->on_error_page(exchange, status, rules->error_page_context);
        exchange->answer.error_page = false;
        if (exchange_is_settled(exchange))
            return;
    }
    size_t len = status_text(status, text);

    text[len] = '\n';
    px_respond(exchange, status, px_str_of("text/plain; charset=utf-8"),
               px_str_make(text, len + 1));
}

/* --- For filters ------------------------------------------------------------------------------ */

px_source px_response_source(const px_exchange *exchange)
{
    static const px_source sources[] = {
        [CONTENT_NONE] = PX_SOURCE_NONE,     [CONTENT_BYTES] = PX_SOURCE_BYTES,
        [CONTENT_FILE] = PX_SOURCE_FILE,     [CONTENT_PRODUCER] = PX_SOURCE_PRODUCER,
        [CONTENT_PIECES] = PX_SOURCE_PIECES, [CONTENT_TUNNEL] = PX_SOURCE_TUNNEL};

    return sources[exchange->output.kind];
}

uint64_t px_response_length(const px_exchange *exchange)
{
    return exchange->output.length;
}

int px_response_fd(const px_exchange *exchange)
{
    return exchange->output.kind == CONTENT_FILE ? exchange->output.more->file.fd : -1;
}

int px_response_is_filtered(const px_exchange *exchange)
{
    return exchange->output.filtered;
}

/* --- In pieces -------------------------------------------------------------------------------- */

void px_response_start(px_exchange *exchange, unsigned status, px_str type, uint64_t length)
{
    if (answer_begin(exchange, status, type, CONTENT_PIECES, length) &&
        exchange_output_more(exchange))
        answer_ready(exchange);
}

static bool pieces_open(px_exchange *exchange)
{
    if (!exchange_alive(exchange))
        return false;
    CHECK(exchange->transport);
    bool is_written =
        exchange->output.kind == CONTENT_PIECES ||
        (exchange->output.kind == CONTENT_TUNNEL && !exchange->output.more->producer.pull);

    if (is_written && exchange->answer.state != ANSWER_NONE && !exchange->output.pieces_done)
        return true;
    exchange_break(exchange, PX_END_ABORTED,
                   "a piece of an answer that px_response_start did not begin, or that has ended");
    return false;
}

void px_response_write(px_exchange *exchange, px_str bytes)
{
    if (!pieces_open(exchange) || bytes.len == 0)
        return;
    struct output_more *output = exchange->output.more;

    if (output->pieces_at > 0) {
        CHECK(output->pieces_at <= output->pieces.len);
        buf_consume(&output->pieces, output->pieces_at);
        output->pieces_at = 0;
    }
    if (buf_append(&output->pieces, bytes) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY, "more written than px_response_room has");
        return;
    }
    exchange->transport->send_content(exchange);
}

size_t px_response_room(px_exchange *exchange)
{
    const struct output_more *output = exchange->output.more;

    if (!output || !exchange_alive(exchange))
        return 0;
    size_t room = output->pieces.bytes_max - (output->pieces.len - output->pieces_at);

    /* Asking when less than half is left is how a handler says that it may wait: one that must not
     * lose what its peer sends stops reading before there is no room at all. */
    if (room < output->pieces.bytes_max / 2)
        exchange->output.room_wanted = true;
    return room;
}

void px_response_end(px_exchange *exchange)
{
    if (exchange->output.pieces_done || !pieces_open(exchange))
        return;
    exchange->output.pieces_done = true;
    exchange->transport->send_content(exchange);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

bool exchange_can_tunnel(const px_exchange *exchange, px_str protocol)
{
    const struct http_request *request = &exchange->arrival.request;

    return exchange->arrival.method == METHOD_CONNECT ||
           (exchange->arrival.version >= 11 && exchange->arrival.asks_upgrade && protocol.ptr &&
            field_lines_have(request->fields, request->field_count, "upgrade", protocol.ptr));
}

void px_respond_tunnel(px_exchange *exchange, px_str protocol, const px_tunnel_callbacks *callbacks,
                       void *context)
{
    bool connect = exchange->arrival.method == METHOD_CONNECT;

    if (!exchange_alive(exchange))
        return;
    if (exchange->answer.state != ANSWER_NONE || !callbacks ||
        callbacks->struct_size < sizeof(callbacks->struct_size)) {
        exchange_break(exchange, PX_END_ABORTED,
                       exchange->answer.state != ANSWER_NONE ? "a second answer"
                                                             : TABLE_WITHOUT_SIZE);
        return;
    }
    if (!exchange_can_tunnel(exchange, protocol)) {
        px_respond_error(exchange, 400);
        return;
    }
    struct output_more *output = exchange_output_more(exchange);

    if (!output)
        return;
    output->tunnel = callbacks;
    output->tunnel_context = context;
    output->producer.pull = TABLE_MEMBER(callbacks, on_pull);
    output->producer.context = context;
    output->upgrade = connect ? px_str_make(NULL, 0) : arena_copy(&exchange->arena, protocol);
    if (!connect && !output->upgrade.ptr) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return;
    }
    /* What HTTP/1 calls 101 is a 2xx to extended CONNECT (RFC 8441 section 4). */
    exchange->answer.status = connect || exchange->arrival.version == 20 ? 200 : 101;
    exchange->output.kind = CONTENT_TUNNEL;
    exchange->output.length = PX_LENGTH_UNKNOWN;
    exchange->input.bytes_max = UINT64_MAX;
    exchange->input.sink = SINK_TUNNEL;
    answer_ready(exchange);
}
