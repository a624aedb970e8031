/*
 * Answering: the public calls that record fields, trailer fields and cookies, and interim
 * responses.
 *
 * Happy path: a field is checked and copied into the arena.  One that is not valid, that frames the
 * message, or that comes when the head is out breaks the exchange.
 */
#include <string.h>

#include "exchange/exchange_private.h"
#include "http/fields/cookie.h"
#include "http/fields/field.h"

/* Fields that pollux writes itself, because they frame the message or steer the connection. */
static bool field_allowed(px_str name, px_str value)
{
    return field_name_valid(name) && field_value_valid(value) && !field_is_framing(name);
}

static const char *field_fault(px_str name)
{
    if (!field_name_valid(name))
        return "a field whose name is no token";
    return field_is_framing(name) ? "a field that frames the message: pollux sets it"
                                  : "a field's value with bytes that no field may have";
}

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
    if (exchange->answer.state == ANSWER_NONE || exchange->answer.state == ANSWER_READY)
        return true;
    exchange_break(exchange, PX_END_ABORTED, "a field or status that is set when the head is out");
    return false;
}

static void field_add(px_exchange *exchange, px_str name, px_str value)
{
    uint32_t room = exchange->answer.field_room;

    if (field_name_is(name, "content-type")) {
        exchange->answer.type = arena_copy(&exchange->arena, value);
        if (!exchange->answer.type.ptr)
            exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return;
    }
    if (!fields_append(exchange, &exchange->answer.fields, exchange->answer.field_count, &room,
                       name, value)) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return;
    }
    exchange->answer.field_count++;
    exchange->answer.field_room = (uint16_t)room;
    if (field_name_is(name, "date"))
        exchange->answer.no_date = true;
    if (field_name_is(name, "server"))
        exchange->answer.no_server = true;
}

/* Whether kept fields can be sent as they are. */
static bool kept_allowed(const px_kept_fields *kept)
{
    if (kept->count > FIELD_COUNT_LIMIT || (kept->type.ptr && !field_value_valid(kept->type)))
        return false;
    for (uint32_t index = 0; index < kept->count; index++) {
        px_str name = kept->fields[index].name;

        if (!field_allowed(name, kept->fields[index].value) ||
            field_name_is(name, "content-type") || field_name_is(name, "date") ||
            field_name_is(name, "server"))
            return false;
    }
    return true;
}

void px_response_lend(px_exchange *exchange, px_kept_fields *kept)
{
    if (!fields_open(exchange))
        return;
    if (PX_UNLIKELY(!kept->checked)) {
        if (!kept_allowed(kept)) {
            exchange_break(exchange, PX_END_ABORTED, "kept fields that cannot be sent");
            return;
        }
        kept->checked = 1;
    }
    exchange->answer.type = kept->type;
    if (PX_UNLIKELY(exchange->answer.field_count > 0)) {
        for (uint32_t index = 0; index < kept->count; index++)
            px_response_add_field(exchange, kept->fields[index].name, kept->fields[index].value);
        return;
    }
    /* Full: when one is added, that is done to a copy (fields_append). */
    exchange->answer.fields = (px_field *)(uintptr_t)kept->fields;
    exchange->answer.field_count = (uint16_t)kept->count;
    exchange->answer.field_room = (uint16_t)kept->count;
    exchange->answer.fields_lent = true;
}

/* Before a field is taken out: a lent array is not ours to change. */
static bool fields_own(px_exchange *exchange)
{
    if (!exchange->answer.fields_lent || exchange->answer.field_count == 0)
        return true;
    px_field *own = arena_take(&exchange->arena, exchange->answer.field_count * sizeof(*own));

    if (!own) {
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
        return false;
    }
    memcpy(own, exchange->answer.fields, exchange->answer.field_count * sizeof(*own));
    exchange->answer.fields = own;
    exchange->answer.fields_lent = false;
    return true;
}

void px_response_add_field(px_exchange *exchange, px_str name, px_str value)
{
    if (!fields_open(exchange))
        return;
    if (!field_allowed(name, value)) {
        exchange_break(exchange, PX_END_ABORTED, field_fault(name));
        return;
    }
    field_add(exchange, name, value);
}

int px_response_pass_field(px_exchange *exchange, px_str name, px_str value)
{
    if (field_name_is(name, "connection") && field_list_has(value, "close"))
        px_response_close(exchange);
    if (!field_allowed(name, value) || !fields_open(exchange))
        return 0;
    field_add(exchange, name, value);
    return exchange_alive(exchange);
}

void px_response_close(px_exchange *exchange)
{
    if (exchange_alive(exchange) && exchange->answer.state < ANSWER_TAKEN)
        exchange->answer.close_after = true;
}

