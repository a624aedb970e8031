/*
 * Answering: the public calls that record status, fields and content.
 *
 * Happy path: px_respond copies what it is given into the arena and tells the transport, which
 * picks it up.  A call that breaks a rule, or finds no memory, breaks the exchange; nothing is
 * returned, on_end says so.
 */
#include <string.h>

#include "exchange/exchange.h"
#include "http/fields/cookie.h"
#include "http/fields/field.h"
#include "http/message/status.h"

/* Fields that pollux writes itself, because they frame the message or steer the connection. */
static bool field_allowed(px_str name, px_str value)
{
    return field_name_valid(name) && field_value_valid(value) && !field_is_framing(name);
}

bool answer_begin(px_exchange *exchange, unsigned status, px_str type, enum content_kind kind,
                  uint64_t length)
{
    if (!exchange_alive(exchange))
        return false;
    /* RFC 9110 section 9.3.6: a 2xx to CONNECT begins a tunnel, whatever its fields say. */
    bool tunnel_only = exchange->method == METHOD_CONNECT && status < 300;

    if (exchange->answer != ANSWER_NONE || status < 200 || status > 599 || tunnel_only ||
        (type.ptr && !field_value_valid(type))) {
        exchange_break(exchange, PX_END_ABORTED);
        return false;
    }
    exchange->status = (uint16_t)status;
    if (type.ptr && type.len > 0) {
        exchange->type = arena_copy(&exchange->arena, type);
        if (!exchange->type.ptr) {
            exchange_break(exchange, PX_END_NO_MEMORY);
            return false;
        }
    }
    exchange->kind = (uint8_t)kind;
    exchange->length = length;
    return true;
}

void exchange_take_head(px_exchange *exchange)
{
    if (PX_UNLIKELY(exchange->service->filter_count > 0) && exchange->kind != CONTENT_TUNNEL)
        filters_take_head(exchange);
    exchange->answer = ANSWER_TAKEN;
    if (exchange->filtered) {
        exchange->output->source_length = exchange->length;
        exchange->length = PX_LENGTH_UNKNOWN;
    }
    /* RFC 9110 section 15.3.6: 205 has no content, and says so. */
    if (exchange->status == 205)
        exchange->length = 0;
    /* RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5. */
    exchange->head_only = exchange->method == METHOD_HEAD || exchange->status == 204 ||
                          exchange->status == 205 || exchange->status == 304;
}

void px_respond(px_exchange *exchange, unsigned status, px_str type, px_str content)
{
    if (!answer_begin(exchange, status, type, CONTENT_BYTES, content.len))
        return;
    exchange->body.bytes = arena_copy(&exchange->arena, content);
    if (!exchange->body.bytes.ptr) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    answer_ready(exchange);
}

void px_respond_text(px_exchange *exchange, unsigned status, const char *text)
{
    px_respond(exchange, status, px_str_of("text/plain; charset=utf-8"), px_str_of(text));
}

void px_respond_body(px_exchange *exchange, unsigned status, px_str type, const px_body *body)
{
    if (!answer_begin(exchange, status, type, CONTENT_BYTES, body->bytes.len)) {
        if (body->release)
            body->release(body->context);
        return;
    }
    exchange->body = *body;
    if (!exchange->body.bytes.ptr)
        exchange->body.bytes = px_str_make("", 0);
    answer_ready(exchange);
}

void exchange_replace_content(px_exchange *exchange, const px_body *body)
{
    source_release(exchange);
    exchange->kind = CONTENT_BYTES;
    exchange->body = *body;
    exchange->length = body->bytes.len;
}

void px_respond_file(px_exchange *exchange, unsigned status, px_str type,
                     const px_file_range *range)
{
    struct exchange_output *output = NULL;

    if (answer_begin(exchange, status, type, CONTENT_FILE, range->length))
        output = exchange_output(exchange);
    if (!output) {
        if (range->release)
            range->release(range->fd, range->context);
        return;
    }
    output->file = *range;
    answer_ready(exchange);
}

void px_respond_producer(px_exchange *exchange, unsigned status, px_str type, uint64_t length,
                         const px_producer *producer)
{
    struct exchange_output *output = NULL;

    if (answer_begin(exchange, status, type, CONTENT_PRODUCER, length))
        output = exchange_output(exchange);
    if (!output) {
        if (producer->release)
            producer->release(producer->context);
        return;
    }
    output->producer = *producer;
    answer_ready(exchange);
}

void px_resume(px_exchange *exchange)
{
    if (!exchange->later)
        return;
    exchange->later = false;
    if (exchange->transport)
        exchange->transport->send_content(exchange);
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
    exchange_break(exchange, PX_END_ABORTED);
}

