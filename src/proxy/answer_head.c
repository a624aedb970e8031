/*
 * The fields of an answer on their way to the client.
 */
#include "proxy/answer_head.h"

#include "http/fields/field.h"
#include "pollux/response.h"

bool answer_field_passes(const struct connection_names *names, px_str name)
{
    /* What a server asks of a proxy is not for the client of one that stands in its place. */
    return !field_is_framing(name) && !field_name_is(name, "proxy-authenticate") &&
           !field_name_is(name, "proxy-authentication-info") && !connection_names_have(names, name);
}

px_err answer_head_set(px_exchange *exchange, const px_field *fields, size_t count)
{
    struct connection_names names;
    bool has_date = false;

    if (connection_names_read(fields, count, &names) != PX_OK)
        return PX_ERR_MALFORMED;
    for (size_t index = 0; index < count; index++)
        if (answer_field_passes(&names, fields[index].name) &&
            !(field_name_valid(fields[index].name) && field_value_valid(fields[index].value)))
            return PX_ERR_MALFORMED;
    for (size_t index = 0; index < count; index++) {
        const px_field *field = &fields[index];

        if (!answer_field_passes(&names, field->name))
            continue;
        /* Of these there is one. */
        if (field_name_is(field->name, "date") && has_date)
            continue;
        has_date = has_date || field_name_is(field->name, "date");
        px_response_add_field(exchange, field->name, field->value);
    }
    return PX_OK;
}

void answer_inform(px_exchange *exchange, unsigned status, const px_field *fields, size_t count)
{
    struct connection_names names;
    px_field *passed = px_exchange_alloc(exchange, (count + 1) * sizeof(*passed));
    size_t passed_count = 0;

    if (!passed || connection_names_read(fields, count, &names) != PX_OK)
        return;
    for (size_t index = 0; index < count; index++)
        if (answer_field_passes(&names, fields[index].name) &&
            field_name_valid(fields[index].name) && field_value_valid(fields[index].value))
            passed[passed_count++] = fields[index];
    px_response_inform_fields(exchange, status, passed, passed_count);
}