void px_response_set_field(px_exchange *exchange, px_str name, px_str value)
{
    uint16_t kept = 0;

    if (!fields_open(exchange))
        return;
    if (!field_allowed(name, value.ptr ? value : px_str_make("", 0))) {
        exchange_break(exchange, PX_END_ABORTED, field_fault(name));
        return;
    }
    if (!fields_own(exchange))
        return;
    for (uint16_t index = 0; index < exchange->answer.field_count; index++) {
        if (!field_text_equal(exchange->answer.fields[index].name, name))
            exchange->answer.fields[kept++] = exchange->answer.fields[index];
    }
    exchange->answer.field_count = kept;
    if (value.ptr) {
        field_add(exchange, name, value);
        return;
    }
    if (field_name_is(name, "content-type"))
        exchange->answer.type = px_str_make(NULL, 0);
    if (field_name_is(name, "date"))
        exchange->answer.no_date = true;
    if (field_name_is(name, "server"))
        exchange->answer.no_server = true;
}

px_str px_response_field(const px_exchange *exchange, const char *name)
{
    if (field_name_is(px_str_of(name), "content-type"))
        return exchange->answer.type;
    return field_find_value(exchange->answer.fields, exchange->answer.field_count, name);
}

const px_field *px_response_fields(const px_exchange *exchange, size_t *out_count)
{
    *out_count = exchange->answer.field_count;
    return exchange->answer.fields;
}

void px_response_add_trailer(px_exchange *exchange, px_str name, px_str value)
{
    if (!exchange_alive(exchange))
        return;
    if (!field_allowed(name, value)) {
        exchange_break(exchange, PX_END_ABORTED, field_fault(name));
        return;
    }
    struct output_more *output = exchange_output_more(exchange);

    if (!output)
        return;
    if (fields_append(exchange, &output->trailers, output->trailer_count, &output->trailer_room,
                      name, value))
        output->trailer_count++;
    else
        exchange_break(exchange, PX_END_NO_MEMORY, EXCHANGE_IS_FULL);
}

unsigned px_response_status(const px_exchange *exchange)
{
    bool is_page = exchange->answer.state == ANSWER_NONE && px_exchange_is_error_page(exchange);

    return PX_UNLIKELY(is_page) ? exchange->handling.detour_status : exchange->answer.status;
}

void px_response_set_status(px_exchange *exchange, unsigned status)
{
    if (!fields_open(exchange))
        return;
    if (status < 200 || status > 599) {
        exchange_break(exchange, PX_END_ABORTED, "a status that is not one of 200 to 599");
        return;
    }
    exchange->answer.status = (uint16_t)status;
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
    px_cookie wanted;

    if (!struct_read(exchange, &wanted, sizeof(wanted), given))
        return;
    struct cookie cookie = {
        .name = wanted.name,
        .value = wanted.value,
        .path = wanted.path,
        .domain = wanted.domain,
        .max_age = wanted.max_age_s > 0 ? wanted.max_age_s : 0,
        .has_max_age = wanted.max_age_s != 0,
        .secure = wanted.secure != 0,
        .http_only = wanted.http_only != 0,
        .same_site = wanted.same_site.ptr ? same_site_of(wanted.same_site) : COOKIE_SAME_SITE_UNSET,
    };

    if (!fields_open(exchange))
        return;
    px_err err = cookie_build(&cookie, &exchange->arena, &value);

    if (err != PX_OK || (wanted.same_site.ptr && cookie.same_site == COOKIE_SAME_SITE_UNSET)) {
        exchange_break(exchange, err == PX_ERR_MEMORY ? PX_END_NO_MEMORY : PX_END_ABORTED,
                       err == PX_ERR_MEMORY ? EXCHANGE_IS_FULL
                                            : "a cookie that user agents refuse");
        return;
    }
    field_add(exchange, px_str_make("Set-Cookie", 10), value);
}

static bool inform_allowed(const px_exchange *exchange, unsigned status, const px_field *fields,
                           size_t field_count)
{
    for (size_t index = 0; index < field_count; index++)
        if (!field_allowed(fields[index].name, fields[index].value))
            return false;
    return status >= 100 && status <= 199 && status != 101 &&
           exchange->answer.state == ANSWER_NONE && field_count <= FIELD_COUNT_LIMIT;
}

void px_response_inform_fields(px_exchange *exchange, unsigned status, const px_field *fields,
                               size_t field_count)
{
    if (!fields_open(exchange))
        return;
    if (!inform_allowed(exchange, status, fields, field_count)) {
        exchange_break(exchange, PX_END_ABORTED,
                       "an informational response behind the answer, or that is none");
        return;
    }
    /* RFC 9110 section 15.2: not to a client of HTTP/1.0. */
    if (exchange->arrival.version > 10)
        exchange->transport->inform(exchange, status, fields, (uint32_t)field_count);
}

void px_response_inform(px_exchange *exchange, unsigned status, px_str name, px_str value)
{
    const px_field field = {name, value};

    px_response_inform_fields(exchange, status, &field, name.ptr ? 1 : 0);
}