void px_respond_error(px_exchange *exchange, unsigned status)
{
    const struct exchange_service *service = exchange->service;
    char text[96];
    size_t len;

    if (!exchange_alive(exchange))
        return;
    if (status < 400 || status > 599) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    if (service->on_error_page && !exchange->error_page) {
        exchange->error_page = true;
        service->on_error_page(exchange, status, service->error_page_context);
        exchange->error_page = false;
        if (exchange->answer != ANSWER_NONE || exchange->broken)
            return;
    }
    len = status_text(status, text);
    text[len] = '\n';
    px_respond(exchange, status, px_str_of("text/plain; charset=utf-8"),
               px_str_make(text, len + 1));
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* Appends a copy of a field to an array in the arena, which doubles. */
static bool fields_append(px_exchange *exchange, px_field **fields, uint32_t count, uint32_t *room,
                          px_str name, px_str value)
{
    if (count == *room) {
        uint32_t more = *room ? *room * 2 : 8;
        px_field *grown =
            count < FIELD_COUNT_LIMIT ? arena_take(&exchange->arena, more * sizeof(*grown)) : NULL;

        if (!grown)
            return false;
        if (count > 0)
            memcpy(grown, *fields, count * sizeof(*grown));
        *fields = grown;
        *room = more;
    }
    px_field field = {arena_copy(&exchange->arena, name), arena_copy(&exchange->arena, value)};

    if (!field.name.ptr || !field.value.ptr)
        return false;
    (*fields)[count] = field;
    return true;
}

/* Whether fields may still be set; a late one is a broken rule. */
static bool fields_open(px_exchange *exchange)
{
    if (!exchange_alive(exchange))
        return false;
    if (exchange->answer == ANSWER_NONE || exchange->answer == ANSWER_READY)
        return true;
    exchange_break(exchange, PX_END_ABORTED);
    return false;
}

static void field_add(px_exchange *exchange, px_str name, px_str value)
{
    uint32_t room = exchange->field_room;

    if (field_name_is(name, "content-type")) {
        exchange->type = arena_copy(&exchange->arena, value);
        if (!exchange->type.ptr)
            exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    if (!fields_append(exchange, &exchange->fields, exchange->field_count, &room, name, value)) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    exchange->field_count++;
    exchange->field_room = (uint16_t)room;
    if (field_name_is(name, "date"))
        exchange->no_date = true;
    if (field_name_is(name, "server"))
        exchange->no_server = true;
}

void exchange_lend_fields(px_exchange *exchange, const px_field *fields, uint32_t count)
{
    if (PX_UNLIKELY(exchange->field_count > 0)) {
        for (uint32_t index = 0; index < count; index++)
            px_response_add_field(exchange, fields[index].name, fields[index].value);
        return;
    }
    if (!fields_open(exchange))
        return;
    /* Full: whoever adds one gets a copy first (fields_append). */
    exchange->fields = (px_field *)(uintptr_t)fields;
    exchange->field_count = (uint16_t)count;
    exchange->field_room = (uint16_t)count;
    exchange->fields_lent = true;
}

/* Before a field is taken out: a lent array is not ours to change. */
static bool fields_own(px_exchange *exchange)
{
    if (!exchange->fields_lent || exchange->field_count == 0)
        return true;
    px_field *own = arena_take(&exchange->arena, exchange->field_count * sizeof(*own));

    if (!own) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return false;
    }
    memcpy(own, exchange->fields, exchange->field_count * sizeof(*own));
    exchange->fields = own;
    exchange->fields_lent = false;
    return true;
}

void px_response_add_field(px_exchange *exchange, px_str name, px_str value)
{
    if (!fields_open(exchange))
        return;
    if (!field_allowed(name, value)) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    field_add(exchange, name, value);
}

void px_response_set_field(px_exchange *exchange, px_str name, px_str value)
{
    uint16_t kept = 0;

    if (!fields_open(exchange))
        return;
    if (!field_allowed(name, value.ptr ? value : px_str_make("", 0))) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    if (!fields_own(exchange))
        return;
    for (uint16_t index = 0; index < exchange->field_count; index++) {
        if (!field_text_equal(exchange->fields[index].name, name))
            exchange->fields[kept++] = exchange->fields[index];
    }
    exchange->field_count = kept;
    if (value.ptr) {
        field_add(exchange, name, value);
        return;
    }
    if (field_name_is(name, "content-type"))
        exchange->type = px_str_make(NULL, 0);
    if (field_name_is(name, "date"))
        exchange->no_date = true;
    if (field_name_is(name, "server"))
        exchange->no_server = true;
}

px_str px_response_field(const px_exchange *exchange, const char *name)
{
    if (field_name_is(px_str_of(name), "content-type"))
        return exchange->type;
    return field_find_value(exchange->fields, exchange->field_count, name);
}

void px_response_add_trailer(px_exchange *exchange, px_str name, px_str value)
{
    if (!exchange_alive(exchange))
        return;
    if (!field_allowed(name, value)) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    struct exchange_output *output = exchange_output(exchange);

    if (!output)
        return;
    if (fields_append(exchange, &output->trailers, output->trailer_count, &output->trailer_room,
                      name, value))
        output->trailer_count++;
    else
        exchange_break(exchange, PX_END_NO_MEMORY);
}

unsigned px_response_status(const px_exchange *exchange)
{
    return exchange->status;
}

void px_response_set_status(px_exchange *exchange, unsigned status)
{
    if (!fields_open(exchange))
        return;
    if (status < 200 || status > 599) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    exchange->status = (uint16_t)status;
}

static enum cookie_same_site same_site_of(px_str text)
{
    if (field_name_is(text, "strict"))
        return COOKIE_SAME_SITE_STRICT;
    if (field_name_is(text, "lax"))
        return COOKIE_SAME_SITE_LAX;
    if (field_name_is(text, "none"))
        return COOKIE_SAME_SITE_NONE;
    return COOKIE_SAME_SITE_UNSET;
}

void px_response_add_cookie(px_exchange *exchange, const px_cookie *given)
{
    px_str value;
    struct cookie cookie = {
        .name = given->name,
        .value = given->value,
        .path = given->path,
        .domain = given->domain,
        .max_age = given->max_age_s > 0 ? given->max_age_s : 0,
        .has_max_age = given->max_age_s != 0,
        .secure = given->secure != 0,
        .http_only = given->http_only != 0,
        .same_site = given->same_site.ptr ? same_site_of(given->same_site) : COOKIE_SAME_SITE_UNSET,
    };

    if (!fields_open(exchange))
        return;
    px_err err = cookie_build(&cookie, &exchange->arena, &value);

    if (err != PX_OK || (given->same_site.ptr && cookie.same_site == COOKIE_SAME_SITE_UNSET)) {
        exchange_break(exchange, err == PX_ERR_MEMORY ? PX_END_NO_MEMORY : PX_END_ABORTED);
        return;
    }
    field_add(exchange, px_str_make("Set-Cookie", 10), value);
}

void px_response_inform(px_exchange *exchange, unsigned status, px_str name, px_str value)
{
    if (!fields_open(exchange))
        return;
    if (status < 100 || status > 199 || status == 101 || exchange->answer != ANSWER_NONE ||
        (name.ptr && !field_allowed(name, value))) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    /* RFC 9110 section 15.2: not to a client of HTTP/1.0. */
    if (exchange->version > 10)
        exchange->transport->inform(exchange, status, name, value);
}

/* --- In pieces -------------------------------------------------------------------------------- */

void px_response_start(px_exchange *exchange, unsigned status, px_str type, uint64_t length)
{
    if (answer_begin(exchange, status, type, CONTENT_PIECES, length) && exchange_output(exchange))
        answer_ready(exchange);
}

static bool pieces_open(px_exchange *exchange)
{
    if (!exchange_alive(exchange))
        return false;
    if ((exchange->kind == CONTENT_PIECES || exchange->kind == CONTENT_TUNNEL) &&
        exchange->answer != ANSWER_NONE && !exchange->pieces_done)
        return true;
    exchange_break(exchange, PX_END_ABORTED);
    return false;
}

void px_response_write(px_exchange *exchange, px_str bytes)
{
    if (!pieces_open(exchange) || bytes.len == 0)
        return;
    struct exchange_output *output = exchange->output;

    if (output->pieces_at > 0) {
        buf_consume(&output->pieces, output->pieces_at);
        output->pieces_at = 0;
    }
    if (buf_append(&output->pieces, bytes) != PX_OK) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    exchange->transport->send_content(exchange);
}

size_t px_response_room(px_exchange *exchange)
{
    const struct exchange_output *output = exchange->output;

    if (!output || !exchange_alive(exchange))
        return 0;
    size_t room = output->pieces.bytes_max - (output->pieces.len - output->pieces_at);

    /* Asking when less than half is left is how a handler says that it may wait: one that must not
     * lose what its peer sends stops reading before there is no room at all. */
    if (room < output->pieces.bytes_max / 2)
        exchange->room_wanted = true;
    return room;
}

void px_response_end(px_exchange *exchange)
{
    if (!pieces_open(exchange))
        return;
    exchange->pieces_done = true;
    exchange->transport->send_content(exchange);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

void px_respond_tunnel(px_exchange *exchange, px_str protocol, const px_tunnel_callbacks *callbacks,
                       void *context)
{
    bool connect = exchange->method == METHOD_CONNECT;

    if (!exchange_alive(exchange))
        return;
    if (exchange->answer != ANSWER_NONE ||
        callbacks->struct_size < sizeof(callbacks->struct_size)) {
        exchange_break(exchange, PX_END_ABORTED);
        return;
    }
    if (!connect && (exchange->version < 11 || !exchange->asks_upgrade || !protocol.ptr ||
                     !field_list_has(px_request_field(exchange, "Upgrade"), protocol.ptr))) {
        px_respond_error(exchange, 400);
        return;
    }
    struct exchange_output *output = exchange_output(exchange);

    if (!output)
        return;
    output->tunnel = callbacks;
    output->tunnel_context = context;
    output->upgrade = connect ? px_str_make(NULL, 0) : arena_copy(&exchange->arena, protocol);
    if (!connect && !output->upgrade.ptr) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return;
    }
    exchange->status = connect ? 200 : 101;
    exchange->kind = CONTENT_TUNNEL;
    exchange->length = PX_LENGTH_UNKNOWN;
    exchange->content_max = UINT64_MAX;
    exchange->sink = SINK_TUNNEL;
    answer_ready(exchange);
}
